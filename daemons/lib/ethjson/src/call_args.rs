//! Parameters of `eth_call`: geth's `TransactionArgs`, state and block overrides, and what they mean to the EVM.

use crate::params::{Big, Data, Number};
use alloy::consensus::Header;
use alloy::eips::eip2930::AccessList;
use alloy::eips::eip7702::SignedAuthorization;
use alloy::primitives::map::{AddressSet, B256Map};
use alloy::primitives::{Address, B256, Bytes, TxKind, U256};
use maidenlane_chain::Rules;
use maidenlane_evm::Call;
use maidenlane_evm::database::{AccountOverride, Overrides};
use maidenlane_evm::precompiles::Moved;
use maidenlane_evm::rules::EvmRules as _;
use maidenlane_jsonrpc::Error;
use revm::bytecode::Bytecode;
use revm::context::TxEnv;
use revm::context_interface::either::Either;
use revm::context_interface::transaction::TransactionType;
use revm::handler::EthPrecompiles;
use revm::primitives::hardfork::SpecId;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The call itself. As in geth, unknown fields are ignored and `input` goes before `data`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are geth's")]
pub struct CallArgs {
    pub from: Option<Address>,
    pub to: Option<Address>,
    pub gas: Option<Number>,
    pub gas_price: Option<Big>,
    pub max_fee_per_gas: Option<Big>,
    pub max_priority_fee_per_gas: Option<Big>,
    pub value: Option<Big>,
    pub nonce: Option<Number>,
    pub data: Option<Data>,
    pub input: Option<Data>,
    pub access_list: Option<AccessList>,
    pub chain_id: Option<Big>,
    pub max_fee_per_blob_gas: Option<Big>,
    pub blob_versioned_hashes: Option<Vec<B256>>,
    #[serde(default, deserialize_with = "crate::authorization::list")]
    pub authorization_list: Option<Vec<SignedAuthorization>>,
}

/// Fees as the EVM takes them.
struct Fees {
    cap: U256,
    tip: U256,
}

impl Fees {
    /// Gas price where the EVM knows no cap: only a block override brings a base fee together with old rules.
    fn legacy_price(&self, base_fee: Option<u64>) -> U256 {
        match base_fee {
            Some(base_fee) if !self.cap.is_zero() => {
                self.tip.saturating_add(U256::from(base_fee)).min(self.cap)
            }
            _ => self.cap,
        }
    }
}

impl CallArgs {
    /// Address that is called; `None` creates a contract.
    pub fn to(&self) -> Option<Address> {
        self.to
    }

    fn fees(&self, base_fee: Option<u64>) -> Result<Fees, Error> {
        let modern = self.max_fee_per_gas.is_some() || self.max_priority_fee_per_gas.is_some();
        if self.gas_price.is_some() && modern {
            return Err(Error::server("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified"));
        }
        let or_zero = |big: Option<Big>| big.map_or(U256::ZERO, |big| big.0);
        Ok(match (self.gas_price, base_fee) {
            (None, Some(_)) => {
                Fees { cap: or_zero(self.max_fee_per_gas), tip: or_zero(self.max_priority_fee_per_gas) }
            }
            (price, _) => Fees { cap: or_zero(price), tip: or_zero(price) },
        })
    }

    /// Input of the EVM for this call in the block of `header`, by geth's rules.
    pub fn prepare(self, rules: &Rules, header: &Header, gas_cap: u64) -> Result<Call, Error> {
        self.check_chain(rules)?;
        let fees = self.fees(header.base_fee_per_gas)?;
        let spec = rules.spec(header);
        let mut block = rules.block_env(header);
        if fees.cap.is_zero() && (fees.tip.is_zero() || header.base_fee_per_gas.is_some()) {
            // Else a free call would be below the base fee.
            block.basefee = 0;
        }
        // geth makes blobs free only where a fee cap is known: given as zero, or implied by blobs without one.
        let blob_fee = self.max_fee_per_blob_gas.map(|fee| fee.0);
        let blob_fee = blob_fee.or(self.blob_versioned_hashes.as_ref().map(|_| U256::ZERO));
        if let Some(blob) = block.blob_excess_gas_and_price.as_mut().filter(|_| blob_fee == Some(U256::ZERO))
        {
            blob.blob_gasprice = 0;
        }
        let tx_type = self.tx_type(spec);
        let fits = |fee: U256| u128::try_from(fee).unwrap_or(u128::MAX);
        let modern = !matches!(tx_type, TransactionType::Legacy | TransactionType::Eip2930);
        let tx = TxEnv {
            tx_type: u8::from(tx_type),
            caller: self.from.unwrap_or_default(),
            gas_limit: self.gas.map_or(gas_cap, |gas| gas.0.min(gas_cap)),
            gas_price: fits(if modern { fees.cap } else { fees.legacy_price(header.base_fee_per_gas) }),
            // Before London the EVM ignores it, but a call that offers it is not free.
            gas_priority_fee: Some(fits(fees.tip)),
            kind: self.to.map_or(TxKind::Create, TxKind::Call),
            value: self.value.map_or(U256::ZERO, |value| value.0),
            data: self.input.or(self.data).map(|data| data.0).unwrap_or_default(),
            nonce: 0,
            chain_id: None,
            access_list: self.access_list.unwrap_or_default(),
            blob_hashes: self.blob_versioned_hashes.unwrap_or_default(),
            max_fee_per_blob_gas: fits(self.max_fee_per_blob_gas.map_or(U256::ZERO, |fee| fee.0)),
            authorization_list: self
                .authorization_list
                .unwrap_or_default()
                .into_iter()
                .map(Either::Left)
                .collect(),
        };
        let fraction = rules.blobs(header.timestamp).map(|blobs| blobs.update_fraction);
        Ok(Call {
            spec,
            chain_id: rules.chain_id(),
            block,
            tx,
            blob_update_fraction: fraction.and_then(|fraction| u64::try_from(fraction).ok()),
            moved: None,
        })
    }

