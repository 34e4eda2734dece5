//! Admission of transactions: refusals with geth's words and in its order (`SubmitTransaction`, `ValidateTransaction`,
//! `ValidateTransactionWithState`), as far as neither a pool nor the policy of one node is needed: a least tip and
//! prices of replacements are the nodes' own business. What a sender has on its way is counted where it is stored.

use crate::raw::Sent;
use alloy::consensus::{Header, Transaction as _};
use alloy::eips::eip7594::{BlobTransactionSidecarVariant as Blobs, CELLS_PER_EXT_BLOB};
use alloy::primitives::{Address, U256};
use maidenlane_chain::Rules;
use maidenlane_chain::transaction::signer;
use maidenlane_evm::rules::EvmRules as _;
use maidenlane_jsonrpc::Error;
use maidenlane_state::Account;
use revm::context_interface::cfg::gas::calculate_initial_tx_gas;
use revm::primitives::hardfork::SpecId;

/// Maximum size of a transaction without blobs, and of one with them.
const SIZE_MAX: usize = 131_072;
const BLOB_SIZE_MAX: usize = 1 << 20;
/// Maximum size of the code that makes a contract, from Shanghai on.
const INIT_CODE_MAX: usize = 49_152;
/// Maximum gas limit of one transaction, from Osaka on.
const GAS_MAX: u64 = 1 << 24;
/// Maximum number of blobs of one transaction.
const BLOBS_MAX: usize = 6;
/// Maximum fee of a transaction; more is taken for a mistake.
const FEE_MAX_ETHER: f64 = 1.0;
const WEI_PER_ETHER: f64 = 1e18;

/// Transaction types with the forks that brought them.
const TYPES: [(u8, SpecId, &str); 4] = [
    (1, SpecId::BERLIN, "Berlin"),
    (2, SpecId::LONDON, "London"),
    (3, SpecId::CANCUN, "Cancun"),
    (4, SpecId::PRAGUE, "Prague"),
];

/// Checks a transaction as far as no account is needed; returns the sender.
pub fn alone(sent: &Sent, rules: &Rules, head: &Header) -> Result<Address, Error> {
    let (tx, spec) = (&sent.tx, rules.spec(head));
    let fee = f64::from(U256::from(tx.max_fee_per_gas()) * U256::from(tx.gas_limit())) / WEI_PER_ETHER;
    if fee > FEE_MAX_ETHER {
        let cap = FEE_MAX_ETHER;
        return refuse(format!("tx fee ({fee:.2} ether) exceeds the configured cap ({cap:.2} ether)"));
    }
    if tx.is_legacy() && tx.chain_id().is_none() {
        return refuse("only replay-protected (EIP-155) transactions allowed over RPC");
    }
    shape(sent, spec, head)?;
    let (have, want) = (tx.chain_id().unwrap_or_default(), rules.chain_id());
    if have != want {
        return refuse(format!("invalid sender: invalid chain id for signer: have {have} want {want}"));
    }
    let Some(sender) = signer(tx) else {
        return refuse("invalid sender: invalid transaction v, r, s values");
    };
    if tx.nonce() == u64::MAX {
        return refuse("nonce has max value");
    }
    gas(sent, spec)?;
    if tx.is_eip4844() {
        blobs(sent)?;
    }
    if tx.authorization_list().is_some_and(<[_]>::is_empty) {
        return refuse("set code tx must have at least one authorization tuple");
    }
    Ok(sender)
}

/// Checks type, size and limits.
fn shape(sent: &Sent, spec: SpecId, head: &Header) -> Result<(), Error> {
    let tx = &sent.tx;
    let (size, limit) = (sent.raw.len(), if tx.is_eip4844() { BLOB_SIZE_MAX } else { SIZE_MAX });
    if size > limit {
        return refuse(format!("oversized data: transaction size {size}, limit {limit}"));
    }
    let kind = u8::from(tx.tx_type());
    let too_early = TYPES.iter().find(|(of, from, _)| *of == kind && !spec.is_enabled_in(*from));
    if let Some((_, _, fork)) = too_early {
        // What came with Berlin is what any type needs first.
        let fork = if spec.is_enabled_in(SpecId::BERLIN) { fork } else { "Berlin" };
        let text = format!("transaction type not supported: type {kind} rejected, pool not yet in {fork}");
        return refuse(text);
    }
    let init = if tx.to().is_none() { tx.input().len() } else { 0 };
    if spec.is_enabled_in(SpecId::SHANGHAI) && init > INIT_CODE_MAX {
        return refuse(format!("max initcode size exceeded: code size {init} limit {INIT_CODE_MAX}"));
    }
    let gas = tx.gas_limit();
    if spec.is_enabled_in(SpecId::OSAKA) && gas > GAS_MAX {
        return refuse(format!("transaction gas limit too high (cap: {GAS_MAX}, tx: {gas})"));
    }
    if gas > head.gas_limit {
        return refuse("exceeds block gas limit");
    }
    if tx.max_priority_fee_per_gas().is_some_and(|tip| tip > tx.max_fee_per_gas()) {
        return refuse("max priority fee per gas higher than max fee per gas");
    }
    Ok(())
}

