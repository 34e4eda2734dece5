//! `trace_…`, the tracing methods of Parity: the frames of `flatCallTracer` with Parity's texts for errors, and what
//! changed in the state.

use super::filter::Filter;
use super::state_diff;
use crate::rpc::Shared;
use crate::rpc::call_context::prepare;
use crate::rpc::debug::config::TIMEOUT;
use crate::rpc::request_view::RequestView;
use crate::rpc::rerun::bounds::{Bounds, fault, too_large};
use crate::rpc::rerun::calls::{Flat, Picked};
use crate::rpc::rerun::prestate::Reader;
use crate::rpc::rerun::run::{TracedAt, nth, run_to};
use crate::rpc::rerun::traceable::traceable;
use maidenlane_chain::Block;
use maidenlane_chain::BlockRef;
use maidenlane_ethjson::call_args::CallArgs;
use maidenlane_ethjson::params::{self, Selector};
use maidenlane_ethjson::select::{self, StateOf};
use maidenlane_ethjson::unreadable;
use maidenlane_evm::database::StateDb;
use maidenlane_evm::frames::{Frame, Frames};
use maidenlane_evm::precompiles::Precompiles;
use maidenlane_evm::replay::Replay;
use maidenlane_evm::{Failure, recover};
use maidenlane_json::{Object, push_data};
use maidenlane_jsonrpc::{Args, Error, Json, codes};
use revm::context::TxEnv;
use serde_json::value::RawValue;
use std::ops::RangeInclusive;

/// Calls in one `trace_callMany`.
const CALLS_MAX: usize = 1_000;

/// Trace types that are wanted of a call or a replayed transaction.
#[derive(Clone, Copy, Debug, Default)]
struct Types {
    trace: bool,
    state_diff: bool,
}

impl Types {
    fn read(json: &str) -> Result<Self, String> {
        let names: Vec<String> = params::read(json)?;
        let mut types = Self::default();
        for name in names {
            match name.as_str() {
                "trace" => types.trace = true,
                "stateDiff" => types.state_diff = true,
                "vmTrace" => return Err("vmTrace is not served; use debug_traceTransaction".into()),
                other => {
                    return Err(format!(
                        "unknown trace type {:?}",
                        other.chars().take(32).collect::<String>()
                    ));
                }
            }
        }
        Ok(types)
    }
}

/// `trace_transaction`: null for one that is not there.
pub(in crate::rpc) fn transaction(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    bounds: &mut Bounds,
) -> Result<Json, Error> {
    let hash = Args::parse(params, 3)?.required(params::hash)?;
    let found = view.source().transaction(hash).map_err(unreadable)?;
    let Some((at, index)) = found else { return Ok(Json::NULL) };
    let block = traceable(shared, view, at)?;
    Job::new(shared, view, bounds).transaction(&block, index)
}

/// `trace_replayTransaction`.
pub(in crate::rpc) fn replay_transaction(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    bounds: &mut Bounds,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 3)?;
    let hash = args.required(params::hash)?;
    let types = args.required(Types::read)?;
    let found = view.source().transaction(hash).map_err(unreadable)?;
    let (at, index) = found.ok_or_else(|| Error::server("transaction not found"))?;
    let block = traceable(shared, view, at)?;
    Job::new(shared, view, bounds).replayed(&block, Some(index), types)
}

/// `trace_block`: null for one that is not there.
pub(in crate::rpc) fn block(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    bounds: &mut Bounds,
) -> Result<Json, Error> {
    let selector = Args::parse(params, 3)?.required(Selector::read)?;
    let Some(at) = select::block(view.source(), selector)? else { return Ok(Json::NULL) };
    if at.number == 0 {
        return Ok(Json::Static("[]"));
    }
    // Undone blocks have taken their states with them.
    let number = traceable(shared, view, at)?.header.number;
    Job::new(shared, view, bounds).blocks(number..=number, Picked::default())
}

/// `trace_replayBlockTransactions`.
pub(in crate::rpc) fn replay_block(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    bounds: &mut Bounds,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 3)?;
    let selector = args.required(Selector::read)?;
    let types = args.required(Types::read)?;
    let at = select::block(view.source(), selector)?.ok_or_else(|| Error::server("block not found"))?;
    if at.number == 0 {
        return Ok(Json::Static("[]"));
    }
    let block = traceable(shared, view, at)?;
    Job::new(shared, view, bounds).replayed(&block, None, types)
}

