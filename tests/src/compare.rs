//! The same questions to master and replica: every answer must be the same JSON.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};

use crate::{
    failure::{Doing, Failure, Outcome},
    product,
    rpc::Client,
    rpc_compat, wait,
};

/// A replica on the same machine catches up faster than this, whatever the chain.
const CATCH_UP: Duration = Duration::from_secs(120);

/// So many blocks before the head are looked at in full.
const BLOCKS_MAX: u64 = 64;
/// So many accounts are asked for at each height.
const ACCOUNTS_MAX: usize = 24;

/// Questions in one request: a comparison has thousands, and some chains' answers are megabytes.
const BATCH_MAX: usize = 25;

/// geth's and our own word for a batch whose answers together are too large.
const TOO_LARGE: i64 = -32003;
/// Letters of an answer that are printed where it differs.
const SHOWN_MAX: usize = 1_000;

/// One question.
#[derive(Debug, Clone)]
pub struct Question {
    /// Method.
    pub method: &'static str,
    /// Parameters.
    pub params: Value,
}

/// Outcome of a comparison.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Equal answers.
    pub agreed: usize,
    /// Differing answers, both of each.
    pub differences: Vec<String>,
}

impl Comparison {
    /// True if all agreed, and there was something to agree on.
    #[must_use]
    pub fn perfect(&self) -> bool {
        self.differences.is_empty() && self.agreed > 0
    }

    /// Asks both sides.
    ///
    /// # Errors
    /// One of them does not answer.
    pub fn of(master: &Client, replica: &Client, questions: &[Question]) -> Outcome<Self> {
        let mut comparison = Self::default();
        for batch in questions.chunks(BATCH_MAX) {
            comparison.ask(master, replica, batch)?;
        }
        Ok(comparison)
    }

    /// Asks the replica of the recorded chain what geth was asked. Both must stand at its end.
    ///
    /// # Errors
    /// The recordings cannot be read, or the replica does not learn what is final.
    pub fn with_recorded(master: &Client, replica: &Client) -> Outcome<Self> {
        same_block(master, replica, "finalized")?;
        let cases = rpc_compat::load(&product::vectors().join("rpc"))?;
        let report = rpc_compat::run(&cases, |request| {
            replica.post(request).map(|(_, answer)| answer).map_err(|failure| failure.to_string())
        });
        let differences = report.methods.iter().flat_map(|(method, tally)| {
            tally.failed.iter().map(move |(case, problem)| format!("{method}/{case}.io {problem}"))
        });
        Ok(Self { agreed: report.passed(), differences: differences.collect() })
    }

    fn ask(&mut self, master: &Client, replica: &Client, batch: &[Question]) -> Outcome<()> {
        let (left, right) = (answers(master, batch)?, answers(replica, batch)?);
        for ((question, left), right) in batch.iter().zip(left).zip(right) {
            if left == right {
                self.agreed += 1;
            } else {
                let Question { method, params } = question;
                let (left, right) = (left.to_string(), right.to_string());
                self.differences.push(format!(
                    "{method} {params}\n  master:  {left:.SHOWN_MAX$}\n  replica: {right:.SHOWN_MAX$}"
                ));
            }
        }
        Ok(())
    }
}

/// Waits until both name the same block by a tag or number.
///
/// # Errors
/// The master has no such block, or the replica does not follow.
pub fn same_block(master: &Client, replica: &Client, block: &str) -> Outcome<()> {
    let wanted = master.block_hash(block)?;
    wait::until(&format!("the replica to serve block {block}"), CATCH_UP, || {
        let found = replica.block_hash(block).map_err(|failure| failure.to_string())?;
        if found == wanted { Ok(()) } else { Err(format!("hash {found}, not {wanted}")) }
    })
}

/// The answers to a batch, in the order of its questions.
fn answers(side: &Client, batch: &[Question]) -> Outcome<Vec<Value>> {
    let request = |(id, Question { method, params }): (usize, &Question)| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    let request = Value::Array(batch.iter().enumerate().map(request).collect());
    let (status, text) = side.post(&request.to_string())?;
    let answers: Vec<Value> = serde_json::from_str(&text)
        .doing(|| format!("HTTP {status} from {} is no batch of answers ({text:.200})", side.url()))?;
    let mut ordered = vec![Value::Null; batch.len()];
    for mut answer in answers {
        forget_free(&mut answer);
        let id = answer.get("id").and_then(Value::as_u64).and_then(|id| usize::try_from(id).ok());
        let place = id.and_then(|id| ordered.get_mut(id));
        *place.ok_or_else(|| Failure::new(format!("{} answers what nobody asked", side.url())))? = answer;
    }
    // What did not fit beside the others is asked alone.
    for (id, (question, answer)) in batch.iter().zip(&mut ordered).enumerate() {
        if answer.pointer("/error/code") == Some(&json!(TOO_LARGE)) {
            *answer = side.respond(question.method, &question.params)?;
            forget_free(answer);
            if let Some(fields) = answer.as_object_mut() {
                fields.insert("id".to_owned(), id.into());
            }
        }
    }
    match ordered.iter().position(Value::is_null).and_then(|id| batch.get(id)) {
        Some(Question { method, params }) => {
            Err(Failure::new(format!("{} does not answer {method} {params}", side.url())))
        }
        None => Ok(ordered),
    }
}

