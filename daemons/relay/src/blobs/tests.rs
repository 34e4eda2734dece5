//! Tests of blob transactions: the order that they become, and every mistake.

use super::read;
use crate::bundle::{Asked, Checked, Circumstances};
use crate::refusal::Refusal;
use alloy::consensus::{
    BlobTransactionSidecar, BlobTransactionSidecarVariant, TxEip1559, TxEip4844, TxEip4844WithSidecar,
};
use alloy::eips::eip4844::{Blob, Bytes48};
use maidenlane_chain::{Address, B256, Bytes};
use maidenlane_testkit::keys::{CHAIN_ID, Key};
use maidenlane_wire::{BundleKind, Taken};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

fn circumstances() -> Circumstances {
    Circumstances {
        taken: Taken { relay: [1; 16], identity: None, at_ms: 7 },
        signer: Address::repeat_byte(1),
        chain_id: CHAIN_ID,
        next: 20,
        head_s: 100,
        ahead_max: 50,
        bytes_max: 2_000_000,
        mempool: true,
    }
}

/// A transaction with so many blobs of zeros, whose commitments and proofs are the point at infinity.
fn with_blobs(key: &Key, nonce: u64, count: usize) -> (B256, Bytes) {
    let mut infinity = [0; 48];
    infinity[0] = 0xc0;
    let mut versioned: [u8; 32] = Sha256::digest(infinity).into();
    versioned[0] = 1;
    let tx = TxEip4844 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        max_fee_per_blob_gas: 1,
        blob_versioned_hashes: vec![versioned.into(); count],
        ..TxEip4844::default()
    };
    let points = vec![Bytes48::from(infinity); count];
    let blobs = vec![Blob::ZERO; count];
    let sidecar = BlobTransactionSidecar { blobs, commitments: points.clone(), proofs: points };
    key.sign(TxEip4844WithSidecar { tx, sidecar: BlobTransactionSidecarVariant::Eip4844(sidecar) })
}

fn asked(txs: &[&Bytes], more: &Value) -> String {
    let mut asked = json!({ "txs": txs });
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    asked.to_string()
}

#[track_caller]
fn taken(txs: &[&Bytes], more: &Value) -> Checked {
    match read(&asked(txs, more), &circumstances()) {
        Ok(Asked::Bundle(checked)) => *checked,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check(txs: &[&Bytes], more: &Value, expect: Refusal) {
    assert_eq!(read(&asked(txs, more), &circumstances()).unwrap_err(), expect);
}

#[test]
fn the_most_blobs_are_tried_first_and_each_may_be_left_out() {
    let key = Key::new(B256::repeat_byte(1));
    let [one, two, three] = [1, 2, 3].map(|count| with_blobs(&key, 4, count));
    let checked =
        taken(&[&one.1, &three.1, &two.1], &json!({ "replacementUuid": "blobs", "builders": ["one"] }));
    let bundle = &checked.bundle;
    assert_eq!(checked.hashes.reveal(), &[three.0, two.0, one.0]);
    assert_eq!(bundle.txs, [three.1.clone(), two.1.clone(), one.1.clone()]);
    let mut all = vec![one.0, two.0, three.0];
    all.sort_unstable();
    assert_eq!((&bundle.dropping, bundle.reverting.len()), (&all, 0));
    assert_eq!((bundle.kind, bundle.blocks), (BundleKind::Bundle, (20, 44)));
    assert_eq!((bundle.replacement.as_deref(), bundle.builders.len()), (Some("blobs"), 1));
    assert_eq!(Checked::again(bundle.clone()), Ok(checked.clone()), "as it is read back");
    let turned =
        taken(&[&three.1, &two.1, &one.1], &json!({ "replacementUuid": "blobs", "builders": ["one"] }));
    assert_eq!(turned.content, checked.content, "however they were sorted before");
    assert_eq!(taken(&[&one.1], &json!({ "maxBlockNumber": "0x15" })).bundle.blocks, (20, 21));
    assert_eq!(taken(&[&one.1], &json!({ "MaxBlockNumber": 999 })).bundle.blocks, (20, 70));
}

#[test]
fn what_is_no_choice_between_blobs_is_refused() {
    let (key, other) = (Key::new(B256::repeat_byte(1)), Key::new(B256::repeat_byte(2)));
    let [one, two, three] = [1, 2, 15].map(|count| with_blobs(&key, 4, count).1);
    let plain = TxEip1559 { chain_id: CHAIN_ID, nonce: 4, gas_limit: 21_000, ..TxEip1559::default() };
    let none = json!({});
    check(&[&one, &key.sign(plain).1], &none, Refusal::WithoutBlobs { index: 1 });
    check(&[&one, &with_blobs(&key, 5, 2).1], &none, Refusal::OtherNonce { index: 1 });
    check(&[&one, &with_blobs(&other, 4, 2).1], &none, Refusal::OtherNonce { index: 1 });
    check(&[&two, &one, &one], &none, Refusal::TransactionTwice { index: 2 });
    check(&[], &json!({ "replacementUuid": "blobs" }), Refusal::NoBlobs);
    check(&[&one], &json!({ "maxBlockNumber": "0x13" }), Refusal::Past { next: 20 });
    let revert = format!("{{\"txs\":[\"{one}\"],\"revertingTxHashes\":[]}}");
    let refused = read(&revert, &circumstances()).unwrap_err();
    assert_eq!(refused, Refusal::UnknownField { number: 2, hint: None });
    let bytes = three.len() + one.len();
    check(&[&one, &three], &none, Refusal::TooLarge { bytes, most: 2_000_000 });
    let foreign = Circumstances { chain_id: 1, ..circumstances() };
    let refused = read(&asked(&[&two, &one], &none), &foreign).unwrap_err();
    assert_eq!(refused, Refusal::Chain { index: 0, chain_id: 1 });
}
