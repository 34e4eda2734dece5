//! Programs that make much work of little code: long operands, loops, recursion, and gas that is just not enough.

use crate::dice::Dice;

/// Lengths of memory that instructions work on.
const LENGTHS: [u64; 6] = [32, 1 << 10, 32 << 10, 256 << 10, 1 << 20, 5 << 20];
/// Code gets no longer by repetition.
const BYTES_MAX: [usize; 6] = [64, 400, 400, 2_000, 2_000, 48_000];

/// A program as hex digits.
pub(super) fn program(dice: &mut Dice) -> String {
    // One alone often: others beside it may be what makes the clock be looked at.
    let pieces = if dice.one_in(2) { 1 } else { 1 + dice.roll(3) };
    let body: String = (0..pieces).map(|_| piece(dice)).collect();
    match dice.roll(8) {
        // JUMPDEST … PUSH0 JUMP
        0 | 1 => format!("5b{body}5f56"),
        // The same, one frame further down each time.
        2 => format!("{body}{}", call(dice, "30")),
        // Reads whose gas hangs on whether an access list has their slots.
        3 => (0..=dice.roll(4)).map(|slot| format!("60{slot:02x}54")).collect::<String>() + &ending(dice),
        _ => {
            let most = dice.choice(&BYTES_MAX).unwrap_or(400);
            body.repeat((most / (body.len() / 2).max(1)).max(1)) + &ending(dice)
        }
    }
}

fn ending(dice: &mut Dice) -> String {
    let length = push(dice.choice(&LENGTHS).unwrap_or(32));
    match dice.roll(6) {
        0 => format!("{length}5ff3"),
        1 => format!("{length}5ffd"),
        _ => String::new(),
    }
}

/// PUSH of a number.
fn push(number: u64) -> String {
    let digits = format!("{number:x}");
    let digits = if digits.len().is_multiple_of(2) { digits } else { format!("0{digits}") };
    format!("{:02x}{digits}", 0x5f + digits.len() / 2)
}

/// Something that leaves the stack as it was.
fn piece(dice: &mut Dice) -> String {
    const WORD: &str = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
    let length = push(dice.choice(&LENGTHS).unwrap_or(32));
    match dice.roll(17) {
        // KECCAK256
        0 | 1 => format!("{length}5f2050"),
        // CALLDATACOPY, CODECOPY, MCOPY; EXTCODECOPY of itself
        2 => format!("{length}5f5f{}", dice.choice(&["37", "39", "5e"]).unwrap_or("5e")),
        3 => format!("{length}5f5f303c"),
        // LOG0 to LOG4
        4 => {
            let topics = dice.roll(5);
            let words: String = (0..topics).map(|_| "5a").collect();
            format!("{words}{length}5f{:02x}", 0xa0 + topics)
        }
        // EXP; MULMOD, ADDMOD; DIV, SDIV, MOD, SMOD
        5 => format!("{WORD}{WORD}0a50"),
        6 => format!("{WORD}{WORD}{WORD}{}50", dice.choice(&["08", "09"]).unwrap_or("09")),
        7 => format!("61ffff{WORD}{}50", dice.choice(&["04", "05", "06", "07"]).unwrap_or("04")),
        // SLOAD, BALANCE, EXTCODESIZE, EXTCODEHASH, BLOCKHASH of the gas that is left: never the same twice
        8 | 9 => format!("5a{}50", dice.choice(&["54", "31", "3b", "3f", "40"]).unwrap_or("54")),
        // SSTORE, TSTORE
        10 => format!("5a5a{}", dice.choice(&["55", "5d"]).unwrap_or("55")),
        // MLOAD
        11 => format!("{length}5150"),
        // CREATE2 and CREATE of so much memory
        12 => format!("5a{length}5f5ff550"),
        13 => format!("{length}5f5ff050"),
        // A precompile, or itself
        14 | 15 => {
            let address = push(dice.roll(0x12));
            call(dice, &address)
        }
        _ => call(dice, "30"),
    }
}

/// CALL, DELEGATECALL or STATICCALL with some memory, of what `address` puts on the stack.
fn call(dice: &mut Dice, address: &str) -> String {
    let (input, output) = (push(dice.choice(&LENGTHS).unwrap_or(32)), push(dice.roll(64)));
    match dice.roll(3) {
        0 => format!("{output}5f{input}5f5f{address}5af150"),
        1 => format!("{output}5f{input}5f{address}5af450"),
        _ => format!("{output}5f{input}5f{address}5afa50"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_pushed_with_as_many_bytes_as_they_need() {
        assert_eq!([0x12, 0x123, 5 << 20].map(push), ["6012", "610123", "62500000"]);
    }

    #[test]
    fn programs_are_bytes_and_short() {
        let mut dice = Dice::new(1);
        for _ in 0..1_000 {
            let code = program(&mut dice);
            assert!(
                code.len().is_multiple_of(2) && code.bytes().all(|digit| digit.is_ascii_hexdigit()),
                "{code}"
            );
            assert!(code.len() <= 2 * 49_000, "{}", code.len());
        }
    }
}
