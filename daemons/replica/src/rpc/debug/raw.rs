//! Consensus bytes as they are stored.

use crate::mempool::set::Held;
use crate::rpc::Shared;
use crate::rpc::eth::lookup;
use crate::rpc::request_view::RequestView;
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
use std::sync::Arc;

/// Requested block: its selector, and the block if it is found.
fn wanted(view: &RequestView, params: Option<&RawValue>) -> Result<(Selector, Option<BlockRef>), Error> {
    let selector = Args::parse(params, 1)?.required(Selector::read)?;
    let known = match selector {
        // As in geth, a hash is looked up whether it is canonical or not, also when that was required.
        Selector::Hash { hash, .. } => Selector::Hash { hash, canonical: false },
        tag @ Selector::Tag(_) => tag,
    };
    Ok((selector, select::block(view.source(), known)?))
}

/// `debug_getRawHeader`.
pub(crate) fn header(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    let (selector, found) = wanted(view, params)?;
    let Some(at) = found else { return missing("header", selector) };
    Ok(Json::data(&view.source().header(at).map_err(unreadable)?.ok_or_else(pruned)?))
}

/// `debug_getRawBlock`.
pub(crate) fn block(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    let (selector, found) = wanted(view, params)?;
    let Some(at) = found else { return missing("block", selector) };
    let header = view.source().header(at).map_err(unreadable)?.ok_or_else(pruned)?;
    let body = view.source().body(at).map_err(unreadable)?.ok_or_else(pruned)?;
    Ok(Json::data(&join(&header, &body).map_err(|error| damaged(at, error))?))
}

/// `debug_getRawReceipts`.
pub(crate) fn receipts(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    let (selector, found) = wanted(view, params)?;
    let Some(at) = found else {
        return Ok(if matches!(selector, Selector::Tag(_)) { Json::NULL } else { Json::Static("[]") });
    };
    let receipts = view.source().receipts(at).map_err(unreadable)?.ok_or_else(pruned)?;
    Ok(Receipts::read(receipts).map_err(|error| damaged(at, error))?.raw())
}

fn damaged(at: BlockRef, error: impl std::fmt::Display) -> Error {
    Error::internal(format!("block {at} in the store: {error}"))
}

/// geth's answers for a missing block: they differ by kind of selector.
fn missing(what: &str, selector: Selector) -> Result<Json, Error> {
    match selector {
        Selector::Tag(_) => Ok(Json::Static("\"0x\"")),
        Selector::Hash { hash, .. } => Err(Error::server(format!("{what} #{hash} not found"))),
    }
}

/// `debug_getRawTransaction`.
pub(crate) fn transaction(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let hash = Args::parse(params, 1)?.required(params::hash)?;
    let source = view.source();
    let Some((at, index)) = source.transaction(hash).map_err(unreadable)? else {
        let pooled = lookup::pooled(shared, view, hash)?;
        let bytes = |held: Arc<Held>| Json::data(&held.tx.encoded_2718());
        return Ok(pooled.map_or(Json::Static("\"0x\""), bytes));
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

/// `debug_setHead`. Write-protected: the head is where the feed says.
pub(crate) fn set_head(params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 1)?.required(params::index)?;
    Ok(Json::NULL)
}
