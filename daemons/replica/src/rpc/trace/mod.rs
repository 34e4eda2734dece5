//! `debug_trace…`: mined blocks and calls run again under a tracer, always on the pool.
//!
//! | file | idea |
//! |---|---|
//! | [`config`] | which tracer, with what, for how long |
//! | [`calls`], [`prestate`] | what the named tracers answer |
//! | [`chain`] | a range of blocks, as a subscription |
//! | [`parity`], [`state_diff`] | `trace_…` |
//! | [`roots`] | state roots in the middle of a block |
//! | [`traceable`] | which blocks can be run again |
//! | [`witness`] | all of the state that a block needs |
//! | this one | which block or call, and the answer |

mod calls;
pub(super) mod chain;
mod config;
pub(super) mod parity;
mod prestate;
mod roots;
mod state_diff;
mod traceable;
mod witness;

use super::Shared;
use super::call;
use super::execute;
use super::request_view::RequestView;
use alloy::primitives::{B256, U256};
use config::{Config, Place, Raw};
use maidenlane_chain::Block;
use maidenlane_chain::BlockRef;
use maidenlane_ethjson::call_args::{BlockOverrides, CallArgs, StateOverrides};
use maidenlane_ethjson::errors;
use maidenlane_ethjson::params::{self, Number, Selector, Tag};
use maidenlane_ethjson::select::{self, pruned};
use maidenlane_ethjson::unreadable;
use maidenlane_evm::Failure;
use maidenlane_evm::budget::{Budget, Spent};
use maidenlane_evm::codes::Codes;
use maidenlane_evm::database::{Overrides, StateDb};
use maidenlane_evm::precompiles::Precompiles;
use maidenlane_evm::replay::{Replay, tx_env};
use maidenlane_evm::watch::Watch;
use maidenlane_json::{Object, push_data};
use maidenlane_jsonrpc::{Args, Error, Json, codes};
use maidenlane_state::StateView;
use revm::context::TxEnv;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;
use traceable::{affordable, decode, mined, traceable};

/// All methods here.
pub(crate) const METHODS: [&str; 8] = [
    "debug_traceTransaction",
    "debug_traceBlockByNumber",
    "debug_traceBlockByHash",
    "debug_traceBlock",
    "debug_traceBadBlock",
    "debug_traceCall",
    roots::METHOD,
    witness::METHOD,
];

/// What a trace may hold in memory, as a multiple of what may be answered.
const HELD_TIMES: usize = 4;

/// Answers one of [`METHODS`].
pub(crate) async fn call(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    method: &str,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let time = shared.settings.get().limits.answer;
    match method {
        roots::METHOD => on_pool(shared, view, params, time, roots::answer).await,
        witness::METHOD => on_pool(shared, view, params, time, witness::answer).await,
        _ => {
            let method = method.to_owned();
            let job =
                move |shared: &Shared, view: &RequestView, params: Option<&RawValue>, bounds: &mut Bounds| {
                    wanted(shared, view, &method, params)?.run(shared, view, bounds)
                };
            on_pool(shared, view, params, time, job).await
        }
    }
}

/// Answers on the pool, within what may be answered: a block that is looked up may have to be decoded, and who sent its
/// transactions be found out.
async fn on_pool(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    params: Option<&RawValue>,
    time: Duration,
    job: impl FnOnce(&Shared, &RequestView, Option<&RawValue>, &mut Bounds) -> Result<Json, Error>
    + Send
    + 'static,
) -> Result<Json, Error> {
    let most_bytes = shared.settings.get().limits.answer_bytes;
    let job = move |shared: &Shared, view: &RequestView, params: Option<&RawValue>, budget: Budget| {
        job(shared, view, params, &mut Bounds { most_bytes, budget })
    };
    let done = execute::on_pool(shared, view, params, time, job).await;
    done.unwrap_or_else(|| Err(fault(Failure::TIMEOUT)))
}

/// What ends a trace.
struct Bounds {
    most_bytes: usize,
    /// For all that is run. As in geth, each transaction also has a time of its own.
    budget: Budget,
}

impl Bounds {
    fn watch(&self) -> Watch {
        Watch::new(self.most_bytes.saturating_mul(HELD_TIMES))
    }
}

/// A checked question.
enum Wanted {
    Transaction { block: Arc<Block>, index: usize, config: Config },
    Block { block: Arc<Block>, config: Config },
    Call(Box<WantedCall>),
}

/// The last parameter of `debug_traceCall`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallConfig {
    state_overrides: Option<StateOverrides>,
    block_overrides: Option<BlockOverrides>,
    tx_index: Option<Number>,
}

