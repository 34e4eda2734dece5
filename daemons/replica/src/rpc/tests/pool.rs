//! Answers from the master's pool on the fixture chain: published ones of a geth, to the letter.

use super::{Sinks, Still, ask, ask_text, fake, runtime};
use crate::mempool::tests::kept;
use crate::mempool::{Mempool, set::Held};
use crate::rpc::{Rpc, Settings};
use maidenlane_chain::Transaction;
use maidenlane_jsonrpc::{Api as _, codes};
use serde_json::{Value, json};
use std::sync::Arc;

fn serving(pool: Mempool) -> Option<Rpc> {
    let chain = fake::chain()?;
    let sinks = Sinks { mempool: Some(pool), ..Sinks::default() };
    Some(Rpc::with(Arc::new(Still::new(chain)), Settings::default(), sinks).unwrap())
}

/// The published pool: its answer as a text, and its transactions.
fn published() -> Option<(String, Vec<Held>)> {
    let path = fake::fixtures()?.join("io/txpool_content/get-content.io");
    let text = std::fs::read_to_string(path).unwrap();
    let answer = text.lines().find_map(|line| line.strip_prefix("<< ")).unwrap().to_owned();
    let parsed: Value = serde_json::from_str(&answer).unwrap();
    let accounts = ["pending", "queued"].map(|side| parsed["result"][side].as_object().unwrap().clone());
    let nonces = accounts.into_iter().flatten().flat_map(|(_, of)| of.as_object().unwrap().clone());
    let held = nonces.map(|(_, json)| {
        let tx: Transaction = serde_json::from_value(json.clone()).unwrap();
        Held::new(tx, json["from"].as_str().unwrap().parse().unwrap(), 500)
    });
    Some((answer, held.collect()))
}

#[test]
fn a_published_pool_is_told_to_the_letter() {
    let Some((answer, held)) = published() else { return };
    let Some(rpc) = serving(kept(held.clone())) else { return };
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"txpool_content"}"#;
    assert_eq!(ask_text(&rpc, None, request).1, answer);
    let count = format!("{:#x}", held.len());
    assert_eq!(ask(&rpc, "txpool_status", json!([]))["result"], json!({"pending": count, "queued": "0x0"}));
    let content: Value = serde_json::from_str(&answer).unwrap();
    let first = &held[0];
    let by_hash = ask(&rpc, "eth_getTransactionByHash", json!([first.hash()]));
    let sender = first.from.to_checksum(None);
    let pending = &content["result"]["pending"][&sender];
    assert_eq!(by_hash["result"], pending[first.nonce().to_string()]);
    let from = ask(&rpc, "txpool_contentFrom", json!([first.from]));
    assert_eq!(from["result"], json!({"pending": pending, "queued": {}}));
    let next = pending.as_object().unwrap().len();
    let count =
        |block: &str| ask(&rpc, "eth_getTransactionCount", json!([first.from, block]))["result"].clone();
    assert_eq!((count("pending"), count("latest")), (json!(format!("{next:#x}")), json!("0x0")));
    let inspected = ask(&rpc, "txpool_inspect", json!([]));
    assert_eq!(
        inspected["result"]["pending"][&sender]["0"],
        "0xaa00000000000000000000000000000000000000: 10 wei + 25000 gas × 27399064 wei"
    );
    let text = inspected["result"]["pending"][&sender]["1"].as_str().unwrap();
    assert!(text.starts_with("contract creation: 42 wei + 60000 gas × "), "{text}");
}

#[test]
fn a_pool_that_is_not_known_is_refused_where_only_it_can_tell() {
    let settings = crate::mempool::Settings {
        topic: String::new(),
        bytes_max: 1,
        silence_max: std::time::Duration::from_secs(1),
    };
    let Some(rpc) = serving(Mempool::new(&settings)) else { return };
    let nobody = json!("0x0000000000000000000000000000000000000001");
    let unknown = json!(format!("0x{}", "5a".repeat(32)));
    for (method, params) in [
        ("txpool_content", json!([])),
        ("txpool_inspect", json!([])),
        ("txpool_status", json!([])),
        ("txpool_contentFrom", json!([nobody])),
        ("eth_getTransactionCount", json!([nobody, "pending"])),
        ("eth_getTransactionByHash", json!([unknown])),
        ("eth_getRawTransactionByHash", json!([unknown])),
        ("debug_getRawTransaction", json!([unknown])),
    ] {
        assert_eq!(ask(&rpc, method, params)["error"]["code"], codes::POOL_AWAY, "{method}");
    }
    for (method, params, expect) in [
        ("eth_getTransactionCount", json!([nobody, "latest"]), json!("0x0")),
        ("eth_getTransactionReceipt", json!([unknown]), Value::Null),
        ("eth_pendingTransactions", json!([]), json!([])),
    ] {
        assert_eq!(ask(&rpc, method, params)["result"], expect, "{method}");
    }
    let subscribed = |params: &str| {
        runtime().block_on(async {
            let pin = Arc::new(rpc.pin(None).await);
            let raw: Box<serde_json::value::RawValue> = serde_json::from_str(params).unwrap();
            let kind: Vec<Value> = serde_json::from_str(params).unwrap();
            let kind = kind[0].as_str().unwrap().to_owned();
            rpc.subscribe(&pin, "eth", &kind, Some(&raw)).await.map(drop).map_err(|error| error.code)
        })
    };
    assert_eq!(subscribed(r#"["newPendingTransactions"]"#), Err(codes::POOL_AWAY));
    assert_eq!(subscribed(r#"["droppedTransactions"]"#), Err(codes::POOL_AWAY));
    assert_eq!(subscribed(r#"["droppedTransactions",{"scope":"mine"}]"#), Err(codes::INVALID_PARAMS));
    // Outcomes are another matter.
    assert_eq!(subscribed(r#"["droppedTransactions",{"scope":"own"}]"#), Err(codes::SERVER));
}
