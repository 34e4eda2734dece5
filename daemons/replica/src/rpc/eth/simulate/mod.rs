//! `eth_simulateV1`: blocks of calls on top of a block, as if they had been made.
//!
//! | file | idea |
//! |---|---|
//! | `plan` | which blocks, in which order |
//! | `run` | the blocks, one after another, on one overlay |
//! | `assemble` | a block from the results of its calls |
//! | `transfers` | logs, with ether transfers among them |
//! | `requests` | a block's requests to the consensus layer |

mod assemble;
mod plan;
mod requests;
mod run;
mod transfers;

use crate::rpc::Shared;
use crate::rpc::execute::Stop;
use crate::rpc::request_view::RequestView;
use maidenlane_ethjson::params::{self, Selector};
use maidenlane_ethjson::select;
use maidenlane_evm::budget::Budget;
use maidenlane_jsonrpc::{Args, Json};
use serde_json::value::RawValue;

/// `eth_simulateV1`: options, block.
pub(crate) fn call(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    budget: &mut Budget,
) -> Result<Json, Stop> {
    let mut args = Args::parse(params, 2)?;
    let wanted = args.required(params::read::<Option<plan::Options>>)?.unwrap_or_default();
    wanted.check()?;
    let selector = args.optional(Selector::read)?.unwrap_or(Selector::LATEST);
    let state = select::state(view.source(), selector)?;
    let plan = wanted.plan(&state.header)?;
    run::run(shared, view, &state, &plan, budget)
}

#[cfg(test)]
mod tests;