/// `trace_filter`.
pub(in crate::rpc) fn filter(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    bounds: &mut Bounds,
) -> Result<Json, Error> {
    let (blocks, picked) = Args::parse(params, 3)?.required(params::read::<Filter>)?.resolve(view)?;
    Job::new(shared, view, bounds).blocks(blocks, picked)
}

/// `trace_call`.
pub(in crate::rpc) fn call(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    bounds: &mut Bounds,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 3)?;
    let call = args.required(params::read::<Option<CallArgs>>)?.unwrap_or_default();
    let types = args.required(Types::read)?;
    let state = on_state(view, &mut args)?;
    Job::new(shared, view, bounds).calls(vec![(call, types)], &state, false)
}

/// `trace_callMany`.
pub(in crate::rpc) fn call_many(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    bounds: &mut Bounds,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 3)?;
    let calls: Vec<(CallArgs, Box<RawValue>)> = args.required(params::read)?;
    if calls.len() > CALLS_MAX {
        return Err(Error::params(format!("{CALLS_MAX} calls at most")));
    }
    let typed = |(call, types): (CallArgs, Box<RawValue>)| {
        Types::read(types.get()).map(|types| (call, types)).map_err(Error::params)
    };
    let calls = calls.into_iter().map(typed).collect::<Result<_, _>>()?;
    let state = on_state(view, &mut args)?;
    Job::new(shared, view, bounds).calls(calls, &state, true)
}

fn on_state(view: &RequestView, args: &mut Args<'_>) -> Result<StateOf, Error> {
    select::state(view.source(), args.optional(Selector::read)?.unwrap_or(Selector::LATEST))
}

/// Result of a traced transaction.
struct Traced {
    root: Frame,
    output: Vec<u8>,
    state_diff: Option<String>,
}

struct Job<'a> {
    shared: &'a Shared,
    view: &'a RequestView,
    bounds: &'a mut Bounds,
}

impl<'a> Job<'a> {
    fn new(shared: &'a Shared, view: &'a RequestView, bounds: &'a mut Bounds) -> Self {
        bounds.budget.limit_each(TIMEOUT);
        Self { shared, view, bounds }
    }

    fn transaction(mut self, block: &Block, index: usize) -> Result<Json, Error> {
        let mut replay = run_to(self.shared, self.view, block, index, self.bounds)?;
        let mut out = String::from("[");
        self.frames(&mut out, &mut replay, block, index, &mut Picked::default())?;
        out.push(']');
        Ok(Json::Owned(out))
    }

    fn blocks(mut self, blocks: RangeInclusive<u64>, mut picked: Picked) -> Result<Json, Error> {
        let mut out = String::from("[");
        for number in blocks {
            self.block(&mut out, number, &mut picked)?;
        }
        out.push(']');
        Ok(Json::Owned(out))
    }

    /// Appends the picked frames of a canonical block.
    fn block(&mut self, out: &mut String, number: u64, picked: &mut Picked) -> Result<(), Error> {
        if picked.is_full() {
            return Ok(());
        }
        // Blocks without transactions run nothing, and there may be millions.
        self.bounds.budget.look().map_err(fault)?;
        let hash = self.view.source().hash_of(number).map_err(unreadable)?.ok_or_else(select::pruned)?;
        let block = traceable(self.shared, self.view, BlockRef::new(number, hash))?;
        if block.transactions.is_empty() {
            return Ok(());
        }
        let mut replay = run_to(self.shared, self.view, &block, 0, self.bounds)?;
        for index in 0..block.transactions.len() {
            if picked.is_full() {
                return Ok(());
            }
            self.frames(out, &mut replay, &block, index, picked)?;
        }
        Ok(())
    }

    fn frames(
        &mut self,
        out: &mut String,
        replay: &mut Replay<'_>,
        block: &Block,
        index: usize,
        picked: &mut Picked,
    ) -> Result<(), Error> {
        let (tx, place) = nth(block, index)?;
        let traced = self.trace(replay, tx, false)?;
        let precompiles = replay.precompiles();
        Flat::PARITY.append(out, &traced.root, Some((place, block.header.number)), precompiles, picked);
        self.refuse_too_large(out)
    }

