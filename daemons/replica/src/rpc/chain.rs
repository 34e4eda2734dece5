//! Methods about the chain and this replica. They answer also when it is stale, except `eth_blockNumber`.

use super::request_view::RequestView;
use maidenlane_jsonrpc::{Args, Error, Json};
use serde_json::value::RawValue;

/// Answers, or `None` for a method that is not here.
pub(crate) fn call(
    view: &RequestView,
    method: &str,
    params: Option<&RawValue>,
) -> Option<Result<Json, Error>> {
    let rules = &view.head().rules;
    let answer = match method {
        "web3_clientVersion" => client_version(view),
        "net_version" => Json::string(&rules.chain_id().to_string()),
        // As of a geth that nobody has connected to: the master has the peers.
        "net_listening" => Json::TRUE,
        "net_peerCount" => Json::quantity(0),
        "eth_chainId" => Json::quantity(rules.chain_id()),
        "eth_syncing" => syncing(view),
        "eth_blockNumber" => match view.fit() {
            Ok(()) => Json::quantity(view.block().number),
            Err(error) => return Some(Err(error)),
        },
        _ => return None,
    };
    Some(Args::parse(params, 0).map(|_| answer))
}

/// Ours, then the master's: both matter when an answer surprises.
fn client_version(view: &RequestView) -> Json {
    let version = env!("CARGO_PKG_VERSION");
    Json::string(&format!("maidenlane-replica/v{version} ({})", view.head().client_version))
}

/// False while following; else where we stand on the feed. geth's other counters concern its own kinds of sync.
fn syncing(view: &RequestView) -> Json {
    let fitness = view.fitness();
    if fitness.stale.is_none() {
        return Json::FALSE;
    }
    Json::object(|object| {
        object.quantity("startingBlock", fitness.head);
        object.quantity("currentBlock", fitness.head);
        object.quantity("highestBlock", fitness.expected.max(fitness.head));
    })
}
