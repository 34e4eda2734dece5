//! `eth_call`. A call starts on the IO thread with a small budget, because a hand-over costs more than most calls;
//! what exceeds it starts again on the pool.

use super::Shared;
use super::call_args::{BlockOverrides, CallArgs, StateOverrides};
use super::params::Selector;
use super::select::{self, StateOf};
use super::session::Session;
use crate::evm::budget::{Budget, Spent, is_heavy};
use crate::evm::database::{Overrides, StateDb};
use crate::evm::pool::Refused;
use crate::evm::{self, Call, Failure};
use alloy::primitives::{Bytes, U256};
use maidenlane_jsonrpc::{Args, Error, Json, codes};
use revm::context::result::{ExecutionResult, HaltReason, InvalidTransaction};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What a full or failed pool is told as.
pub(crate) fn refused(reason: Refused) -> Error {
    match reason {
        Refused::Full => Error::new(codes::LIMIT_EXCEEDED, "too many expensive calls at once; try again"),
        Refused::Panicked => Error::internal("the call failed inside this replica"),
    }
}

pub(crate) fn read<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

/// `eth_call`.
pub(crate) async fn call(
    shared: &Arc<Shared>,
    session: &Arc<Session>,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 4)?;
    // As in geth, null is a call without any field.
    let wanted = args.required(read::<Option<CallArgs>>)?.unwrap_or_default();
    let selector = args.optional(Selector::read)?.unwrap_or(Selector::LATEST);
    let overrides: StateOverrides = args.optional(read)?.unwrap_or_default();
    let block: Option<BlockOverrides> = args.optional(read)?;
    let state = select::state(session.source(), selector)?;
    let heavy = wanted.to().is_some_and(is_heavy);
    let mut call = prepare(shared, session, wanted, &state, block.as_ref())?;
    let (overrides, moved) = overrides.resolve(call.spec)?;
    call.moved = moved;
    let gas = call.tx.gas_limit;
    // A heavy precompile is known by its address, unless it was moved.
    if !heavy && call.moved.is_none() {
        let db = StateDb::new(session.source(), state.at, state.hashes_below(), &shared.codes, &overrides);
        match evm::execute(call.clone(), db, Budget::light(shared.settings.get().call_inline)) {
            Err(Failure::Spent(_)) => (),
            done => return answer(shared, done, gas),
        }
    }
    let done = on_pool(shared, session, call, state, overrides).await?;
    answer(shared, done, gas)
}

pub(crate) fn prepare(
    shared: &Shared,
    session: &Session,
    wanted: CallArgs,
    state: &StateOf,
    block: Option<&BlockOverrides>,
) -> Result<Call, Error> {
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
    if let Some(fork) = rules.unknown_at(&header) {
        let text = format!("fork {fork} is active and this build does not execute it; install a newer one");
        return Err(Error::new(codes::UNKNOWN_FORK, text));
    }
    let mut call = wanted.prepare(rules, &header, shared.settings.get().call_gas_cap)?;
    if let Some(block) = block {
        block.apply_to_call(&mut call);
    }
    Ok(call)
}

async fn on_pool(
    shared: &Arc<Shared>,
    session: &Arc<Session>,
    call: Call,
    state: StateOf,
    overrides: Overrides,
) -> Result<Result<ExecutionResult, Failure>, Error> {
    let (shared_there, session_there) = (Arc::clone(shared), Arc::clone(session));
    // The deadline holds from now on: time in the queue is time the client waits.
    let now = Instant::now();
    let deadline = now.checked_add(shared.settings.get().call_timeout).unwrap_or(now);
    let job = move |cancelled| {
        let below = state.hashes_below();
        let db = StateDb::new(session_there.source(), state.at, below, &shared_there.codes, &overrides);
        evm::execute(call, db, Budget::until(deadline, cancelled))
    };
    shared.pool.run(job).await.map_err(refused)
}

