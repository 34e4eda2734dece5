//! Random programs of the EVM: mostly valid, always ending.

use super::Asker;

/// Instructions by how many words they take from the stack.
const PLAIN: [(u64, &[u8]); 5] = [
    (
        0,
        &[
            0x30, 0x32, 0x33, 0x34, 0x36, 0x38, 0x3a, 0x3d, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
            0x4a, 0x58, 0x59, 0x5a,
        ],
    ),
    (1, &[0x15, 0x19, 0x1e, 0x31, 0x35, 0x3b, 0x3f, 0x40, 0x49, 0x51, 0x54, 0x5c]),
    (
        2,
        &[
            0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0a, 0x0b, 0x10, 0x12, 0x14, 0x16, 0x18, 0x1a, 0x1b,
            0x1c, 0x1d, 0x20, 0x52, 0x53, 0x55, 0x5d,
        ],
    ),
    (3, &[0x08, 0x09, 0x37, 0x39, 0x3e, 0x5e]),
    (4, &[0x3c]),
];

impl Asker {
    /// A program as hex.
    pub(super) fn code(&mut self) -> String {
        let mut code = String::from("0x");
        for _ in 0..self.dice.roll(14) {
            match self.dice.roll(12) {
                0 => self.inner_call(&mut code),
                1 => self.log(&mut code),
                2 => self.creation(&mut code),
                3 => code.push_str(&format!("{:02x}", self.dice.roll(256))),
                _ => self.plain(&mut code),
            }
        }
        let ends = ["", "00", "fe", "ff", "60205ff3", "60205ffd", "6000600052602060006000f3", "33ff"];
        code + self.dice.choice(&ends).unwrap_or_default()
    }

    fn plain(&mut self, code: &mut String) {
        let (words, instructions) = self.dice.choice(&PLAIN).unwrap_or((0, &[]));
        let instruction = self.dice.choice(instructions).unwrap_or_default();
        for _ in 0..words {
            // Of a copy that fails for its size and for its source revm tells one reason, geth the other.
            if instruction == 0x3e {
                code.push_str(&format!("60{:02x}", self.dice.roll(64)));
            } else {
                self.push(code);
            }
        }
        code.push_str(&format!("{instruction:02x}"));
    }

    /// A word: small ones are offsets, slots and amounts, and now and then one is an account.
    fn push(&mut self, code: &mut String) {
        match self.dice.roll(12) {
            0 => self.push_account(code),
            1 => code.push_str(&format!("61{:04x}", self.dice.roll(0x1_0000))),
            2 => code.push_str(&format!("7f{:064x}", u128::MAX - u128::from(self.dice.roll(9)))),
            _ => code.push_str(&format!("60{:02x}", self.dice.roll(64))),
        }
    }

    fn push_account(&mut self, code: &mut String) {
        let account = self.one(|chain| &chain.accounts);
        let digits = account.as_str().unwrap_or_default().trim_start_matches("0x");
        code.push_str(&format!("73{digits:0>40}"));
    }

    /// CALL, CALLCODE, DELEGATECALL or STATICCALL of an account, with some memory and an amount now and then.
    fn inner_call(&mut self, code: &mut String) {
        let (instruction, has_value) = self
            .dice
            .choice(&[(0xf1, true), (0xf2, true), (0xf4, false), (0xfa, false)])
            .unwrap_or((0xf1, true));
        code.push_str("6020600060406000");
        if has_value {
            code.push_str(if self.dice.one_in(3) { "6001" } else { "6000" });
        }
        self.push_account(code);
        code.push_str(if self.dice.one_in(4) { "6103e8" } else { "5a" });
        code.push_str(&format!("{instruction:02x}"));
    }

    fn log(&mut self, code: &mut String) {
        let topics = self.dice.roll(5);
        (0..topics).for_each(|_| self.push(code));
        code.push_str(&format!("60206000{:02x}", 0xa0 + topics));
    }

    /// CREATE or CREATE2 of what memory begins with: nothing, or a program that was put there.
    fn creation(&mut self, code: &mut String) {
        let init = self
            .dice
            .choice(&["", "63600060006000526004601cf3", "6460205ff30060d81b5f52"])
            .unwrap_or_default();
        code.push_str(init);
        let size = self.dice.roll(8);
        match self.dice.one_in(2) {
            true => code.push_str(&format!("60{size:02x}60006000f0")),
            false => code.push_str(&format!("600760{size:02x}60006000f5")),
        }
    }
}
