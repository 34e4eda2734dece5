//! A call's time. An inspector per instruction would halve the speed of everything, so only what can repeat is
//! wrapped: jumps, calls, creates and reads of state. Straight code between them is bounded by the size of code.

use super::Ctx;
use revm::bytecode::opcode;
use revm::context_interface::context::ContextError;
use revm::database_interface::Database;
use revm::handler::instructions::EthInstructions;
use revm::interpreter::instructions::{contract, control, host};
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::{Instruction, InstructionContext, InstructionExecResult, InstructionResult};
use revm::primitives::U256;
use revm::primitives::hardfork::SpecId;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Ticks between two looks at the clock: a jump is some 10 ns, a look some 30.
const TICKS: u32 = 128;
/// What a read of state counts: it may go to the disk.
const READ_TICKS: u32 = 32;
/// Precompiles at or above this address (modexp, pairings) take milliseconds and never run on an IO thread.
const HEAVY_FROM: u64 = 5;
const HEAVY_TO: u64 = 0x100;

/// Why a call was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spent {
    /// Out of time.
    Time,
    /// The client left.
    Cancelled,
}

/// Time left for a call. Lives in the context, where wrapped instructions find it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budget {
    ticks: u32,
    until: Option<Instant>,
    cancelled: Option<Arc<AtomicBool>>,
    light: bool,
    spent: Option<Spent>,
}

impl Budget {
    /// For a first try on an IO thread.
    pub(crate) fn light(time: Duration) -> Self {
        Self { until: Instant::now().checked_add(time), light: true, ..Self::default() }
    }

    /// For the pool: until a deadline, or `cancelled` turns true.
    pub(crate) fn until(deadline: Instant, cancelled: Arc<AtomicBool>) -> Self {
        Self { until: Some(deadline), cancelled: Some(cancelled), ..Self::default() }
    }

    /// Why the call was stopped, if it was.
    pub(crate) fn spent(&self) -> Option<Spent> {
        self.spent
    }

    #[inline]
    fn tick(&mut self, ticks: u32) -> bool {
        self.ticks += ticks;
        if self.ticks < TICKS {
            return true;
        }
        self.ticks = 0;
        self.look().is_none()
    }

    /// Looks at the clock now: between calls of which none may last long enough to do it.
    #[cold]
    pub(crate) fn look(&mut self) -> Option<Spent> {
        if self.cancelled.as_ref().is_some_and(|cancelled| cancelled.load(Ordering::Relaxed)) {
            self.spent = Some(Spent::Cancelled);
        } else if self.until.is_some_and(|until| Instant::now() >= until) {
            self.spent = Some(Spent::Time);
        }
        self.spent
    }

    /// A light budget gives up at once before a heavy precompile.
    fn may_call(&mut self, target: Option<U256>) -> bool {
        let heavy = |target: U256| target >= U256::from(HEAVY_FROM) && target <= U256::from(HEAVY_TO);
        if self.light && target.is_some_and(heavy) {
            self.spent = Some(Spent::Time);
            return false;
        }
        self.tick(READ_TICKS)
    }
}

/// Whether a transaction to this address goes straight to a heavy precompile.
pub(crate) fn is_heavy(target: revm::primitives::Address) -> bool {
    let number = U256::from_be_slice(target.as_slice());
    number >= U256::from(HEAVY_FROM) && number <= U256::from(HEAVY_TO)
}

type Context<'c, DB> = InstructionContext<'c, Ctx<DB>, EthInterpreter>;

/// Ends the whole call, not just the frame: without an error in the context a caller could catch it.
#[cold]
fn stop<DB: Database>(context: &mut Context<'_, DB>) -> InstructionExecResult {
    context.host.error = Err(ContextError::Custom("out of time".to_owned()));
    Err(InstructionResult::FatalExternalError)
}

/// Runs `$inner` after counting `$ticks`.
macro_rules! counted {
    ($name:ident, $ticks:expr, $inner:expr) => {
        fn $name<DB: Database>(mut context: Context<'_, DB>) -> InstructionExecResult {
            if !context.host.chain.tick($ticks) {
                return stop(&mut context);
            }
            ($inner)(context)
        }
    };
}

/// The same for calls, which have their target second on the stack.
macro_rules! counted_call {
    ($name:ident, $inner:expr) => {
        fn $name<DB: Database>(mut context: Context<'_, DB>) -> InstructionExecResult {
            let target = context.interpreter.stack.peek(1).ok();
            if !context.host.chain.may_call(target) {
                return stop(&mut context);
            }
            ($inner)(context)
        }
    };
}

counted!(jump, 1, control::jump);
counted!(jumpi, 1, control::jumpi);
counted!(sload, READ_TICKS, host::sload);
counted!(balance, READ_TICKS, host::balance);
counted!(extcodesize, READ_TICKS, host::extcodesize);
counted!(extcodehash, READ_TICKS, host::extcodehash);
counted!(extcodecopy, READ_TICKS, host::extcodecopy);
counted!(create, READ_TICKS, contract::create::<false, _, _>);
counted!(create2, READ_TICKS, contract::create::<true, _, _>);
counted_call!(call, contract::call::<{ opcode::CALL }, _, _>);
counted_call!(call_code, contract::call::<{ opcode::CALLCODE }, _, _>);
counted_call!(delegate_call, contract::call::<{ opcode::DELEGATECALL }, _, _>);
counted_call!(static_call, contract::call::<{ opcode::STATICCALL }, _, _>);

/// The mainnet table with the wrapped instructions in it; gas costs stay as they are.
pub(crate) fn instructions<DB: Database>(spec: SpecId) -> EthInstructions<EthInterpreter, Ctx<DB>> {
    let mut table = EthInstructions::new_mainnet_with_spec(spec);
    let wrapped: [(u8, Instruction<EthInterpreter, Ctx<DB>>); 13] = [
        (opcode::JUMP, Instruction::new(jump)),
        (opcode::JUMPI, Instruction::new(jumpi)),
        (opcode::SLOAD, Instruction::new(sload)),
        (opcode::BALANCE, Instruction::new(balance)),
        (opcode::EXTCODESIZE, Instruction::new(extcodesize)),
        (opcode::EXTCODEHASH, Instruction::new(extcodehash)),
        (opcode::EXTCODECOPY, Instruction::new(extcodecopy)),
        (opcode::CREATE, Instruction::new(create)),
        (opcode::CREATE2, Instruction::new(create2)),
        (opcode::CALL, Instruction::new(call)),
        (opcode::CALLCODE, Instruction::new(call_code)),
        (opcode::DELEGATECALL, Instruction::new(delegate_call)),
        (opcode::STATICCALL, Instruction::new(static_call)),
    ];
    for (op, instruction) in wrapped {
        if let Some(slot) = table.instruction_table_mut().get_mut(usize::from(op)) {
            *slot = instruction;
        }
    }
    table
}
