//! What a transaction lacks, by geth's defaults.

use super::call_args::CallArgs;
use super::params::Big;
use crate::evm::rules::Rules;
use alloy::consensus::Header;
use alloy::primitives::U256;
use maidenlane_jsonrpc::Error;
use revm::primitives::hardfork::SpecId;

/// Sets the fees that were left open, for a transaction after the block of `header`; `tip` suggests one.
pub(crate) fn fees(
    wanted: &mut CallArgs,
    rules: &Rules,
    header: &Header,
    tip: impl FnOnce() -> Result<u128, Error>,
) -> Result<(), Error> {
    if wanted.max_fee_per_blob_gas.is_some_and(|fee| fee.0.is_zero()) {
        return Err(Error::server("maxFeePerBlobGas, if specified, must be non-zero"));
    }
    let wants_blobs = wanted.blob_versioned_hashes.is_some() && wanted.max_fee_per_blob_gas.is_none();
    if wants_blobs && rules.spec(header).is_enabled_in(SpecId::CANCUN) {
        // Twice the price, so that the next few blocks still take it.
        let price = rules.blob_price(header).unwrap_or_default().saturating_mul(2);
        wanted.max_fee_per_blob_gas = Some(Big(U256::from(price)));
    }
    let (cap, given) = (wanted.max_fee_per_gas, wanted.max_priority_fee_per_gas);
    if wanted.gas_price.is_some() {
        if cap.is_some() || given.is_some() {
            return Err(Error::server("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified"));
        }
        if wanted.authorization_list.is_some() {
            return Err(Error::server("both gasPrice and authorizationList specified"));
        }
        if wanted.gas_price.is_some_and(|price| price.0.is_zero()) && rules.is_london(header.number) {
            return Err(Error::server("gasPrice must be non-zero after london fork"));
        }
        return Ok(());
    }
    if given.is_some() && cap.is_some_and(|cap| cap.0.is_zero()) {
        return Err(Error::server("maxFeePerGas must be non-zero"));
    }
    if !rules.is_london(header.number) && (cap.is_none() || given.is_none()) {
        if cap.is_some() || given.is_some() {
            let text = "maxFeePerGas and maxPriorityFeePerGas are not valid before London is active";
            return Err(Error::server(text));
        }
        wanted.gas_price = Some(Big(U256::from(tip()?)));
        return Ok(());
    }
    let tip = given.map_or_else(|| tip().map(|tip| Big(U256::from(tip))), Ok)?;
    let twice = U256::from(header.base_fee_per_gas.unwrap_or_default()).saturating_mul(U256::from(2));
    let cap = cap.unwrap_or(Big(tip.0.saturating_add(twice)));
    if cap.0 < tip.0 {
        let text = format!("maxFeePerGas ({:#x}) < maxPriorityFeePerGas ({:#x})", cap.0, tip.0);
        return Err(Error::server(text));
    }
    (wanted.max_fee_per_gas, wanted.max_priority_fee_per_gas) = (Some(cap), Some(tip));
    Ok(())
}
