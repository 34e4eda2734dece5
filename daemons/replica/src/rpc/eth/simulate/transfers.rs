//! Logs of a simulated call, with ether transfers among them if those are wanted.

use alloy::primitives::{Address, B256, Bytes, Log, U256, address, b256};
use revm::bytecode::opcode;
use revm::context_interface::{ContextTr, JournalTr as _};
use revm::inspector::{Inspector, JournalExt};
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_types::{InputsTr as _, Jumps as _, LoopControl as _};
use revm::interpreter::{
    CallInputs, CallOutcome, CreateInputs, CreateOutcome, InstructionResult, Interpreter,
};

/// Address that stands for ether as a token (ERC-7528).
const ETHER: Address = address!("EeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE");
/// `Transfer(address,address,uint256)`.
const TRANSFER: B256 = b256!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");

/// Logs of one block's calls. As in geth, the index counts also what is reverted later.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    wanted: bool,
    /// Logs of open frames, outermost first.
    open: Vec<Vec<(usize, Log)>>,
    next: usize,
    /// A self-destruct that has not happened yet.
    dying: Option<(Address, Address, U256)>,
}

impl Transfers {
    /// Empty collector, which logs transfers too if `wanted`.
    pub(super) fn new(wanted: bool) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// The logs of the call that ended, with their indexes in the block.
    pub(super) fn take(&mut self) -> Vec<(usize, Log)> {
        std::mem::take(&mut self.open).into_iter().next().unwrap_or_default()
    }

    fn push(&mut self, log: Log) {
        let index = self.next;
        self.next += 1;
        if let Some(frame) = self.open.last_mut() {
            frame.push((index, log));
        }
    }

    fn transfer(&mut self, from: Address, to: Address, value: U256) {
        if self.wanted && !value.is_zero() {
            let topics = vec![TRANSFER, from.into_word(), to.into_word()];
            let data = Bytes::from(value.to_be_bytes::<32>());
            self.push(Log::new_unchecked(ETHER, topics, data));
        }
    }

    /// Ends a frame: its logs become its caller's, or are dropped.
    fn leave(&mut self, kept: bool) {
        let Some(mut logs) = self.open.pop() else { return };
        if !kept {
            logs.clear();
        }
        match self.open.last_mut() {
            Some(outer) => outer.append(&mut logs),
            None => self.open.push(logs),
        }
    }
}

impl<CTX: ContextTr<Journal: JournalExt>> Inspector<CTX, EthInterpreter> for Transfers {
    fn log(&mut self, _: &mut CTX, log: Log) {
        self.push(log);
    }

    fn call(&mut self, _: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        self.open.push(Vec::new());
        if inputs.scheme.is_call() {
            let value = inputs.value.transfer().unwrap_or_default();
            self.transfer(inputs.caller, inputs.target_address, value);
        }
        None
    }

    fn call_end(&mut self, _: &mut CTX, _: &CallInputs, outcome: &mut CallOutcome) {
        self.leave(outcome.result.is_ok());
    }

    fn create(&mut self, context: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        self.open.push(Vec::new());
        let caller = inputs.caller();
        if let Some(account) = context.journal_ref().evm_state().get(&caller) {
            let created = inputs.created_address(account.info.nonce);
            self.transfer(caller, created, inputs.value());
        }
        None
    }

    fn create_end(&mut self, _: &mut CTX, _: &CreateInputs, outcome: &mut CreateOutcome) {
        self.leave(outcome.result.is_ok());
    }

    // revm reports no self-destruct in favour of itself, so it is seen in its instruction.
    fn step(&mut self, interpreter: &mut Interpreter<EthInterpreter>, context: &mut CTX) {
        if !self.wanted || interpreter.bytecode.opcode() != opcode::SELFDESTRUCT {
            return;
        }
        let here = interpreter.input.target_address();
        let held = context.journal_ref().evm_state().get(&here).map(|account| account.info.balance);
        let target = interpreter.stack.peek(0).ok();
        self.dying = held.zip(target).map(|(held, to)| (here, Address::from_word(B256::from(to)), held));
    }

    fn step_end(&mut self, interpreter: &mut Interpreter<EthInterpreter>, _: &mut CTX) {
        let Some((from, to, value)) = self.dying.take() else { return };
        if interpreter.bytecode.instruction_result() == Some(InstructionResult::SelfDestruct) {
            self.transfer(from, to, value);
        }
    }
}
