//! Requests at random: methods with parameters from the chain, every so often spoilt.

mod bend;
mod call;
mod chain;
mod code;
mod filter;
mod simulate;
mod tracer;

use serde_json::{Value, json};

use crate::{dice::Dice, failure::Outcome, rpc::Client};
use chain::Chain;

/// A kind of parameter.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Account,
    Block,
    BlockHash,
    Number,
    Transaction,
    RawBlock,
    Slot,
    Slots,
    Index,
    Flag,
    Call,
    Message,
    Filter,
    Percentiles,
    Tracer,
    CallTracer,
    Overrides,
    BlockOverrides,
    Payload,
    Storage,
    Key,
    Count,
}

use Kind::{
    Account, Block, BlockHash, BlockOverrides, Call, CallTracer, Count, Filter, Flag, Index, Key, Message,
    Number, Overrides, Payload, Percentiles, RawBlock, Slot, Slots, Storage, Tracer, Transaction,
};

/// Methods with the kinds of their parameters.
const METHODS: [(&str, &[Kind]); 76] = [
    ("eth_blockNumber", &[]),
    ("eth_chainId", &[]),
    ("net_version", &[]),
    ("eth_accounts", &[]),
    ("web3_sha3", &[Slot]),
    ("eth_getBalance", &[Account, Block]),
    ("eth_getTransactionCount", &[Account, Block]),
    ("eth_getCode", &[Account, Block]),
    ("eth_getStorageAt", &[Account, Slot, Block]),
    ("eth_getProof", &[Account, Slots, Block]),
    ("eth_call", &[Call, Block]),
    ("eth_call", &[Call, Block, Overrides]),
    ("eth_estimateGas", &[Call, Block]),
    ("eth_estimateGas", &[Call, Block, Overrides]),
    ("eth_createAccessList", &[Call, Block]),
    ("eth_createAccessList", &[Call, Block, Overrides]),
    ("eth_call", &[Call, Block, Overrides, BlockOverrides]),
    ("eth_simulateV1", &[Payload, Block]),
    ("eth_simulateV1", &[Payload, Block]),
    ("eth_simulateV1", &[Payload, Block]),
    ("eth_fillTransaction", &[Message]),
    ("eth_getStorageValues", &[Storage, Block]),
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
    ("eth_getRawTransactionByBlockHashAndIndex", &[BlockHash, Index]),
    ("eth_getTransactionReceipt", &[Transaction]),
    ("eth_getLogs", &[Filter]),
    ("eth_getLogs", &[Filter]),
    ("eth_gasPrice", &[]),
    ("eth_maxPriorityFeePerGas", &[]),
    ("eth_blobBaseFee", &[]),
    ("eth_syncing", &[]),
    ("eth_config", &[]),
    ("eth_sign", &[Account, Slot]),
    ("eth_signTransaction", &[Message]),
    ("eth_sendTransaction", &[Message]),
    ("eth_resend", &[Message, Index, Index]),
    ("eth_pendingTransactions", &[]),
    ("eth_mining", &[]),
    ("eth_coinbase", &[]),
    ("txpool_status", &[]),
    ("txpool_contentFrom", &[Account]),
    ("eth_feeHistory", &[Index, Number, Percentiles]),
    ("debug_getRawHeader", &[Block]),
    ("debug_getRawBlock", &[Block]),
    ("debug_getRawReceipts", &[Block]),
    ("debug_getRawTransaction", &[Transaction]),
    ("debug_traceTransaction", &[Transaction, Tracer]),
    ("debug_traceBlockByNumber", &[Number, Tracer]),
    ("debug_traceBlockByHash", &[BlockHash, Tracer]),
    ("debug_traceBlock", &[RawBlock, Tracer]),
    ("debug_traceCall", &[Call, Block, CallTracer]),
    ("debug_traceCall", &[Call, Block, CallTracer]),
    ("debug_getBadBlocks", &[]),
    ("debug_traceBadBlock", &[BlockHash, Tracer]),
    ("debug_intermediateRoots", &[BlockHash]),
    ("debug_executionWitness", &[Block]),
    ("debug_executionWitness", &[Number]),
    ("debug_accountRange", &[Block, Key, Count, Flag, Flag, Flag]),
    ("debug_dumpBlock", &[Number]),
    ("debug_storageRangeAt", &[Block, Count, Account, Key, Count]),
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
    chain: Chain,
    /// The only block that most requests are about.
    at: Option<u64>,
    dice: Dice,
}

/// Takes out of a call what is known to be answered in another way, for reasons that the guide tells.
fn tame(call: &mut Value) {
    let method = call.get("method").and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some(params) = call.get_mut("params").and_then(Value::as_array_mut) else { return };
    if method.starts_with("debug_traceBlock") {
        params.iter_mut().for_each(tracer::no_script);
    }
    if method == "eth_simulateV1" {
        simulate::no_early_authorizations(params);
        simulate::no_wide_fees(params);
    }
}

