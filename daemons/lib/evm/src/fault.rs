//! Failures in geth's words.

use super::asked::Asked;
use super::words::{name, write_protection};
use revm::context_interface::ContextTr;
use revm::inspector::Inspector;
use revm::interpreter::interpreter_types::LoopControl as _;
use revm::interpreter::{
    CallInputs, CallOutcome, CreateInputs, CreateOutcome, InstructionResult, Interpreter, InterpreterAction,
};

/// geth's text for REVERT.
pub const REVERTED: &str = "execution reverted";

/// Inspector that knows why the latest call or creation failed.
#[derive(Debug, Default)]
pub struct Fault {
    /// The instruction that runs.
    asked: Asked,
    /// Result of the innermost frame's interpreter, while nothing has come after it.
    ended: Option<InstructionResult>,
    latest: Option<String>,
}

impl Fault {
    /// Text of the failure of the transaction's own frame.
    pub fn finish(self) -> Option<String> {
        self.latest
    }

    /// Looks at the instruction that comes next.
    pub(super) fn begin<CTX: ContextTr>(&mut self, interpreter: &Interpreter, context: &mut CTX) {
        self.asked = Asked::of(interpreter, context);
    }

    /// Notes how an interpreter ended.
    pub(super) fn end(&mut self, result: InstructionResult) {
        self.ended = Some(result);
    }

    /// Forgets how an interpreter ended: another frame goes on.
    pub(super) fn enter(&mut self) {
        self.ended = None;
    }

    /// geth's text for a frame's result that is a failure.
    pub(super) fn text(&self, result: InstructionResult, creates: bool) -> Option<String> {
        use InstructionResult as R;
        let own = self.ended == Some(result) && result.is_halt();
        if let Some(refusal) = own.then(|| self.asked.refusal(result)).flatten() {
            return Some(refusal);
        }
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
            R::OpcodeNotFound | R::InvalidFEOpcode | R::NotActivated => {
                return Some(format!("invalid opcode: {}", name(self.asked.op)));
            }
            R::CallNotAllowedInsideStatic | R::StateChangeDuringStaticCall => write_protection(self.asked.op),
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

impl<CTX: ContextTr> Inspector<CTX> for Fault {
    fn step(&mut self, interpreter: &mut Interpreter, context: &mut CTX) {
        self.begin(interpreter, context);
    }

    fn step_end(&mut self, interpreter: &mut Interpreter, _: &mut CTX) {
        if let Some(InterpreterAction::Return(result)) = interpreter.bytecode.action() {
            self.end(result.result);
        }
    }

    fn call(&mut self, _: &mut CTX, _: &mut CallInputs) -> Option<CallOutcome> {
        self.enter();
        None
    }

    fn call_end(&mut self, _: &mut CTX, _: &CallInputs, outcome: &mut CallOutcome) {
        self.latest = self.text(outcome.result.result, false);
        self.enter();
    }

    fn create(&mut self, _: &mut CTX, _: &mut CreateInputs) -> Option<CreateOutcome> {
        self.enter();
        None
    }

    fn create_end(&mut self, _: &mut CTX, _: &CreateInputs, outcome: &mut CreateOutcome) {
        self.latest = self.text(outcome.result.result, true);
        self.enter();
    }
}
