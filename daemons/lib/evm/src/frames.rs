//! Call tree of a transaction: its calls and creations, with all fields that geth's call tracers report.

use super::fault::{Fault, REVERTED};
use revm::bytecode::opcode;
use revm::context_interface::journaled_state::JournalTr as _;
use revm::context_interface::{ContextTr, CreateScheme, LocalContextTr as _};
use revm::inspector::Inspector;
use revm::interpreter::interpreter_types::{Jumps as _, LoopControl as _};
use revm::interpreter::{
    CallInputs, CallOutcome, CallScheme, CreateInputs, CreateOutcome, InstructionResult, Interpreter,
    InterpreterAction, InterpreterResult,
};
use revm::primitives::{Address, Bytes, Log, U256};

/// A log in its frame.
#[derive(Clone, Debug)]
pub struct Logged {
    /// The log.
    pub log: Log,
    /// Index of the log in the transaction; reverted logs before it do not count.
    pub index: usize,
    /// Number of calls of this frame before it.
    pub position: usize,
}

/// One call, creation or self-destruction.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// The instruction that opened it.
    pub op: u8,
    /// Caller.
    pub from: Address,
    /// Callee; `None` for a creation that failed.
    pub to: Option<Address>,
    /// Call data or init code.
    pub input: Bytes,
    /// Gas that it was given.
    pub gas: u64,
    /// Gas that it used.
    pub gas_used: u64,
    /// Output, also of a revert.
    pub output: Bytes,
    /// geth's text for the failure.
    pub error: Option<String>,
    /// Wei; a static call has none.
    pub value: Option<U256>,
    /// Calls that it made, in order.
    pub calls: Vec<Frame>,
    /// Logs that it emitted, in order.
    pub logs: Vec<Logged>,
}

impl Frame {
    /// True if it creates a contract.
    pub fn creates(&self) -> bool {
        matches!(self.op, opcode::CREATE | opcode::CREATE2)
    }

    /// True if it ended with REVERT, which has an output.
    pub fn reverted(&self) -> bool {
        self.error.as_deref() == Some(REVERTED)
    }
}

/// Inspector that builds the call tree.
#[derive(Debug, Default)]
pub struct Frames {
    open: Vec<Frame>,
    root: Option<Frame>,
    /// Failure of the instruction that runs.
    fault: Fault,
    /// A self-destruction that may still fail.
    destroyed: Option<Frame>,
}

impl Frames {
    /// The transaction's own frame.
    pub fn finish(self) -> Frame {
        self.root.unwrap_or_default()
    }

    fn open(&mut self, frame: Frame) {
        self.fault.enter();
        self.open.push(frame);
    }

    /// Closes the innermost frame. `failed` is the text of a precompile that failed.
    fn close(&mut self, result: &InterpreterResult, created: Option<Address>, failed: Option<String>) {
        let Some(mut frame) = self.open.pop() else { return };
        frame.output = result.output.clone();
        frame.error = failed.or_else(|| self.fault.text(result.result, frame.creates()));
        let used = frame.gas.saturating_sub(result.gas.remaining());
        frame.gas_used = if result.result.is_ok_or_revert() { used } else { frame.gas };
        if frame.creates() {
            frame.to = created.filter(|_| frame.error.is_none());
        }
        self.fault.enter();
        match self.open.last_mut() {
            Some(parent) => parent.calls.push(frame),
            None => self.root = Some(frame),
        }
    }
}

impl<CTX: ContextTr> Inspector<CTX> for Frames {
    fn step(&mut self, interpreter: &mut Interpreter, context: &mut CTX) {
        self.fault.begin(interpreter, context);
        if interpreter.bytecode.opcode() == opcode::SELFDESTRUCT {
            // revm's own hook is silent when a contract is its own heir.
            let from = interpreter.input.target_address;
            let account = context.journal_mut().load_account(from);
            self.destroyed = Some(Frame {
                op: opcode::SELFDESTRUCT,
                from,
                to: interpreter.stack.peek(0).ok().map(|heir| Address::from_word(heir.into())),
                value: account.ok().map(|account| account.data.info.balance),
                ..Frame::default()
            });
        }
    }

    fn step_end(&mut self, interpreter: &mut Interpreter, _: &mut CTX) {
        if let Some(InterpreterAction::Return(result)) = interpreter.bytecode.action() {
            self.fault.end(result.result);
            let destroyed =
                self.destroyed.take().filter(|_| result.result == InstructionResult::SelfDestruct);
            if let (Some(frame), Some(parent)) = (destroyed, self.open.last_mut()) {
                parent.calls.push(frame);
            }
        }
    }

    fn log(&mut self, context: &mut CTX, log: Log) {
        let index = context.journal().logs().len().saturating_sub(1);
        if let Some(frame) = self.open.last_mut() {
            frame.logs.push(Logged { log, index, position: frame.calls.len() });
        }
    }

    fn call(&mut self, context: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        let (op, from, value) = match inputs.scheme {
            CallScheme::Call => (opcode::CALL, inputs.caller, Some(inputs.value.get())),
            CallScheme::CallCode => (opcode::CALLCODE, inputs.caller, Some(inputs.value.get())),
            // The code runs as its caller, whose own caller the EVM shows it.
            CallScheme::DelegateCall => {
                (opcode::DELEGATECALL, inputs.target_address, Some(inputs.value.get()))
            }
            CallScheme::StaticCall => (opcode::STATICCALL, inputs.caller, None),
        };
        let input = inputs.input.bytes(context);
        let (to, gas) = (Some(inputs.bytecode_address), inputs.gas_limit);
        self.open(Frame { op, from, to, input, gas, value, ..Frame::default() });
        None
    }

    fn call_end(&mut self, context: &mut CTX, _: &CallInputs, outcome: &mut CallOutcome) {
        let refused = outcome.result.result == InstructionResult::PrecompileError;
        let failed = refused.then(|| context.local_mut().take_precompile_error_context()).flatten();
        if let Some(text) = &failed {
            // The result of the transaction is made of it, too, if this was its own call.
            context.local_mut().set_precompile_error_context(text.clone());
        }
        self.close(&outcome.result, None, failed);
    }

    fn create(&mut self, _: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        let op = match inputs.scheme() {
            CreateScheme::Create2 { .. } => opcode::CREATE2,
            _ => opcode::CREATE,
        };
        self.open(Frame {
            op,
            from: inputs.caller(),
            input: inputs.init_code().clone(),
            gas: inputs.gas_limit(),
            value: Some(inputs.value()),
            ..Frame::default()
        });
        None
    }

    fn create_end(&mut self, _: &mut CTX, _: &CreateInputs, outcome: &mut CreateOutcome) {
        self.close(&outcome.result, outcome.address, None);
    }
}
