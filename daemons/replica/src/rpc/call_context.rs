//! Context of a call: the state, the block and the overrides that it runs on. All methods that execute begin with it.

use super::Shared;
use super::request_view::RequestView;
use alloy::consensus::Header;
use maidenlane_ethjson::block_overrides::BlockOverrides;
use maidenlane_ethjson::call_args::{CallArgs, StateOverrides};
use maidenlane_ethjson::errors;
use maidenlane_ethjson::params::{self, Selector};
use maidenlane_ethjson::select::{self, StateOf};
use maidenlane_evm::budget::Spent;
use maidenlane_evm::database::{Overrides, StateDb};
use maidenlane_evm::{Call, Failure};
use maidenlane_jsonrpc::{Args, Error, codes};

/// JSON-RPC error of a call that did not run.
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

/// Context of a call: the parameters after it.
pub(super) struct CallContext {
    /// State that the call runs on.
    pub(super) state: StateOf,
    /// State overrides.
    pub(super) overrides: StateOverrides,
    /// Block overrides.
    pub(super) block: Option<BlockOverrides>,
}

impl CallContext {
    /// Reads block, state overrides and block overrides, all optional.
    pub(super) fn open(view: &RequestView, args: &mut Args<'_>) -> Result<Self, Error> {
        let selector = args.optional(Selector::read)?.unwrap_or(Selector::LATEST);
        let overrides: StateOverrides = args.optional(params::read)?.unwrap_or_default();
        let block: Option<BlockOverrides> = args.optional(params::read)?;
        Ok(Self { state: select::state(view.source(), selector)?, overrides, block })
    }

    /// The header of the block that a call runs in.
    pub(super) fn header(&self, view: &RequestView) -> Result<Header, Error> {
        header(view, &self.state, self.block.as_ref())
    }

    /// Builds the EVM's call in this context.
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

/// Builds the EVM's call on a state, in a block with overrides.
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
        block.apply_to_call(&mut call)?;
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
