//! `eth_simulateV1`: blocks of calls on top of a block, as if they had been made.
//!
//! | file | idea |
//! |---|---|
//! | `plan` | which blocks, in which order |
//! | `run` | the blocks, one after another, on one overlay |
//! | `assemble` | results to a block |
//! | `transfers` | logs, with moved value among them |
//! | `requests` | what a block asks of the consensus layer |

mod assemble;
mod plan;
mod requests;
mod run;
mod transfers;

use crate::evm::Failure;
use crate::evm::database::ReadFault;
use crate::rpc::params::Selector;
use crate::rpc::session::Session;
use crate::rpc::source::ReadError;
use crate::rpc::{Shared, call, select};
use maidenlane_jsonrpc::{Args, Error, Json};
use serde_json::value::RawValue;
use std::sync::Arc;

/// Why a simulation ended early.
enum Stop {
    /// It could not be run.
    Failure(Failure),
    /// It was refused.
    Refused(Error),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<ReadFault> for Stop {
    fn from(fault: ReadFault) -> Self {
        Self::Failure(Failure::Read(fault))
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        ReadFault::from(error).into()
    }
}

/// `eth_simulateV1`: what to simulate, block.
pub(crate) async fn call(
    shared: &Arc<Shared>,
    session: &Arc<Session>,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 2)?;
    let wanted = args.required(call::read::<Option<plan::Wanted>>)?.unwrap_or_default();
    wanted.check()?;
    let selector = args.optional(Selector::read)?.unwrap_or(Selector::LATEST);
    let state = select::state(session.source(), selector)?;
    let plan = wanted.plan(&state.header)?;
    let job = move |shared: &Shared, session: &Session, budget| match run::run(
        shared, session, &state, &plan, budget,
    ) {
        Ok(json) => Ok(Ok(json)),
        Err(Stop::Refused(error)) => Ok(Err(error)),
        Err(Stop::Failure(failure)) => Err(failure),
    };
    match call::bounded(shared, session, true, job).await? {
        Ok(answer) => answer,
        Err(failure) => Err(call::failed(shared, failure)),
    }
}

#[cfg(test)]
mod tests;
