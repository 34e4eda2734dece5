//! Tests of block examination: blocks that are what they say, and blocks that are not.

use super::{examine, examine_receipts, examine_roots, examine_senders, transaction_hashes};
use maidenlane_chain::{Address, B256, Bytes, keccak256};
use maidenlane_testkit::spool::{Sample, list, rlp};

/// Examines the block after `damage`.
fn check(damage: impl FnOnce(&mut Vec<Vec<u8>>), expect: Result<(), &str>) {
    let sample = Sample::genesis().child("a");
    let mut parts = vec![sample.header_raw.to_vec(), list(&[]), list(&[])];
    damage(&mut parts);
    match (examine(sample.block.hash, &list(&parts)), expect) {
        (Ok(block), Ok(())) => assert_eq!((block.at, block.header), (sample.block, sample.header)),
        (Err(error), Err(text)) => assert!(error.contains(text), "{error}"),
        (got, expect) => panic!("{got:?} instead of {expect:?}"),
    }
}

#[test]
fn a_block_must_match_its_hash_and_its_header() {
    check(|_| {}, Ok(()));
    check(|parts| parts[0][9] ^= 1, Err("hash"));
    check(|parts| parts[1] = list(&[list(&[rlp(&1_u64)])]), Err("transactions root"));
    check(|parts| parts[2] = list(&[list(&[])]), Err("uncles hash"));
    check(|parts| parts.push(list(&[])), Err("withdrawals root"));
    check(|parts| parts.truncate(2), Err("cannot read the uncles"));
    check(|parts| parts.clear(), Err("cannot read the header"));
}

#[test]
fn a_block_must_join_its_parent() {
    let (parent, sample) = (Sample::genesis(), Sample::genesis().child("a"));
    let block = examine(sample.block.hash, &sample.raw).unwrap();
    let (hash, root) = (parent.block.hash, parent.header.state_root);
    let state = (root, sample.header.state_root);
    examine_roots(&block, (hash, root), state).unwrap();
    assert!(examine_roots(&block, (B256::ZERO, root), state).unwrap_err().contains("parent hash"));
    assert!(examine_roots(&block, (hash, B256::ZERO), state).unwrap_err().contains("root before"));
    assert!(examine_roots(&block, (hash, root), (root, root)).unwrap_err().contains("state root"));
}

#[test]
fn receipts_must_match_their_root() {
    let sample = Sample::genesis().child("a");
    let mut block = examine(sample.block.hash, &sample.raw).unwrap();
    examine_receipts(&block, &list(&[])).unwrap();
    assert!(examine_receipts(&block, &[0xc1]).is_err());
    block.header.receipts_root = B256::ZERO;
    assert!(examine_receipts(&block, &list(&[])).unwrap_err().contains("receipts root"));
}

#[test]
fn every_transaction_has_one_sender_if_any_has() {
    let sample = Sample::genesis().child("a");
    let mut block = examine(sample.block.hash, &sample.raw).unwrap();
    block.transactions = 2;
    let senders = [Address::ZERO; 3];
    examine_senders(&block, None).unwrap();
    examine_senders(&block, senders.get(..2)).unwrap();
    assert!(examine_senders(&block, Some(&senders)).unwrap_err().contains("3 senders for 2 transactions"));
    assert!(examine_senders(&block, Some(&[])).is_err());
}

#[test]
fn typed_items_are_hashed_without_their_prefix() {
    let (legacy, typed) = (list(&[rlp(&1_u64)]), vec![2, 0xc1, 5]);
    let body = list(&[list(&[legacy.clone(), rlp(&Bytes::from(typed.clone()))]), list(&[])]);
    assert_eq!(transaction_hashes(&body).unwrap(), [keccak256(&legacy), keccak256(&typed)]);
    let receipts = maidenlane_chain::receipts::list_of(&[legacy.clone().into(), typed.clone().into()]);
    assert_eq!(receipts.as_ref(), list(&[legacy, rlp(&Bytes::from(typed))]));
}
