//! `eth_estimateGas`, and the Ether Cattle's `ethercattle_estimateGasList`, for calls that build on each other.

use crate::rpc::Shared;
use crate::rpc::call_context::{self, CallContext};
use crate::rpc::execute::Stop;
use crate::rpc::request_view::RequestView;
use maidenlane_ethjson::call_args::CallArgs;
use maidenlane_ethjson::errors;
use maidenlane_ethjson::params::{self, boolean};
use maidenlane_evm::budget::Budget;
use maidenlane_evm::estimate::{Bounds, Denied, estimate};
use maidenlane_evm::overlay::Overlay;
use maidenlane_evm::{Call, Failure};
use maidenlane_json::{push_list, push_quantity};
use maidenlane_jsonrpc::{Args, Error, Json};
use revm::context::TxEnv;
use revm::context_interface::ContextTr as _;
use revm::database_interface::DatabaseCommit as _;
use revm::handler::ExecuteEvm as _;
use serde_json::value::RawValue;

/// geth's tolerance: an estimate may be 1.5 % too high, as clients raise it anyway.
const ERROR_PERMILLE: u32 = 15;
/// Most calls in one list.
const CALLS_MAX: usize = 1_000;

/// `eth_estimateGas`: call, block, state overrides, block overrides.
pub(crate) fn one(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    budget: &mut Budget,
) -> Result<Json, Stop> {
    let mut args = Args::parse(params, 4)?;
    let wanted = args.required(params::read::<Option<CallArgs>>)?.unwrap_or_default();
    let context = CallContext::open(view, &mut args)?;
    gas(shared, view, wanted, context, budget).map(Json::quantity)
}

/// Gas estimate of one call.
pub(crate) fn gas(
    shared: &Shared,
    view: &RequestView,
    wanted: CallArgs,
    context: CallContext,
    budget: &mut Budget,
) -> Result<u64, Stop> {
    let bounds = bounds(shared, &wanted, ERROR_PERMILLE);
    let mut call = context.prepare(shared, view, wanted)?;
    maidenlane_evm::recover(&mut call.tx, budget)?;
    // As in geth, an estimate checks where precompiles are moved to, and leaves them where they are.
    let (overrides, _) = context.overrides.resolve(call.spec, true)?;
    let mut db = call_context::database(shared, view, &context.state, &overrides);
    estimate(&call, &mut db, bounds, budget)?.map_err(|why| denied(why).into())
}

fn bounds(shared: &Shared, wanted: &CallArgs, error_permille: u32) -> Bounds {
    let cap = shared.settings.get().call_gas_cap;
    Bounds { asked: wanted.gas.map_or(0, |gas| gas.0).min(cap), cap, error_permille }
}

fn denied(why: Denied) -> Error {
    match why {
        Denied::Value => Error::server("insufficient funds for transfer"),
        Denied::Blobs => Error::server("insufficient funds for gas * price + value"),
        Denied::Invalid(invalid, gas) => {
            Error::server(format!("failed with {gas} gas: {}", errors::invalid(&invalid)))
        }
        Denied::Reverts(output) => errors::reverted(&output),
        Denied::Halts(reason) => Error::server(errors::halted(&reason)),
        Denied::Exceeds(gas) => Error::server(format!("gas required exceeds allowance ({gas})")),
    }
}

/// `ethercattle_estimateGasList`: calls, whether to search to the last unit of gas, then as `eth_estimateGas`. Each
/// call finds the state that the ones before it leave; one that fails fails the list, and says which it was.
pub(crate) fn list(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    budget: &mut Budget,
) -> Result<Json, Stop> {
    let mut args = Args::parse(params, 5)?;
    let wanted: Vec<Option<CallArgs>> = args.required(params::read)?;
    if wanted.len() > CALLS_MAX {
        return Err(Error::params(format!("{CALLS_MAX} calls at most")).into());
    }
    let permille = if args.optional(boolean)?.unwrap_or_default() { 0 } else { ERROR_PERMILLE };
    let context = CallContext::open(view, &mut args)?;
    let mut calls = Vec::with_capacity(wanted.len());
    for wanted in wanted {
        let wanted = wanted.unwrap_or_default();
        let bounds = bounds(shared, &wanted, permille);
        calls.push((context.prepare(shared, view, wanted)?, bounds));
    }
    let Some((first, _)) = calls.first() else { return Ok(Json::Static("[]")) };
    let spec = first.spec;
    let (overrides, moved) = context.overrides.resolve(spec, true)?;
    let mut overlay = Overlay::new(call_context::database(shared, view, &context.state, &overrides), spec);
    let mut estimates = Vec::with_capacity(calls.len());
    for (index, (mut call, bounds)) in calls.into_iter().enumerate() {
        call.moved.clone_from(&moved);
        maidenlane_evm::recover(&mut call.tx, budget)?;
        let gas = estimate(&call, &mut overlay, bounds, budget)?.map_err(|why| {
            let mut error = denied(why);
            error.message = format!("call {index}: {}", error.message).into();
            error
        })?;
        apply(call, gas, &mut overlay, budget)?;
        estimates.push(gas);
    }
    let mut out = String::with_capacity(estimates.len() * 10 + 2);
    push_list(&mut out, estimates, push_quantity);
    Ok(Json::Owned(out))
}

/// Runs a call for its effects on the overlay.
fn apply(call: Call, gas: u64, overlay: &mut Overlay<'_>, budget: &mut Budget) -> Result<(), Failure> {
    let tx = TxEnv { gas_limit: gas, ..call.tx.clone() };
    let mut machine = call.machine(overlay, budget, ());
    maidenlane_evm::transact(&mut machine, tx)?;
    let changes = machine.finalize();
    machine.ctx.db_mut().commit(changes);
    Ok(())
}

#[cfg(test)]
mod tests;
