//! geth's words for instructions, and for what stops them.

use revm::bytecode::opcode::{self, OpCode};

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
pub(super) fn unfit_stack(op: u8, len: usize) -> Option<String> {
    let op = OpCode::new(op)?;
    let (needs, most) = (op.inputs(), 1_024 - op.io_diff());
    if len < usize::from(needs) {
        return Some(format!("stack underflow ({len} <=> {needs})"));
    }
    let is_full = i64::try_from(len).is_ok_and(|len| len > i64::from(most));
    is_full.then(|| format!("stack limit reached {len} ({most})"))
}

/// geth's text for an instruction that writes in a static call. Most are stopped where their gas is worked out.
pub(super) fn write_protection(op: u8) -> &'static str {
    match op {
        opcode::LOG0..=opcode::LOG4 | opcode::TSTORE => "write protection",
        _ => "out of gas: write protection",
    }
}
