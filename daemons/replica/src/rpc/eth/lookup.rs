//! Look-ups of blocks, transactions and receipts: what does not exist is null.

use crate::mempool::set::Held;
use crate::rpc::Shared;
use crate::rpc::blocks::Whole;
use crate::rpc::cold::{Look, Miss};
use crate::rpc::mined::Mined;
use crate::rpc::request_view::RequestView;
use maidenlane_chain::{B256, Block, BlockRef, keccak256};
use maidenlane_ethjson::block::{self, BlockJson as _};
use maidenlane_ethjson::params::{self, Selector, Tag};
use maidenlane_ethjson::select;
use maidenlane_ethjson::transaction;
use maidenlane_ethjson::unreadable;
use maidenlane_jsonrpc::{Args, Error, Json};
use maidenlane_state::At;
use serde_json::value::RawValue;
use std::sync::Arc;

/// Bytes of a transaction that does not exist.
const NO_BYTES: Json = Json::Static("\"0x\"");

/// Parser of the parameter that names a method's block.
pub(crate) type ReadBlock = fn(&mut Args<'_>) -> Result<Selector, Error>;

/// `…ByNumber`: a number or tag.
pub(crate) fn number(args: &mut Args<'_>) -> Result<Selector, Error> {
    args.required(Tag::read).map(Selector::Tag)
}

/// `…ByHash`, canonical or not.
pub(crate) fn hash(args: &mut Args<'_>) -> Result<Selector, Error> {
    let hash = args.required(params::hash)?;
    Ok(Selector::Hash { hash, canonical: false })
}

/// `eth_getBlockBy…`.
pub(crate) fn block(look: &Look<'_>, params: Option<&RawValue>, read: ReadBlock) -> Result<Json, Miss> {
    let mut args = Args::parse(params, 2)?;
    let selector = read(&mut args)?;
    let what = if args.required(params::boolean)? { Whole::Full } else { Whole::Hashes };
    match select::block(look.view.source(), selector)? {
        Some(at) => look.whole(at, what),
        None => Ok(Json::NULL),
    }
}

/// `eth_getHeaderBy…`.
pub(crate) fn header(view: &RequestView, params: Option<&RawValue>, read: ReadBlock) -> Result<Json, Error> {
    let selector = read(&mut Args::parse(params, 1)?)?;
    let Some(at) = select::block(view.source(), selector)? else { return Ok(Json::NULL) };
    Ok(block::header_json(&select::header(view.source(), at)?, at.hash))
}

/// `eth_getRawTransactionByBlock…AndIndex`. As in geth, a missing transaction has no bytes.
pub(crate) fn raw_nth(look: &Look<'_>, params: Option<&RawValue>, read: ReadBlock) -> Result<Json, Miss> {
    let (at, index) = indexed(look, params, read)?;
    match at {
        Some(at) => Ok(look.transaction(at, index)?.map_or(NO_BYTES, |mined| bytes(&mined))),
        None => Ok(NO_BYTES),
    }
}

/// `eth_getBlockReceipts`.
pub(crate) fn receipts(look: &Look<'_>, params: Option<&RawValue>) -> Result<Json, Miss> {
    let selector = Args::parse(params, 1)?.required(Selector::read)?;
    if selector == Selector::Tag(Tag::Pending) {
        return Err(Error::server("pending receipts is not available").into());
    }
    match select::block(look.view.source(), selector)? {
        Some(at) => look.whole(at, Whole::Receipts),
        None => Ok(Json::NULL),
    }
}

fn decoded(look: &Look<'_>, selector: Selector) -> Result<Option<Arc<Block>>, Miss> {
    select::block(look.view.source(), selector)?.map(|at| look.block(at)).transpose()
}

/// Number of transactions or uncles of a block.
pub(crate) fn count(
    look: &Look<'_>,
    params: Option<&RawValue>,
    read: ReadBlock,
    len: fn(&Block) -> usize,
) -> Result<Json, Miss> {
    let selector = read(&mut Args::parse(params, 1)?)?;
    let block = decoded(look, selector)?;
    Ok(block.map_or(Json::NULL, |block| Json::quantity(u64::try_from(len(&block)).unwrap_or(u64::MAX))))
}

/// `eth_getUncleByBlock…AndIndex`.
pub(crate) fn uncle(look: &Look<'_>, params: Option<&RawValue>, read: ReadBlock) -> Result<Json, Miss> {
    let (at, index) = indexed(look, params, read)?;
    let block = at.map(|at| look.block(at)).transpose()?;
    Ok(block.map_or(Json::NULL, |block| block.uncle_json(index)))
}

/// `eth_getTransactionByBlock…AndIndex`.
pub(crate) fn nth(look: &Look<'_>, params: Option<&RawValue>, read: ReadBlock) -> Result<Json, Miss> {
    match indexed(look, params, read)? {
        (Some(at), index) => Ok(look.transaction(at, index)?.map_or(Json::NULL, |mined| json(&mined))),
        (None, _) => Ok(Json::NULL),
    }
}

fn json(mined: &Mined) -> Json {
    mined.included().map_or(Json::NULL, |included| included.json())
}

fn bytes(mined: &Mined) -> Json {
    mined.tx().map_or(NO_BYTES, transaction::raw)
}

fn indexed(
    look: &Look<'_>,
    params: Option<&RawValue>,
    read: ReadBlock,
) -> Result<(Option<BlockRef>, usize), Error> {
    let mut args = Args::parse(params, 2)?;
    let selector = read(&mut args)?;
    let index = usize::try_from(args.required(params::index)?).unwrap_or(usize::MAX);
    Ok((select::block(look.view.source(), selector)?, index))
}

fn by_hash(
    look: &Look<'_>,
    hash: B256,
    tell: impl FnOnce(BlockRef, &Mined) -> Result<Json, Miss>,
) -> Result<Option<Json>, Miss> {
    let Some((at, index)) = look.view.source().transaction(hash).map_err(unreadable)? else {
        return Ok(None);
    };
    look.transaction(at, index)?.map(|mined| tell(at, &mined)).transpose()
}

/// Transaction that no block holds, from the master's pool, where that is kept.
pub(crate) fn pooled(shared: &Shared, view: &RequestView, hash: B256) -> Result<Option<Arc<Held>>, Error> {
    let Some(pool) = &shared.mempool else { return Ok(None) };
    let Some(held) = pool.get(hash)? else { return Ok(None) };
    // A nonce that this view has passed is another transaction's, or this one's in a block that has left the index.
    let account = view.source().account(keccak256(held.from), At::Latest).map_err(unreadable)?;
    let passed = account.is_some_and(|account| account.nonce > held.nonce());
    Ok(Some(held).filter(|_| !passed))
}

/// `eth_getTransactionByHash`.
pub(crate) fn transaction(look: &Look<'_>, params: Option<&RawValue>) -> Result<Json, Miss> {
    let hash = Args::parse(params, 1)?.required(params::hash)?;
    if let Some(mined) = by_hash(look, hash, |_, mined| Ok(json(mined)))? {
        return Ok(mined);
    }
    let pooled = pooled(look.shared, look.view, hash)?;
    let json = |held: Arc<Held>| Json::object(|object| transaction::write(object, &held.tx, held.from, None));
    Ok(pooled.map_or(Json::NULL, json))
}

/// `eth_getTransactionReceipt`.
pub(crate) fn receipt(look: &Look<'_>, params: Option<&RawValue>) -> Result<Json, Miss> {
    let hash = Args::parse(params, 1)?.required(params::hash)?;
    Ok(by_hash(look, hash, |at, mined| look.receipt(at, mined))?.unwrap_or(Json::NULL))
}

/// `eth_getRawTransactionByHash`.
pub(crate) fn raw_transaction(look: &Look<'_>, params: Option<&RawValue>) -> Result<Json, Miss> {
    let hash = Args::parse(params, 1)?.required(params::hash)?;
    if let Some(mined) = by_hash(look, hash, |_, mined| Ok(bytes(mined)))? {
        return Ok(mined);
    }
    Ok(pooled(look.shared, look.view, hash)?.map_or(NO_BYTES, |held| transaction::raw(&held.tx)))
}
