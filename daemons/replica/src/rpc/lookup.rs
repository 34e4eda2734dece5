//! Look-ups of blocks, transactions and receipts: what does not exist is null.

use super::blocks::{Blocks, Whole};
use super::request_view::RequestView;
use maidenlane_chain::Block;
use maidenlane_ethjson::block::{self, BlockJson as _};
use maidenlane_ethjson::params::{self, Selector, Tag};
use maidenlane_ethjson::select;
use maidenlane_ethjson::unreadable;
use maidenlane_jsonrpc::{Args, Error, Json};
use serde_json::value::RawValue;
use std::sync::Arc;

/// All methods here.
pub(crate) const METHODS: [&str; 18] = [
    "eth_getBlockByNumber",
    "eth_getBlockByHash",
    "eth_getHeaderByNumber",
    "eth_getHeaderByHash",
    "eth_getBlockReceipts",
    "eth_getBlockTransactionCountByNumber",
    "eth_getBlockTransactionCountByHash",
    "eth_getUncleCountByBlockNumber",
    "eth_getUncleCountByBlockHash",
    "eth_getUncleByBlockNumberAndIndex",
    "eth_getUncleByBlockHashAndIndex",
    "eth_getTransactionByHash",
    "eth_getTransactionByBlockNumberAndIndex",
    "eth_getTransactionByBlockHashAndIndex",
    "eth_getTransactionReceipt",
    "eth_getRawTransactionByHash",
    "eth_getRawTransactionByBlockNumberAndIndex",
    "eth_getRawTransactionByBlockHashAndIndex",
];

/// Answers one of [`METHODS`].
pub(crate) fn call(
    blocks: &Blocks,
    view: &RequestView,
    method: &str,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    match method {
        "eth_getBlockByNumber" | "eth_getBlockByHash" => by_block(blocks, view, method, params),
        "eth_getHeaderByNumber" | "eth_getHeaderByHash" => header(view, method, params),
        "eth_getBlockReceipts" => block_receipts(blocks, view, params),
        "eth_getTransactionByHash" | "eth_getTransactionReceipt" | "eth_getRawTransactionByHash" => {
            by_transaction(blocks, view, method, params)
        }
        "eth_getBlockTransactionCountByNumber" | "eth_getBlockTransactionCountByHash" => {
            count(blocks, view, method, params, |block| block.transactions.len())
        }
        "eth_getUncleCountByBlockNumber" | "eth_getUncleCountByBlockHash" => {
            count(blocks, view, method, params, |block| block.uncles.len())
        }
        "eth_getUncleByBlockNumberAndIndex" | "eth_getUncleByBlockHashAndIndex" => {
            indexed(blocks, view, method, params, Block::uncle_json)
        }
        "eth_getTransactionByBlockNumberAndIndex" | "eth_getTransactionByBlockHashAndIndex" => {
            indexed(blocks, view, method, params, Block::transaction_json)
        }
        "eth_getRawTransactionByBlockNumberAndIndex" | "eth_getRawTransactionByBlockHashAndIndex" => {
            raw_transaction(blocks, view, method, params)
        }
        _ => Err(Error::no_method(method)),
    }
}

/// The first parameter: a number or tag, or a hash, as the method's name says.
fn selector(method: &str, args: &mut Args<'_>) -> Result<Selector, Error> {
    if method.contains("Hash") {
        let hash = args.required(params::hash)?;
        Ok(Selector::Hash { hash, canonical: false })
    } else {
        args.required(Tag::read).map(Selector::Tag)
    }
}

fn by_block(
    blocks: &Blocks,
    view: &RequestView,
    method: &str,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 2)?;
    let selector = selector(method, &mut args)?;
    let what = if args.required(params::boolean)? { Whole::Full } else { Whole::Hashes };
    match select::block(view.source(), selector)? {
        Some(at) => blocks.whole(view, at, what),
        None => Ok(Json::NULL),
    }
}

fn header(view: &RequestView, method: &str, params: Option<&RawValue>) -> Result<Json, Error> {
    let selector = selector(method, &mut Args::parse(params, 1)?)?;
    let Some(at) = select::block(view.source(), selector)? else { return Ok(Json::NULL) };
    Ok(block::header_json(&select::header(view.source(), at)?, at.hash))
}

/// As in geth, what is not there has no bytes.
fn raw_transaction(
    blocks: &Blocks,
    view: &RequestView,
    method: &str,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    match indexed(blocks, view, method, params, Block::raw_transaction)? {
        Json::Static("null") => Ok(Json::Static("\"0x\"")),
        found => Ok(found),
    }
}

fn block_receipts(blocks: &Blocks, view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    let selector = Args::parse(params, 1)?.required(Selector::read)?;
    if selector == Selector::Tag(Tag::Pending) {
        return Err(Error::server("pending receipts is not available"));
    }
    match select::block(view.source(), selector)? {
        Some(at) => blocks.whole(view, at, Whole::Receipts),
        None => Ok(Json::NULL),
    }
}

fn decoded(blocks: &Blocks, view: &RequestView, selector: Selector) -> Result<Option<Arc<Block>>, Error> {
    select::block(view.source(), selector)?.map(|at| blocks.block(view, at)).transpose()
}

fn count(
    blocks: &Blocks,
    view: &RequestView,
    method: &str,
    params: Option<&RawValue>,
    len: impl FnOnce(&Block) -> usize,
) -> Result<Json, Error> {
    let selector = selector(method, &mut Args::parse(params, 1)?)?;
    let block = decoded(blocks, view, selector)?;
    Ok(block.map_or(Json::NULL, |block| Json::quantity(u64::try_from(len(&block)).unwrap_or(u64::MAX))))
}

fn indexed(
    blocks: &Blocks,
    view: &RequestView,
    method: &str,
    params: Option<&RawValue>,
    item: impl FnOnce(&Block, usize) -> Json,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 2)?;
    let selector = selector(method, &mut args)?;
    let index = usize::try_from(args.required(params::index)?).unwrap_or(usize::MAX);
    let block = decoded(blocks, view, selector)?;
    Ok(block.map_or(Json::NULL, |block| item(&block, index)))
}

fn by_transaction(
    blocks: &Blocks,
    view: &RequestView,
    method: &str,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let hash = Args::parse(params, 1)?.required(params::hash)?;
    let Some((at, index)) = view.source().transaction(hash).map_err(unreadable)? else {
        return Ok(if method.contains("Raw") { Json::Static("\"0x\"") } else { Json::NULL });
    };
    let block = blocks.block(view, at)?;
    match method {
        "eth_getTransactionByHash" => Ok(block.transaction_json(index)),
        "eth_getTransactionReceipt" => blocks.receipt(view, &block, index),
        _ => Ok(block.raw_transaction(index)),
    }
}
