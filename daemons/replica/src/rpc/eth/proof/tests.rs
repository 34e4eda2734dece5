//! Proofs held to another implementation's verifier, and requests that get none.

use crate::rpc::tests::{ask, fake, rpc};
use alloy::primitives::{B256, Bytes, U256, keccak256};
use alloy::rlp;
use alloy_trie::proof::verify_proof;
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles, TrieAccount};
use maidenlane_jsonrpc::codes;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;

/// A contract with slots.
const CONTRACT: &str = "0x7dcd17433742f4c0ca53122ab541d0ba67fc27df";
/// Beneficiary of every block, whose balance grows with each.
const COINBASE: &str = "0x0000000000000000000000000000000000000000";
const NOBODY: &str = "0x1111111111111111111111111111111111111111";

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

fn check_proof(root: B256, key: B256, value: Option<Vec<u8>>, proof: &Value) {
    let proof: Vec<Bytes> = read(proof);
    verify_proof(root, Nibbles::unpack(key), value, &proof)
        .unwrap_or_else(|error| panic!("{error}: {proof:?}"));
}

/// Checks an answer's account and slots against the state root alone.
fn check_answer(root: B256, address: &str, answer: &Value) {
    let account = TrieAccount {
        nonce: read::<U256>(&answer["nonce"]).to(),
        balance: read(&answer["balance"]),
        storage_root: read(&answer["storageHash"]),
        code_hash: read(&answer["codeHash"]),
    };
    let exists = !account.code_hash.is_zero();
    assert_eq!(exists, !account.storage_root.is_zero(), "{answer}");
    let key = keccak256(read::<alloy::primitives::Address>(&json!(address)));
    check_proof(root, key, exists.then(|| rlp::encode(account)), &answer["accountProof"]);
    let storage_root = if exists { account.storage_root } else { EMPTY_ROOT_HASH };
    for slot in answer["storageProof"].as_array().expect("a list") {
        let (key, value): (U256, U256) = (read(&slot["key"]), read(&slot["value"]));
        let leaf = (!value.is_zero()).then(|| rlp::encode(value));
        check_proof(storage_root, keccak256(B256::from(key)), leaf, &slot["proof"]);
    }
}

#[test]
fn every_answer_follows_from_its_block_s_state_root() {
    let Some(chain) = fake::chain() else { return };
    let rpc = rpc(Arc::new(crate::rpc::tests::still::Still::new(chain)));
    let mut slots = 0;
    for number in (0..=54_u64).step_by(6) {
        let tag = format!("{number:#x}");
        let block = ask(&rpc, "eth_getBlockByNumber", json!([tag, false]));
        let root = read(&block["result"]["stateRoot"]);
        for address in [CONTRACT, COINBASE, NOBODY] {
            let answer = ask(&rpc, "eth_getProof", json!([address, ["0x0", "0x1", "0xff"], tag]));
            check_answer(root, address, &answer["result"]);
            let proofs = answer["result"]["storageProof"].as_array().expect("a list");
            slots += proofs.iter().filter(|slot| slot["value"] != "0x0").count();
            let by_hash = json!({"blockHash": block["result"]["hash"], "requireCanonical": true});
            let again = ask(&rpc, "eth_getProof", json!([address, ["0x0", "0x1", "0xff"], by_hash]));
            assert_eq!(again, answer);
        }
    }
    assert!(slots > 5, "{slots} slots that are something");
}

#[test]
fn keys_are_read_and_told_as_geth_does() {
    let Some(chain) = fake::chain() else { return };
    let rpc = rpc(Arc::new(crate::rpc::tests::still::Still::new(chain)));
    let key_of = |key: Value| {
        let answer = ask(&rpc, "eth_getProof", json!([CONTRACT, [key], "latest"]));
        answer["result"]["storageProof"][0]["key"].as_str().map(str::to_owned).ok_or(answer["error"].clone())
    };
    let whole = format!("0x{:0>64}", "1");
    for (key, expect) in
        [("0x1", "0x1"), ("1", "0x1"), ("0x0001", "0x1"), ("", "0x0"), ("0X10", "0x10"), (&whole, &whole)]
    {
        assert_eq!(key_of(json!(key)).as_deref(), Ok(expect), "{key}");
    }
    assert_eq!(key_of(Value::Null).as_deref(), Ok("0x0"));
    for (key, message) in [
        (format!("{whole}00"), "storage key too long (want at most 32 bytes)"),
        ("0xg0".to_owned(), "invalid hex in storage key"),
    ] {
        let error = json!({"code": codes::INVALID_PARAMS, "message": format!("{message}: {key:?}")});
        assert_eq!(key_of(json!(key)), Err(error));
    }
    let many = |count: usize| ask(&rpc, "eth_getProof", json!([NOBODY, vec!["0x0"; count]]));
    let message = "too many storage keys requested (max 1024, got 1025)";
    assert_eq!(many(1_025)["error"], json!({"code": codes::INVALID_PARAMS, "message": message}));
    assert_eq!(many(1_024)["result"]["storageProof"].as_array().map(Vec::len), Some(1_024));
    assert_eq!(ask(&rpc, "eth_getProof", json!([NOBODY, null]))["result"]["storageProof"], json!([]));
    let missing = ask(&rpc, "eth_getProof", json!([NOBODY]));
    assert_eq!(missing["error"]["code"], codes::INVALID_PARAMS, "{missing}");
    let unknown = ask(&rpc, "eth_getProof", json!([NOBODY, [], "0x37"]));
    assert_eq!(unknown["error"], json!({"code": codes::SERVER, "message": "header not found"}));
}

#[test]
fn what_cannot_be_proved_is_told() {
    let Some(chain) = fake::chain() else { return };
    let error = |chain: fake::Chain, tag: &str| {
        ask(
            &rpc(Arc::new(crate::rpc::tests::still::Still::new(chain))),
            "eth_getProof",
            json!([NOBODY, [], tag]),
        )["error"]
            .clone()
    };
    let window = chain.clone().with_head(|head| head.proofs_floor = Some(50));
    assert_eq!(error(window.clone(), "0x32"), Value::Null);
    let message = "proofs are kept of the blocks from 50 to 54";
    assert_eq!(error(window.clone(), "0x31"), json!({"code": codes::PRUNED, "message": message}));
    let message = "proofs are not kept by this replica: its setting `proofs` is None";
    assert_eq!(error(chain.without_trie(), "latest"), json!({"code": codes::SERVER, "message": message}));
    let kept =
        ask(&rpc(Arc::new(crate::rpc::tests::still::Still::new(window))), "eth_capabilities", json!([]));
    assert_eq!(kept["result"]["stateproofs"], json!({"disabled": false, "oldestBlock": "0x32"}));
}
