//! `debug_traceTransaction` and `debug_traceBlock…`: mined blocks, or one that the client sends, run again under a
//! tracer.

use crate::rpc::debug::config::{Config, Raw};
use crate::rpc::rerun::bounds::Bounds;
use crate::rpc::rerun::run::{nth, replay, run_to, write_traced};
use crate::rpc::rerun::traceable::{affordable, decode, mined, traceable};
use crate::rpc::{Shared, request_view::RequestView};
use maidenlane_chain::{Block, BlockRef};
use maidenlane_ethjson::params::{self, Selector, Tag};
use maidenlane_ethjson::{select, unreadable};
use maidenlane_evm::replay::Replay;
use maidenlane_jsonrpc::{Args, Error, Json};
use serde_json::value::RawValue;

/// `debug_traceTransaction`.
pub(in crate::rpc) fn transaction(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    bounds: &mut Bounds,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 2)?;
    let hash = args.required(params::hash)?;
    let config = args.optional(Raw::read)?.unwrap_or_default().checked()?;
    let found = view.source().transaction(hash).map_err(unreadable)?;
    let (at, index) = found.ok_or_else(|| Error::server("transaction not found"))?;
    let block = traceable(shared, view, at)?;
    bounds.budget.limit_each(config.timeout);
    let mut replay = run_to(shared, view, &block, index, bounds)?;
    let (tx, place) = nth(&block, index)?;
    config.trace(&mut replay, tx, place, bounds, bounds.most_bytes).map(Json::Owned)
}

/// `debug_traceBlockByNumber`.
pub(in crate::rpc) fn by_number(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    bounds: &mut Bounds,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 2)?;
    let tag = args.required(Tag::read)?;
    let found = select::block(view.source(), Selector::Tag(tag))?;
    let config = args.optional(Raw::read)?.unwrap_or_default().checked()?;
    let at = found.ok_or_else(|| Error::server(format!("block #{} not found", tag.as_number())))?;
    trace_mined(shared, view, at, &config, bounds)
}

/// `debug_traceBlockByHash`.
pub(in crate::rpc) fn by_hash(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    bounds: &mut Bounds,
) -> Result<Json, Error> {
    let (at, config) = hashed(view, params)?;
    trace_mined(shared, view, at, &config, bounds)
}

/// Parameters of methods on a block by its hash.
pub(super) fn hashed(view: &RequestView, params: Option<&RawValue>) -> Result<(BlockRef, Config), Error> {
    let mut args = Args::parse(params, 2)?;
    let hash = args.required(params::hash)?;
    let found = select::block(view.source(), Selector::Hash { hash, canonical: false })?;
    let config = args.optional(Raw::read)?.unwrap_or_default().checked()?;
    let at = found.ok_or_else(|| Error::server(format!("block {hash} not found")))?;
    Ok((at, config))
}

/// `debug_traceBlock`: a block that the client sends.
pub(in crate::rpc) fn brought(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    bounds: &mut Bounds,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 2)?;
    let bytes = args.required(params::data)?;
    let config = args.optional(Raw::read)?.unwrap_or_default().checked()?;
    let block = decode(&bytes)?;
    mined(view, BlockRef::new(block.header.number, block.header.parent_hash))?;
    affordable(shared, view, &block)?;
    bounds.budget.limit_each(config.timeout);
    trace(&mut replay(shared, view, &block, bounds)?, &block, &config, bounds)
}

/// `debug_traceBadBlock`: there are none, as the feed is canonical.
pub(in crate::rpc) fn bad(
    _: &Shared,
    _: &RequestView,
    params: Option<&RawValue>,
    _: &mut Bounds,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 2)?;
    let hash = args.required(params::hash)?;
    args.optional(Raw::read)?;
    Err(Error::server(format!("bad block {hash} not found")))
}

fn trace_mined(
    shared: &Shared,
    view: &RequestView,
    at: BlockRef,
    config: &Config,
    bounds: &mut Bounds,
) -> Result<Json, Error> {
    let block = traceable(shared, view, at)?;
    bounds.budget.limit_each(config.timeout);
    let mut replay = run_to(shared, view, &block, 0, bounds)?;
    trace(&mut replay, &block, config, bounds)
}

fn trace(
    replay: &mut Replay<'_>,
    block: &Block,
    config: &Config,
    bounds: &mut Bounds,
) -> Result<Json, Error> {
    let mut out = String::from("[");
    for index in 0..block.transactions.len() {
        let left = bounds.most_bytes.saturating_sub(out.len());
        let (tx, place) = nth(block, index)?;
        let hash = place.hash.unwrap_or_default();
        let result = config.trace(replay, tx, place, bounds, left)?;
        if index > 0 {
            out.push(',');
        }
        write_traced(&mut out, hash, &result);
    }
    out.push(']');
    Ok(Json::Owned(out))
}
