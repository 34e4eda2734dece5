//! Methods that need keys or a miner: a replica never has any. Nothing here depends on the chain.

use maidenlane_ethjson::call_args::CallArgs;
use maidenlane_ethjson::params;
use maidenlane_jsonrpc::{Args, Error, Json};
use serde_json::value::RawValue;

/// geth's error for an address whose key it does not hold.
fn no_account() -> Error {
    Error::server("unknown account")
}

/// `eth_coinbase`.
pub(crate) fn coinbase(params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 0)?;
    Err(Error::server("etherbase must be explicitly specified"))
}

/// `eth_sign`. Required parameters are read first, as in geth: a malformed request gets that error.
pub(crate) fn sign(params: Option<&RawValue>) -> Result<Json, Error> {
    let mut args = Args::parse(params, 2)?;
    args.required(params::address)?;
    args.required(params::data)?;
    Err(no_account())
}

/// `eth_signTransaction` and `eth_sendTransaction`.
pub(crate) fn transaction(params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 1)?.required(params::read::<Option<CallArgs>>)?;
    Err(no_account())
}

/// `eth_resend`.
pub(crate) fn resend(params: Option<&RawValue>) -> Result<Json, Error> {
    let mut args = Args::parse(params, 3)?;
    args.required(params::read::<Option<CallArgs>>)?;
    args.optional(params::big)?;
    args.optional(params::index)?;
    Err(Error::server("transaction not found: this replica has no pool"))
}
