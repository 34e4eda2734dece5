//! What is asked: random methods with parameters from the chain, every so often spoilt.

use serde_json::{Value, json};

use crate::{
    failure::{Failure, Outcome},
    rpc::Client,
};

/// A kind of parameter.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Account,
    Block,
    BlockHash,
    Number,
    Transaction,
    Slot,
    Index,
    Flag,
    Call,
    Filter,
    Percentiles,
    Tracer,
    Overrides,
}

use Kind::{
    Account, Block, BlockHash, Call, Filter, Flag, Index, Number, Overrides, Percentiles, Slot, Tracer,
    Transaction,
};

/// Methods with the kinds of their parameters.
const METHODS: [(&str, &[Kind]); 40] = [
    ("eth_blockNumber", &[]),
    ("eth_chainId", &[]),
    ("net_version", &[]),
    ("eth_accounts", &[]),
    ("web3_sha3", &[Slot]),
    ("eth_getBalance", &[Account, Block]),
    ("eth_getTransactionCount", &[Account, Block]),
    ("eth_getCode", &[Account, Block]),
    ("eth_getStorageAt", &[Account, Slot, Block]),
    ("eth_call", &[Call, Block]),
    ("eth_call", &[Call, Block, Overrides]),
    ("eth_estimateGas", &[Call, Block]),
    ("eth_createAccessList", &[Call, Block]),
    ("eth_getBlockByNumber", &[Number, Flag]),
    ("eth_getBlockByHash", &[BlockHash, Flag]),
    ("eth_getHeaderByNumber", &[Number]),
    ("eth_getHeaderByHash", &[BlockHash]),
    ("eth_getBlockReceipts", &[Block]),
    ("eth_getBlockTransactionCountByNumber", &[Number]),
    ("eth_getBlockTransactionCountByHash", &[BlockHash]),
    ("eth_getUncleCountByBlockNumber", &[Number]),
    ("eth_getUncleCountByBlockHash", &[BlockHash]),
    ("eth_getUncleByBlockNumberAndIndex", &[Number, Index]),
    ("eth_getUncleByBlockHashAndIndex", &[BlockHash, Index]),
    ("eth_getTransactionByHash", &[Transaction]),
    ("eth_getTransactionByBlockNumberAndIndex", &[Number, Index]),
    ("eth_getTransactionByBlockHashAndIndex", &[BlockHash, Index]),
    ("eth_getRawTransactionByHash", &[Transaction]),
    ("eth_getRawTransactionByBlockNumberAndIndex", &[Number, Index]),
    ("eth_getTransactionReceipt", &[Transaction]),
    ("eth_getLogs", &[Filter]),
    ("eth_feeHistory", &[Index, Number, Percentiles]),
    ("debug_getRawHeader", &[Block]),
    ("debug_getRawBlock", &[Block]),
    ("debug_getRawReceipts", &[Block]),
    ("debug_getRawTransaction", &[Transaction]),
    ("debug_traceTransaction", &[Transaction, Tracer]),
    ("debug_traceBlockByNumber", &[Number, Tracer]),
    ("debug_traceCall", &[Call, Block, Tracer]),
    ("eth_noSuchMethod", &[Slot]),
];

/// Instead of a parameter.
const SPOILT: [&str; 16] = [
    "null",
    "\"\"",
    "\"0x\"",
    "\"0x0\"",
    "\"0x00\"",
    "\"0x1\"",
    "\"0xg\"",
    "\"1\"",
    "-1",
    "7",
    "1.5",
    "true",
    "[]",
    "{}",
    "\"0x10000000000000000\"",
    "\"0xFFffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"",
];

/// Instead of a request.
const BROKEN: [&str; 10] = [
    "",
    "{",
    "[]",
    "{}",
    "7",
    "[{}]",
    r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
    r#"{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}"#,
    r#"{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}"#,
    r#"{"jsonrpc":"2.0","id":"x","method":"eth_chainId","params":{}}"#,
];

/// Draws requests from a seed.
#[derive(Debug)]
pub(super) struct Asker {
    head: u64,
    accounts: Vec<Value>,
    blocks: Vec<Value>,
    transactions: Vec<Value>,
    /// Real calls' recipients and inputs.
    inputs: Vec<Value>,
    state: u64,
}

impl Asker {
    pub(super) fn new(master: &Client, seed: u64) -> Outcome<Self> {
        let head = master.block_number()?;
        let mut asker = Self {
            head,
            accounts: Vec::new(),
            blocks: Vec::new(),
            transactions: Vec::new(),
            inputs: Vec::new(),
            state: seed,
        };
        for number in 0..=head {
            let block = master.call("eth_getBlockByNumber", &json!([format!("0x{number:x}"), true]))?;
            asker.blocks.extend(block.get("hash").cloned());
            for each in block.get("transactions").and_then(Value::as_array).into_iter().flatten() {
                asker.transactions.extend(each.get("hash").cloned());
                asker.inputs.extend(each.get("input").cloned());
                let sides = ["from", "to"].iter().filter_map(|side| each.get(*side));
                asker.accounts.extend(sides.filter(|side| side.is_string()).cloned());
            }
        }
        if asker.transactions.is_empty() {
            return Err(Failure::new("the chain has no transactions to ask for"));
        }
        Ok(asker)
    }

