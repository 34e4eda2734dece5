//! Call tree of a transaction: its calls and creations, with all fields that geth's call tracers report.

use revm::bytecode::opcode::{self, OpCode};
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

/// geth's text for REVERT.
pub const REVERTED: &str = "execution reverted";

/// Inspector that builds the call tree.
#[derive(Debug, Default)]
pub struct Frames {
    open: Vec<Frame>,
    root: Option<Frame>,
    /// The instruction that runs, and the stack before it.
    op: u8,
    stack_len: usize,
    /// A self-destruction that may still fail.
    destroyed: Option<Frame>,
    /// Result of the innermost frame's interpreter, while nothing has come after it.
    ended: Option<InstructionResult>,
}

impl Frames {
    /// The transaction's own frame.
    pub fn finish(self) -> Frame {
        self.root.unwrap_or_default()
    }

    fn open(&mut self, frame: Frame) {
        self.ended = None;
        self.open.push(frame);
    }

    /// Closes the innermost frame. `failed` is the text of a precompile that failed.
    fn close(&mut self, result: &InterpreterResult, created: Option<Address>, failed: Option<String>) {
        let Some(mut frame) = self.open.pop() else { return };
        frame.output = result.output.clone();
        frame.error = failed.or_else(|| self.error(result.result, frame.creates()));
        let used = frame.gas.saturating_sub(result.gas.remaining());
        frame.gas_used = if result.result.is_ok_or_revert() { used } else { frame.gas };
        if frame.creates() {
            frame.to = created.filter(|_| frame.error.is_none());
        }
        self.ended = None;
        match self.open.last_mut() {
            Some(parent) => parent.calls.push(frame),
            None => self.root = Some(frame),
        }
    }

    /// geth's text for a result that is a failure.
    fn error(&self, result: InstructionResult, creates: bool) -> Option<String> {
        use InstructionResult as R;
        let text = match result {
            R::Stop | R::Return | R::SelfDestruct | R::Suspend => return None,
            R::Revert => REVERTED,
            R::CallTooDeep => "max call depth exceeded",
            R::OutOfFunds | R::OverflowPayment => "insufficient balance for transfer",
            // The init code came to its end; what it returned could not be paid for.
            R::OutOfGas if creates && self.ended.is_some_and(InstructionResult::is_ok) => {
                "contract creation code storage out of gas"
            }
            R::OutOfGas | R::MemoryOOG | R::MemoryLimitOOG | R::PrecompileOOG => "out of gas",
            R::InvalidOperandOOG => "gas uint64 overflow",
            R::ReentrancySentryOOG => "out of gas: not enough gas for reentrancy sentry",
            R::OpcodeNotFound | R::InvalidFEOpcode | R::NotActivated => {
                return Some(format!("invalid opcode: {}", name(self.op)));
            }
            R::StackUnderflow | R::StackOverflow => return Some(unfit_stack(self.op, self.stack_len)),
            R::CallNotAllowedInsideStatic | R::StateChangeDuringStaticCall => write_protection(self.op),
            R::InvalidJump => "invalid jump destination",
            R::OutOfOffset => "return data out of bounds",
            R::CreateCollision => "contract address collision",
            R::CreateContractSizeLimit => "max code size exceeded",
            R::CreateInitCodeSizeLimit => "max initcode size exceeded",
            R::CreateContractStartingWithEF | R::CreateInitCodeStartingEF00 => {
                "invalid code: must not begin with 0xef"
            }
            R::NonceOverflow => "nonce uint64 overflow",
            other => return Some(format!("{other:?}")),
        };
        Some(text.to_owned())
    }
}

/// Opcodes that geth has names for and revm has not: those of a container format that never came.
const CONTAINER: [(u8, &str); 16] = [
    (0xd0, "DATALOAD"),
    (0xd1, "DATALOADN"),
    (0xd2, "DATASIZE"),
    (0xd3, "DATACOPY"),
    (0xe0, "RJUMP"),
    (0xe1, "RJUMPI"),
    (0xe2, "RJUMPV"),
    (0xe3, "CALLF"),
    (0xe4, "RETF"),
    (0xe5, "JUMPF"),
    (0xec, "EOFCREATE"),
    (0xee, "RETURNCONTRACT"),
    (0xf7, "RETURNDATALOAD"),
    (0xf8, "EXTCALL"),
    (0xf9, "EXTDELEGATECALL"),
    (0xfb, "EXTSTATICCALL"),
];

/// geth's name of an instruction.
pub(super) fn name(op: u8) -> String {
    let known = OpCode::new(op).map(|op| op.as_str());
    let known = known.or_else(|| CONTAINER.iter().find(|(byte, _)| *byte == op).map(|(_, name)| *name));
    known.map_or_else(|| format!("opcode {op:#x} not defined"), str::to_owned)
}

/// geth's text for a stack that has too little for an instruction, or too much. revm reports one for the other where
/// words are copied.
pub(super) fn unfit_stack(op: u8, len: usize) -> String {
    let (needs, grows) = OpCode::new(op).map_or((0, 1), |op| (op.inputs(), op.io_diff()));
    if len < usize::from(needs) {
        format!("stack underflow ({len} <=> {needs})")
    } else {
        format!("stack limit reached {len} ({})", 1_024 - grows)
    }
}

/// geth's text for an instruction that writes in a static call. Most are stopped where their gas is worked out.
pub(super) fn write_protection(op: u8) -> &'static str {
    match op {
        opcode::LOG0..=opcode::LOG4 | opcode::TSTORE => "write protection",
        _ => "out of gas: write protection",
    }
}

impl<CTX: ContextTr> Inspector<CTX> for Frames {
    fn step(&mut self, interpreter: &mut Interpreter, context: &mut CTX) {
        self.op = interpreter.bytecode.opcode();
        self.stack_len = interpreter.stack.len();
        if self.op == opcode::SELFDESTRUCT {
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
            self.ended = Some(result.result);
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
