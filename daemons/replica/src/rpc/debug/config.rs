//! Tracer that runs over a transaction: its configuration and its answer.

use crate::rpc::rerun::bounds::{Bounds, fault, too_large};
use crate::rpc::rerun::calls::{Flat, Nested, selectors};
use crate::rpc::rerun::prestate::{self, Prestate, Reader};
use crate::rpc::rerun::run::TracedAt;
use maidenlane_ethjson::params::{self, or_default};
use maidenlane_evm::frames::Frames;
use maidenlane_evm::replay::Replay;
use maidenlane_evm::steps::{StepOptions, Steps};
use maidenlane_evm::touched::Touched;
use maidenlane_evm::{Failure, recover};
use maidenlane_json::Object;
use maidenlane_jsonrpc::Error;
use revm::context::TxEnv;
use revm::context::result::{ExecutionResult, ResultAndState};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::time::Duration;

/// geth's default timeout for one transaction.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest timeout that a client may ask for.
const TIMEOUT_MAX: Duration = Duration::from_secs(60);

/// Last parameter of every tracing method, unchecked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Raw {
    tracer: Option<String>,
    tracer_config: Option<Box<RawValue>>,
    timeout: Option<String>,
    #[serde(deserialize_with = "or_default")]
    enable_memory: bool,
    #[serde(deserialize_with = "or_default")]
    disable_stack: bool,
    #[serde(deserialize_with = "or_default")]
    disable_storage: bool,
    #[serde(deserialize_with = "or_default")]
    enable_return_data: bool,
    #[serde(deserialize_with = "or_default")]
    limit: i64,
}

/// Last parameter of every tracing method, checked.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    tracer: Tracer,
    pub(crate) timeout: Duration,
}

#[derive(Clone, Debug)]
enum Tracer {
    Steps(StepOptions),
    Named(Named),
}

#[derive(Clone, Debug)]
enum Named {
    /// Tracers by name, which may be such a list again. How deep is bounded by what the parser of JSON takes.
    Mux(BTreeMap<String, Named>),
    Nested(Nested),
    Flat(Flat),
    Selectors,
    Prestate(Prestate),
    Noop,
}

impl Tracer {
    fn any(&self, is: impl Fn(&Named) -> bool) -> bool {
        match self {
            Self::Steps(_) => false,
            Self::Named(named) => named.any(&is),
        }
    }

    fn uses_frames(&self) -> bool {
        self.any(|named| matches!(named, Named::Nested(_) | Named::Flat(_) | Named::Selectors))
    }

    fn uses_touched(&self) -> bool {
        self.any(|named| matches!(named, Named::Prestate(_)))
    }
}

impl Named {
    fn any(&self, is: &impl Fn(&Self) -> bool) -> bool {
        match self {
            Self::Mux(parts) => parts.values().any(|part| part.any(is)),
            named => is(named),
        }
    }
}

impl Raw {
    pub(crate) fn read(json: &str) -> Result<Self, String> {
        if !json.starts_with('{') {
            return Err("cannot unmarshal into the settings of a tracer, which are an object".into());
        }
        params::read(json)
    }

    /// Checks the configuration: refuses what is well-formed, but cannot be done.
    pub(crate) fn checked(self) -> Result<Config, Error> {
        let timeout = match &self.timeout {
            Some(text) => duration(text)
                .ok_or_else(|| Error::server(format!("time: invalid duration {text:?}")))?
                .min(TIMEOUT_MAX),
            None => TIMEOUT,
        };
        let tracer = match self.tracer.as_deref() {
            None => Tracer::Steps(StepOptions {
                memory: self.enable_memory,
                stack: !self.disable_stack,
                storage: !self.disable_storage,
                return_data: self.enable_return_data,
                limit_bytes: self.limit,
            }),
            Some(name) => Tracer::Named(named(name, self.tracer_config.as_deref())?),
        };
        Ok(Config { tracer, timeout })
    }
}

fn options<T: DeserializeOwned + Default>(json: Option<&RawValue>) -> Result<T, Error> {
    match json.map(RawValue::get) {
        None | Some("null") => Ok(T::default()),
        Some(json) if json.starts_with('[') => {
            Err(Error::server("cannot unmarshal array into the settings of a tracer"))
        }
        Some(json) => params::read(json).map_err(Error::server),
    }
}

fn named(name: &str, config: Option<&RawValue>) -> Result<Named, Error> {
    Ok(match name {
        "muxTracer" => {
            let parts: BTreeMap<String, Box<RawValue>> = options(config)?;
            let parts =
                parts.into_iter().map(|(name, value)| Ok((name.clone(), named(&name, Some(&*value))?)));
            Named::Mux(parts.collect::<Result<_, Error>>()?)
        }
        "callTracer" => Named::Nested(options(config)?),
        "flatCallTracer" => Named::Flat(options(config)?),
        "4byteTracer" => Named::Selectors,
        "noopTracer" => Named::Noop,
        "prestateTracer" => {
            let wanted: Prestate = options(config)?;
            if wanted.diff_mode && wanted.include_empty {
                return Err(Error::server("cannot use diffMode with includeEmpty"));
            }
            Named::Prestate(wanted)
        }
        other => {
            let other: String = other.chars().take(64).collect();
            let text = format!("tracer {other:?} is not served; JavaScript tracers are not either");
            return Err(Error::server(text));
        }
    })
}

