//! Struct logger of geth: every instruction as JSON, written while the transaction runs, so that only the answer grows.

use super::asked::Asked;
use super::words::name;
use maidenlane_json::{Object, push_big, push_data, push_list};
use revm::bytecode::opcode;
use revm::context_interface::ContextTr;
use revm::inspector::Inspector;
use revm::interpreter::interpreter_types::{
    Jumps as _, LegacyBytecode as _, LoopControl as _, MemoryTr as _, ReturnData as _,
};
use revm::interpreter::{
    CallInputs, CallOutcome, CreateInputs, CreateOutcome, FrameInput, InstructionResult, Interpreter,
    InterpreterAction,
};
use revm::primitives::{Address, B256, U256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Fields that are written of each step.
#[derive(Clone, Copy, Debug, Default)]
pub struct StepOptions {
    /// True to write the memory before the step, in words.
    pub memory: bool,
    /// True to write the stack before the step.
    pub stack: bool,
    /// True to write the slots that the contract has read and written so far, at reads and writes.
    pub storage: bool,
    /// True to write the output of the last call.
    pub return_data: bool,
    /// Number of bytes beyond which no more steps are written; zero is no limit.
    pub limit_bytes: i64,
}

/// A step that has begun.
#[derive(Debug)]
struct Begun {
    pc: usize,
    gas: u64,
    asked: Asked,
    text: String,
    slot: Option<(Address, U256, U256)>,
}

/// Inspector that writes the steps.
#[derive(Debug)]
pub struct Steps {
    /// Refund that the transaction has earned before its first step.
    refund: i64,
    wanted: StepOptions,
    most_bytes: usize,
    out: String,
    /// Bytes of all steps, without separators.
    steps_bytes: usize,
    begun: Option<Begun>,
    depth: usize,
    /// Refunds of the outer frames, as each stood when it made its call.
    refunds: Vec<i64>,
    storage: BTreeMap<Address, BTreeMap<B256, B256>>,
}

impl Steps {
    /// Logger that writes at most `most_bytes`. `refund` is what the transaction has earned before its first step.
    pub fn new(wanted: StepOptions, refund: i64, most_bytes: usize) -> Self {
        Self {
            refund,
            wanted,
            most_bytes,
            out: String::new(),
            steps_bytes: 0,
            begun: None,
            depth: 0,
            refunds: Vec::new(),
            storage: BTreeMap::new(),
        }
    }

    /// The steps, separated by commas; `None` when they are too many.
    pub fn finish(self) -> Option<String> {
        (self.out.len() <= self.most_bytes).then_some(self.out)
    }

    fn full(&self) -> bool {
        let limit = self.wanted.limit_bytes;
        let written = i64::try_from(self.steps_bytes).unwrap_or(i64::MAX);
        self.out.len() > self.most_bytes || (limit != 0 && written > limit)
    }

    /// Fields of a step that are only known before the instruction.
    fn before(&self, interpreter: &Interpreter, op: u8) -> (String, Option<(Address, U256, U256)>) {
        let stack = interpreter.stack.data();
        // Most words are short.
        let mut text = String::with_capacity(64 + 16 * stack.len());
        if self.wanted.stack {
            text.push_str(",\"stack\":");
            push_list(&mut text, stack, |out, word| push_big(out, &word.to_be_bytes::<32>()));
        }
        let returned = interpreter.return_data.buffer();
        if self.wanted.return_data && !returned.is_empty() {
            text.push_str(",\"returnData\":");
            push_data(&mut text, returned);
        }
        if self.wanted.memory && interpreter.memory.size() > 0 {
            text.push_str(",\"memory\":");
            let memory = interpreter.memory.slice(0..interpreter.memory.size());
            push_list(&mut text, memory.chunks(32), |out, word| {
                push_data(out, B256::right_padding_from(word).as_slice());
            });
        }
        let top = |depth: usize| stack.len().checked_sub(depth).and_then(|at| stack.get(at)).copied();
        let slot = match (self.wanted.storage, op, top(1), top(2)) {
            (true, opcode::SLOAD, Some(key), _) => Some((interpreter.input.target_address, key, U256::ZERO)),
            (true, opcode::SSTORE, Some(key), Some(value)) => {
                Some((interpreter.input.target_address, key, value))
            }
            _ => None,
        };
        (text, slot)
    }

    fn write(
        &mut self,
        begun: &Begun,
        interpreter: &Interpreter,
        given: u64,
        failed: Option<InstructionResult>,
    ) {
        let mut refund = self.refund + self.refunds.iter().sum::<i64>() + interpreter.gas.refunded();
        let Begun { asked, .. } = begun;
        let storage = begun.slot.map(|(address, key, value)| {
            let stored = match (asked.op, failed) {
                (opcode::SLOAD, None) => interpreter.stack.peek(0).unwrap_or_default(),
                (opcode::SLOAD, Some(_)) => asked.read.unwrap_or_default(),
                _ => value,
            };
            let slots = self.storage.entry(address).or_default();
            slots.insert(key.into(), stored.into());
            slots
        });
        if !self.out.is_empty() {
            self.out.push(',');
        }
        let from = self.out.len();
        let mut object = Object::new(&mut self.out);
        // A failure while the instruction runs stands nowhere in the step, only one before it.
        let error = failed.and_then(|result| asked.refusal(result));
        if error.is_some() {
            refund += asked.refund;
        }
        // What a creation is given is no part of what it costs.
        let spent = || begun.gas.saturating_sub(interpreter.gas.remaining()).saturating_sub(given);
        let cost = failed.and_then(|result| asked.failed_cost(result)).unwrap_or_else(spent);
        // Writing to a String cannot fail.
        let _ = write!(object.value("pc"), "{}", begun.pc);
        let _ = write!(object.value("op"), "\"{}\"", name(asked.op));
        let _ = write!(object.value("gas"), "{}", begun.gas);
        let _ = write!(object.value("gasCost"), "{cost}");
        let _ = write!(object.value("depth"), "{}", self.depth);
        if let Some(text) = &error {
            let _ = write!(object.value("error"), "\"{text}\"");
        }
        self.out.push_str(&begun.text);
        if let Some(slots) = storage {
            self.out.push_str(",\"storage\":");
            let mut list = Object::new(&mut self.out);
            for (key, value) in slots.iter() {
                list.data(&key.to_string(), value.as_slice());
            }
            list.end();
        }
        if refund > 0 {
            let _ = write!(self.out, ",\"refund\":{refund}");
        }
        self.out.push('}');
        self.steps_bytes += self.out.len() - from;
    }
}

impl<CTX: ContextTr> Inspector<CTX> for Steps {
    fn step(&mut self, interpreter: &mut Interpreter, context: &mut CTX) {
        self.refunds.truncate(self.depth.saturating_sub(1));
        // geth runs nothing where there is no code, as in an empty creation; revm runs a STOP.
        if self.full() || interpreter.bytecode.bytecode_len() == 0 {
            self.begun = None;
            return;
        }
        let asked = Asked::of(interpreter, context);
        let (text, slot) = self.before(interpreter, asked.op);
        let (pc, gas) = (interpreter.bytecode.pc(), interpreter.gas.remaining());
        self.begun = Some(Begun { pc, gas, asked, text, slot });
    }

    fn step_end(&mut self, interpreter: &mut Interpreter, _: &mut CTX) {
        if let Some(begun) = self.begun.take() {
            let (given, failed) = match interpreter.bytecode.action() {
                Some(InterpreterAction::NewFrame(FrameInput::Create(inputs))) => (inputs.gas_limit(), None),
                Some(InterpreterAction::Return(result)) if result.result.is_halt() => {
                    (0, Some(result.result))
                }
                _ => (0, None),
            };
            self.write(&begun, interpreter, given, failed);
        }
        // A frame that this instruction opens adds to what stands here.
        self.refunds.truncate(self.depth.saturating_sub(1));
        self.refunds.push(interpreter.gas.refunded());
    }

    fn call(&mut self, _: &mut CTX, _: &mut CallInputs) -> Option<CallOutcome> {
        self.depth += 1;
        None
    }

    fn call_end(&mut self, _: &mut CTX, _: &CallInputs, _: &mut CallOutcome) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn create(&mut self, _: &mut CTX, _: &mut CreateInputs) -> Option<CreateOutcome> {
        self.depth += 1;
        None
    }

    fn create_end(&mut self, _: &mut CTX, _: &CreateInputs, _: &mut CreateOutcome) {
        self.depth = self.depth.saturating_sub(1);
    }
}
