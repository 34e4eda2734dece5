//! Walks held to the state roots of their blocks: nothing is missing, nothing invented, page after page.

use crate::rpc::tests::{ask, check, fake, rpc};
use alloy::primitives::{B256, U256, keccak256};
use alloy::rlp;
use alloy_trie::{EMPTY_ROOT_HASH, HashBuilder, Nibbles, TrieAccount};
use maidenlane_jsonrpc::codes;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A contract with slots.
const CONTRACT: &str = "0x7dcd17433742f4c0ca53122ab541d0ba67fc27df";
const NOBODY: &str = "0x1111111111111111111111111111111111111111";

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

fn root_of(leaves: &BTreeMap<B256, Vec<u8>>) -> B256 {
    let mut hashes = HashBuilder::default();
    for (key, leaf) in leaves {
        hashes.add_leaf(Nibbles::unpack(key), leaf);
    }
    hashes.root()
}

/// Items under `field` of all pages, by key.
fn pages(field: &str, next: &str, mut ask_from: impl FnMut(&str) -> Value) -> BTreeMap<String, Value> {
    let (mut all, mut from) = (BTreeMap::new(), "0x".to_owned());
    loop {
        let page = ask_from(&from);
        for (key, value) in page[field].as_object().unwrap_or_else(|| panic!("{page}")) {
            assert_eq!(all.insert(key.clone(), value.clone()), None, "{key} twice");
        }
        match page[next].as_str() {
            Some(key) => from = key.to_owned(),
            None => return all,
        }
    }
}

#[test]
fn pages_make_up_the_state_of_their_block() {
    let Some(chain) = fake::chain() else { return };
    let rpc = rpc(Arc::new(crate::rpc::tests::still::Still::new(chain)));
    for number in (0..=54_u64).step_by(9) {
        let tag = format!("{number:#x}");
        let block = ask(&rpc, "eth_getBlockByNumber", json!([tag, false]))["result"].clone();
        let accounts = pages("accounts", "next", |from| {
            let answer = ask(&rpc, "debug_accountRange", json!([tag, from, 3, false, true, true]));
            let root: B256 = read(&block["stateRoot"]);
            assert_eq!(answer["result"]["root"], format!("{root:x}"));
            answer["result"].clone()
        });
        let mut leaves = BTreeMap::new();
        for (name, account) in &accounts {
            let key: B256 = read(&account["key"]);
            assert_eq!(*name, format!("pre({key})"));
            let leaf = TrieAccount {
                nonce: account["nonce"].as_u64().expect("a number"),
                balance: account["balance"].as_str().expect("text").parse::<U256>().expect("decimal"),
                storage_root: read(&account["root"]),
                code_hash: read(&account["codeHash"]),
            };
            let code: Option<alloy::primitives::Bytes> = read(&account["code"]);
            assert_eq!(keccak256(code.unwrap_or_default()), leaf.code_hash, "{account}");
            leaves.insert(key, rlp::encode(leaf));
        }
        assert_eq!(root_of(&leaves), read::<B256>(&block["stateRoot"]), "block {number}");
    }
}

#[test]
fn pages_make_up_the_storage_before_a_block() {
    let Some(chain) = fake::chain() else { return };
    let rpc = rpc(Arc::new(crate::rpc::tests::still::Still::new(chain)));
    let mut seen = 0;
    for number in 1..=54_u64 {
        let before = format!("{:#x}", number - 1);
        let proof = ask(&rpc, "eth_getProof", json!([CONTRACT, [], before]))["result"].clone();
        let root: B256 = read(&proof["storageHash"]);
        if root == EMPTY_ROOT_HASH || root.is_zero() {
            let empty = json!({"storage": null, "nextKey": null});
            let answer =
                ask(&rpc, "debug_storageRangeAt", json!([format!("{number:#x}"), 0, CONTRACT, "0x", 2]));
            assert_eq!(answer["result"], empty, "{number}");
            continue;
        }
        let slots = pages("storage", "nextKey", |from| {
            let params = json!([format!("{number:#x}"), 0, CONTRACT, from, 2]);
            ask(&rpc, "debug_storageRangeAt", params)["result"].clone()
        });
        let leaf = |slot: &Value| rlp::encode(read::<U256>(&slot["value"]));
        let leaves = slots.iter().map(|(key, slot)| (read(&json!(key)), leaf(slot))).collect();
        assert_eq!(root_of(&leaves), root, "block {number}");
        seen += slots.len();
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn what_cannot_be_walked_is_refused_in_geths_words() {
    let Some(chain) = fake::chain() else { return };
    let text = |method, params: Value| {
        ask(&rpc(Arc::new(crate::rpc::tests::still::Still::new(chain.clone()))), method, params)["error"]["message"].clone()
    };
    let dump = "debug_dumpBlock";
    assert_eq!(text(dump, json!(["pending"])), "pending state is not available");
    assert_eq!(text(dump, json!(["0x100"])), "block #256 not found");
    assert_eq!(text(dump, json!(["earliest"])), "block #-5 not found");
    let slots = "debug_storageRangeAt";
    assert_eq!(text(slots, json!(["0x0", 0, CONTRACT, "0x", 1])), "no transaction in genesis");
    let far = text(slots, json!(["0x1", 99, CONTRACT, "0x", 1]));
    assert!(far.as_str().is_some_and(|text| text.starts_with("transaction index 99 out of range")), "{far}");
    let modified = "debug_getModifiedAccountsByNumber";
    assert_eq!(
        text(modified, json!([5, 5])),
        "start block height (5) must be less than end block height (5)"
    );
    assert_eq!(text(modified, json!([0])), "block 0 has no parent");
    assert_eq!(text(modified, json!([256, 5])), "start block 100 not found");
    assert_eq!(text(modified, json!([5, 256])), "end block 256 not found");
    // The chain here keeps nothing to undo.
    check(&chain, modified, json!([5, 6]), Err(codes::PRUNED));
    check(&chain, modified, json!(["0x5"]), Err(codes::INVALID_PARAMS));
    check(&chain, slots, json!(["0x5", 0, NOBODY, "0x", 1]), Ok(json!({"storage": null, "nextKey": null})));
    // No address is known: without `incompletes` no account is written.
    let empty =
        ask(&rpc(Arc::new(crate::rpc::tests::still::Still::new(chain))), dump, json!(["latest"]))["result"]
            .clone();
    assert_eq!(empty["accounts"], json!({}));
}
