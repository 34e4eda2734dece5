//! A state of one account with one slot, proved right and wrong.

use super::{Question, choose, verify};
use crate::begin::slim;
use alloy::primitives::{Address, U256};
use alloy::rpc::types::{EIP1186AccountProofResponse, EIP1186StorageProof};
use alloy::serde::JsonStorageKey;
use alloy_trie::nodes::LeafNode;
use alloy_trie::root::{state_root_unhashed, storage_root_unhashed};
use alloy_trie::{Nibbles, TrieAccount};
use maidenlane_chain::{B256, Bytes, keccak256};
use maidenlane_wire::{AccountRow, Rows, SlotRow, StorageRows};

const SLOT: B256 = B256::with_last_byte(5);

fn leaf(key: B256, value: Vec<u8>) -> Bytes {
    alloy::rlp::encode(LeafNode::new(Nibbles::unpack(key), value)).into()
}

/// A state as published, and the master's proof of it.
struct Case {
    rows: Rows,
    root: B256,
    proof: EIP1186AccountProofResponse,
}

fn case() -> Case {
    let (address, value) = (Address::repeat_byte(7), U256::from(1234));
    let storage_root = storage_root_unhashed([(SLOT, value)]);
    let account = TrieAccount { nonce: 3, balance: U256::from(99), storage_root, ..TrieAccount::default() };
    let slot = EIP1186StorageProof {
        key: JsonStorageKey::Hash(SLOT),
        value,
        proof: vec![leaf(keccak256(SLOT), alloy::rlp::encode(value))],
    };
    let proof = EIP1186AccountProofResponse {
        address,
        account_proof: vec![leaf(keccak256(address), alloy::rlp::encode(account))],
        storage_proof: vec![slot],
        ..EIP1186AccountProofResponse::default()
    };
    let row = SlotRow {
        key: keccak256(SLOT),
        plain: Some(SLOT),
        before: None,
        after: Some(Bytes::from_static(&[4, 210])),
    };
    let rows = Rows {
        accounts: vec![AccountRow { address, before: None, after: Some(slim(&account)) }],
        storage: vec![StorageRows { address, slots: vec![row] }],
        codes: Vec::new(),
    };
    Case { rows, root: state_root_unhashed([(address, account)]), proof }
}

fn check(damage: impl FnOnce(&mut Case), expect: Result<(), &str>) {
    let mut case = case();
    damage(&mut case);
    let questions = choose(&case.rows, 4, |below| below - 1);
    assert_eq!(questions.len(), 1);
    let verdict =
        questions.iter().try_for_each(|question: &Question| verify(question, case.root, &case.proof));
    match (verdict, expect) {
        (Ok(()), Ok(())) => {}
        (Err(error), Err(text)) => assert!(error.contains(text), "{error}"),
        (got, expect) => panic!("{got:?} instead of {expect:?}"),
    }
}

#[test]
fn published_rows_must_be_what_the_master_proves() {
    check(|_| {}, Ok(()));
    check(|case| case.root = B256::ZERO, Err("account"));
    check(|case| case.rows.accounts[0].after = None, Err("account"));
    check(|case| case.rows.storage[0].slots[0].after = Some(Bytes::from_static(&[4, 211])), Err("slot"));
    check(|case| case.rows.storage[0].slots[0].after = None, Err("slot"));
}

#[test]
fn a_slot_filed_under_the_wrong_key_is_found() {
    check(|case| case.rows.storage[0].slots[0].key = SLOT, Err("slot"));
}

#[test]
fn a_proof_must_speak_of_the_slot() {
    check(|case| case.proof.storage_proof.clear(), Err("no proof of slot"));
    // Before Cancun the plain slot is not known: only the account can be proved.
    check(|case| case.rows.storage[0].slots[0].plain = None, Ok(()));
}

#[test]
fn nothing_is_asked_of_blocks_that_change_nothing() {
    assert_eq!(choose(&Rows::default(), 4, |_| 0), Vec::new());
    assert_eq!(choose(&case().rows, 0, |_| 0), Vec::new());
}
