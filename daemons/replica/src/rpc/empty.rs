//! What a node without keys, miner and pool says: a replica never has any. Nothing here depends on the chain.

use super::call;
use alloy::primitives::keccak256;
use maidenlane_ethjson::call_args::CallArgs;
use maidenlane_ethjson::params;
use maidenlane_jsonrpc::{Args, Error, Json};
use serde_json::value::RawValue;

/// An empty pool: geth's two kinds of transactions in it.
const POOL: Json = Json::Static("{\"pending\":{},\"queued\":{}}");

/// Answers, or `None` for a method that is not here.
pub(crate) fn call(method: &str, params: Option<&RawValue>) -> Option<Result<Json, Error>> {
    Some(match method {
        "rpc_modules" => plain(params, modules()),
        "web3_sha3" => sha3(params),
        // The original design's answer: no protocol is spoken.
        "eth_protocolVersion" => plain(params, Json::Static("\"-0x1\"")),
        "eth_accounts" | "eth_pendingTransactions" => plain(params, Json::Static("[]")),
        "eth_mining" => plain(params, Json::FALSE),
        "eth_hashrate" => plain(params, Json::Static("\"0x0\"")),
        "eth_coinbase" => plain(params, Json::NULL)
            .and_then(|_| Err(Error::server("etherbase must be explicitly specified"))),
        "eth_sign" => refused(params, 2, NO_ACCOUNT, |args| {
            args.required(params::address)?;
            args.required(params::data).map(drop)
        }),
        "eth_signTransaction" | "eth_sendTransaction" => refused(params, 1, NO_ACCOUNT, transaction),
        "eth_resend" => refused(params, 3, "transaction not found: this replica has no pool", |args| {
            transaction(args)?;
            args.optional(params::big)?;
            args.optional(params::index).map(drop)
        }),
        "txpool_content" | "txpool_inspect" => plain(params, POOL),
        "txpool_contentFrom" => {
            Args::parse(params, 1).and_then(|mut args| args.required(params::address)).map(|_address| POOL)
        }
        "txpool_status" => plain(params, Json::Static("{\"pending\":\"0x0\",\"queued\":\"0x0\"}")),
        // Write-protected: the head is where the feed says.
        "debug_setHead" => {
            Args::parse(params, 1).and_then(|mut args| args.required(params::index)).map(|_number| Json::NULL)
        }
        "debug_getBadBlocks" => plain(params, Json::Static("[]")),
        _ => return None,
    })
}

/// geth's text for an address whose key it does not hold.
const NO_ACCOUNT: &str = "unknown account";

fn plain(params: Option<&RawValue>, answer: Json) -> Result<Json, Error> {
    Args::parse(params, 0).map(|_| answer)
}

/// What must be there is read first, as geth does: who asks wrongly learns that.
fn refused<'a>(
    params: Option<&'a RawValue>,
    most: usize,
    text: &'static str,
    read: impl FnOnce(&mut Args<'a>) -> Result<(), Error>,
) -> Result<Json, Error> {
    read(&mut Args::parse(params, most)?)?;
    Err(Error::server(text))
}

fn transaction(args: &mut Args<'_>) -> Result<(), Error> {
    args.required(call::read::<Option<CallArgs>>).map(drop)
}

/// All that there are: the server names those that the listener serves.
fn modules() -> Json {
    Json::object(|object| {
        for name in ["debug", "eth", "ethercattle", "net", "rpc", "trace", "txpool", "web3"] {
            object.raw(name, "\"1.0\"");
        }
    })
}

fn sha3(params: Option<&RawValue>) -> Result<Json, Error> {
    let bytes = Args::parse(params, 1)?.required(params::data)?;
    Ok(Json::data(keccak256(bytes).as_slice()))
}
