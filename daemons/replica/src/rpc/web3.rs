//! `web3_…`.

use super::request_view::RequestView;
use alloy::primitives::keccak256;
use maidenlane_ethjson::params;
use maidenlane_jsonrpc::{Args, Error, Json};
use serde_json::value::RawValue;

/// `web3_clientVersion`: the master's version, then the replica's: programs look for `Geth/` at the beginning, and both
/// matter when an answer surprises.
pub(crate) fn client_version(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 0)?;
    let version = env!("CARGO_PKG_VERSION");
    Ok(Json::string(&format!("{} (maidenlane-replica/v{version})", view.head().client_version)))
}

/// `web3_sha3`.
pub(crate) fn sha3(params: Option<&RawValue>) -> Result<Json, Error> {
    let bytes = Args::parse(params, 1)?.required(params::data)?;
    Ok(Json::data(keccak256(bytes).as_slice()))
}