fn answer(shared: &Shared, done: Result<ExecutionResult, Failure>, gas: u64) -> Result<Json, Error> {
    match done {
        Ok(ExecutionResult::Success { output, .. }) => Ok(Json::data(output.data())),
        Ok(ExecutionResult::Revert { output, .. }) => Err(reverted(&output)),
        Ok(ExecutionResult::Halt { reason, .. }) => Err(Error::server(halted(&reason))),
        Err(Failure::Spent(Spent::Time)) => {
            let timeout = shared.settings.get().call_timeout;
            Err(Error::server(format!("execution aborted (timeout = {timeout:?})")))
        }
        Err(Failure::Spent(Spent::Cancelled)) => Err(Error::server("execution aborted")),
        Err(Failure::Invalid(invalid)) => {
            Err(Error::server(format!("err: {} (supplied gas {gas})", told(&invalid))))
        }
        Err(Failure::Read(fault)) => {
            tracing::error!(%fault, "state cannot be read in a call");
            Err(Error::internal(fault))
        }
        Err(Failure::Other(text)) => Err(Error::internal(text)),
    }
}

/// geth's texts where they are well known.
fn halted(reason: &HaltReason) -> String {
    match reason {
        HaltReason::OutOfGas(_) => "out of gas".into(),
        HaltReason::InvalidFEOpcode => "invalid opcode: INVALID".into(),
        HaltReason::OpcodeNotFound | HaltReason::NotActivated => "invalid opcode".into(),
        HaltReason::StateChangeDuringStaticCall => "write protection".into(),
        HaltReason::CreateCollision => "contract address collision".into(),
        HaltReason::CreateContractSizeLimit => "max code size exceeded".into(),
        HaltReason::CreateContractStartingWithEF => "invalid code: must not begin with 0xef".into(),
        HaltReason::OutOfOffset => "return data out of bounds".into(),
        HaltReason::CallTooDeep => "max call depth exceeded".into(),
        other => other.to_string(),
    }
}

pub(crate) fn told(invalid: &InvalidTransaction) -> String {
    match invalid {
        InvalidTransaction::LackOfFundForMaxFee { fee, balance } => {
            format!("insufficient funds for gas * price + value: have {balance} want {fee}")
        }
        InvalidTransaction::CallGasCostMoreThanGasLimit { initial_gas, gas_limit } => {
            format!("intrinsic gas too low: have {gas_limit}, want {initial_gas}")
        }
        InvalidTransaction::GasPriceLessThanBasefee => "max fee per gas less than block base fee".into(),
        InvalidTransaction::PriorityFeeGreaterThanMaxFee => {
            "max priority fee per gas higher than max fee per gas".into()
        }
        InvalidTransaction::CreateInitCodeSizeLimit => "max initcode size exceeded".into(),
        other => other.to_string(),
    }
}

fn reverted(output: &Bytes) -> Error {
    let message = match reason(output) {
        Some(reason) => format!("execution reverted: {reason}"),
        None => "execution reverted".into(),
    };
    Error::new(codes::REVERTED, message).with_data(Json::data(output))
}

/// The text of `Error(string)`, or the meaning of `Panic(uint256)`.
fn reason(output: &[u8]) -> Option<String> {
    const ERROR: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];
    const PANIC: [u8; 4] = [0x4e, 0x48, 0x7b, 0x71];
    let (selector, rest) = output.split_first_chunk::<4>()?;
    let word = |at: usize| rest.get(at..at.checked_add(32)?).map(U256::from_be_slice);
    match *selector {
        ERROR => {
            let at = usize::try_from(word(0)?).ok()?;
            let len = usize::try_from(word(at)?).ok()?;
            let from = at.checked_add(32)?;
            let text = rest.get(from..from.checked_add(len)?)?;
            Some(String::from_utf8_lossy(text).into_owned())
        }
        PANIC => Some(panic_text(word(0)?)),
        _ => None,
    }
}

fn panic_text(code: U256) -> String {
    let known = match u64::try_from(code).unwrap_or(u64::MAX) {
        0x00 => "generic panic",
        0x01 => "assert(false)",
        0x11 => "arithmetic underflow or overflow",
        0x12 => "division or modulo by zero",
        0x21 => "enum overflow",
        0x22 => "invalid encoded storage byte array accessed",
        0x31 => "out-of-bounds array access; popping on an empty array",
        0x32 => "out-of-bounds access of an array or bytesN",
        0x41 => "out of memory",
        0x51 => "uninitialized function",
        _ => return format!("unknown panic code: {code:#x}"),
    };
    known.into()
}

#[cfg(test)]
mod tests;
