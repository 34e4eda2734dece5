//! Bound on the memory that a tracer fills: calls copy what they are given, for next to no gas.

use revm::context_interface::ContextTr;
use revm::context_interface::context::ContextError;
use revm::inspector::Inspector;
use revm::interpreter::{CallInputs, CallOutcome, CreateInputs, CreateOutcome, Interpreter};
use revm::primitives::Log;

/// Memory that is kept of a call or a log besides its bytes.
const ITEM_BYTES: usize = 600;

/// Inspector that comes first in a pair, and ends the whole transaction when the other one has kept too much.
#[derive(Clone, Debug)]
pub struct Watch {
    left_bytes: Option<usize>,
}

impl Watch {
    /// Watch that lets so many bytes be kept.
    pub fn new(most_bytes: usize) -> Self {
        Self { left_bytes: Some(most_bytes) }
    }

    /// True if it had to end the transaction.
    pub fn is_full(&self) -> bool {
        self.left_bytes.is_none()
    }

    fn take(&mut self, bytes: usize) {
        self.left_bytes = self.left_bytes.and_then(|left| left.checked_sub(bytes.saturating_add(ITEM_BYTES)));
    }
}

impl<CTX: ContextTr> Inspector<CTX> for Watch {
    fn step(&mut self, interpreter: &mut Interpreter, context: &mut CTX) {
        if self.is_full() {
            // Without an error in the context a caller could catch it.
            *context.error() = Err(ContextError::Custom("too much to keep".to_owned()));
            interpreter.halt_fatal();
        }
    }

    fn log(&mut self, _: &mut CTX, log: Log) {
        self.take(log.data.data.len());
    }

    fn call(&mut self, _: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        self.take(inputs.input.len());
        None
    }

    fn call_end(&mut self, _: &mut CTX, _: &CallInputs, outcome: &mut CallOutcome) {
        self.take(outcome.result.output.len());
    }

    fn create(&mut self, _: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        self.take(inputs.init_code().len());
        None
    }
}
