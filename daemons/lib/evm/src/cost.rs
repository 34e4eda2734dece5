//! Cost estimates of work, in nanoseconds of one core. They decide when the clock is looked at, and what is too long to
//! begin on an IO thread; they need not be exact, but never far too low.
//!
//! Measured with revm 43.0.3 on a 2-core AMD EPYC, release build: KECCAK256 2.6 ns a byte and 390 for a word; copies
//! 0.02 and logs 0.6 a byte; EXP 7.8 a bit; SLOAD, SSTORE and BALANCE of what is in memory 120 to 220; TSTORE 70;
//! CREATE2 4.4 a byte; a signature 38,600; SHA-256 0.6 (with the processor's help) and RIPEMD-160 3.1 a byte.

use revm::context::TxEnv;
use revm::context_interface::either::Either;
use revm::primitives::{Address, TxKind, U256};

/// Cost of a jump, with the few instructions around it.
pub const JUMP: u64 = 10;
/// Cost of a read or write of state: it may go to the disk.
pub const READ: u64 = 320;
/// Cost of noting one word for as long as a transaction lasts: transient storage, or a slot of its access list.
pub const NOTE: u64 = 100;
/// Cost of recovering a signer.
pub const RECOVERY: u64 = 60_000;
/// Cost of a look-up of fees that nobody asked for since the last head: some 20 blocks are decoded.
pub const FEES: u64 = 20_000_000;
/// Cost of precompiles with pairings, exponentiations and curves: it hangs on more than the length of their input, and
/// may be anything up to a second.
const HEAVY: u64 = 1_000_000_000;

/// Cost of `KECCAK256` of so many bytes.
pub fn hash(len: u64) -> u64 {
    len.saturating_mul(3).saturating_add(400)
}

/// Cost of a copy of so many bytes, to memory that may have to grow.
pub fn copy(len: u64) -> u64 {
    len
}

/// Cost of looking for the jump destinations of new code, and of hashing it.
pub fn code(len: u64) -> u64 {
    len.saturating_mul(5)
}

/// Cost of `EXP`: a squaring for each bit of the exponent, and at most as many multiplications.
pub fn power(exponent: U256) -> u64 {
    let bits = u64::try_from(exponent.bit_len()).unwrap_or(u64::MAX);
    bits.saturating_mul(20)
}

/// Cost of reading so many bytes of JSON into values of their own, several times on the way, or of writing them.
pub fn json(len: usize) -> u64 {
    bytes(len).saturating_mul(4)
}

/// Cost of a precompile of the fork, by the address that it has there.
pub fn precompile(address: Address, input: usize) -> u64 {
    let len = bytes(input);
    match U256::from_be_slice(address.as_slice()).try_into().unwrap_or(u64::MAX) {
        1 => RECOVERY,
        2 => len.saturating_mul(6).saturating_add(300),
        3 => len.saturating_mul(10).saturating_add(500),
        4 => copy(len).saturating_add(100),
        _ => HEAVY,
    }
}

/// Cost of all that happens before a transaction's first instruction.
pub fn transaction(tx: &TxEnv) -> u64 {
    let data = bytes(tx.data.len());
    let data = if tx.kind == TxKind::Create { code(data) } else { data };
    let mut cost = READ.saturating_mul(2).saturating_add(data);
    for item in tx.access_list.iter() {
        let slots = bytes(item.storage_keys.len()).saturating_mul(NOTE);
        cost = cost.saturating_add(READ).saturating_add(slots);
    }
    for signed in &tx.authorization_list {
        let recovery = if matches!(signed, Either::Left(_)) { RECOVERY } else { 0 };
        cost = cost.saturating_add(READ).saturating_add(recovery);
    }
    cost
}

fn bytes(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