struct WantedCall {
    args: CallArgs,
    state: select::StateOf,
    /// With the transactions before this one run first.
    after: Option<(Arc<Block>, usize)>,
    overrides: StateOverrides,
    block: Option<BlockOverrides>,
    config: Config,
}

fn wanted(
    shared: &Shared,
    view: &RequestView,
    method: &str,
    params: Option<&RawValue>,
) -> Result<Wanted, Error> {
    if method == "debug_traceCall" {
        return wanted_call(shared, view, params);
    }
    let mut args = Args::parse(params, 2)?;
    if method == "debug_traceTransaction" {
        let hash = args.required(params::hash)?;
        let config = args.optional(Raw::read)?.unwrap_or_default().checked()?;
        let (at, index) = view
            .source()
            .transaction(hash)
            .map_err(unreadable)?
            .ok_or_else(|| Error::server("transaction not found"))?;
        return Ok(Wanted::Transaction { block: traceable(shared, view, at)?, index, config });
    }
    if method == "debug_traceBadBlock" {
        let hash = args.required(params::hash)?;
        args.optional(Raw::read)?;
        // The feed is canonical.
        return Err(Error::server(format!("bad block {hash} not found")));
    }
    if method == "debug_traceBlock" {
        let bytes = args.required(params::data)?;
        let config = args.optional(Raw::read)?.unwrap_or_default().checked()?;
        let block = decode(&bytes)?;
        mined(view, BlockRef::new(block.header.number, block.header.parent_hash))?;
        affordable(shared, view, &block)?;
        return Ok(Wanted::Block { block: Arc::new(block), config });
    }
    let (found, missing) = if method == "debug_traceBlockByHash" {
        let hash = args.required(params::hash)?;
        let selector = Selector::Hash { hash, canonical: false };
        (select::block(view.source(), selector)?, format!("block {hash} not found"))
    } else {
        let tag = args.required(Tag::read)?;
        let missing = format!("block #{} not found", tag.told());
        (select::block(view.source(), Selector::Tag(tag))?, missing)
    };
    let config = args.optional(Raw::read)?.unwrap_or_default().checked()?;
    let at = found.ok_or_else(|| Error::server(missing))?;
    Ok(Wanted::Block { block: traceable(shared, view, at)?, config })
}

fn wanted_call(shared: &Shared, view: &RequestView, params: Option<&RawValue>) -> Result<Wanted, Error> {
    let mut args = Args::parse(params, 3)?;
    let wanted = args.required(call::read::<Option<CallArgs>>)?.unwrap_or_default();
    let selector = args.required(Selector::read)?;
    let config = args.optional(|json| Ok((Raw::read(json)?, call::read::<CallConfig>(json)?)))?;
    let (config, CallConfig { state_overrides, block_overrides, tx_index }) = config.unwrap_or_default();
    if selector == Selector::Tag(Tag::Pending) {
        return Err(Error::server("tracing on top of pending is not supported"));
    }
    let state = select::state(view.source(), selector)?;
    let after = match tx_index {
        None => None,
        Some(Number(index)) => {
            let hash = view.source().hash_of(state.header.number).map_err(unreadable)?.ok_or_else(pruned)?;
            let block = traceable(shared, view, BlockRef::new(state.header.number, hash))?;
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            if index >= block.transactions.len() {
                let text = format!("transaction index {index} out of range for block {hash}");
                return Err(Error::server(text));
            }
            Some((block, index))
        }
    };
    Ok(Wanted::Call(Box::new(WantedCall {
        args: wanted,
        state,
        after,
        overrides: state_overrides.unwrap_or_default(),
        block: block_overrides,
        config: config.checked()?,
    })))
}

impl Wanted {
    fn run(self, shared: &Shared, view: &RequestView, bounds: &mut Bounds) -> Result<Json, Error> {
        let none = Overrides::default();
        match self {
            Self::Call(call) => call.run(shared, view, bounds),
            Self::Transaction { block, index, config } => {
                bounds.budget.limit_each(config.timeout);
                let mut replay = replay(shared, view, &block, &none, bounds)?;
                run_before(&mut replay, &block, index, bounds)?;
                let (tx, place) = nth(&block, index)?;
                config.trace(&mut replay, tx, place, bounds, bounds.most_bytes).map(Json::Owned)
            }
            Self::Block { block, config } => {
                bounds.budget.limit_each(config.timeout);
                let mut replay = replay(shared, view, &block, &none, bounds)?;
                let mut out = String::from("[");
                for index in 0..block.transactions.len() {
                    let left = bounds.most_bytes.saturating_sub(out.len());
                    let (tx, place) = nth(&block, index)?;
                    let hash = place.hash.unwrap_or_default();
                    let result = config.trace(&mut replay, tx, place, bounds, left)?;
                    if index > 0 {
                        out.push(',');
                    }
                    write_traced(&mut out, hash, &result);
                }
                out.push(']');
                Ok(Json::Owned(out))
            }
        }
    }
}