impl Asker {
    pub(super) fn new(master: &Client, seed: u64, at: Option<u64>) -> Outcome<Self> {
        Ok(Self { chain: Chain::read(master)?, at, dice: Dice::new(seed) })
    }

    /// The chain's first block with a blob fee.
    pub(super) fn cancun(&self) -> Option<u64> {
        self.chain.cancun
    }

    /// The next body to post.
    pub(super) fn request(&mut self) -> String {
        match self.dice.roll(40) {
            0 => self.dice.choice(&BROKEN).unwrap_or_default().to_owned(),
            1 => {
                let calls: Vec<Value> = (0..=self.dice.roll(4)).map(|id| self.call(id)).collect();
                Value::Array(calls).to_string()
            }
            2..10 => {
                let mut call = self.call(1);
                if self.dice.one_in(3)
                    && let Some(params) = call.get_mut("params")
                {
                    self.bend(params);
                    tame(&mut call);
                }
                self.bent(&call)
            }
            _ => self.call(1).to_string(),
        }
    }

    fn call(&mut self, id: u64) -> Value {
        let (method, kinds) = self.dice.choice(&METHODS).unwrap_or(("eth_chainId", &[]));
        let mut params: Vec<Value> = kinds.iter().map(|kind| self.parameter(*kind)).collect();
        match self.dice.roll(20) {
            0 => drop(params.pop()),
            1 => params.push(self.spoilt()),
            2 | 3 => {
                let at = self.dice.below(params.len());
                let spoilt = self.spoilt();
                if let Some(place) = params.get_mut(at) {
                    *place = spoilt;
                }
            }
            // Deeper: one field of an object.
            4 => {
                let at = self.dice.below(params.len());
                let (spoilt, field) = (self.spoilt(), self.dice.below(8));
                let fields = params.get_mut(at).and_then(Value::as_object_mut);
                if let Some(place) = fields.and_then(|fields| fields.values_mut().nth(field)) {
                    *place = spoilt;
                }
            }
            _ => {}
        }
        let mut call = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        tame(&mut call);
        call
    }

    fn spoilt(&mut self) -> Value {
        self.dice.choice(&SPOILT).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    fn parameter(&mut self, kind: Kind) -> Value {
        match kind {
            Account => self.one(|chain| &chain.accounts),
            Number | Block if self.at.is_some() && !self.dice.one_in(8) => {
                json!(format!("0x{:x}", self.at.unwrap_or_default()))
            }
            BlockHash | Transaction if self.dice.one_in(10) => json!(format!("0x{:064x}", 7)),
            BlockHash => self.one(|chain| &chain.blocks),
            Transaction => self.one(|chain| &chain.transactions),
            RawBlock => self.one(|chain| &chain.raw_blocks),
            Number => match self.dice.roll(8) {
                0 => json!(self.dice.choice(&["latest", "earliest", "safe", "finalized"])),
                1 => json!(format!("0x{:x}", self.chain.head + self.dice.roll(3))),
                _ => json!(self.dice.quantity(self.chain.head + 1)),
            },
            Block => self.block(),
            Slot => json!(format!("0x{:064x}", self.dice.roll(260))),
            Slots => (0..self.dice.roll(4)).map(|_| self.slot_key()).collect(),
            Index => json!(self.dice.quantity(6)),
            Flag => json!(self.dice.one_in(2)),
            Call => self.message(),
            Message => self.transaction(),
            Filter => self.filter(),
            Percentiles => {
                let lists =
                    [json!([]), json!([5, 50, 95.5]), json!([50, 5]), json!([101]), json!([null, 50])];
                self.dice.choice(&lists).unwrap_or_default()
            }
            Tracer => self.tracer(),
            CallTracer => self.call_tracer(),
            Overrides => self.overrides(),
            BlockOverrides => self.block_overrides(0),
            Payload => self.payload(),
            Storage => self.storage(),
            Key => match self.dice.roll(4) {
                0 => json!("0x"),
                1 => self.one(|chain| &chain.blocks),
                2 => json!(format!("0x{:02x}", self.dice.roll(256))),
                _ => json!(format!("0x{:064x}", self.dice.roll(256))),
            },
            Count => json!(self.dice.roll(5)),
        }
    }

    /// A slot in any of the forms that proofs take.
    fn slot_key(&mut self) -> Value {
        let slot = self.dice.roll(260);
        match self.dice.roll(3) {
            0 => json!(format!("0x{slot:x}")),
            1 => json!(format!("0x{slot:02x}")),
            _ => json!(format!("0x{slot:064x}")),
        }
    }

    fn one(&mut self, of: fn(&Chain) -> &Vec<Value>) -> Value {
        self.dice.choice(of(&self.chain)).unwrap_or_default()
    }
}
