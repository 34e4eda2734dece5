//! Values to ask for: everything that happened on the chain.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    failure::{Failure, Outcome},
    rpc::Client,
};

/// Accounts with code of their own beside those of the chain: precompiles of every fork, and nobody.
const SPECIAL: [&str; 9] = [
    "0x0000000000000000000000000000000000000000",
    "0x0000000000000000000000000000000000000001",
    "0x0000000000000000000000000000000000000005",
    "0x0000000000000000000000000000000000000009",
    "0x000000000000000000000000000000000000000a",
    "0x000000000000000000000000000000000000000b",
    "0x0000000000000000000000000000000000000100",
    "0x0000f90827f1c53a10cb7a02335b175320002935",
    "0x00000000000000000000000000000000deadbeef",
];
/// So many blocks are asked for by their bytes.
const RAW_BLOCKS: u64 = 8;

/// Read once from the master.
#[derive(Debug, Default)]
pub(super) struct Chain {
    pub(super) head: u64,
    /// The first block that has a blob fee.
    pub(super) cancun: Option<u64>,
    pub(super) accounts: Vec<Value>,
    pub(super) blocks: Vec<Value>,
    pub(super) transactions: Vec<Value>,
    /// Real calls' inputs.
    pub(super) inputs: Vec<Value>,
    /// Real logs' topics.
    pub(super) topics: Vec<Value>,
    /// Whole blocks as bytes.
    pub(super) raw_blocks: Vec<Value>,
}

impl Chain {
    pub(super) fn read(master: &Client) -> Outcome<Self> {
        let mut chain = Self { head: master.block_number()?, ..Self::default() };
        let (mut accounts, mut topics) = (BTreeSet::new(), BTreeSet::new());
        for number in 0..=chain.head {
            let tag = format!("0x{number:x}");
            let block = master.call("eth_getBlockByNumber", &json!([tag, true]))?;
            chain.blocks.extend(block.get("hash").cloned());
            chain.cancun = chain.cancun.or_else(|| block.get("excessBlobGas").map(|_| number));
            for each in array(&block, "transactions") {
                chain.transactions.extend(each.get("hash").cloned());
                chain.inputs.extend(each.get("input").cloned());
                accounts.extend(["from", "to"].iter().filter_map(|side| text(each, side)));
            }
            let receipts = master.call("eth_getBlockReceipts", &json!([tag]))?;
            for receipt in receipts.as_array().into_iter().flatten() {
                accounts.extend(text(receipt, "contractAddress"));
                for log in array(receipt, "logs") {
                    accounts.extend(text(log, "address"));
                    topics.extend(array(log, "topics").filter_map(|topic| topic.as_str().map(str::to_owned)));
                }
            }
            if number % (chain.head / RAW_BLOCKS).max(1) == 0 {
                chain.raw_blocks.push(master.call("debug_getRawBlock", &json!([tag]))?);
            }
        }
        if chain.transactions.is_empty() || topics.is_empty() {
            return Err(Failure::new("the chain has no transactions or logs to ask for"));
        }
        chain.accounts = accounts.into_iter().chain(SPECIAL.map(str::to_owned)).map(Value::from).collect();
        chain.topics = topics.into_iter().map(Value::from).collect();
        Ok(chain)
    }
}

fn text(object: &Value, field: &str) -> Option<String> {
    object.get(field).and_then(Value::as_str).map(str::to_owned)
}

fn array<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    object.get(field).and_then(Value::as_array).into_iter().flatten()
}
