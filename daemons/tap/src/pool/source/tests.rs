//! Test of reading transactions as geth writes them.

use super::read;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// Transactions as a real geth wrote them, of all types but with blobs.
fn recorded() -> Vec<Value> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/rpc/eth_getTransactionByHash");
    let text = |index| std::fs::read_to_string(format!("{dir}/0{index}.io")).unwrap();
    let answer = |text: String| {
        let line = text.lines().find_map(|line| line.strip_prefix("<< ")).unwrap().to_owned();
        serde_json::from_str::<Value>(&line).unwrap()["result"].take()
    };
    (0..9).map(text).map(answer).collect()
}

fn raw(json: &Value) -> Box<RawValue> {
    to_raw_value(json).unwrap()
}

#[test]
fn a_transaction_has_the_bytes_of_its_hash_or_is_refused() {
    let mut types = std::collections::BTreeSet::new();
    for mut json in recorded() {
        let held = read(&raw(&json)).unwrap();
        assert_eq!(json["hash"], held.pooled.hash.to_string());
        assert_eq!(json["from"], held.pooled.sender.to_string().to_lowercase());
        types.insert(json["type"].to_string());
        json["value"] = "0x7777".into();
        let refused = read(&raw(&json)).unwrap_err();
        assert!(refused.contains("has the bytes of"), "{refused}");
    }
    assert_eq!(types.len(), 4, "{types:?}");
}
