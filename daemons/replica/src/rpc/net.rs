//! `net_…`.

use super::request_view::RequestView;
use maidenlane_jsonrpc::{Args, Error, Json};
use serde_json::value::RawValue;

/// `net_version`: the master's network id; the chain id where the feed does not say it, for geth takes that by default.
pub(crate) fn version(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 0)?;
    let head = view.head();
    Ok(Json::string(&head.network_id.unwrap_or(head.rules.chain_id()).to_string()))
}