/// Takes out of an answer what a right one may tell otherwise: the words of an error are free, its code and data are not.
pub fn forget_free(answer: &mut Value) {
    if let Some(error) = answer.get_mut("error").and_then(Value::as_object_mut) {
        error.remove("message");
    }
}

/// Questions about everything that happened up to `head`, all pinned to blocks so that a moving head changes none.
///
/// # Errors
/// The master does not answer.
pub fn questions(master: &Client, head: u64) -> Outcome<Vec<Question>> {
    questions_from(master, head.saturating_sub(BLOCKS_MAX), head)
}

/// The same about blocks from `first` on alone.
///
/// # Errors
/// The master does not answer.
pub fn questions_from(master: &Client, first: u64, head: u64) -> Outcome<Vec<Question>> {
    let mut list = List::default();
    for method in
        ["eth_chainId", "net_version", "net_listening", "net_peerCount", "eth_syncing", "eth_config"]
    {
        list.add(method, json!([]));
    }
    let mut accounts = BTreeSet::new();
    for number in first..=head {
        let block = master.call("eth_getBlockByNumber", &json!([hex(number), true]))?;
        list.block(number, &block)?;
        // One a block: an estimate runs its call many times.
        if let (Some(before), Some(transaction)) =
            (number.checked_sub(1), array(&block, "transactions").next())
        {
            list.again(before, transaction);
        }
        for transaction in array(&block, "transactions") {
            accounts.extend(["from", "to"].iter().filter_map(|side| text(transaction, side)));
        }
        let receipts = master.call("eth_getBlockReceipts", &json!([hex(number)]))?;
        for receipt in receipts.as_array().into_iter().flatten() {
            list.receipt(receipt);
            accounts.extend(text(receipt, "contractAddress"));
        }
        // One search a block: blocks of some chains have megabytes of logs.
        if let Some(log) =
            receipts.as_array().into_iter().flatten().find_map(|each| array(each, "logs").next())
        {
            list.logs(number, log);
        }
    }
    let accounts: Vec<String> = accounts.into_iter().collect();
    for number in [first, head / 2, head.saturating_sub(1), head].into_iter().filter(|at| *at >= first) {
        list.state(number, &accounts);
    }
    list.add("eth_getLogs", json!([{"fromBlock": hex(first), "toBlock": hex(head)}]));
    list.add("eth_getBlockByNumber", json!([hex(head + 100_000), false]));
    list.add("eth_getBalance", json!([format!("0x{:040x}", 1), hex(head + 100_000)]));
    list.add("eth_getTransactionByHash", json!([format!("0x{:064x}", 1)]));
    list.add("eth_getBalance", json!(["0x1234", hex(head)]));
    list.fee_histories(head);
    Ok(list.0)
}

/// How blocks are traced.
const TRACERS: [&str; 10] = [
    r#"{"enableMemory": true, "enableReturnData": true}"#,
    r#"{"disableStack": true, "disableStorage": true, "limit": 2000}"#,
    r#"{"tracer": "callTracer", "tracerConfig": {"withLog": true}}"#,
    r#"{"tracer": "callTracer", "tracerConfig": {"onlyTopCall": true}}"#,
    r#"{"tracer": "prestateTracer"}"#,
    r#"{"tracer": "prestateTracer", "tracerConfig": {"diffMode": true}}"#,
    r#"{"tracer": "flatCallTracer"}"#,
    r#"{"tracer": "4byteTracer"}"#,
    r#"{"tracer": "noopTracer"}"#,
    r#"{"tracer": "muxTracer", "tracerConfig": {"callTracer": {}, "4byteTracer": null}}"#,
];

#[derive(Default)]
struct List(Vec<Question>);

impl List {
    fn add(&mut self, method: &'static str, params: Value) {
        self.0.push(Question { method, params });
    }

