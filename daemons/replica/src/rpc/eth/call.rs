//! `eth_call`.

use crate::rpc::Shared;
use crate::rpc::call_context::{CallContext, database};
use crate::rpc::execute::Stop;
use crate::rpc::request_view::RequestView;
use maidenlane_ethjson::call_args::CallArgs;
use maidenlane_ethjson::errors;
use maidenlane_ethjson::params;
use maidenlane_evm::budget::Budget;
use maidenlane_evm::{Failure, cost};
use maidenlane_jsonrpc::{Args, Error, Json};
use revm::context::result::ExecutionResult;
use serde_json::value::RawValue;

/// `eth_call`: call, block, state overrides, block overrides.
pub(crate) fn eth_call(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    budget: &mut Budget,
) -> Result<Json, Stop> {
    let mut args = Args::parse(params, 4)?;
    // As in geth, null is a call without any field.
    let wanted = args.required(params::read::<Option<CallArgs>>)?.unwrap_or_default();
    let context = CallContext::open(view, &mut args)?;
    let mut call = context.prepare(shared, view, wanted)?;
    let (overrides, moved) = context.overrides.resolve(call.spec, true)?;
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

#[cfg(test)]
mod tests;
