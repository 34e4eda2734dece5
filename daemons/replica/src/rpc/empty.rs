//! What a node without keys, miner and pool says: a replica never has any. Nothing here depends on the chain.

use super::call_context::read;
use alloy::primitives::keccak256;
use maidenlane_ethjson::call_args::CallArgs;
use maidenlane_ethjson::params;
use maidenlane_jsonrpc::{Args, Error, Json};
use serde_json::value::RawValue;

/// An empty pool: geth's two kinds of transactions in it.
pub(super) const POOL: &str = "{\"pending\":{},\"queued\":{}}";

/// geth's error for an address whose key it does not hold.
fn no_account() -> Error {
    Error::server("unknown account")
}

/// `eth_coinbase`.
pub(super) fn coinbase(params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 0)?;
    Err(Error::server("etherbase must be explicitly specified"))
}

/// `eth_sign`. What must be there is read first, as geth does: who asks wrongly learns that.
pub(super) fn sign(params: Option<&RawValue>) -> Result<Json, Error> {
    let mut args = Args::parse(params, 2)?;
    args.required(params::address)?;
    args.required(params::data)?;
    Err(no_account())
}

/// `eth_signTransaction` and `eth_sendTransaction`.
pub(super) fn transaction(params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 1)?.required(read::<Option<CallArgs>>)?;
    Err(no_account())
}

/// `eth_resend`.
pub(super) fn resend(params: Option<&RawValue>) -> Result<Json, Error> {
    let mut args = Args::parse(params, 3)?;
    args.required(read::<Option<CallArgs>>)?;
    args.optional(params::big)?;
    args.optional(params::index)?;
    Err(Error::server("transaction not found: this replica has no pool"))
}

/// `txpool_contentFrom`.
pub(super) fn content_from(params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 1)?.required(params::address)?;
    Ok(Json::Static(POOL))
}

/// `debug_setHead`. Write-protected: the head is where the feed says.
pub(super) fn set_head(params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 1)?.required(params::index)?;
    Ok(Json::NULL)
}

/// `rpc_modules`: all that there are; the server names those that the listener serves.
pub(super) fn modules(params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 0)?;
    Ok(Json::object(|object| {
        for name in ["debug", "eth", "ethercattle", "net", "rpc", "trace", "txpool", "web3"] {
            object.raw(name, "\"1.0\"");
        }
    }))
}

/// `web3_sha3`.
pub(super) fn sha3(params: Option<&RawValue>) -> Result<Json, Error> {
    let bytes = Args::parse(params, 1)?.required(params::data)?;
    Ok(Json::data(keccak256(bytes).as_slice()))
}
