//! Instructions that count their cost before they run: all that repeat (jumps, calls, creates), read state, or work on
//! as many bytes as an operand says. The others are bounded by the size of code, which is some 10 ns a byte at worst,
//! and by what a frame's memory may cost: 5 MB with the 50 million gas that `callGasCap` is where nobody changes it.

use super::budget::LOOK;
use super::{Ctx, cost};
use revm::bytecode::opcode;
use revm::context_interface::context::ContextError;
use revm::database_interface::Database;
use revm::handler::instructions::EthInstructions;
use revm::interpreter::instructions::InstructionTable;
use revm::interpreter::instructions::{arithmetic, contract, control, host, memory, system};
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::{Instruction, InstructionContext, InstructionExecResult, InstructionResult};
use revm::primitives::U256;
use revm::primitives::hardfork::SpecId;

type Context<'c, 'b, DB> = InstructionContext<'c, Ctx<'b, DB>, EthInterpreter>;

/// Ends the whole call, not just the frame: without an error in the context a caller could catch it.
#[cold]
fn stop<DB: Database>(context: &mut Context<'_, '_, DB>) -> InstructionExecResult {
    context.host.error = Err(ContextError::Custom("out of time".to_owned()));
    Err(InstructionResult::FatalExternalError)
}

/// An operand, from the top of the stack; zero for a missing one, which the instruction itself reports.
fn operand<DB: Database>(context: &Context<'_, '_, DB>, depth: usize) -> U256 {
    context.interpreter.stack.peek(depth).unwrap_or_default()
}

/// A length operand, from the top of the stack.
fn len<DB: Database>(context: &Context<'_, '_, DB>, depth: usize) -> u64 {
    u64::try_from(operand(context, depth)).unwrap_or(u64::MAX)
}

/// Functions that run `$inner` after counting `$cost`, which may ask `$context` for operands; and the one that puts
/// them into a table.
macro_rules! counted {
    ($($op:ident $name:ident: |$context:ident| $cost:expr => $inner:expr;)*) => {
        $(fn $name<DB: Database>(mut $context: Context<'_, '_, DB>) -> InstructionExecResult {
            let cost = $cost;
            if !$context.host.chain.spend(cost) {
                return stop(&mut $context);
            }
            ($inner)($context)
        })*

        fn put<'b, DB: Database>(table: &mut InstructionTable<EthInterpreter, Ctx<'b, DB>>) {
            $(if let Some(slot) = table.get_mut(usize::from(opcode::$op)) {
                *slot = Instruction::new($name);
            })*
        }
    };
}

counted! {
    JUMP jump: |context| cost::JUMP => control::jump;
    JUMPI jumpi: |context| cost::JUMP => control::jumpi;
    SLOAD sload: |context| cost::READ => host::sload;
    SSTORE sstore: |context| cost::READ => host::sstore;
    TSTORE tstore: |context| cost::NOTE => host::tstore;
    BALANCE balance: |context| cost::READ => host::balance;
    BLOCKHASH blockhash: |context| cost::READ => host::blockhash;
    EXTCODESIZE extcodesize: |context| cost::READ => host::extcodesize;
    EXTCODEHASH extcodehash: |context| cost::READ => host::extcodehash;
    SELFDESTRUCT selfdestruct: |context| cost::READ => host::selfdestruct;
    EXTCODECOPY extcodecopy: |context| cost::READ.saturating_add(cost::copy(len(&context, 3))) => host::extcodecopy;
    CALLDATACOPY calldatacopy: |context| cost::copy(len(&context, 2)) => system::calldatacopy;
    CODECOPY codecopy: |context| cost::copy(len(&context, 2)) => system::codecopy;
    RETURNDATACOPY returndatacopy: |context| cost::copy(len(&context, 2)) => system::returndatacopy;
    MCOPY mcopy: |context| cost::copy(len(&context, 2)) => memory::mcopy;
    KECCAK256 keccak256: |context| cost::hash(len(&context, 1)) => system::keccak256;
    EXP exp: |context| cost::power(operand(&context, 1)) => arithmetic::exp;
    LOG0 log0: |context| cost::copy(len(&context, 1)) => host::log::<0, _>;
    LOG1 log1: |context| cost::copy(len(&context, 1)) => host::log::<1, _>;
    LOG2 log2: |context| cost::copy(len(&context, 1)) => host::log::<2, _>;
    LOG3 log3: |context| cost::copy(len(&context, 1)) => host::log::<3, _>;
    LOG4 log4: |context| cost::copy(len(&context, 1)) => host::log::<4, _>;
    // What a frame does between its own jumps goes uncounted, so the clock is looked at before each.
    CREATE create: |context| LOOK.saturating_add(cost::code(len(&context, 2))) => contract::create::<false, _, _>;
    CREATE2 create2: |context| LOOK.saturating_add(cost::code(len(&context, 2))) => contract::create::<true, _, _>;
    CALL call: |context| LOOK => contract::call::<{ opcode::CALL }, _, _>;
    CALLCODE call_code: |context| LOOK => contract::call::<{ opcode::CALLCODE }, _, _>;
    DELEGATECALL delegate_call: |context| LOOK => contract::call::<{ opcode::DELEGATECALL }, _, _>;
    STATICCALL static_call: |context| LOOK => contract::call::<{ opcode::STATICCALL }, _, _>;
}

/// The mainnet table with the counting instructions in it; gas costs stay as they are.
pub(super) fn table<'b, DB: Database>(spec: SpecId) -> EthInstructions<EthInterpreter, Ctx<'b, DB>> {
    let mut table = EthInstructions::new_mainnet_with_spec(spec);
    put(table.instruction_table_mut());
    table
}
