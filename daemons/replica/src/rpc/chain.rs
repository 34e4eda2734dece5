//! Methods about the chain and this replica.

use super::request_view::RequestView;
use maidenlane_jsonrpc::{Args, Error, Json};
use serde_json::value::RawValue;

/// `net_version`.
pub(super) fn version(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 0)?;
    Ok(Json::string(&view.head().rules.chain_id().to_string()))
}

/// `eth_chainId`.
pub(super) fn id(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 0)?;
    Ok(Json::quantity(view.head().rules.chain_id()))
}

/// `eth_blockNumber`.
pub(super) fn block_number(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 0)?;
    Ok(Json::quantity(view.block().number))
}

/// `web3_clientVersion`: ours, then the master's: both matter when an answer surprises.
pub(super) fn client_version(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 0)?;
    let version = env!("CARGO_PKG_VERSION");
    Ok(Json::string(&format!("maidenlane-replica/v{version} ({})", view.head().client_version)))
}

/// `eth_syncing`: false while following; else the place on the feed. geth's other counters concern its own kinds of sync.
pub(super) fn syncing(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
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
