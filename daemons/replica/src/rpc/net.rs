//! `net_…`.

use super::request_view::RequestView;
use maidenlane_jsonrpc::{Args, Error, Json};
use serde_json::value::RawValue;

/// `net_version`.
pub(crate) fn version(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 0)?;
    Ok(Json::string(&view.head().rules.chain_id().to_string()))
}