    fn block(&mut self, number: u64, block: &Value) -> Outcome<()> {
        let hash =
            text(block, "hash").ok_or_else(|| Failure::new(format!("no block {number} at the master")))?;
        let number = hex(number);
        for full in [false, true] {
            self.add("eth_getBlockByNumber", json!([number, full]));
            self.add("eth_getBlockByHash", json!([hash, full]));
        }
        for method in ["eth_getBlockTransactionCountByNumber", "eth_getUncleCountByBlockNumber"] {
            self.add(method, json!([number]));
        }
        for method in ["eth_getBlockTransactionCountByHash", "eth_getUncleCountByBlockHash"] {
            self.add(method, json!([hash]));
        }
        for method in
            ["eth_getBlockReceipts", "debug_getRawHeader", "debug_getRawBlock", "debug_getRawReceipts"]
        {
            self.add(method, json!([number]));
        }
        for config in TRACERS {
            let config: Value = serde_json::from_str(config).unwrap_or_default();
            self.add("debug_traceBlockByNumber", json!([number, config]));
        }
        self.add("eth_getHeaderByNumber", json!([number]));
        self.add("eth_getHeaderByHash", json!([hash]));
        // One block at a time: where a range spans Cancun's first block, geth's own answer depends on its threads.
        self.add("eth_feeHistory", json!(["0x1", number, [0, 12.5, 50, 99.9, 100]]));
        self.add("eth_feeHistory", json!([1, number, null]));
        self.add("eth_getRawTransactionByBlockNumberAndIndex", json!([number, "0x0"]));
        self.add("eth_getLogs", json!([{"blockHash": hash}]));
        self.add("eth_getUncleByBlockNumberAndIndex", json!([number, "0x0"]));
        self.add("eth_getTransactionByBlockNumberAndIndex", json!([number, "0x0"]));
        self.add("eth_getTransactionByBlockHashAndIndex", json!([hash, "0x0"]));
        Ok(())
    }

    /// A transaction as a call on the state after block `before`.
    fn again(&mut self, before: u64, transaction: &Value) {
        let field = |name: &str| transaction.get(name).cloned().unwrap_or_default();
        let free = json!({"from": field("from"), "to": field("to"), "value": field("value"), "input": field("input")});
        let mut paid = free.clone();
        if let Some(paid) = paid.as_object_mut() {
            paid.insert("gas".to_owned(), field("gas"));
            paid.insert("gasPrice".to_owned(), field("gasPrice"));
        }
        let before = hex(before);
        self.add("eth_estimateGas", json!([free, before]));
        self.add("eth_estimateGas", json!([paid, before]));
        self.add("eth_createAccessList", json!([paid, before]));
        self.add("eth_call", json!([paid, before]));
    }

    /// Ranges and percentiles at and beyond their bounds.
    fn fee_histories(&mut self, head: u64) {
        for (count, last, percentiles) in [
            (json!("1"), hex(head), json!(null)),
            (json!(0), hex(head), json!([])),
            (json!(1), hex(head + 100_000), json!([])),
            (json!("one"), hex(head), json!([])),
            (json!(2), hex(head), json!([50, 50])),
            (json!(2), hex(head), json!([101])),
            (json!(2), hex(head), json!(vec![0; 101])),
            (json!(2), "earliest".to_owned(), json!([50])),
        ] {
            self.add("eth_feeHistory", json!([count, last, percentiles]));
        }
    }

    fn receipt(&mut self, receipt: &Value) {
        let Some(hash) = text(receipt, "transactionHash") else { return };
        for method in ["eth_getTransactionByHash", "eth_getTransactionReceipt", "debug_getRawTransaction"] {
            self.add(method, json!([hash]));
        }
    }

    fn logs(&mut self, number: u64, log: &Value) {
        let (address, topic) = (text(log, "address"), log.get("topics").and_then(|topics| topics.get(0)));
        let (near, number) = (hex(number.saturating_sub(20)), hex(number));
        self.add("eth_getLogs", json!([{"fromBlock": near, "toBlock": number, "address": address}]));
        self.add("eth_getLogs", json!([{"fromBlock": near, "toBlock": number, "topics": [topic]}]));
    }

    fn state(&mut self, number: u64, accounts: &[String]) {
        let number = hex(number);
        for account in accounts.iter().rev().take(ACCOUNTS_MAX) {
            for method in ["eth_getBalance", "eth_getTransactionCount", "eth_getCode"] {
                self.add(method, json!([account, number]));
            }
            for slot in ["0x0", "0x1"] {
                self.add("eth_getStorageAt", json!([account, slot, number]));
            }
            self.add("eth_getBalance", json!([account, {"blockNumber": number}]));
            self.add("eth_call", json!([{"to": account, "data": format!("0x{:064x}", 7)}, number]));
        }
    }
}

fn hex(number: u64) -> String {
    format!("0x{number:x}")
}

fn text(object: &Value, field: &str) -> Option<String> {
    object.get(field).and_then(Value::as_str).map(str::to_owned)
}

fn array<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    object.get(field).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_errors_are_free_codes_are_not() {
        let mut left = json!({"id": 1, "error": {"code": -32000, "message": "one"}});
        let mut right = json!({"id": 1, "error": {"code": -32000, "message": "two"}});
        forget_free(&mut left);
        forget_free(&mut right);
        assert_eq!(left, right);
        assert_ne!(left, json!({"id": 1, "error": {"code": 3}}));
        let told = json!({"result": {"error": "out of gas"}});
        let mut kept = told.clone();
        forget_free(&mut kept);
        assert_eq!(kept, told, "what a trace tells is no error of the call");
    }
}
