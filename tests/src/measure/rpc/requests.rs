//! Requests drawn from the chain with a seed, the same for both servers and in every run.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    dice::Dice,
    failure::{Failure, Outcome},
    rpc::Client,
};

/// Requests drawn for one row.
const DRAWN: usize = 64;
/// Rows of large answers have fewer.
const DRAWN_LARGE: usize = 12;
/// Blocks that a search for logs goes over.
const SEARCHED: u64 = 100;
/// geth without an archive runs blocks again that are no older.
const TRACED: u64 = 100;
/// Blocks from here on have all forks and calls of the ordinary kind only.
const FIRST: u64 = 60;
/// A mix repeats after so many requests.
const MIXED: u64 = 512;

/// `eth_call` 52.8 %, and so on: the share of each method at a public gateway (EthClient Summit 2026).
const GATEWAY: [(&str, u64); 6] = [
    ("eth_call", 528),
    ("eth_getBlockByNumber", 103),
    ("eth_getBalance", 69),
    ("eth_chainId", 58),
    ("eth_getTransactionReceipt", 58),
    ("eth_blockNumber", 40),
];
/// An older sample of 5,000 requests (ethspam).
const SAMPLE: [(&str, u64); 10] = [
    ("eth_call", 1928),
    ("eth_getTransactionReceipt", 607),
    ("eth_getBalance", 545),
    ("eth_getBlockByNumber", 399),
    ("eth_getTransactionCount", 390),
    ("eth_blockNumber", 333),
    ("eth_getTransactionByHash", 255),
    ("eth_getLogs, 100 blocks, none found", 252),
    ("eth_getCode", 88),
    ("eth_estimateGas", 45),
];

/// One row of the table.
#[derive(Debug)]
pub(in crate::measure) struct Row {
    pub(in crate::measure) name: String,
    pub(in crate::measure) bodies: Vec<String>,
}

/// Facts of the chain, as far as requests need them.
#[derive(Debug)]
struct Found {
    head: u64,
    transactions: Vec<Value>,
    recent: Vec<Value>,
    accounts: Vec<Value>,
    /// Stores a word in a slot, or returns it.
    store: String,
    /// Logs its input five times.
    logger: String,
    dice: Dice,
}

/// The methods, and then the mixes of them.
pub(super) fn draw(master: &Client, seed: u64) -> Outcome<Vec<Row>> {
    let mut found = Found::look(master, seed)?;
    let mut rows = Vec::new();
    for name in [
        "eth_blockNumber",
        "eth_chainId",
        "eth_getBalance",
        "eth_getTransactionCount",
        "eth_getCode",
        "eth_getStorageAt",
        "eth_call",
        "eth_estimateGas",
        "eth_getTransactionByHash",
        "eth_getTransactionReceipt",
        "eth_feeHistory",
        "eth_feeHistory, 100 blocks",
        "eth_getBlockByNumber, hashes",
        "eth_getBlockByNumber",
        "eth_getBlockReceipts",
        "eth_getLogs, 100 blocks, none found",
        "eth_getLogs, 100 blocks, busy address",
        "debug_traceTransaction, callTracer",
        "debug_traceTransaction, prestateTracer",
        "debug_traceTransaction, struct logger",
        "debug_traceBlockByNumber, callTracer",
        "eth_getProof",
        "eth_simulateV1",
        "eth_createAccessList",
    ] {
        let drawn = if is_large(name) { DRAWN_LARGE } else { DRAWN };
        let bodies = (0..drawn).map(|_| found.body(name)).collect::<Option<_>>();
        let bodies = bodies.ok_or_else(|| Failure::new(format!("the chain has nothing for {name}")))?;
        rows.push(Row { name: name.to_owned(), bodies });
    }
    let mixes = [
        mix("mix of a gateway", &GATEWAY, &rows, &mut found.dice),
        mix("mix of a sample", &SAMPLE, &rows, &mut found.dice),
    ];
    rows.extend(mixes);
    Ok(rows)
}

fn is_large(name: &str) -> bool {
    [
        "eth_getBlockByNumber",
        "eth_getBlockReceipts",
        "eth_getLogs, 100 blocks, busy address",
        "debug_traceBlockByNumber, callTracer",
    ]
    .contains(&name)
}

