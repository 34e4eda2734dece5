//! `txpool_…`: a replica has no pool, transactions pass it.

use maidenlane_ethjson::params;
use maidenlane_jsonrpc::{Args, Error, Json};
use serde_json::value::RawValue;

/// An empty pool: geth's two kinds of transactions in it.
pub(crate) const POOL: &str = "{\"pending\":{},\"queued\":{}}";

/// `txpool_contentFrom`.
pub(crate) fn content_from(params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 1)?.required(params::address)?;
    Ok(Json::Static(POOL))
}
