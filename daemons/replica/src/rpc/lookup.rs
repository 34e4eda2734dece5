//! Look-ups of blocks, transactions and receipts: what does not exist is null.

use super::blocks::{Blocks, Whole};
use super::session::Session;
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
    session: &Session,
    method: &str,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    match method {
        "eth_getBlockByNumber" | "eth_getBlockByHash" => by_block(blocks, session, method, params),
        "eth_getHeaderByNumber" | "eth_getHeaderByHash" => header(session, method, params),
        "eth_getBlockReceipts" => block_receipts(blocks, session, params),
        "eth_getTransactionByHash" | "eth_getTransactionReceipt" | "eth_getRawTransactionByHash" => {
            by_transaction(blocks, session, method, params)
        }
        "eth_getBlockTransactionCountByNumber" | "eth_getBlockTransactionCountByHash" => {
            count(blocks, session, method, params, |block| block.transactions.len())
        }
        "eth_getUncleCountByBlockNumber" | "eth_getUncleCountByBlockHash" => {
            count(blocks, session, method, params, |block| block.uncles.len())
        }
        "eth_getUncleByBlockNumberAndIndex" | "eth_getUncleByBlockHashAndIndex" => {
            indexed(blocks, session, method, params, Block::uncle_json)
        }
        "eth_getTransactionByBlockNumberAndIndex" | "eth_getTransactionByBlockHashAndIndex" => {
            indexed(blocks, session, method, params, Block::transaction_json)
        }
        "eth_getRawTransactionByBlockNumberAndIndex" | "eth_getRawTransactionByBlockHashAndIndex" => {
            raw_transaction(blocks, session, method, params)
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
    session: &Session,
    method: &str,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 2)?;
    let selector = selector(method, &mut args)?;
    let what = if args.required(params::boolean)? { Whole::Full } else { Whole::Hashes };
    match select::block(session.source(), selector)? {
        Some(at) => blocks.whole(session, at, what),
        None => Ok(Json::NULL),
    }
}

fn header(session: &Session, method: &str, params: Option<&RawValue>) -> Result<Json, Error> {
    let selector = selector(method, &mut Args::parse(params, 1)?)?;
    let Some(at) = select::block(session.source(), selector)? else { return Ok(Json::NULL) };
    Ok(block::header_json(&select::header(session.source(), at)?, at.hash))
}

/// As in geth, what is not there has no bytes.
fn raw_transaction(
    blocks: &Blocks,
    session: &Session,
    method: &str,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    match indexed(blocks, session, method, params, Block::raw_transaction)? {
        Json::Static("null") => Ok(Json::Static("\"0x\"")),
        found => Ok(found),
    }
}

fn block_receipts(blocks: &Blocks, session: &Session, params: Option<&RawValue>) -> Result<Json, Error> {
    let selector = Args::parse(params, 1)?.required(Selector::read)?;
    if selector == Selector::Tag(Tag::Pending) {
        return Err(Error::server("pending receipts is not available"));
    }
    match select::block(session.source(), selector)? {
        Some(at) => blocks.whole(session, at, Whole::Receipts),
        None => Ok(Json::NULL),
    }
}

fn decoded(blocks: &Blocks, session: &Session, selector: Selector) -> Result<Option<Arc<Block>>, Error> {
    select::block(session.source(), selector)?.map(|at| blocks.block(session, at)).transpose()
}

fn count(
    blocks: &Blocks,
    session: &Session,
    method: &str,
    params: Option<&RawValue>,
    len: impl FnOnce(&Block) -> usize,
) -> Result<Json, Error> {
    let selector = selector(method, &mut Args::parse(params, 1)?)?;
    let block = decoded(blocks, session, selector)?;
    Ok(block.map_or(Json::NULL, |block| Json::quantity(u64::try_from(len(&block)).unwrap_or(u64::MAX))))
}

fn indexed(
    blocks: &Blocks,
    session: &Session,
    method: &str,
    params: Option<&RawValue>,
    item: impl FnOnce(&Block, usize) -> Json,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 2)?;
    let selector = selector(method, &mut args)?;
    let index = usize::try_from(args.required(params::index)?).unwrap_or(usize::MAX);
    let block = decoded(blocks, session, selector)?;
    Ok(block.map_or(Json::NULL, |block| item(&block, index)))
}

fn by_transaction(
    blocks: &Blocks,
    session: &Session,
    method: &str,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let hash = Args::parse(params, 1)?.required(params::hash)?;
    let Some((at, index)) = session.source().transaction(hash).map_err(unreadable)? else {
        return Ok(if method.contains("Raw") { Json::Static("\"0x\"") } else { Json::NULL });
    };
    let block = blocks.block(session, at)?;
    match method {
        "eth_getTransactionByHash" => Ok(block.transaction_json(index)),
        "eth_getTransactionReceipt" => blocks.receipt(session, &block, index),
        _ => Ok(block.raw_transaction(index)),
    }
}