/// Requests that touch each block, or account, once.
pub(super) fn once(master: &Client, seed: u64) -> Outcome<Vec<Row>> {
    let (head, mut dice) = (master.block_number()?, Dice::new(seed));
    let recent = head.saturating_sub(TRACED - 1).max(FIRST);
    let (mut transactions, mut accounts) = (Vec::new(), BTreeSet::new());
    for number in FIRST..=head {
        let block = master.call("eth_getBlockByNumber", &json!([format!("0x{number:x}"), true]))?;
        let all = block.get("transactions").and_then(Value::as_array).cloned().unwrap_or_default();
        let fields = all.iter().flat_map(|each| [each.get("from"), each.get("to")]).flatten();
        accounts.extend(fields.filter_map(Value::as_str).map(str::to_owned));
        transactions.extend(dice.choice(&all).and_then(|each| Some((number, each.get("hash")?.clone()))));
    }
    let row = |name: &str, all: Vec<Value>| {
        let method = name.split_once(", ").map_or(name, |(method, _)| method);
        let body = |params: Value| {
            json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
        };
        Row { name: name.to_owned(), bodies: all.into_iter().map(body).collect() }
    };
    let blocks = |from: u64, params: fn(String) -> Value| {
        (from..=head).map(|number| params(format!("0x{number:x}"))).collect::<Vec<_>>()
    };
    let hashes = |from: u64, params: fn(&Value) -> Value| {
        let taken = transactions.iter().filter(|(number, _)| *number >= from);
        taken.map(|(_, hash)| params(hash)).collect::<Vec<_>>()
    };
    let histories = (FIRST + SEARCHED - 1..=head)
        .step_by(100)
        .map(|last| json!(["0x64", format!("0x{last:x}"), [10, 50, 90]]));
    Ok(vec![
        row("eth_getBlockByNumber, hashes", blocks(FIRST, |number| json!([number, false]))),
        row("eth_getBlockByNumber", blocks(FIRST, |number| json!([number, true]))),
        row("eth_getBlockReceipts", blocks(FIRST, |number| json!([number]))),
        row("eth_getTransactionByHash", hashes(FIRST, |hash| json!([hash]))),
        row("eth_getTransactionReceipt", hashes(FIRST, |hash| json!([hash]))),
        row("eth_getBalance", accounts.into_iter().map(|account| json!([account, "latest"])).collect()),
        row("eth_feeHistory, 100 blocks", histories.collect()),
        row(
            "debug_traceTransaction, callTracer",
            hashes(recent, |hash| json!([hash, {"tracer": "callTracer"}])),
        ),
        row(
            "debug_traceBlockByNumber, callTracer",
            blocks(recent, |number| json!([number, {"tracer": "callTracer"}])),
        ),
    ])
}

/// Requests of `rows` as at a public gateway.
pub(in crate::measure) fn gateway(rows: &[Row], seed: u64) -> Row {
    mix("mix of a gateway", &GATEWAY, rows, &mut Dice::new(seed))
}

/// Requests of `rows`, each as often as its share says.
fn mix(name: &str, shares: &[(&str, u64)], rows: &[Row], dice: &mut Dice) -> Row {
    let whole: u64 = shares.iter().map(|(_, share)| share).sum();
    let draw = |_| {
        let mut left = dice.roll(whole);
        let (method, _) = shares.iter().find(|(_, share)| {
            let here = left < *share;
            left = left.saturating_sub(*share);
            here
        })?;
        let row = rows.iter().find(|row| row.name == *method)?;
        dice.choice(&row.bodies)
    };
    Row { name: name.to_owned(), bodies: (0..MIXED).filter_map(draw).collect() }
}

impl Found {
    fn look(master: &Client, seed: u64) -> Outcome<Self> {
        let head = master.block_number()?;
        let mut dice = Dice::new(seed);
        if head <= FIRST + SEARCHED {
            return Err(Failure::new(format!("{head} blocks are too few to draw from")));
        }
        let mut take = |from: u64| -> Outcome<Vec<Value>> {
            let mut taken = Vec::new();
            for _ in 0..DRAWN_LARGE {
                let number = from + dice.roll(head - from + 1);
                let mut block =
                    master.call("eth_getBlockByNumber", &json!([format!("0x{number:x}"), true]))?;
                if let Some(Value::Array(transactions)) = block.get_mut("transactions").map(Value::take) {
                    taken.extend(transactions);
                }
            }
            Ok(taken)
        };
        let (transactions, recent) = (take(FIRST)?, take(head - TRACED.min(head - FIRST))?);
        let accounts = transactions
            .iter()
            .flat_map(|each| [each.get("from"), each.get("to")])
            .flatten()
            .filter(|account| account.is_string())
            .cloned()
            .collect();
        let (store, logger) = (busiest(&transactions, 64), busiest(&transactions, 32));
        let missing = || Failure::new("the chain is none that chaingen made");
        Ok(Self {
            head,
            store: store.ok_or_else(missing)?,
            logger: logger.ok_or_else(missing)?,
            transactions,
            recent,
            accounts,
            dice,
        })
    }

