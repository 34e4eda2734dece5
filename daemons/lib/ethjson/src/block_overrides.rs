//! Block overrides of a call: geth's `BlockOverrides`, and what they mean to the EVM.

use crate::params::{Big, Number};
use alloy::consensus::Header;
use alloy::eips::eip4895;
use alloy::primitives::{Address, B256, U256};
use maidenlane_evm::Call;
use maidenlane_jsonrpc::Error;
use serde::Deserialize;

/// Block overrides of a call.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are geth's")]
pub struct BlockOverrides {
    pub number: Option<Big>,
    pub difficulty: Option<Big>,
    pub time: Option<Number>,
    pub gas_limit: Option<Number>,
    pub fee_recipient: Option<Address>,
    pub prev_randao: Option<B256>,
    pub base_fee_per_gas: Option<Big>,
    pub blob_base_fee: Option<Big>,
    pub beacon_root: Option<B256>,
    pub withdrawals: Option<Vec<Withdrawal>>,
}

/// Withdrawal as geth reads one: what is not there is zero.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Withdrawal {
    index: Option<Number>,
    validator_index: Option<Number>,
    address: Option<Address>,
    amount: Option<Number>,
}

impl From<Withdrawal> for eip4895::Withdrawal {
    fn from(read: Withdrawal) -> Self {
        let or_zero = |number: Option<Number>| number.map_or(0, |number| number.0);
        Self {
            index: or_zero(read.index),
            validator_index: or_zero(read.validator_index),
            address: read.address.unwrap_or_default(),
            amount: or_zero(read.amount),
        }
    }
}

fn too_wide(name: &str, bits: u32) -> Error {
    Error::params(format!("block override {name:?} exceeds {bits} bits"))
}

/// A fee in a header, which has 64 bits here.
fn header_fee(fee: Big) -> Option<u64> {
    u64::try_from(fee.0).ok()
}

impl BlockOverrides {
    /// Changes the header that the block's environment is made from. What does not fit there is as large as it can be,
    /// until [`BlockOverrides::apply_to_call`].
    pub fn apply(&self, header: &mut Header) -> Result<(), Error> {
        if self.beacon_root.is_some() {
            return Err(Error::server("block override \"beaconRoot\" is not supported for this RPC method"));
        }
        if self.withdrawals.is_some() {
            return Err(Error::server("block override \"withdrawals\" is not supported for this RPC method"));
        }
        if let Some(number) = self.number {
            header.number = number.0.saturating_to();
        }
        if let Some(fee) = self.base_fee_per_gas {
            header.base_fee_per_gas = Some(header_fee(fee).unwrap_or(u64::MAX));
        }
        if let Some(random) = self.prev_randao {
            // As in geth's EVM, a random value is what makes a block one of proof of stake.
            header.mix_hash = random;
            header.difficulty = U256::ZERO;
        }
        header.timestamp = self.time.map_or(header.timestamp, |time| time.0);
        header.gas_limit = self.gas_limit.map_or(header.gas_limit, |limit| limit.0);
        header.beneficiary = self.fee_recipient.unwrap_or(header.beneficiary);
        Ok(())
    }

    /// Changes the fields of the EVM's block that the header cannot carry: the difficulty there decides the fork rules,
    /// and its numbers are smaller.
    pub fn apply_to_call(&self, call: &mut Call) -> Result<(), Error> {
        call.block.number = self.number.map_or(call.block.number, |number| number.0);
        call.block.difficulty = self.difficulty.map_or(call.block.difficulty, |difficulty| difficulty.0);
        // A free call has no base fee, whatever it was overridden with.
        if let Some(fee) = self.base_fee_per_gas.filter(|fee| header_fee(*fee).is_none())
            && call.block.basefee > 0
        {
            let (caller, cap) = (call.tx.caller, call.tx.gas_price);
            if U256::from(cap) < fee.0 {
                let text = "err: max fee per gas less than block base fee";
                let fee = fee.0;
                return Err(Error::server(format!(
                    "{text}: address {caller}, maxFeePerGas: {cap}, baseFee: {fee}"
                )));
            }
            return Err(too_wide("baseFeePerGas", u64::BITS));
        }
        let blobs = call.block.blob_excess_gas_and_price.as_mut();
        // Zero is what blobs that pay nothing were given, and that goes before an override.
        if let (Some(fee), Some(blob)) = (self.blob_base_fee, blobs.filter(|blob| blob.blob_gasprice > 0)) {
            blob.blob_gasprice = fee.0.try_into().map_err(|_| too_wide("blobBaseFee", u128::BITS))?;
        }
        Ok(())
    }

    /// Base fee of a simulated block, whose header is part of the answer.
    pub fn base_fee(&self) -> Result<Option<u64>, Error> {
        let read = |fee| header_fee(fee).ok_or_else(|| too_wide("baseFeePerGas", u64::BITS));
        self.base_fee_per_gas.map(read).transpose()
    }
}
