//! `callTracer`, `flatCallTracer` and `4byteTracer`: one tree of frames, rendered in three ways.

use crate::rpc::rerun::run::TracedAt;
use maidenlane_ethjson::errors::reason;
use maidenlane_ethjson::params::or_default;
use maidenlane_evm::frames::{Frame, Logged};
use maidenlane_json::{Object, push_data, push_str};
use revm::bytecode::opcode::{self, OpCode};
use revm::primitives::{Address, map::AddressSet};
use serde::Deserialize;
use std::collections::BTreeMap;

/// `tracerConfig` of `callTracer`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Nested {
    #[serde(deserialize_with = "or_default")]
    only_top_call: bool,
    #[serde(deserialize_with = "or_default")]
    with_log: bool,
}

/// `tracerConfig` of `flatCallTracer`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Flat {
    #[serde(deserialize_with = "or_default")]
    convert_parity_errors: bool,
    #[serde(deserialize_with = "or_default")]
    include_precompiles: bool,
    /// True if a frame that reverted has no result, as Parity's: of a creation, geth's has no address, which clients of
    /// Parity's form demand.
    #[serde(skip)]
    no_failed_results: bool,
}

fn name(op: u8) -> &'static str {
    OpCode::new(op).map_or("INVALID", |op| op.as_str())
}

impl Nested {
    /// Writes the tree; `first_log` counts the block's logs before this transaction.
    pub(crate) fn write(self, out: &mut String, frame: &Frame, first_log: usize) {
        self.frame(out, frame, first_log, false);
    }

    fn frame(self, out: &mut String, frame: &Frame, first_log: usize, lost: bool) {
        let lost = lost || frame.error.is_some();
        let mut object = Object::new(out);
        object.data("from", frame.from.as_slice());
        object.quantity("gas", frame.gas);
        object.quantity("gasUsed", frame.gas_used);
        if let Some(to) = frame.to {
            object.data("to", to.as_slice());
        }
        object.data("input", &frame.input);
        if !frame.output.is_empty() && (frame.error.is_none() || frame.reverted()) {
            object.data("output", &frame.output);
        }
        if let Some(error) = &frame.error {
            push_str(object.value("error"), error);
        }
        if let Some(reason) = reason(&frame.output).filter(|_| frame.reverted()) {
            push_str(object.value("revertReason"), &reason);
        }
        if !frame.calls.is_empty() && !self.only_top_call {
            object.list("calls", &frame.calls, |out, call| self.frame(out, call, first_log, lost));
        }
        if self.with_log && !lost && !frame.logs.is_empty() {
            object.list("logs", &frame.logs, |out, logged| self.log(out, logged, first_log));
        }
        if let Some(value) = frame.value {
            object.big("value", &value.to_be_bytes::<32>());
        }
        object.raw("type", &format!("\"{}\"", name(frame.op)));
        object.end();
    }

    fn log(self, out: &mut String, logged: &Logged, first_log: usize) {
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let mut object = Object::new(out);
        object.data("address", logged.log.address.as_slice());
        object.list("topics", logged.log.data.topics(), |out, topic| push_data(out, topic.as_slice()));
        object.data("data", &logged.log.data.data);
        object.quantity("index", number(first_log + logged.index));
        // Without calls a log has no position between them.
        object.quantity("position", number(if self.only_top_call { 0 } else { logged.position }));
        object.end();
    }
}

/// Filter of the frames that are written, with its progress.
#[derive(Clone, Debug)]
pub(crate) struct Picked {
    /// Senders of the wanted frames; empty for all.
    pub(crate) from: AddressSet,
    /// Receivers of the wanted frames; empty for all.
    pub(crate) to: AddressSet,
    /// True if a frame must have both a sender and a receiver of these; one of them is enough otherwise.
    pub(crate) both: bool,
    /// Number of frames still to be passed over.
    pub(crate) after: u64,
    /// Number of frames still to be written.
    pub(crate) count: u64,
    /// True once a frame has been written.
    pub(crate) any: bool,
}

impl Default for Picked {
    fn default() -> Self {
        let (from, to) = (AddressSet::default(), AddressSet::default());
        Self { from, to, both: false, after: 0, count: u64::MAX, any: false }
    }
}

impl Picked {
    /// True when no more frames are to be written.
    pub(crate) fn is_full(&self) -> bool {
        self.count == 0
    }

    fn pick(&mut self, frame: &Frame) -> bool {
        let from = self.from.contains(&frame.from);
        let to = frame.to.is_some_and(|to| self.to.contains(&to));
        let wanted = match (self.from.is_empty(), self.to.is_empty()) {
            (true, true) => true,
            (false, true) => from,
            (true, false) => to,
            (false, false) if self.both => from && to,
            (false, false) => from || to,
        };
        if self.is_full() || !wanted {
            return false;
        }
        if self.after > 0 {
            self.after -= 1;
            return false;
        }
        self.count -= 1;
        true
    }
}

impl Flat {
    /// Options for frames as Parity writes them.
    pub(crate) const PARITY: Self =
        Self { convert_parity_errors: true, include_precompiles: false, no_failed_results: true };

    /// Writes all frames in order, each with its path.
    pub(crate) fn write(
        self,
        out: &mut String,
        root: &Frame,
        place: TracedAt,
        number: u64,
        precompiles: &AddressSet,
    ) {
        out.push('[');
        self.append(out, root, Some((place, number)), precompiles, &mut Picked::default());
        out.push(']');
    }

    /// Appends the picked frames, behind those of other transactions; without a place they are of no block.
    pub(crate) fn append(
        self,
        out: &mut String,
        root: &Frame,
        place: Option<(TracedAt, u64)>,
        precompiles: &AddressSet,
        picked: &mut Picked,
    ) {
        Flattened { flat: self, place, precompiles, path: Vec::new(), picked }.frame(out, root);
    }
}

