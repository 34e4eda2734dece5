//! Consensus bytes as they are stored.

use super::request_view::RequestView;
use alloy::consensus::{EthereumTxEnvelope, TxEip4844};
use alloy::eips::eip2718::Encodable2718 as _;
use alloy::rlp::{self, Decodable};
use maidenlane_chain::BlockRef;
use maidenlane_chain::block::join;
use maidenlane_ethjson::params::{self, Selector};
use maidenlane_ethjson::receipt::Receipts;
use maidenlane_ethjson::select::{self, pruned};
use maidenlane_ethjson::unreadable;
use maidenlane_jsonrpc::{Args, Error, Json};
use serde_json::value::RawValue;

/// All methods here.
pub(crate) const METHODS: [&str; 4] =
    ["debug_getRawHeader", "debug_getRawBlock", "debug_getRawReceipts", "debug_getRawTransaction"];

/// Answers one of [`METHODS`].
pub(crate) fn call(view: &RequestView, method: &str, params: Option<&RawValue>) -> Result<Json, Error> {
    let mut args = Args::parse(params, 1)?;
    if method == "debug_getRawTransaction" {
        return transaction(view, &mut args);
    }
    let selector = args.required(Selector::read)?;
    let found = match selector {
        // As in geth, a hash is looked up whether it is canonical or not, also when that was required.
        Selector::Hash { hash, .. } => {
            select::block(view.source(), Selector::Hash { hash, canonical: false })?
        }
        tag @ Selector::Tag(_) => select::block(view.source(), tag)?,
    };
    let Some(at) = found else { return missing(method, selector) };
    let source = view.source();
    match method {
        "debug_getRawHeader" => Ok(Json::data(&source.header(at).map_err(unreadable)?.ok_or_else(pruned)?)),
        "debug_getRawBlock" => {
            let (header, body) = (
                source.header(at).map_err(unreadable)?.ok_or_else(pruned)?,
                source.body(at).map_err(unreadable)?.ok_or_else(pruned)?,
            );
            Ok(Json::data(&join(&header, &body).map_err(|error| damaged(at, error))?))
        }
        _ => {
            let receipts = source.receipts(at).map_err(unreadable)?.ok_or_else(pruned)?;
            Ok(Receipts::read(receipts).map_err(|error| damaged(at, error))?.raw())
        }
    }
}

fn damaged(at: BlockRef, error: impl std::fmt::Display) -> Error {
    Error::internal(format!("block {at} in the store: {error}"))
}

/// geth's answers for what is not there: they differ by method and by kind of selector.
fn missing(method: &str, selector: Selector) -> Result<Json, Error> {
    match (method, selector) {
        ("debug_getRawReceipts", Selector::Hash { .. }) => Ok(Json::Static("[]")),
        ("debug_getRawReceipts", Selector::Tag(_)) => Ok(Json::NULL),
        (_, Selector::Tag(_)) => Ok(Json::Static("\"0x\"")),
        ("debug_getRawHeader", Selector::Hash { hash, .. }) => {
            Err(Error::server(format!("header #{hash} not found")))
        }
        (_, Selector::Hash { hash, .. }) => Err(Error::server(format!("block #{hash} not found"))),
    }
}

fn transaction(view: &RequestView, args: &mut Args<'_>) -> Result<Json, Error> {
    let hash = args.required(params::hash)?;
    let source = view.source();
    let Some((at, index)) = source.transaction(hash).map_err(unreadable)? else {
        return Ok(Json::Static("\"0x\""));
    };
    let body = source.body(at).map_err(unreadable)?.ok_or_else(pruned)?;
    let mut rest: &[u8] = &body;
    let txs = rlp::Header::decode(&mut rest)
        .and_then(|_| Vec::<EthereumTxEnvelope<TxEip4844>>::decode(&mut rest))
        .map_err(|error| damaged(at, error))?;
    let tx =
        txs.get(index).ok_or_else(|| Error::internal(format!("block {at} has no transaction {index}")))?;
    Ok(Json::data(&tx.encoded_2718()))
}
