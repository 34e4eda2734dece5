//! Answers about a transaction that is decoded alone against those from its whole block.

use crate::rpc::tests::still::Still;
use crate::rpc::tests::{ask, fake};
use crate::rpc::{Rpc, Settings};
use maidenlane_state::StateView as _;
use serde_json::{Value, json};
use std::sync::Arc;

/// Asks a replica that has nothing in its cache twice: the first answer is of a transaction alone, the second of one
/// within its block.
fn twice(chain: &fake::Chain, method: &str, params: &Value) -> [Value; 2] {
    let cold = Rpc::new(Arc::new(Still::new(chain.clone())), Settings::default()).expect("threads");
    [(), ()].map(|()| ask(&cold, method, params.clone()))
}

fn check(chain: &fake::Chain, method: &str, params: &Value) -> Value {
    let [alone, within] = twice(chain, method, params);
    assert_eq!(alone, within, "{method} {params}");
    assert!(alone.get("result").is_some(), "{method} {params}: {alone}");
    alone["result"].clone()
}

#[test]
fn a_transaction_alone_is_that_of_its_block() {
    let Some(chain) = fake::chain() else { return };
    let warm = Rpc::new(Arc::new(Still::new(chain.clone())), Settings::default()).expect("threads");
    let mut seen = 0;
    for number in 0..=chain.head().block.number {
        let tag = json!(format!("{number:#x}"));
        let block = ask(&warm, "eth_getBlockByNumber", json!([tag, true]))["result"].clone();
        let receipts = ask(&warm, "eth_getBlockReceipts", json!([tag]))["result"].clone();
        let txs = block["transactions"].as_array().expect("a list");
        for (index, tx) in txs.iter().enumerate() {
            let (by_hash, nth) = (json!([tx["hash"]]), json!([tag, format!("{index:#x}")]));
            assert_eq!(check(&chain, "eth_getTransactionByHash", &by_hash), *tx);
            assert_eq!(check(&chain, "eth_getTransactionByBlockNumberAndIndex", &nth), *tx);
            assert_eq!(check(&chain, "eth_getTransactionReceipt", &by_hash), receipts[index]);
            assert!(check(&chain, "eth_getRawTransactionByHash", &by_hash).as_str() > Some("0x"));
            seen += 1;
        }
        let beyond = json!([tag, format!("{:#x}", txs.len())]);
        assert_eq!(check(&chain, "eth_getTransactionByBlockNumberAndIndex", &beyond), Value::Null);
        assert_eq!(check(&chain, "eth_getRawTransactionByBlockNumberAndIndex", &beyond), json!("0x"));
    }
    assert!(seen > 50, "{seen} transactions");
}
