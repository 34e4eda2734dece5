//! `debug_traceCall`: a call on a block, or between two transactions of one.

use crate::rpc::call_context::prepare;
use crate::rpc::debug::config::Raw;
use crate::rpc::rerun::bounds::{Bounds, fault};
use crate::rpc::rerun::run::{TracedAt, run_to};
use crate::rpc::rerun::traceable::traceable;
use crate::rpc::{Shared, request_view::RequestView};
use alloy::primitives::U256;
use maidenlane_chain::{Block, BlockRef};
use maidenlane_ethjson::block_overrides::BlockOverrides;
use maidenlane_ethjson::call_args::{CallArgs, StateOverrides};
use maidenlane_ethjson::params::{self, Number, Selector, Tag};
use maidenlane_ethjson::select::{self, StateOf, pruned};
use maidenlane_ethjson::unreadable;
use maidenlane_evm::database::StateDb;
use maidenlane_evm::precompiles::Precompiles;
use maidenlane_evm::replay::Replay;
use maidenlane_jsonrpc::{Args, Error, Json};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;

/// The last parameter of `debug_traceCall`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallConfig {
    state_overrides: Option<StateOverrides>,
    block_overrides: Option<BlockOverrides>,
    tx_index: Option<Number>,
}

/// `debug_traceCall`.
pub(in crate::rpc) fn call(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    bounds: &mut Bounds,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 3)?;
    let wanted = args.required(params::read::<Option<CallArgs>>)?.unwrap_or_default();
    let selector = args.required(Selector::read)?;
    let config = args.optional(|json| Ok((Raw::read(json)?, params::read::<CallConfig>(json)?)))?;
    let (config, CallConfig { state_overrides, block_overrides, tx_index }) = config.unwrap_or_default();
    if selector == Selector::Tag(Tag::Pending) {
        return Err(Error::server("tracing on top of pending is not supported"));
    }
    let state = select::state(view.source(), selector)?;
    let after = tx_index.map(|Number(index)| before(shared, view, &state, index)).transpose()?;
    let (overrides, block) = (state_overrides.unwrap_or_default(), block_overrides);
    let config = config.checked()?;
    bounds.budget.limit_each(config.timeout);
    let mut call = prepare(shared, view, wanted, &state, block.as_ref())?;
    let (overrides, moved) = overrides.resolve(call.spec, true)?;
    call.moved = moved;
    let place = TracedAt::default();
    let precompiles = Precompiles::new(call.spec, call.moved.clone());
    let traced = match &after {
        Some((block, index)) => {
            let mut replay = run_to(shared, view, block, *index, bounds)?;
            replay.change(call.block.clone(), call.cfg(), precompiles, &overrides).map_err(fault)?;
            config.trace(&mut replay, call.tx, place, bounds, bounds.most_bytes)
        }
        None => {
            let next = state.header.number.saturating_add(1);
            // A call in the next block sees this one's hash.
            let is_next = call.block.number == U256::from(next);
            let below = if is_next { next } else { state.hashes_below() };
            let db = StateDb::new(view.source(), state.at, below, &shared.codes, &overrides);
            let mut replay = Replay::on(db, call.block.clone(), call.cfg(), precompiles);
            config.trace(&mut replay, call.tx, place, bounds, bounds.most_bytes)
        }
    };
    traced.map(Json::Owned)
}

/// Block of a state, and the transaction index in it before which a call runs.
fn before(
    shared: &Shared,
    view: &RequestView,
    state: &StateOf,
    index: u64,
) -> Result<(Arc<Block>, usize), Error> {
    let hash = view.source().hash_of(state.header.number).map_err(unreadable)?.ok_or_else(pruned)?;
    let block = traceable(shared, view, BlockRef::new(state.header.number, hash))?;
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    if index >= block.transactions.len() {
        let text = format!("transaction index {index} out of range for block {hash}");
        return Err(Error::server(text));
    }
    Ok((block, index))
}
