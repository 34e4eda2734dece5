//! Struct logger of geth: every instruction as JSON, written while the transaction runs, so that only the answer grows.

use super::frames::{name, unfit_stack, write_protection};
use maidenlane_json::{Object, push_data, push_list};
use revm::bytecode::opcode;
use revm::context_interface::ContextTr;
use revm::inspector::Inspector;
use revm::interpreter::instructions::gas_table_spec;
use revm::interpreter::interpreter_types::{
    Jumps as _, LegacyBytecode as _, LoopControl as _, MemoryTr as _, ReturnData as _,
};
use revm::interpreter::{
    CallInputs, CallOutcome, CreateInputs, CreateOutcome, FrameInput, InstructionResult, Interpreter,
    InterpreterAction,
};
use revm::primitives::hardfork::SpecId;
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
    op: u8,
    gas: u64,
    stack_len: usize,
    /// Gas by [`late_gas`].
    late_gas: u64,
    text: String,
    slot: Option<(Address, U256, U256)>,
}

/// Inspector that writes the steps.
#[derive(Debug)]
pub struct Steps {
    /// Refund that the transaction has earned before its first step.
    refund: i64,
    spec: SpecId,
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
    pub fn new(spec: SpecId, wanted: StepOptions, refund: i64, most_bytes: usize) -> Self {
        Self {
            refund,
            spec,
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
        let mut text = String::new();
        let stack = interpreter.stack.data();
        if self.wanted.stack {
            text.push_str(",\"stack\":");
            push_list(&mut text, stack, |out, word| {
                // Writing to a String cannot fail.
                let _ = write!(out, "\"{word:#x}\"");
            });
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
        let refund = self.refund + self.refunds.iter().sum::<i64>() + interpreter.gas.refunded();
        let storage = begun.slot.map(|(address, key, value)| {
            let read = (begun.op == opcode::SLOAD).then(|| interpreter.stack.peek(0).unwrap_or_default());
            let slots = self.storage.entry(address).or_default();
            slots.insert(key.into(), read.unwrap_or(value).into());
            slots
        });
        if !self.out.is_empty() {
            self.out.push(',');
        }
        let from = self.out.len();
        let mut object = Object::new(&mut self.out);
        let error = failed.and_then(|result| error(result, begun));
        let fixed = || match begun.op {
            // revm works it out with the rest.
            opcode::CREATE | opcode::CREATE2 => CREATION_GAS,
            op => gas_table_spec(self.spec).get(usize::from(op)).map_or(0, |gas| u64::from(*gas)),
        };
        let cost = match (failed, &error) {
            // All gas is gone. What was asked is only known where it does not depend on the operands.
            (_, Some(text)) if text.contains("gas") => fixed(),
            (Some(InstructionResult::NotActivated), _) => 0,
            // geth has looked at the stack before it works out these.
            (Some(InstructionResult::StackUnderflow), _)
                if matches!(begun.op, opcode::EXP | opcode::LOG0..=opcode::LOG4)
                    || (begun.op == opcode::SLOAD && self.spec.is_enabled_in(SpecId::BERLIN)) =>
            {
                0
            }
            (Some(InstructionResult::StackUnderflow), _) => fixed(),
            (Some(_), None) if begun.late_gas > 0 => fixed().saturating_add(begun.late_gas),
            // What a creation is given is no part of what it costs.
            _ => begun.gas.saturating_sub(interpreter.gas.remaining()).saturating_sub(given),
        };
        object.raw("pc", &begun.pc.to_string());
        object.raw("op", &format!("\"{}\"", name(begun.op)));
        object.raw("gas", &begun.gas.to_string());
        object.raw("gasCost", &cost.to_string());
        object.raw("depth", &self.depth.to_string());
        if let Some(text) = &error {
            object.raw("error", &format!("\"{text}\""));
        }
        if let Some(slots) = storage {
            object.value("storage");
            let mut list = Object::new(&mut self.out);
            for (key, value) in slots.iter() {
                list.data(&key.to_string(), value.as_slice());
            }
            list.end();
        }
        if refund > 0 {
            let _ = write!(self.out, ",\"refund\":{refund}");
        }
        self.out.push_str(&begun.text);
        self.out.push('}');
        self.steps_bytes += self.out.len() - from;
    }
}

const CREATION_GAS: u64 = 32_000;

/// geth's text for a failure that stops an instruction before it runs. A failure while it runs stands nowhere in the
/// step.
fn error(result: InstructionResult, begun: &Begun) -> Option<String> {
    use InstructionResult as R;
    let text = match result {
        R::OutOfGas | R::MemoryOOG => "out of gas",
        R::InvalidOperandOOG => "gas uint64 overflow",
        R::ReentrancySentryOOG => "out of gas: not enough gas for reentrancy sentry",
        R::CallNotAllowedInsideStatic | R::StateChangeDuringStaticCall => {
            Some(write_protection(begun.op)).filter(|text| text.contains("gas"))?
        }
        R::StackUnderflow | R::StackOverflow => return Some(unfit_stack(begun.op, begun.stack_len)),
        _ => return None,
    };
    Some(text.to_owned())
}

/// Gas by operands that geth has worked out before it finds the instruction forbidden: a log where nothing may be
/// written, a copy of what was not returned.
fn late_gas(op: u8, interpreter: &Interpreter) -> u64 {
    let operand = |at| interpreter.stack.peek(at).map_or(0, |word| word.saturating_to::<u64>());
    let words = |bytes: u64| bytes.div_ceil(32);
    let (length, gas) = match op {
        opcode::LOG0..=opcode::LOG4 => {
            let topics = u64::from(op.saturating_sub(opcode::LOG0));
            (operand(1), operand(1).saturating_mul(8).saturating_add(topics.saturating_mul(375)))
        }
        opcode::RETURNDATACOPY => (operand(2), words(operand(2)).saturating_mul(3)),
        _ => return 0,
    };
    let memory = |words: u64| words.saturating_mul(3).saturating_add(words.saturating_mul(words) / 512);
    let has = words(u64::try_from(interpreter.memory.size()).unwrap_or(u64::MAX));
    let needs = if length == 0 { has } else { words(operand(0).saturating_add(length)).max(has) };
    gas.saturating_add(memory(needs).saturating_sub(memory(has)))
}

impl<CTX: ContextTr> Inspector<CTX> for Steps {
    fn step(&mut self, interpreter: &mut Interpreter, _: &mut CTX) {
        self.refunds.truncate(self.depth.saturating_sub(1));
        // geth runs nothing where there is no code, as in an empty creation; revm runs a STOP.
        if self.full() || interpreter.bytecode.bytecode_len() == 0 {
            self.begun = None;
            return;
        }
        let op = interpreter.bytecode.opcode();
        let (text, slot) = self.before(interpreter, op);
        let (pc, gas) = (interpreter.bytecode.pc(), interpreter.gas.remaining());
        self.begun = Some(Begun {
            pc,
            op,
            gas,
            stack_len: interpreter.stack.len(),
            late_gas: late_gas(op, interpreter),
            text,
            slot,
        });
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
