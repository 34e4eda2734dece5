//! `eth_call`, and how everything that executes is bounded. A call starts on the IO thread with a small budget,
//! because a hand-over costs more than most calls; what exceeds it starts again on the pool.

pub(crate) mod errors;
mod simulate;
pub(super) mod unsigned;

use super::call_args::{BlockOverrides, CallArgs, StateOverrides};
use super::params::Selector;
use super::select::{self, StateOf};
use super::session::Session;
use super::{Shared, access_list, estimate, fill};
use crate::evm::budget::{Budget, is_heavy};
use crate::evm::database::{Overrides, StateDb};
use crate::evm::pool::Refused;
use crate::evm::{self, Call, Failure};
use alloy::consensus::Header;
pub(super) use errors::{failed, halted, reverted, told};
use maidenlane_jsonrpc::{Args, Error, Json, codes};
use revm::context::result::ExecutionResult;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The methods that execute.
pub(crate) const METHODS: [&str; 6] = [
    "eth_call",
    "eth_estimateGas",
    "eth_createAccessList",
    "eth_fillTransaction",
    "eth_simulateV1",
    "ethercattle_estimateGasList",
];

/// Answers one of [`METHODS`].
pub(crate) async fn call(
    shared: &Arc<Shared>,
    session: &Arc<Session>,
    method: &str,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    match method {
        "eth_estimateGas" => estimate::one(shared, session, params).await,
        "ethercattle_estimateGasList" => estimate::list(shared, session, params).await,
        "eth_simulateV1" => simulate::call(shared, session, params).await,
        "eth_fillTransaction" => fill::transaction(shared, session, params).await,
        "eth_createAccessList" => access_list::create(shared, session, params).await,
        _ => eth_call(shared, session, params).await,
    }
}

/// What a full or failed pool is told as.
pub(crate) fn refused(reason: Refused) -> Error {
    match reason {
        Refused::Full => Error::new(codes::LIMIT_EXCEEDED, "too many expensive calls at once; try again"),
        Refused::Panicked => Error::internal("the call failed inside this replica"),
    }
}

/// A parameter of its own type.
pub(super) fn read<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

async fn eth_call(
    shared: &Arc<Shared>,
    session: &Arc<Session>,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 4)?;
    // As in geth, null is a call without any field.
    let wanted = args.required(read::<Option<CallArgs>>)?.unwrap_or_default();
    let desk = Desk::open(session, &mut args)?;
    let heavy = wanted.to().is_some_and(is_heavy);
    let mut call = desk.prepare(shared, session, wanted)?;
    let (overrides, moved) = desk.overrides.resolve(Some(call.spec))?;
    call.moved = moved;
    // A heavy precompile is known by its address, unless it was moved.
    let heavy = heavy || call.moved.is_some();
    let (gas, state) = (call.tx.gas_limit, desk.state);
    let job = move |shared: &Shared, session: &Session, budget| {
        evm::execute(call.clone(), database(shared, session, &state, &overrides), budget)
    };
    match bounded(shared, session, heavy, job).await? {
        Ok(ExecutionResult::Success { output, .. }) => Ok(Json::data(output.data())),
        Ok(ExecutionResult::Revert { output, .. }) => Err(reverted(&output)),
        Ok(ExecutionResult::Halt { reason, .. }) => Err(Error::server(halted(&reason))),
        Err(Failure::Invalid(invalid)) => {
            Err(Error::server(format!("err: {} (supplied gas {gas})", told(&invalid))))
        }
        Err(failure) => Err(failed(shared, failure)),
    }
}

/// What a call is made on: the parameters after it.
pub(super) struct Desk {
    /// The state.
    pub(super) state: StateOf,
    /// Other accounts.
    pub(super) overrides: StateOverrides,
    /// Another block.
    pub(super) block: Option<BlockOverrides>,
}

impl Desk {
    /// Reads block, state overrides and block overrides, all optional.
    pub(super) fn open(session: &Session, args: &mut Args<'_>) -> Result<Self, Error> {
        let selector = args.optional(Selector::read)?.unwrap_or(Selector::LATEST);
        let overrides: StateOverrides = args.optional(read)?.unwrap_or_default();
        let block: Option<BlockOverrides> = args.optional(read)?;
        Ok(Self { state: select::state(session.source(), selector)?, overrides, block })
    }

    /// The header of the block that a call runs in.
    pub(super) fn header(&self, session: &Session) -> Result<Header, Error> {
        header(session, &self.state, self.block.as_ref())
    }

    /// What the EVM is given.
    pub(super) fn prepare(
        &self,
        shared: &Shared,
        session: &Session,
        wanted: CallArgs,
    ) -> Result<Call, Error> {
        prepare(shared, session, wanted, &self.state, self.block.as_ref())
    }
}

fn header(session: &Session, state: &StateOf, block: Option<&BlockOverrides>) -> Result<Header, Error> {
    let rules = &session.head().rules;
    let mut header = if state.pending {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        rules.pending(&state.header, now)
    } else {
        (*state.header).clone()
    };
    if let Some(block) = block {
        block.apply(&mut header)?;
    }
    executable(session, &header)?;
    Ok(header)
}

/// What the EVM is given for a call on a state, in a block with overrides.
pub(super) fn prepare(
    shared: &Shared,
    session: &Session,
    wanted: CallArgs,
    state: &StateOf,
    block: Option<&BlockOverrides>,
) -> Result<Call, Error> {
    let header = header(session, state, block)?;
    let rules = &session.head().rules;
    wanted.check_forms()?;
    let mut call = wanted.prepare(rules, &header, shared.settings.get().call_gas_cap)?;
    if let Some(block) = block {
        block.apply_to_call(&mut call);
    }
    Ok(call)
}

/// Refuses blocks of forks that this build does not know.
pub(super) fn executable(session: &Session, header: &Header) -> Result<(), Error> {
    let Some(fork) = session.head().rules.unknown_at(header) else { return Ok(()) };
    let text = format!("fork {fork} is active and this build does not execute it; install a newer one");
    Err(Error::new(codes::UNKNOWN_FORK, text))
}

/// The state of a desk as the EVM's database.
pub(super) fn database<'a>(
    shared: &'a Shared,
    session: &'a Session,
    state: &StateOf,
    overrides: &'a Overrides,
) -> StateDb<'a> {
    StateDb::new(session.source(), state.at, state.hashes_below(), &shared.codes, overrides)
}

/// Runs `job` here within what an IO thread may be held, else from its start on the pool until the deadline.
pub(super) async fn bounded<T: Send + 'static>(
    shared: &Arc<Shared>,
    session: &Arc<Session>,
    heavy: bool,
    job: impl Fn(&Shared, &Session, Budget) -> Result<T, Failure> + Send + 'static,
) -> Result<Result<T, Failure>, Error> {
    if !heavy {
        match job(shared, session, Budget::light(shared.settings.get().call_inline)) {
            Err(Failure::Spent(_)) => (),
            done => return Ok(done),
        }
    }
    let (shared_there, session_there) = (Arc::clone(shared), Arc::clone(session));
    // The deadline holds from now on: time in the queue is time the client waits.
    let now = Instant::now();
    let deadline = now.checked_add(shared.settings.get().call_timeout).unwrap_or(now);
    let job = move |cancelled| job(&shared_there, &session_there, Budget::until(deadline, cancelled));
    shared.pool.run(job).await.map_err(refused)
}

#[cfg(test)]
mod tests;