    /// The next body to post.
    pub(super) fn request(&mut self) -> String {
        match self.roll(40) {
            0 => self.choice(&BROKEN).unwrap_or_default().to_owned(),
            1 => {
                let calls: Vec<Value> = (0..=self.roll(4)).map(|id| self.call(id)).collect();
                Value::Array(calls).to_string()
            }
            _ => self.call(1).to_string(),
        }
    }

    fn call(&mut self, id: u64) -> Value {
        let (method, kinds) = self.choice(&METHODS).unwrap_or(("eth_chainId", &[]));
        let mut params: Vec<Value> = kinds.iter().map(|kind| self.parameter(*kind)).collect();
        match self.roll(16) {
            0 => drop(params.pop()),
            1 => params.push(self.spoilt()),
            2 | 3 => {
                let at = self.below(params.len());
                let spoilt = self.spoilt();
                if let Some(place) = params.get_mut(at) {
                    *place = spoilt;
                }
            }
            _ => {}
        }
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
    }

    fn spoilt(&mut self) -> Value {
        self.choice(&SPOILT).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    fn parameter(&mut self, kind: Kind) -> Value {
        match kind {
            Account => self.one(|asker| &asker.accounts),
            BlockHash if self.roll(10) == 0 => json!(format!("0x{:064x}", 7)),
            BlockHash => self.one(|asker| &asker.blocks),
            Transaction if self.roll(10) == 0 => json!(format!("0x{:064x}", 7)),
            Transaction => self.one(|asker| &asker.transactions),
            Number => match self.roll(8) {
                0 => json!(self.choice(&["latest", "earliest", "safe", "finalized"])),
                1 => json!(format!("0x{:x}", self.head + self.roll(3))),
                _ => json!(format!("0x{:x}", self.roll(self.head + 1))),
            },
            Block => match self.roll(6) {
                0 => self.one(|asker| &asker.blocks),
                1 => {
                    json!({"blockHash": self.parameter(BlockHash), "requireCanonical": self.parameter(Flag)})
                }
                2 => json!({"blockNumber": self.parameter(Number)}),
                _ => self.parameter(Number),
            },
            Slot => json!(format!("0x{:064x}", self.roll(260))),
            Index => json!(format!("0x{:x}", self.roll(6))),
            Flag => json!(self.roll(2) == 0),
            Call => self.message(),
            Filter => self.filter(),
            Percentiles => [json!([]), json!([5, 50, 95.5]), json!([50, 5]), json!([101])]
                .get(self.below(4))
                .cloned()
                .unwrap_or_default(),
            Tracer => {
                match self.choice(&["", "callTracer", "prestateTracer", "4byteTracer", "flatCallTracer"]) {
                    Some("") | None => json!({}),
                    Some(name) => json!({"tracer": name}),
                }
            }
            Overrides => {
                let account = self.parameter(Account).as_str().unwrap_or_default().to_owned();
                json!({account: {"balance": self.parameter(Index), "code": "0x600160005260206000f3"}})
            }
        }
    }

    fn message(&mut self) -> Value {
        let mut call = json!({"to": self.parameter(Account), "input": self.one(|asker| &asker.inputs)});
        for (name, kind) in [("from", Account), ("value", Index), ("gas", Index)] {
            let often = if name == "gas" { 12 } else { 3 };
            if self.roll(often) == 0
                && let value = self.parameter(kind)
                && let Some(fields) = call.as_object_mut()
            {
                fields.insert(name.to_owned(), value);
            }
        }
        call
    }

    fn filter(&mut self) -> Value {
        let topics = [
            json!([]),
            json!([null]),
            json!([format!("0x{:064x}", 1)]),
            json!([[], format!("0x{:064x}", 2)]),
        ];
        let topics = topics.get(self.below(4)).cloned().unwrap_or_default();
        match self.roll(4) {
            0 => json!({"blockHash": self.parameter(BlockHash), "topics": topics}),
            1 => json!({"fromBlock": self.parameter(Number), "toBlock": self.parameter(Number),
                "address": self.parameter(Account), "topics": topics}),
            _ => {
                json!({"fromBlock": self.parameter(Number), "toBlock": self.parameter(Number), "topics": topics})
            }
        }
    }

    fn one(&mut self, of: fn(&Self) -> &Vec<Value>) -> Value {
        let at = self.below(of(self).len());
        of(self).get(at).cloned().unwrap_or_default()
    }

    fn choice<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let at = self.below(from.len());
        from.get(at).copied()
    }

    fn below(&mut self, length: usize) -> usize {
        usize::try_from(self.roll(u64::try_from(length).unwrap_or(1))).unwrap_or(0)
    }

    /// splitmix64.
    fn roll(&mut self, below: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below.max(1)
    }
}
