//! `eth_call`, and what all methods that execute begin with: the state, the block and the overrides of a call.

mod simulate;

use super::execute::{self, Method, Start, Stop};
use super::request_view::RequestView;
use super::{Shared, access_list, estimate, fill};
use alloy::consensus::Header;
use maidenlane_ethjson::call_args::{BlockOverrides, CallArgs, StateOverrides};
use maidenlane_ethjson::errors;
use maidenlane_ethjson::params::Selector;
use maidenlane_ethjson::select::{self, StateOf};
use maidenlane_evm::budget::{Budget, Spent};
use maidenlane_evm::database::{Overrides, StateDb};
use maidenlane_evm::{Call, Failure, cost};
use maidenlane_jsonrpc::{Args, Error, Json, codes};
use revm::context::result::ExecutionResult;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::sync::Arc;

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
    view: &Arc<RequestView>,
    method: &str,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let (start, method): (Start, Method) = match method {
        "eth_estimateGas" => (Start::Here, estimate::one),
        "ethercattle_estimateGasList" => (Start::OnPool, estimate::list),
        "eth_simulateV1" => (Start::OnPool, simulate::call),
        "eth_fillTransaction" => (Start::Here, fill::transaction),
        "eth_createAccessList" => (Start::Here, access_list::create),
        _ => (Start::Here, eth_call),
    };
    execute::answer(shared, view, params, start, method).await
}

/// A parameter of its own type.
pub(super) fn read<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

fn eth_call(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    budget: &mut Budget,
) -> Result<Json, Stop> {
    let mut args = Args::parse(params, 4)?;
    // As in geth, null is a call without any field.
    let wanted = args.required(read::<Option<CallArgs>>)?.unwrap_or_default();
    let context = CallContext::open(view, &mut args)?;
    let mut call = context.prepare(shared, view, wanted)?;
    let (overrides, moved) = context.overrides.resolve(Some(call.spec))?;
    call.moved = moved;
    let gas = call.tx.gas_limit;
    let done = maidenlane_evm::execute(call, database(shared, view, &context.state, &overrides), budget);
    let output = done.as_ref().ok().and_then(ExecutionResult::output).map_or(0, |output| output.len());
    budget.charge(cost::json(output))?;
    match done {
        Ok(ExecutionResult::Success { output, .. }) => Ok(Json::data(output.data())),
        Ok(ExecutionResult::Revert { output, .. }) => Err(errors::reverted(&output).into()),
        Ok(ExecutionResult::Halt { reason, .. }) => Err(Error::server(errors::halted(&reason)).into()),
        Err(Failure::Invalid(invalid)) => {
            Err(Error::server(format!("err: {} (supplied gas {gas})", errors::invalid(&invalid))).into())
        }
        Err(failure) => Err(failure.into()),
    }
}

/// The error of a call that did not run.
pub(super) fn failed(shared: &Shared, failure: Failure) -> Error {
    match failure {
        Failure::Spent(Spent::Time) => {
            let timeout = shared.settings.get().call_timeout;
            Error::server(format!("execution aborted (timeout = {timeout:?})"))
        }
        Failure::Spent(Spent::Cancelled) => Error::server("execution aborted"),
        Failure::Invalid(reason) => Error::server(errors::invalid(&reason)),
        Failure::Read(fault) => {
            tracing::error!(%fault, "state cannot be read in a call");
            Error::internal(fault)
        }
        Failure::Other(text) => Error::internal(text),
    }
}

/// What a call is made on: the parameters after it.
pub(super) struct CallContext {
    /// The state.
    pub(super) state: StateOf,
    /// Other accounts.
    pub(super) overrides: StateOverrides,
    /// Another block.
    pub(super) block: Option<BlockOverrides>,
}

impl CallContext {
    /// Reads block, state overrides and block overrides, all optional.
    pub(super) fn open(view: &RequestView, args: &mut Args<'_>) -> Result<Self, Error> {
        let selector = args.optional(Selector::read)?.unwrap_or(Selector::LATEST);
        let overrides: StateOverrides = args.optional(read)?.unwrap_or_default();
        let block: Option<BlockOverrides> = args.optional(read)?;
        Ok(Self { state: select::state(view.source(), selector)?, overrides, block })
    }

    /// The header of the block that a call runs in.
    pub(super) fn header(&self, view: &RequestView) -> Result<Header, Error> {
        header(view, &self.state, self.block.as_ref())
    }

    /// What the EVM is given.
    pub(super) fn prepare(
        &self,
        shared: &Shared,
        view: &RequestView,
        wanted: CallArgs,
    ) -> Result<Call, Error> {
        prepare(shared, view, wanted, &self.state, self.block.as_ref())
    }
}

fn header(view: &RequestView, state: &StateOf, block: Option<&BlockOverrides>) -> Result<Header, Error> {
    let rules = &view.head().rules;
    let mut header = if state.pending {
        let now = maidenlane_service::clock::now().as_secs();
        rules.pending(&state.header, now)
    } else {
        (*state.header).clone()
    };
    if let Some(block) = block {
        block.apply(&mut header)?;
    }
    executable(view, &header)?;
    Ok(header)
}

/// What the EVM is given for a call on a state, in a block with overrides.
pub(super) fn prepare(
    shared: &Shared,
    view: &RequestView,
    wanted: CallArgs,
    state: &StateOf,
    block: Option<&BlockOverrides>,
) -> Result<Call, Error> {
    let header = header(view, state, block)?;
    let rules = &view.head().rules;
    wanted.check_forms()?;
    let mut call = wanted.prepare(rules, &header, shared.settings.get().call_gas_cap)?;
    if let Some(block) = block {
        block.apply_to_call(&mut call);
    }
    Ok(call)
}

/// Refuses blocks of forks that this build does not know.
pub(super) fn executable(view: &RequestView, header: &Header) -> Result<(), Error> {
    let Some(fork) = view.head().rules.unknown_at(header) else { return Ok(()) };
    let text = format!("fork {fork} is active and this build does not execute it; install a newer one");
    Err(Error::new(codes::UNKNOWN_FORK, text))
}

/// The state of a context as the EVM's database.
pub(super) fn database<'a>(
    shared: &'a Shared,
    view: &'a RequestView,
    state: &StateOf,
    overrides: &'a Overrides,
) -> StateDb<'a> {
    StateDb::new(view.source(), state.at, state.hashes_below(), &shared.codes, overrides)
}

#[cfg(test)]
mod tests;