impl Config {
    /// Runs a transaction under the tracer, and leaves it in the state.
    pub(crate) fn trace(
        &self,
        replay: &mut Replay<'_>,
        mut tx: TxEnv,
        place: TracedAt,
        bounds: &mut Bounds,
        most_bytes: usize,
    ) -> Result<String, Error> {
        recover(&mut tx, &mut bounds.budget).map_err(fault)?;
        let Tracer::Steps(wanted) = &self.tracer else {
            return self.trace_calls(replay, tx, place, bounds, most_bytes);
        };
        let refund = replay.authorization_refund(&tx).map_err(fault)?;
        let mut steps = Steps::new(*wanted, refund, most_bytes);
        let done = replay.inspect(tx, &mut bounds.budget, &mut steps).map_err(fault)?;
        let steps = steps.finish().ok_or_else(too_large)?;
        let text = structured(&done.result, &steps);
        replay.keep(done);
        Ok(text)
    }

    /// Runs all other tracers: they answer from the same two collectors.
    fn trace_calls(
        &self,
        replay: &mut Replay<'_>,
        tx: TxEnv,
        place: TracedAt,
        bounds: &mut Bounds,
        most_bytes: usize,
    ) -> Result<String, Error> {
        let (mut watch, mut frames, mut touched) = (bounds.watch(), Frames::default(), Touched::default());
        prestate::begin(&mut touched, &tx, replay).map_err(fault)?;
        let gas_limit = tx.gas_limit;
        let budget = &mut bounds.budget;
        // Each collector that looks at every instruction costs, so only those that the tracer answers from run.
        let done = match (self.tracer.uses_frames(), self.tracer.uses_touched()) {
            (true, true) => replay.inspect(tx, budget, (&mut watch, (&mut frames, &mut touched))),
            (true, false) => replay.inspect(tx, budget, (&mut watch, &mut frames)),
            _ => replay.inspect(tx, budget, (&mut watch, &mut touched)),
        };
        if watch.is_full() {
            return Err(too_large());
        }
        let done = done.map_err(fault)?;
        let mut root = frames.finish();
        (root.gas, root.gas_used) = (gas_limit, done.result.tx_gas_used());
        let mut traced = Traced { replay, root, touched, done, place };
        let mut out = String::new();
        if let Tracer::Named(named) = &self.tracer {
            traced.write(&mut out, named)?;
        }
        let Traced { replay, done, .. } = traced;
        replay.keep(done);
        if out.len() > most_bytes { Err(too_large()) } else { Ok(out) }
    }
}

/// A traced transaction.
struct Traced<'r, 'a> {
    replay: &'r mut Replay<'a>,
    root: maidenlane_evm::frames::Frame,
    touched: Touched,
    done: ResultAndState,
    place: TracedAt,
}

impl Traced<'_, '_> {
    fn write(&mut self, out: &mut String, named: &Named) -> Result<(), Error> {
        // A call is of no block, whatever its environment says.
        let number = u64::try_from(self.replay.env().number).unwrap_or(u64::MAX);
        let number = self.place.block.map_or(0, |_| number);
        match named {
            Named::Mux(parts) => {
                let mut object = Object::new(out);
                for (name, part) in parts {
                    self.write(object.value(name), part)?;
                }
                object.end();
            }
            Named::Noop => out.push_str("{}"),
            Named::Nested(nested) => nested.write(out, &self.root, self.replay.logs()),
            Named::Flat(flat) => flat.write(out, &self.root, self.place, number, self.replay.precompiles()),
            Named::Selectors => selectors(out, &self.root, self.replay.precompiles()),
            Named::Prestate(prestate) => {
                let spec = self.replay.spec();
                let db = &self.replay.state();
                let reader = Reader::new(db, &self.done.state, spec);
                let written = prestate.write(out, &self.touched, &reader);
                written.map_err(|error| fault(Failure::Read(error)))?;
            }
        }
        Ok(())
    }
}

/// Answer of geth's struct logger around the steps.
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

/// Parses a duration in Go's notation, such as `1m30s` or `2.5s`.
fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 7] =
        [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3_600.0)];
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if text == "0" {
        return Some(Duration::ZERO);
    }
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
    let time = (!text.is_empty()).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()?;
    // Over before it begins.
    Some(if negative { Duration::ZERO } else { time })
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
        check("-5s", Some(0));
        check("+5s", Some(5_000));
        check("0", Some(0));
        check("-", None);
        check("--5s", None);
    }
}
