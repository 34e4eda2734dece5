//! Calls, and what they run on: overridden accounts and blocks.

use serde_json::{Map, Value, json};

use super::{Account, Asker, BlockHash, Index, Number, Slot};

/// Fields of a call besides recipient and input, with how seldom they are there.
const FIELDS: [(&str, u64); 13] = [
    ("from", 3),
    ("value", 4),
    ("gas", 4),
    ("gasPrice", 16),
    ("maxFeePerGas", 16),
    ("maxPriorityFeePerGas", 20),
    ("nonce", 16),
    ("chainId", 20),
    ("accessList", 10),
    ("authorizationList", 20),
    ("blobVersionedHashes", 24),
    ("maxFeePerBlobGas", 32),
    ("data", 32),
];
/// Fields of a block that a call may override.
const BLOCK_FIELDS: [&str; 10] = [
    "number",
    "time",
    "gasLimit",
    "feeRecipient",
    "prevRandao",
    "baseFeePerGas",
    "blobBaseFee",
    "difficulty",
    "beaconRoot",
    "withdrawals",
];

impl Asker {
    /// A call of an account, a creation, or a program that is run as one.
    pub(super) fn message(&mut self) -> Value {
        let mut call = Map::new();
        match self.dice.roll(6) {
            0 => put(&mut call, "input", self.code().into()),
            1 => put(&mut call, "input", self.one(|chain| &chain.inputs)),
            kind => {
                put(&mut call, "to", self.parameter(Account));
                let length = self.dice.below(100);
                let input = match kind {
                    2 => self.dice.bytes(length).into(),
                    // A word that a contract of the chain takes for an address or a number, and more of them.
                    3 => self.words().into(),
                    _ => self.one(|chain| &chain.inputs),
                };
                put(&mut call, "input", input);
            }
        }
        for (name, seldom) in FIELDS {
            if self.dice.one_in(seldom) {
                let value = self.field(name, &call);
                put(&mut call, name, value);
            }
        }
        if call.contains_key("authorizationList") {
            // No transaction has both, and revm, which thinks in transactions, shows such a call no blobs.
            call.remove("blobVersionedHashes");
        }
        Value::Object(call)
    }

    fn words(&mut self) -> String {
        let account = self.one(|chain| &chain.accounts);
        let digits = account.as_str().unwrap_or_default().trim_start_matches("0x");
        let (one, two) = (self.dice.roll(40), self.dice.roll(1 << 20));
        format!("0x{digits:0>64}{one:064x}{two:064x}")
    }

    fn field(&mut self, name: &str, call: &Map<String, Value>) -> Value {
        match name {
            "from" => self.parameter(Account),
            "gas" => match self.dice.roll(6) {
                0 => self.parameter(Index),
                // Runs out somewhere.
                1 => json!(format!("0x{:x}", 21_000 + self.dice.roll(4_000))),
                2 => json!(format!("0x{:x}", 53_000 + self.dice.roll(8_000))),
                3 => json!(format!("0x{:x}", 21_000 + self.dice.roll(100_000))),
                _ => json!(format!("0x{:x}", self.dice.roll(60_000_000))),
            },
            "gasPrice" | "maxFeePerGas" | "maxPriorityFeePerGas" | "maxFeePerBlobGas" => {
                let magnitude = self.dice.roll(40);
                json!(self.dice.quantity(1 << magnitude))
            }
            "chainId" => json!(self.dice.choice(&["0x1b59", "0x1b59", "0x1"])),
            "accessList" => {
                let keys: Vec<Value> = (0..self.dice.roll(3)).map(|_| self.parameter(Slot)).collect();
                json!([{"address": self.parameter(Account), "storageKeys": keys}])
            }
            "authorizationList" => json!([{
                "chainId": "0x1b59", "address": self.parameter(Account), "nonce": self.dice.quantity(3),
                "yParity": self.dice.quantity(2), "r": self.dice.quantity(1 << 60), "s": self.dice.quantity(1 << 60),
            }]),
            "blobVersionedHashes" => json!([format!("0x01{:062x}", self.dice.roll(9))]),
            "data" if self.dice.one_in(2) => call.get("input").cloned().unwrap_or_default(),
            "data" => json!(self.dice.bytes(8)),
            _ => self.parameter(Index),
        }
    }

