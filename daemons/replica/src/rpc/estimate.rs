//! `eth_estimateGas`, and the Ether Cattle's `ethercattle_estimateGasList`, for calls that build on each other.

use super::Shared;
use super::call::{self, Desk};
use super::call_args::CallArgs;
use super::params::boolean;
use super::session::Session;
use crate::evm::budget::{Budget, is_heavy};
use crate::evm::estimate::{Bounds, Denied, estimate};
use crate::evm::overlay::Overlay;
use crate::evm::{self, Call, Failure};
use maidenlane_jsonrpc::json::{push_list, push_quantity};
use maidenlane_jsonrpc::{Args, Error, Json};
use revm::ExecuteCommitEvm as _;
use serde_json::value::RawValue;
use std::sync::Arc;

/// geth's: an estimate may be 1.5 % too high, as what comes back is raised by its reader anyway.
const ERROR_PERMILLE: u32 = 15;

/// `eth_estimateGas`: call, block, state overrides, block overrides.
pub(crate) async fn one(
    shared: &Arc<Shared>,
    session: &Arc<Session>,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 4)?;
    let wanted = args.required(call::read::<Option<CallArgs>>)?.unwrap_or_default();
    let desk = Desk::open(session, &mut args)?;
    gas(shared, session, wanted, desk).await.map(Json::quantity)
}

/// The estimate itself.
pub(crate) async fn gas(
    shared: &Arc<Shared>,
    session: &Arc<Session>,
    wanted: CallArgs,
    desk: Desk,
) -> Result<u64, Error> {
    let heavy = wanted.to().is_some_and(is_heavy);
    let bounds = bounds(shared, &wanted, ERROR_PERMILLE);
    let call = desk.prepare(shared, session, wanted)?;
    // As in geth, an estimate checks where precompiles are moved to, and leaves them where they are.
    let (overrides, _) = desk.overrides.resolve(Some(call.spec))?;
    let state = desk.state;
    let job = move |shared: &Shared, session: &Session, budget| {
        estimate(&call, &mut call::database(shared, session, &state, &overrides), bounds, budget)
    };
    match call::bounded(shared, session, heavy, job).await? {
        Ok(Ok(gas)) => Ok(gas),
        Ok(Err(denied)) => Err(told(denied)),
        Err(failure) => Err(call::failed(shared, failure)),
    }
}

fn bounds(shared: &Shared, wanted: &CallArgs, error_permille: u32) -> Bounds {
    let cap = shared.settings.get().call_gas_cap;
    Bounds { asked: wanted.gas.map_or(0, |gas| gas.0).min(cap), cap, error_permille }
}

fn told(denied: Denied) -> Error {
    match denied {
        Denied::Value => Error::server("insufficient funds for transfer"),
        Denied::Blobs => Error::server("insufficient funds for gas * price + value"),
        Denied::Invalid(invalid, gas) => {
            Error::server(format!("failed with {gas} gas: {}", call::told(&invalid)))
        }
        Denied::Reverts(output) => call::reverted(&output),
        Denied::Halts(reason) => Error::server(call::halted(&reason)),
        Denied::Exceeds(gas) => Error::server(format!("gas required exceeds allowance ({gas})")),
    }
}

/// `ethercattle_estimateGasList`: calls, whether to search to the last unit of gas, then as `eth_estimateGas`. Each
/// call finds the state that the ones before it leave; one that fails fails the list, and says which it was.
pub(crate) async fn list(
    shared: &Arc<Shared>,
    session: &Arc<Session>,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 5)?;
    let wanted: Vec<CallArgs> = args.required(call::read)?;
    let permille = if args.optional(boolean)?.unwrap_or_default() { 0 } else { ERROR_PERMILLE };
    let desk = Desk::open(session, &mut args)?;
    let mut calls = Vec::with_capacity(wanted.len());
    for wanted in wanted {
        let bounds = bounds(shared, &wanted, permille);
        calls.push((desk.prepare(shared, session, wanted)?, bounds));
    }
    let Some((first, _)) = calls.first() else { return Ok(Json::Static("[]")) };
    let (overrides, moved) = desk.overrides.resolve(Some(first.spec))?;
    for (call, _) in &mut calls {
        call.moved.clone_from(&moved);
    }
    let state = desk.state;
    let job = move |shared: &Shared, session: &Session, budget: Budget| {
        let spec = calls.first().map_or_else(Default::default, |(call, _)| call.spec);
        let mut overlay = Overlay::new(call::database(shared, session, &state, &overrides), spec);
        let mut estimates = Vec::with_capacity(calls.len());
        for (call, bounds) in &calls {
            let gas = match estimate(call, &mut overlay, *bounds, budget.clone())? {
                Ok(gas) => gas,
                Err(denied) => return Ok(Err((estimates.len(), denied))),
            };
            apply(call, gas, &mut overlay, budget.clone())?;
            estimates.push(gas);
        }
        Ok(Ok(estimates))
    };
    match call::bounded(shared, session, true, job).await? {
        Ok(Ok(estimates)) => {
            let mut out = String::with_capacity(estimates.len() * 10 + 2);
            push_list(&mut out, estimates, push_quantity);
            Ok(Json::Owned(out))
        }
        Ok(Err((index, denied))) => {
            let mut error = told(denied);
            error.message = format!("call {index}: {}", error.message).into();
            Err(error)
        }
        Err(failure) => Err(call::failed(shared, failure)),
    }
}

/// Runs a call for its effects.
fn apply(call: &Call, gas: u64, overlay: &mut Overlay<'_>, budget: Budget) -> Result<(), Failure> {
    let mut tx = call.tx.clone();
    tx.gas_limit = gas;
    let mut machine = call.machine(overlay, budget, ());
    let result = machine.transact_commit(tx);
    evm::outcome(&machine, result).map(drop)
}

#[cfg(test)]
mod tests;
