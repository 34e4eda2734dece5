//! Methods about the chain and this replica.

use crate::rpc::request_view::RequestView;
use maidenlane_jsonrpc::{Args, Error, Json};
use serde_json::value::RawValue;

/// `eth_chainId`.
pub(crate) fn id(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 0)?;
    Ok(Json::quantity(view.head().rules.chain_id()))
}

/// `eth_blockNumber`.
pub(crate) fn block_number(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 0)?;
    Ok(Json::quantity(view.block().number))
}

/// `eth_syncing`: false while following; else the position on the feed. geth's other counters concern its own kinds of
/// sync.
pub(crate) fn syncing(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 0)?;
    let fitness = view.fitness();
    if fitness.stale.is_none() {
        return Ok(Json::FALSE);
    }
    Ok(Json::object(|object| {
        object.quantity("startingBlock", fitness.head);
        object.quantity("currentBlock", fitness.head);
        object.quantity("highestBlock", fitness.expected.max(fitness.head));
    }))
}
