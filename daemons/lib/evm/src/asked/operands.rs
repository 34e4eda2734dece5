//! Gas that depends on operands alone: memory, and init code.

use super::{Asking, Cost, OVERFLOW, Refused, add, wrapped};
use revm::bytecode::opcode;
use revm::context_interface::ContextTr;
use revm::interpreter::interpreter_types::MemoryTr as _;
use revm::primitives::U256;
use revm::primitives::hardfork::SpecId;

/// Most memory whose gas geth works out.
const MEMORY_MAX: u64 = 0x1F_FFFF_FFE0;

impl<CTX: ContextTr> Asking<'_, CTX> {
    /// End of the memory that an instruction needs.
    pub(super) fn end_of_memory(&self, op: u8) -> Cost {
        use opcode as o;
        Ok(match op {
            o::MLOAD | o::MSTORE => self.reach(0, U256::from(32))?,
            o::MSTORE8 => self.reach(0, U256::ONE)?,
            o::KECCAK256 | o::RETURN | o::REVERT | o::LOG0..=o::LOG4 => self.reach(0, self.word(1))?,
            o::CALLDATACOPY | o::CODECOPY | o::RETURNDATACOPY => self.reach(0, self.word(2))?,
            o::MCOPY if self.word(1) > self.word(0) => self.reach(1, self.word(2))?,
            o::MCOPY => self.reach(0, self.word(2))?,
            o::EXTCODECOPY => self.reach(1, self.word(3))?,
            o::CREATE | o::CREATE2 => self.reach(1, self.word(2))?,
            o::CALL | o::CALLCODE => self.reach(5, self.word(6))?.max(self.reach(3, self.word(4))?),
            o::DELEGATECALL | o::STATICCALL => self.reach(4, self.word(5))?.max(self.reach(2, self.word(3))?),
            _ => return Ok(0),
        })
    }

    /// End of the memory that operands reach.
    fn reach(&self, at: usize, len: U256) -> Cost {
        let overflow = || Refused::Bare(OVERFLOW);
        let len = u64::try_from(len).map_err(|_| overflow())?;
        if len == 0 {
            return Ok(0);
        }
        let from = u64::try_from(self.word(at)).map_err(|_| overflow())?;
        let end = from.checked_add(len).ok_or_else(overflow)?;
        end.div_ceil(32).checked_mul(32).ok_or_else(overflow)
    }

    /// Gas of more memory.
    pub(super) fn memory(&self, end: u64) -> Cost {
        let gas = |bytes: u64| {
            let words = bytes.div_ceil(32);
            words.saturating_mul(3).saturating_add(words.saturating_mul(words) / 512)
        };
        let has = u64::try_from(self.interpreter.memory.size()).unwrap_or(u64::MAX);
        match end {
            _ if end > MEMORY_MAX => Err(wrapped(OVERFLOW)),
            _ if end > has => Ok(gas(end).saturating_sub(gas(has))),
            _ => Ok(0),
        }
    }

    /// Gas of a creation, by its init code.
    pub(super) fn creation(&self, op: u8, memory: u64) -> Cost {
        const MOST: u64 = 49_152;
        let size = u64::try_from(self.word(2)).map_err(|_| wrapped(OVERFLOW))?;
        let is_limited = self.is(SpecId::SHANGHAI);
        if is_limited && size > MOST {
            let text = format!("max initcode size exceeded: code size {size} limit {MOST}");
            return Err(Refused::Wrapped(text));
        }
        let word = if is_limited { 2 } else { 0 } + if op == opcode::CREATE2 { 6 } else { 0 };
        add(memory, size.div_ceil(32).saturating_mul(word))
    }
}