    /// Refuses calls for another chain.
    pub fn check_chain(&self, rules: &Rules) -> Result<(), Error> {
        if let Some(id) = self.chain_id
            && id.0 != U256::from(rules.chain_id())
        {
            let (have, want) = (id.0, rules.chain_id());
            return Err(Error::server(format!("chainId does not match node's (have={have}, want={want})")));
        }
        Ok(())
    }

    /// Checks the forms of blobs and authorizations, which geth does whatever the fork.
    pub fn check_forms(&self) -> Result<(), Error> {
        const BLOB_VERSION: u8 = 1;
        let problem = match (&self.blob_versioned_hashes, &self.authorization_list) {
            (Some(_), _) if self.to.is_none() => "blob transaction of type create",
            (Some(hashes), _) if hashes.is_empty() => "blob transaction missing blob hashes",
            (Some(hashes), _) if hashes.iter().any(|hash| hash.first() != Some(&BLOB_VERSION)) => {
                "blob has invalid hash version"
            }
            (_, Some(_)) if self.to.is_none() => "EIP-7702 transaction cannot be used to create contract",
            (_, Some(list)) if list.is_empty() => "EIP-7702 transaction with empty auth list",
            _ => return Ok(()),
        };
        Err(Error::server(format!("err: {problem}")))
    }

    /// Least transaction type that carries what was given. From London on all fees go by EIP-1559: a gas price is both
    /// cap and tip there, which costs the same.
    fn tx_type(&self, spec: SpecId) -> TransactionType {
        // What a fork does not know yet is ignored, as geth's EVM does.
        if self.authorization_list.is_some() && spec.is_enabled_in(SpecId::PRAGUE) {
            TransactionType::Eip7702
        } else if self.blob_versioned_hashes.is_some() && spec.is_enabled_in(SpecId::CANCUN) {
            TransactionType::Eip4844
        } else if spec.is_enabled_in(SpecId::LONDON) {
            TransactionType::Eip1559
        } else if spec.is_enabled_in(SpecId::BERLIN) {
            TransactionType::Eip2930
        } else {
            TransactionType::Legacy
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawOverride {
    nonce: Option<Number>,
    code: Option<Data>,
    balance: Option<Big>,
    state: Option<B256Map<B256>>,
    state_diff: Option<B256Map<B256>>,
    move_precompile_to_address: Option<Address>,
}

/// State overrides of a call: changes of accounts, by address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "BTreeMap<Address, Option<RawOverride>>")]
pub struct StateOverrides(BTreeMap<Address, RawOverride>);

impl From<BTreeMap<Address, Option<RawOverride>>> for StateOverrides {
    fn from(read: BTreeMap<Address, Option<RawOverride>>) -> Self {
        Self(read.into_iter().map(|(address, raw)| (address, raw.unwrap_or_default())).collect())
    }
}

impl StateOverrides {
    /// Checks the overrides for the EVM of a fork; returns the accounts, and where its precompiles are then, unless
    /// `moves` says that none moves.
    pub fn resolve(self, spec: SpecId, moves: bool) -> Result<(Overrides, Option<Arc<Moved>>), Error> {
        let mut moved = Moved::default();
        if !self.0.is_empty() {
            let places = moves.then(|| EthPrecompiles::new(spec));
            let has = |address| places.as_ref().is_some_and(|places| places.contains(address));
            let mut taken = AddressSet::default();
            for (address, raw) in &self.0 {
                if taken.contains(address) {
                    let text = format!("account {address} has already been overridden by a precompile");
                    return Err(Error::server(text));
                }
                raw.check(*address)?;
                let here = moved.get(address).copied().unwrap_or(has(address).then_some(*address));
                if let Some(to) = raw.move_precompile_to_address {
                    if here.is_none() {
                        return Err(Error::server(format!("account {address} is not a precompile")));
                    }
                    if self.0.contains_key(&to) {
                        return Err(Error::server(format!("account {to} is already overridden")));
                    }
                    moved.insert(to, here);
                    taken.insert(to);
                }
                if here.is_some() {
                    moved.insert(*address, None);
                }
            }
        }
        let accounts = self.0.into_iter().map(|(address, raw)| (address, raw.resolve(spec))).collect();
        Ok((accounts, (!moved.is_empty()).then(|| Arc::new(moved))))
    }
}

impl RawOverride {
    fn check(&self, address: Address) -> Result<(), Error> {
        if self.state.is_some() && self.state_diff.is_some() {
            return Err(Error::server(format!("account {address} has both 'state' and 'stateDiff'")));
        }
        Ok(())
    }

    fn resolve(self, spec: SpecId) -> AccountOverride {
        // Before Prague the bytes of a delegation are code like any other.
        let delegation = |bytes: &Bytes| {
            Some(bytes)
                .filter(|_| spec.is_enabled_in(SpecId::PRAGUE))
                .and_then(|bytes| Bytecode::new_raw_checked(bytes.clone()).ok())
        };
        let code = |bytes: Bytes| delegation(&bytes).unwrap_or_else(|| Bytecode::new_legacy(bytes));
        AccountOverride {
            nonce: self.nonce.map(|nonce| nonce.0),
            balance: self.balance.map(|balance| balance.0),
            code: self.code.map(|data| code(data.0)),
            state: self.state,
            diff: self.state_diff.unwrap_or_default(),
        }
    }
}