    /// State overrides: balance, nonce, code, all or some of the storage, a precompile moved.
    pub(super) fn overrides(&mut self) -> Value {
        let mut overrides = Map::new();
        for _ in 0..=self.dice.roll(2) {
            let account = self.parameter(Account).as_str().unwrap_or_default().to_owned();
            let mut fields = Map::new();
            for name in ["balance", "nonce", "code", "state", "stateDiff", "movePrecompileToAddress"] {
                let seldom = if name == "movePrecompileToAddress" { 20 } else { 3 };
                if self.dice.one_in(seldom) {
                    let value = match name {
                        "balance" if self.dice.one_in(6) => json!(format!("0x{:x}", u128::MAX)),
                        "balance" => json!(format!("0x{:x}", u128::from(self.dice.roll(1 << 40)) << 60)),
                        "nonce" => self.parameter(Index),
                        "code" => self.code().into(),
                        "movePrecompileToAddress" => self.parameter(Account),
                        _ => self.slots(),
                    };
                    fields.insert(name.to_owned(), value);
                }
            }
            overrides.insert(account, Value::Object(fields));
        }
        Value::Object(overrides)
    }

    fn slots(&mut self) -> Value {
        let slots = (0..self.dice.roll(3)).map(|_| {
            let slot = self.parameter(Slot).as_str().unwrap_or_default().to_owned();
            (slot, self.parameter(Slot))
        });
        Value::Object(slots.collect())
    }

    /// Block overrides, for a call or a simulated block that comes after the head by at least `after`.
    pub(super) fn block_overrides(&mut self, after: u64) -> Value {
        let mut fields = Map::new();
        for name in BLOCK_FIELDS {
            if !self.dice.one_in(6) {
                continue;
            }
            let value = match name {
                // Wider than any block's.
                "number" | "baseFeePerGas" | "difficulty" | "time" | "gasLimit" if self.dice.one_in(6) => {
                    self.wide()
                }
                "number" => json!(format!("0x{:x}", self.chain.head + after + self.dice.roll(5))),
                "time" => json!(format!("0x{:x}", 10 * (self.chain.head + after) + self.dice.roll(60))),
                "gasLimit" => json!(self.dice.quantity(100_000_000)),
                "feeRecipient" => self.parameter(Account),
                "prevRandao" | "beaconRoot" => self.parameter(Slot),
                "withdrawals" if self.dice.one_in(3) => json!([]),
                "withdrawals" if self.dice.one_in(3) => json!([{}]),
                "withdrawals" => {
                    json!([{"index": "0x1", "validatorIndex": "0x2", "address": self.parameter(Account),
                    "amount": self.dice.quantity(1 << 30)}])
                }
                _ => json!(self.dice.quantity(1 << 34)),
            };
            fields.insert(name.to_owned(), value);
        }
        Value::Object(fields)
    }

    /// A number of more than 64 bits.
    fn wide(&mut self) -> Value {
        json!(format!("0x{:x}{:016x}", 1 + self.dice.roll(15), self.dice.roll(u64::MAX)))
    }

    /// Accounts with slots, for `eth_getStorageValues`.
    pub(super) fn storage(&mut self) -> Value {
        let accounts = (0..=self.dice.roll(2)).map(|_| {
            let account = self.parameter(Account).as_str().unwrap_or_default().to_owned();
            let slots: Vec<Value> = (0..self.dice.roll(4)).map(|_| self.parameter(Slot)).collect();
            (account, json!(slots))
        });
        Value::Object(accounts.collect())
    }

    /// A block in every form of EIP-1898, and in none.
    pub(super) fn block(&mut self) -> Value {
        match self.dice.roll(16) {
            0..4 => self.one(|chain| &chain.blocks),
            4..6 => json!({"blockHash": self.parameter(BlockHash), "requireCanonical": self.dice.one_in(2)}),
            6 => json!({"blockHash": self.parameter(BlockHash)}),
            7 | 8 => json!({"blockNumber": self.parameter(Number)}),
            9 => match self.dice.roll(5) {
                0 => json!({"blockHash": self.parameter(BlockHash), "blockNumber": self.parameter(Number)}),
                1 => json!({"blockNumber": self.parameter(Number), "requireCanonical": true}),
                2 => json!({"blockHash": self.parameter(BlockHash), "requireCanonical": self.spoilt()}),
                3 => json!({"blockHash": null, "blockNumber": self.parameter(Number)}),
                _ => json!({"requireCanonical": true}),
            },
            _ => self.parameter(Number),
        }
    }

    /// A transaction to fill or to sign: a call, with less of it.
    pub(super) fn transaction(&mut self) -> Value {
        let mut call = self.message();
        let gone = self.dice.choice(&["input", "to", "gas", "from", ""]).unwrap_or_default();
        if let Some(fields) = call.as_object_mut() {
            fields.remove(gone);
            if !fields.contains_key("from") && self.dice.one_in(2) {
                let from = self.parameter(Account);
                put(fields, "from", from);
            }
        }
        call
    }
}

fn put(fields: &mut Map<String, Value>, name: &str, value: Value) {
    fields.insert(name.to_owned(), value);
}