    /// Replays all transactions of a block, or answers for only one.
    fn replayed(mut self, block: &Block, only: Option<usize>, types: Types) -> Result<Json, Error> {
        let first = only.unwrap_or_default();
        let mut replay = run_to(self.shared, self.view, block, first, self.bounds)?;
        let mut out = String::new();
        if let Some(index) = only {
            let (tx, _) = nth(block, index)?;
            self.answer(&mut out, &mut replay, tx, types, None)?;
            return Ok(Json::Owned(out));
        }
        out.push('[');
        for index in 0..block.transactions.len() {
            if index > 0 {
                out.push(',');
            }
            let (tx, place) = nth(block, index)?;
            self.answer(&mut out, &mut replay, tx, types, Some(place))?;
        }
        out.push(']');
        Ok(Json::Owned(out))
    }

    fn calls(mut self, calls: Vec<(CallArgs, Types)>, state: &StateOf, many: bool) -> Result<Json, Error> {
        let (shared, view) = (self.shared, self.view);
        let mut replay: Option<Replay<'_>> = None;
        let mut out = String::from(if many { "[" } else { "" });
        for (index, (args, types)) in calls.into_iter().enumerate() {
            let call = prepare(shared, view, args, state, None)?;
            let replay = replay.get_or_insert_with(|| {
                let hashes = state.hashes_below();
                let db = StateDb::bare(view.source(), state.at, hashes, &shared.codes);
                Replay::on(db, call.block.clone(), call.cfg(), Precompiles::new(call.spec, None))
            });
            out.push_str(if index > 0 { "," } else { "" });
            self.answer(&mut out, replay, call.tx, types, None)?;
        }
        out.push_str(if many { "]" } else { "" });
        Ok(Json::Owned(out))
    }

    /// Appends the answer for a call or a replayed transaction, with the traces of `types`.
    fn answer(
        &mut self,
        out: &mut String,
        replay: &mut Replay<'_>,
        tx: TxEnv,
        types: Types,
        place: Option<TracedAt>,
    ) -> Result<(), Error> {
        let traced = self.trace(replay, tx, types.state_diff)?;
        let mut object = Object::new(out);
        object.data("output", &traced.output);
        object.raw("stateDiff", traced.state_diff.as_deref().unwrap_or("null"));
        let trace = object.value("trace");
        trace.push('[');
        if types.trace {
            Flat::PARITY.append(trace, &traced.root, None, replay.precompiles(), &mut Picked::default());
        }
        trace.push(']');
        if let Some(hash) = place.and_then(|place| place.hash) {
            push_data(object.value("transactionHash"), hash.as_slice());
        }
        object.raw("vmTrace", "null");
        object.end();
        self.refuse_too_large(out)
    }

    /// Runs a transaction and leaves it in the state.
    fn trace(&mut self, replay: &mut Replay<'_>, mut tx: TxEnv, state_diff: bool) -> Result<Traced, Error> {
        recover(&mut tx, &mut self.bounds.budget).map_err(fault)?;
        let (mut watch, mut frames, gas_limit) = (self.bounds.watch(), Frames::default(), tx.gas_limit);
        let done = replay.inspect(tx, &mut self.bounds.budget, (&mut watch, &mut frames));
        if watch.is_full() {
            return Err(too_large());
        }
        let done = done.map_err(fault)?;
        let mut root = frames.finish();
        (root.gas, root.gas_used) = (gas_limit, done.result.tx_gas_used());
        let output = done.result.output().map(|output| output.to_vec()).unwrap_or_default();
        let state_diff = match state_diff {
            true => {
                let spec = replay.spec();
                let diff = state_diff::of(&Reader::new(&replay.state(), &done.state, spec));
                Some(diff.map_err(|error| fault(Failure::Read(error)))?)
            }
            false => None,
        };
        replay.keep(done);
        Ok(Traced { root, output, state_diff })
    }

    fn refuse_too_large(&self, out: &str) -> Result<(), Error> {
        if out.len() <= self.bounds.most_bytes {
            return Ok(());
        }
        Err(Error::new(
            codes::RESPONSE_TOO_LARGE,
            "the traces are too large; ask for fewer blocks, or a count",
        ))
    }
}

#[cfg(test)]
mod tests;
