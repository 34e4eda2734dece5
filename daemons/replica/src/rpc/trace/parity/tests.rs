//! Parity's methods against `flatCallTracer`, whose answers are geth's, and against the stored states.

use crate::rpc::Rpc;
use crate::rpc::tests::fake;
use crate::rpc::tests::still::Still;
use crate::rpc::tests::{ask, rpc};
use maidenlane_jsonrpc::codes;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

fn chain() -> Option<Rpc> {
    Some(rpc(Arc::new(Still::new(fake::chain()?))))
}

fn result(rpc: &Rpc, method: &str, params: Value) -> Value {
    let answer = ask(rpc, method, params);
    assert!(answer.get("result").is_some(), "{method}: {answer}");
    answer["result"].clone()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

/// The frames of a block's transactions, one list each, by geth's tracer, but without results of failures, which Parity
/// does not have.
fn flat(rpc: &Rpc, number: u64) -> Vec<Vec<Value>> {
    let config = json!({"tracer": "flatCallTracer", "tracerConfig": {"convertParityErrors": true}});
    let traced = result(rpc, "debug_traceBlockByNumber", json!([format!("{number:#x}"), config]));
    let parity = |frame: &Value| {
        let mut fields = frame.as_object().expect("a frame").clone();
        fields.retain(|name, _| name != "result" || frame["error"].is_null());
        fields.into()
    };
    list(&traced).iter().map(|each| list(&each["result"]).iter().map(parity).collect()).collect()
}

/// A frame without the place of its transaction.
fn placeless(frame: &Value) -> Value {
    let mut fields = frame.as_object().expect("a frame").clone();
    fields.retain(|name, _| !name.starts_with("block") && !name.starts_with("transaction"));
    fields.into()
}

#[test]
fn blocks_transactions_and_ranges_are_told_alike() {
    let Some(rpc) = chain() else { return };
    let mut all = Vec::new();
    for number in 1..=54 {
        let by_transaction = flat(&rpc, number);
        let whole: Vec<Value> = by_transaction.concat();
        assert_eq!(result(&rpc, "trace_block", json!([format!("{number:#x}")])), json!(whole), "{number}");
        for frames in by_transaction {
            let hash = &frames[0]["transactionHash"];
            assert_eq!(result(&rpc, "trace_transaction", json!([hash])), json!(frames));
        }
        all.extend(whole);
    }
    assert!(all.len() > 100, "{} frames", all.len());
    let range = json!({"fromBlock": "earliest", "toBlock": "latest"});
    assert_eq!(result(&rpc, "trace_filter", json!([range])), json!(all));
    let calls = all.iter().skip(all.len() / 2).map(|frame| &frame["action"]);
    let some = calls.into_iter().find(|action| action["to"].is_string()).expect("a call");
    let picked = |from: bool, to: bool| -> Vec<Value> {
        let is = |frame: &&Value| {
            (!from || frame["action"]["from"] == some["from"]) && (!to || frame["action"]["to"] == some["to"])
        };
        all.iter().filter(is).cloned().collect()
    };
    let mut wanted = range.clone();
    wanted["fromAddress"] = json!([some["from"]]);
    assert_eq!(result(&rpc, "trace_filter", json!([wanted])), json!(picked(true, false)));
    wanted["toAddress"] = json!([some["to"]]);
    let both = picked(true, true);
    let either = all
        .iter()
        .filter(|frame| frame["action"]["from"] == some["from"] || frame["action"]["to"] == some["to"]);
    let either: Vec<_> = either.cloned().collect();
    assert!(!both.is_empty() && both.len() < either.len());
    for (mode, frames) in [(Value::Null, &either), (json!("union"), &either), (json!("intersection"), &both)]
    {
        wanted["mode"] = mode;
        assert_eq!(result(&rpc, "trace_filter", json!([wanted])), json!(frames));
    }
    let mut part = range;
    (part["after"], part["count"]) = (json!(7), json!(20));
    assert_eq!(result(&rpc, "trace_filter", json!([part])), json!(all[7..27]));
}

#[test]
fn a_replay_tells_the_same_frames_and_what_changed() {
    let Some(rpc) = chain() else { return };
    let mut changes = 0;
    for number in 1..=54 {
        let tag = format!("{number:#x}");
        let replayed = result(&rpc, "trace_replayBlockTransactions", json!([tag, ["trace", "stateDiff"]]));
        // Values of the slots and nonces after the transactions so far.
        let mut slots: BTreeMap<(String, String), Value> = BTreeMap::new();
        let mut nonces: BTreeMap<String, Value> = BTreeMap::new();
        for (answer, frames) in list(&replayed).iter().zip(flat(&rpc, number)) {
            let expect: Vec<Value> = frames.iter().map(placeless).collect();
            assert_eq!(answer["trace"], json!(expect));
            assert_eq!(answer["transactionHash"], frames[0]["transactionHash"]);
            let one = json!([answer["transactionHash"], ["stateDiff"]]);
            let alone = result(&rpc, "trace_replayTransaction", one);
            assert_eq!((&alone["stateDiff"], &alone["trace"]), (&answer["stateDiff"], &json!([])));
            for (address, change) in answer["stateDiff"].as_object().expect("accounts") {
                changes += 1;
                for (slot, diff) in change["storage"].as_object().expect("slots") {
                    let key = (address.clone(), slot.clone());
                    let (from, to) = (&diff["*"]["from"], &diff["*"]["to"]);
                    if let Some(before) =
                        slots.insert(key, if to.is_null() { diff["+"].clone() } else { to.clone() })
                    {
                        assert_eq!(from, &before, "{address} {slot} in block {number}");
                    }
                }
                let nonce = &change["nonce"];
                if let Some(now) = [&nonce["*"]["to"], &nonce["+"]].into_iter().find(|now| !now.is_null()) {
                    nonces.insert(address.clone(), now.clone());
                }
            }
        }
        // The system's own contracts are called again at the end of a block.
        let ours = |address: &str| !address.starts_with("0x0000");
        for ((address, slot), value) in slots.iter().filter(|((address, _), _)| ours(address)) {
            assert!(value.is_string(), "{address} {slot} in block {number}");
            let stored = result(&rpc, "eth_getStorageAt", json!([address, slot, tag]));
            assert_eq!(&stored, value, "{address} {slot} after block {number}");
        }
        for (address, nonce) in nonces {
            assert_eq!(result(&rpc, "eth_getTransactionCount", json!([address, tag])), nonce, "{address}");
        }
    }
    assert!(changes > 100, "{changes}");
}

const RICH: &str = "0x7435ed30a8b4aeb0877cef0c6e8cffe834eb865f";

#[test]
fn calls_are_told_and_build_on_each_other() {
    let Some(rpc) = chain() else { return };
    let heir = "0x00000000000000000000000000000000000c0de1";
    let gift = json!({"from": RICH, "to": heir, "value": "0x7", "gasPrice": "0x0"});
    let answer = result(&rpc, "trace_call", json!([gift, ["trace", "stateDiff"]]));
    assert_eq!(answer["output"], "0x");
    assert_eq!(answer["vmTrace"], Value::Null);
    let call = &answer["trace"][0];
    assert_eq!((&call["action"]["to"], &call["action"]["value"]), (&json!(heir), &json!("0x7")));
    assert_eq!(call.get("blockHash"), None);
    let born = json!({"balance": {"+": "0x7"}, "code": {"+": "0x"}, "nonce": {"+": "0x0"}, "storage": {}});
    assert_eq!(answer["stateDiff"][heir], born);
    let giver = &answer["stateDiff"][RICH];
    assert_eq!((&giver["code"], &giver["storage"]), (&json!("="), &json!({})));
    assert!(giver["balance"]["*"]["from"].is_string() && giver["nonce"]["*"]["to"].is_string());

    let many =
        result(&rpc, "trace_callMany", json!([[[gift, ["stateDiff"]], [gift, ["stateDiff"]]], "latest"]));
    assert_eq!(many[0]["stateDiff"], answer["stateDiff"]);
    let again = json!({"*": {"from": "0x7", "to": "0xe"}});
    assert_eq!(many[1]["stateDiff"][heir]["balance"], again);

    // Init code that reverts with a word.
    let reverts = json!({"from": RICH, "data": "0x60aa60005260206000fd"});
    let answer = result(&rpc, "trace_call", json!([reverts, ["trace"], "latest"]));
    assert_eq!(answer["output"], format!("0x{:064x}", 0xaa));
    assert_eq!((&answer["trace"][0]["error"], &answer["stateDiff"]), (&json!("Reverted"), &Value::Null));
    assert_eq!(answer["trace"][0].get("result"), None, "alloy reads no result without an address");
}

#[test]
fn what_cannot_be_told() {
    let Some(rpc) = chain() else { return };
    let unknown = format!("0x{}", "ab".repeat(32));
    assert_eq!(result(&rpc, "trace_transaction", json!([unknown])), Value::Null);
    assert_eq!(result(&rpc, "trace_block", json!(["0xffff"])), Value::Null);
    // An indexer begins at block 0, which has no transactions.
    assert_eq!(result(&rpc, "trace_block", json!(["0x0"])), json!([]));
    assert_eq!(result(&rpc, "trace_replayBlockTransactions", json!(["0x0", ["trace"]])), json!([]));
    for (method, params, code) in [
        ("trace_replayTransaction", json!([unknown, ["trace"]]), codes::SERVER),
        ("trace_replayBlockTransactions", json!(["0xffff", ["trace"]]), codes::SERVER),
        ("trace_call", json!([{}, ["vmTrace"]]), codes::INVALID_PARAMS),
        ("trace_call", json!([{}, ["other"]]), codes::INVALID_PARAMS),
        ("trace_call", json!([{}]), codes::INVALID_PARAMS),
        ("trace_callMany", json!([[[{}, "trace"]]]), codes::INVALID_PARAMS),
        ("trace_filter", json!([{"fromBlock": "0x5", "toBlock": "0x4"}]), codes::INVALID_PARAMS),
        ("trace_filter", json!([{"fromBlock": "0xffff"}]), codes::SERVER),
        ("trace_filter", json!([{"mode": "both"}]), codes::INVALID_PARAMS),
        ("trace_filter", json!([{"fromAdress": [RICH]}]), codes::INVALID_PARAMS),
    ] {
        let answer = ask(&rpc, method, params);
        assert_eq!(answer["error"]["code"], code, "{method}: {answer}");
    }
}
