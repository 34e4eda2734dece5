//! `debug_intermediateRoots`: the state root after each transaction of a block, where trie nodes are kept.

use crate::rpc::debug::trace_block::hashed;
use crate::rpc::rerun::bounds::{Bounds, fault};
use crate::rpc::rerun::run::{nth, replay};
use crate::rpc::rerun::traceable::traceable;
use crate::rpc::tries::Tries;
use crate::rpc::{Shared, request_view::RequestView};
use maidenlane_chain::Block;
use maidenlane_ethjson::params::{Selector, Tag};
use maidenlane_ethjson::select;
use maidenlane_ethjson::unreadable;
use maidenlane_json::{push_data, push_list};
use maidenlane_jsonrpc::{Error, Json};
use serde_json::value::RawValue;

/// `debug_intermediateRoots`.
pub(in crate::rpc) fn answer(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    bounds: &mut Bounds,
) -> Result<Json, Error> {
    let (at, config) = hashed(view, params)?;
    bounds.budget.limit_each(config.timeout);
    roots(shared, view, &*traceable(shared, view, at)?, bounds)
}

fn roots(shared: &Shared, view: &RequestView, block: &Block, bounds: &mut Bounds) -> Result<Json, Error> {
    let parent = Selector::Tag(Tag::Number(block.header.number.saturating_sub(1)));
    let before = select::state(view.source(), parent)?;
    let tries = Tries::kept(view, &before)?.noted(&shared.blocks);
    // From its beginning: the tries want all that it changes.
    let mut replay = replay(shared, view, block, bounds)?;
    let mut roots = Vec::new();
    for index in 0..block.transactions.len() {
        replay.run([nth(block, index)?.0], &mut bounds.budget).map_err(fault)?;
        roots.push(tries.root_with(&replay.changes()).map_err(unreadable)?);
    }
    if roots.is_empty() {
        return Ok(Json::NULL);
    }
    let mut out = String::new();
    push_list(&mut out, &roots, |out, root| push_data(out, root.as_slice()));
    Ok(Json::Owned(out))
}