fn write_traced(out: &mut String, hash: B256, result: &str) {
    let mut object = Object::new(out);
    push_data(object.value("txHash"), hash.as_slice());
    object.raw("result", result);
    object.end();
}

impl WantedCall {
    fn run(self, shared: &Shared, view: &RequestView, bounds: &mut Bounds) -> Result<Json, Error> {
        let Self { args, state, after, overrides, block, config } = self;
        bounds.budget.limit_each(config.timeout);
        let mut call = call::prepare(shared, view, args, &state, block.as_ref())?;
        let (overrides, moved) = overrides.resolve(Some(call.spec))?;
        call.moved = moved;
        let none = Overrides::default();
        let precompiles = Precompiles::new(call.spec, call.moved.clone());
        let mut replay = match &after {
            Some((block, index)) => {
                let mut replay = replay(shared, view, block, &none, bounds)?;
                run_before(&mut replay, block, *index, bounds)?;
                replay.change(call.block.clone(), call.cfg(), precompiles, &overrides).map_err(fault)?;
                replay
            }
            None => {
                let next = state.header.number.saturating_add(1);
                // A call in the next block sees this one's hash.
                let is_next = call.block.number == U256::from(next);
                let below = if is_next { next } else { state.hashes_below() };
                let db = StateDb::new(view.source(), state.at, below, &shared.codes, &overrides);
                Replay::on(db, call.block.clone(), call.cfg(), precompiles)
            }
        };
        config.trace(&mut replay, call.tx, Place::default(), bounds, bounds.most_bytes).map(Json::Owned)
    }
}

fn replay<'a>(
    shared: &'a Shared,
    view: &'a RequestView,
    block: &Block,
    overrides: &'a Overrides,
    bounds: &mut Bounds,
) -> Result<Replay<'a>, Error> {
    replay_on(view, view.source(), &shared.codes, block, overrides, bounds)
}

/// The same with everything read through a source.
fn replay_on<'a>(
    view: &RequestView,
    source: &'a dyn StateView,
    codes: &'a Codes,
    block: &Block,
    overrides: &'a Overrides,
    bounds: &mut Bounds,
) -> Result<Replay<'a>, Error> {
    let rules = &view.head().rules;
    if let Some(fork) = rules.unknown_at(&block.header) {
        let text = format!("fork {fork} is active and this build does not execute it; install a newer one");
        return Err(Error::new(codes::UNKNOWN_FORK, text));
    }
    Replay::of(block, rules, source, codes, overrides, &mut bounds.budget).map_err(fault)
}

/// Runs the transactions before `index`.
fn run_before(
    replay: &mut Replay<'_>,
    block: &Block,
    index: usize,
    bounds: &mut Bounds,
) -> Result<(), Error> {
    let before = (0..index).map(|before| nth(block, before).map(|(tx, _)| tx));
    replay.run(before.collect::<Result<Vec<_>, _>>()?, &mut bounds.budget).map_err(fault)
}

fn nth(block: &Block, index: usize) -> Result<(TxEnv, Place), Error> {
    let (Some(tx), Some(sender)) = (block.transactions.get(index), block.sender(index)) else {
        return Err(Error::internal(format!("block {} has no transaction {index}", block.header.number)));
    };
    let place = Place { block: Some(block.hash), hash: Some(*tx.tx_hash()), index: Some(index) };
    Ok((tx_env(tx, sender), place))
}

/// Why there is no trace.
fn fault(failure: Failure) -> Error {
    match failure {
        Failure::Spent(Spent::Time) => Error::server("execution timeout"),
        Failure::Spent(Spent::Cancelled) => Error::server("execution aborted"),
        Failure::Invalid(invalid) => Error::server(format!("tracing failed: {}", errors::invalid(&invalid))),
        Failure::Read(fault) => {
            tracing::error!(%fault, "state cannot be read in a trace");
            Error::internal(fault)
        }
        Failure::Other(text) => Error::internal(text),
    }
}

fn too_large() -> Error {
    Error::new(
        codes::RESPONSE_TOO_LARGE,
        "the trace is too large; disable stack, storage or memory, or set a limit",
    )
}

#[cfg(test)]
mod tests;