struct Flattened<'a> {
    flat: Flat,
    place: Option<(TracedAt, u64)>,
    precompiles: &'a AddressSet,
    path: Vec<usize>,
    picked: &'a mut Picked,
}

impl Flattened<'_> {
    /// True for a frame that is written: Parity leaves calls to precompiles out.
    fn is_told(&self, frame: &Frame) -> bool {
        let plain = matches!(frame.op, opcode::CALL | opcode::STATICCALL);
        let precompiled = plain && frame.to.is_some_and(|to| self.precompiles.contains(&to));
        self.flat.include_precompiles || !precompiled
    }

    fn frame(&mut self, out: &mut String, frame: &Frame) {
        let calls: Vec<&Frame> = frame.calls.iter().filter(|call| self.is_told(call)).collect();
        if self.picked.pick(frame) {
            if self.picked.any {
                out.push(',');
            }
            self.picked.any = true;
            self.tell(out, frame, calls.len());
        }
        for (at, call) in calls.into_iter().enumerate() {
            self.path.push(at);
            self.frame(out, call);
            self.path.pop();
        }
    }

    fn tell(&self, out: &mut String, frame: &Frame, calls: usize) {
        let mut object = Object::new(out);
        action(Object::new(object.value("action")), frame);
        if let Some((place, number)) = self.place {
            match place.block {
                Some(hash) => object.data("blockHash", hash.as_slice()),
                None => object.raw("blockHash", "null"),
            }
            object.raw("blockNumber", &number.to_string());
        }
        if let Some(error) = &frame.error {
            let text = if self.flat.convert_parity_errors { parity(error) } else { error };
            push_str(object.value("error"), text);
        }
        let has_result = frame.error.is_none() || (frame.reverted() && !self.flat.no_failed_results);
        if frame.op != opcode::SELFDESTRUCT && has_result {
            result(Object::new(object.value("result")), frame);
        }
        object.raw("subtraces", &calls.to_string());
        object.list("traceAddress", &self.path, |out, step| out.push_str(&step.to_string()));
        if let Some((place, _)) = self.place {
            match place.hash {
                Some(hash) => object.data("transactionHash", hash.as_slice()),
                None => object.raw("transactionHash", "null"),
            }
            object.raw("transactionPosition", &place.index.unwrap_or_default().to_string());
        }
        object.raw(
            "type",
            match frame.op {
                opcode::CREATE | opcode::CREATE2 => "\"create\"",
                opcode::SELFDESTRUCT => "\"suicide\"",
                _ => "\"call\"",
            },
        );
        object.end();
    }
}

fn action(mut object: Object<'_>, frame: &Frame) {
    let to = frame.to.unwrap_or_default();
    let value = frame.value.unwrap_or_default().to_be_bytes::<32>();
    let kind = format!("\"{}\"", name(frame.op).to_lowercase());
    if frame.op == opcode::SELFDESTRUCT {
        object.data("address", frame.from.as_slice());
        object.big("balance", &value);
        object.data("refundAddress", to.as_slice());
        return object.end();
    }
    object.data("from", frame.from.as_slice());
    object.quantity("gas", frame.gas);
    object.big("value", &value);
    if frame.creates() {
        object.raw("creationMethod", &kind);
        object.data("init", &frame.input);
    } else {
        object.raw("callType", &kind);
        object.data("to", to.as_slice());
        object.data("input", &frame.input);
    }
    object.end();
}

fn result(mut object: Object<'_>, frame: &Frame) {
    object.quantity("gasUsed", frame.gas_used);
    if frame.creates() {
        if let Some(to) = frame.to {
            object.data("address", to.as_slice());
        }
        object.data("code", &frame.output);
    } else {
        object.data("output", &frame.output);
    }
    object.end();
}

/// Parity's text for an error of geth's.
fn parity(error: &str) -> &str {
    match error {
        "contract creation code storage out of gas"
        | "out of gas"
        | "gas uint64 overflow"
        | "max code size exceeded" => "Out of gas",
        "invalid jump destination" => "Bad jump destination",
        "execution reverted" => "Reverted",
        "return data out of bounds" => "Out of bounds",
        "stack limit reached 1024 (1023)" => "Out of stack",
        "precompiled failed" | "invalid input length" => "Built-in failed",
        text if text.starts_with("out of gas:") => "Out of gas",
        text if text.starts_with("invalid opcode:") => "Bad instruction",
        text if text.starts_with("stack underflow") => "Stack underflow",
        other => other,
    }
}

/// Writes how often each selector was called with how many bytes behind it.
pub(crate) fn selectors(out: &mut String, root: &Frame, precompiles: &AddressSet) {
    let mut seen = BTreeMap::new();
    count(root, precompiles, &mut seen);
    push_object(out, &seen);
}

fn count(frame: &Frame, precompiles: &AddressSet, seen: &mut BTreeMap<String, u64>) {
    let called = frame.to.filter(|_| !frame.creates() && frame.op != opcode::SELFDESTRUCT);
    let fancy = |to: Address| precompiles.contains(&to);
    if let (Some(_), Some((selector, rest))) =
        (called.filter(|to| !fancy(*to)), frame.input.split_first_chunk::<4>())
    {
        let key = format!("0x{}-{}", alloy::hex::encode(selector), rest.len());
        *seen.entry(key).or_default() += 1;
    }
    for call in &frame.calls {
        count(call, precompiles, seen);
    }
}

fn push_object(out: &mut String, seen: &BTreeMap<String, u64>) {
    let mut object = Object::new(out);
    for (key, times) in seen {
        object.raw(key, &times.to_string());
    }
    object.end();
}