/// Checks the gas limit against the intrinsic gas and the floor of EIP-7623.
fn gas(sent: &Sent, spec: SpecId) -> Result<(), Error> {
    let tx = &sent.tx;
    let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
    let list = tx.access_list().map(|list| list.0.as_slice()).unwrap_or_default();
    let slots = list.iter().map(|item| item.storage_keys.len()).sum();
    let authorizations = tx.authorization_list().map_or(0, <[_]>::len);
    let needed = calculate_initial_tx_gas(
        spec,
        tx.input(),
        tx.to().is_none(),
        count(list.len()),
        count(slots),
        count(authorizations),
        None,
    );
    let gas = tx.gas_limit();
    for (least, what) in [
        (needed.initial_regular_gas, "intrinsic gas too low"),
        (needed.floor_gas, "insufficient gas for floor data gas cost"),
    ] {
        if gas < least {
            return refuse(format!("{what}: gas {gas}, minimum needed {least}"));
        }
    }
    Ok(())
}

/// Checks the sidecar of a blob transaction, but for the proofs themselves.
fn blobs(sent: &Sent) -> Result<(), Error> {
    if sent.tx.max_fee_per_blob_gas() == Some(0) {
        return refuse("transaction gas price below minimum: blob fee cap 0, minimum needed 1");
    }
    let Some(blobs) = &sent.blobs else { return refuse("missing sidecar in blob transaction") };
    let hashes = sent.tx.blob_versioned_hashes().unwrap_or_default();
    let (commitments, wanted) = (blobs.commitments().len(), hashes.len());
    if commitments != wanted {
        let text =
            format!("invalid number of {commitments} blob commitments compared to {wanted} blob hashes");
        return refuse(text);
    }
    for (index, (computed, hash)) in blobs.versioned_hashes().zip(hashes).enumerate() {
        if computed != *hash {
            let text = format!("blob {index}: computed hash {computed} mismatches transaction one {hash}");
            return refuse(text);
        }
    }
    if wanted > BLOBS_MAX {
        return refuse(format!("transaction blob limit exceeded: blob count {wanted}, limit {BLOBS_MAX}"));
    }
    let Blobs::Eip7594(blobs) = blobs else {
        return refuse("Wrong sidecar format: unexpected sidecar version, want: 1, got: 0");
    };
    let (proofs, wanted) = (blobs.cell_proofs.len(), commitments * CELLS_PER_EXT_BLOB);
    if proofs != wanted {
        let text = format!("Wrong sidecar format: invalid number of {proofs} blob proofs expected {wanted}");
        return refuse(text);
    }
    if wanted == 0 {
        return refuse("blobless blob transaction");
    }
    Ok(())
}

/// Checks a transaction against its sender's account: nonce and balance.
pub fn against(sent: &Sent, account: Option<&Account>) -> Result<(), Error> {
    let tx = &sent.tx;
    let (next, balance) = account.map_or((0, U256::ZERO), |account| (account.nonce, account.balance));
    if tx.nonce() < next {
        return refuse(format!("nonce too low: next nonce {next}, tx nonce {}", tx.nonce()));
    }
    // Beyond 2^256 nobody has it either.
    let cost = cost(sent).unwrap_or(U256::MAX);
    if balance < cost {
        let over = cost - balance;
        return refuse(format!(
            "insufficient funds for gas * price + value: balance {balance}, tx cost {cost}, overshot {over}"
        ));
    }
    Ok(())
}

/// Maximum cost of a transaction: gas, blobs and value at the highest price that is offered; `None` beyond 2^256.
#[must_use]
pub fn cost(sent: &Sent) -> Option<U256> {
    let tx = &sent.tx;
    let product = |gas: u64, price: u128| U256::from(gas) * U256::from(price);
    let blobs =
        product(tx.blob_gas_used().unwrap_or_default(), tx.max_fee_per_blob_gas().unwrap_or_default());
    product(tx.gas_limit(), tx.max_fee_per_gas()).checked_add(blobs)?.checked_add(tx.value())
}

fn refuse<T>(text: impl Into<std::borrow::Cow<'static, str>>) -> Result<T, Error> {
    Err(Error::server(text))
}

#[cfg(test)]
mod tests;
