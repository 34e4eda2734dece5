//! Which tracer runs over a transaction, and what it answers.

use super::{Bounds, fault, too_large};
use crate::evm::replay::Replay;
use crate::evm::steps::{Steps, Wanted};
use alloy::primitives::B256;
use alloy_rpc_types_trace::geth::{GethDebugBuiltInTracerType, GethDebugTracerType, GethDebugTracingOptions};
use maidenlane_jsonrpc::Error;
use maidenlane_jsonrpc::json::Object;
use revm::context::TxEnv;
use revm::context::result::ExecutionResult;
use revm_inspectors::tracing::{DebugInspector, TransactionContext};
use std::time::Duration;

/// geth's time for one transaction, where nobody asks for another.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The most that a client may ask for.
const TIMEOUT_MAX: Duration = Duration::from_secs(60);

/// The last parameter of every tracing method.
#[derive(Clone, Debug, Default)]
pub(super) struct Config {
    options: GethDebugTracingOptions,
    pub(super) timeout: Duration,
}

/// Where a traced transaction stands; nothing for a call.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) block: Option<B256>,
    pub(super) hash: Option<B256>,
    pub(super) index: Option<usize>,
}

impl Config {
    pub(super) fn read(json: &str) -> Result<Self, String> {
        let options = serde_json::from_str(json).map_err(|error| error.to_string())?;
        Ok(Self { options, timeout: TIMEOUT })
    }

    /// What is well-formed, but cannot be done.
    pub(super) fn checked(mut self) -> Result<Self, Error> {
        self.timeout = match &self.options.timeout {
            Some(text) => duration(text)
                .ok_or_else(|| Error::server(format!("time: invalid duration {text:?}")))?
                .min(TIMEOUT_MAX),
            None => TIMEOUT,
        };
        match &self.options.tracer {
            None => Ok(self),
            Some(GethDebugTracerType::BuiltInTracer(GethDebugBuiltInTracerType::Erc7562Tracer)) => {
                Err(Error::server("erc7562Tracer is not served"))
            }
            Some(_) => {
                // Names and options are checked by making one.
                DebugInspector::new(self.options.clone())
                    .map_err(|error| Error::server(error.to_string()))?;
                Ok(self)
            }
        }
    }

    /// Runs a transaction under the tracer, and leaves it in the state.
    pub(super) fn trace(
        &self,
        replay: &mut Replay<'_>,
        tx: TxEnv,
        place: Place,
        bounds: &Bounds,
        most_bytes: usize,
    ) -> Result<String, Error> {
        if self.options.tracer.is_some() {
            return self.trace_with_library(replay, tx, place, bounds, most_bytes);
        }
        let mut steps = Steps::new(self.steps(), most_bytes);
        let done = replay.inspect(tx, bounds.budget(self), &mut steps).map_err(fault)?;
        let steps = steps.finish().ok_or_else(too_large)?;
        let text = structured(&done.result, &steps);
        replay.keep(done);
        Ok(text)
    }

    fn steps(&self) -> Wanted {
        let config = &self.options.config;
        Wanted {
            memory: config.is_memory_enabled(),
            stack: config.is_stack_enabled(),
            storage: config.is_storage_enabled(),
            return_data: config.is_return_data_enabled(),
            limit_bytes: config.limit.map_or(0, |limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        }
    }

    fn trace_with_library(
        &self,
        replay: &mut Replay<'_>,
        tx: TxEnv,
        place: Place,
        bounds: &Bounds,
        most_bytes: usize,
    ) -> Result<String, Error> {
        let made = DebugInspector::new(self.options.clone());
        let mut inspector = made.map_err(|error| Error::server(error.to_string()))?;
        let mut watch = bounds.watch();
        let done = replay.inspect(tx.clone(), bounds.budget(self), (&mut watch, &mut inspector));
        if watch.is_full() {
            return Err(too_large());
        }
        let done = done.map_err(fault)?;
        let context =
            TransactionContext { block_hash: place.block, tx_index: place.index, tx_hash: place.hash };
        let env = replay.env().clone();
        let trace = inspector
            .get_result(Some(context), &tx, &env, &done, &mut replay.state())
            .map_err(Error::internal)?;
        let text = serde_json::to_string(&trace).map_err(Error::internal)?;
        replay.keep(done);
        if text.len() > most_bytes { Err(too_large()) } else { Ok(text) }
    }
}

/// geth's answer around the steps.
fn structured(result: &ExecutionResult, steps: &str) -> String {
    let mut out = String::with_capacity(steps.len() + 200);
    let mut object = Object::new(&mut out);
    object.raw("gas", &result.tx_gas_used().to_string());
    object.raw("failed", if result.is_success() { "false" } else { "true" });
    object.data("returnValue", result.output().map_or(&[][..], |output| output));
    object.value("structLogs").push('[');
    out.push_str(steps);
    out.push_str("]}");
    out
}

/// Go's notation, such as `1m30s` or `2.5s`.
fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 7] =
        [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3_600.0)];
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, tail) = rest.split_at(end);
        let unit_end = tail.find(|letter: char| letter.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        seconds += number.parse::<f64>().ok()? * factor;
        rest = tail;
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Option<u64>) {
        assert_eq!(duration(text), expect.map(Duration::from_millis), "{text}");
    }

    #[test]
    fn durations_are_written_as_in_go() {
        check("5s", Some(5_000));
        check("1m30s", Some(90_000));
        check("2.5s", Some(2_500));
        check("300ms", Some(300));
        check("", None);
        check("5", None);
        check("s", None);
        check("5 s", None);
        check("-5s", None);
    }
}