    fn body(&mut self, name: &str) -> Option<String> {
        let (method, way) = name.split_once(", ").unwrap_or((name, ""));
        let params = match (method, way) {
            ("eth_getBalance" | "eth_getTransactionCount", _) => json!([self.account()?, "latest"]),
            ("eth_getCode", _) => json!([self.store, "latest"]),
            ("eth_getStorageAt", _) => json!([self.store, self.slot(), "latest"]),
            ("eth_createAccessList", _) => {
                // Whoever asks must be able to pay.
                let from = self.dice.choice(&self.transactions)?.get("from")?.clone();
                json!([{"from": from, "to": self.store, "input": self.slot(), "gas": "0x186a0"}, "latest"])
            }
            ("eth_call" | "eth_estimateGas", _) => {
                json!([{"to": self.store, "input": self.slot()}, "latest"])
            }
            ("eth_getTransactionByHash" | "eth_getTransactionReceipt", _) => {
                json!([self.dice.choice(&self.transactions)?.get("hash")?])
            }
            ("eth_getProof", _) => json!([self.store, [self.slot()], "latest"]),
            ("eth_simulateV1", _) => {
                let calls = json!([{"to": self.store, "input": self.slot()}, {"to": self.store, "input": self.slot()}]);
                json!([{"blockStateCalls": [{"calls": calls}]}, "latest"])
            }
            ("debug_traceTransaction", "struct logger") => {
                json!([self.dice.choice(&self.recent)?.get("hash")?, {}])
            }
            ("debug_traceBlockByNumber", tracer) => {
                let number = self.dice.choice(&self.recent)?.get("blockNumber")?.clone();
                json!([number, {"tracer": tracer}])
            }
            ("debug_traceTransaction", tracer) => {
                json!([self.dice.choice(&self.recent)?.get("hash")?, {"tracer": tracer}])
            }
            ("eth_feeHistory", "100 blocks") => {
                // geth's own answer varies where a fork is among them.
                let last = FIRST + SEARCHED + self.dice.roll(self.head - SEARCHED - FIRST);
                json!([format!("0x{SEARCHED:x}"), format!("0x{last:x}"), [10, 50, 90]])
            }
            ("eth_feeHistory", _) => json!(["0xa", self.block(), [25, 75]]),
            ("eth_getBlockByNumber", way) => json!([self.block(), way.is_empty()]),
            ("eth_getBlockReceipts", _) => json!([self.block()]),
            ("eth_getLogs", way) => {
                let from = FIRST + self.dice.roll(self.head - SEARCHED - FIRST);
                let (from, to) = (format!("0x{from:x}"), format!("0x{:x}", from + SEARCHED - 1));
                // The slots' keeper never logs.
                let address = if way.ends_with("busy address") { &self.logger } else { &self.store };
                json!([{"fromBlock": from, "toBlock": to, "address": address}])
            }
            _ => json!([]),
        };
        Some(json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string())
    }

    fn account(&mut self) -> Option<Value> {
        self.dice.choice(&self.accounts)
    }

    fn slot(&mut self) -> String {
        format!("0x{:064x}", self.dice.roll(200))
    }

    fn block(&mut self) -> String {
        format!("0x{:x}", FIRST + self.dice.roll(self.head - FIRST + 1))
    }
}

/// The contract that is called most with so many bytes.
fn busiest(transactions: &[Value], bytes: usize) -> Option<String> {
    let mut calls = BTreeMap::<&str, usize>::new();
    for transaction in transactions {
        let text = |name: &str| transaction.get(name).and_then(Value::as_str);
        if let (Some(to), Some(input)) = (text("to"), text("input"))
            && input.len() == 2 + 2 * bytes
        {
            *calls.entry(to).or_default() += 1;
        }
    }
    calls.into_iter().max_by_key(|(_, count)| *count).map(|(to, _)| to.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_has_the_shares_that_it_was_given() {
        let row = |name: &str| Row { name: name.to_owned(), bodies: vec![name.to_owned()] };
        let rows = [row("often"), row("seldom")];
        let mixed = mix("both", &[("often", 9), ("seldom", 1)], &rows, &mut Dice::new(1));
        let seldom = mixed.bodies.iter().filter(|body| *body == "seldom").count();
        assert_eq!(mixed.bodies.len(), 512);
        assert!((30..75).contains(&seldom), "{seldom} of 512");
    }
}
