//! Tests of bundles: the public vectors of other builders, and every mistake.

use super::{
    Asked, Checked, Circumstances, assemble, read, read_end_of_block, replacement, transactions, version,
};
use crate::fields::Fields;
use crate::ids::{bundle_hash, uuid};
use crate::refusal::Refusal;
use maidenlane_chain::{Address, B256};
use maidenlane_wire::{BundleKind, BundleVersion, Cancelled, Taken};
use serde_json::{Value, json};

/// Three transactions of mainnet and Sepolia, and bundles of them with the hashes and UUIDs that rbuilder and go-utils give them.
fn vectors() -> Value {
    serde_json::from_str(include_str!("../../golden/bundles.json")).unwrap()
}

fn transaction(name: &str) -> String {
    vectors()["transactions"][name].as_str().unwrap().to_owned()
}

fn hash_of(name: &str) -> B256 {
    let txs = transactions(&[transaction(name).parse().unwrap()], usize::MAX).unwrap();
    *txs[0].tx.tx_hash()
}

fn circumstances(next: u64) -> Circumstances {
    Circumstances {
        taken: Taken { relay: [1; 16], identity: None, at_ms: 7 },
        signer: Address::repeat_byte(0x33),
        chain_id: 1,
        next,
        head_s: 100,
        ahead_max: 50,
        bytes_max: 100_000,
        mempool: true,
    }
}

#[test]
fn hashes_and_uuids_are_those_of_other_builders() {
    for vector in vectors()["bundles"].as_array().unwrap() {
        let mut bundle = vector["bundle"].clone();
        let names: Vec<String> = serde_json::from_value(bundle["txs"].take()).unwrap();
        bundle["txs"] = names.iter().map(|name| transaction(name)).collect();
        // Some have hashes of no transaction of theirs, which here is a mistake; what they are called is the same.
        let fields = Fields::read(&bundle.to_string()).unwrap();
        let (name, version) = (replacement(&fields).unwrap(), version(&fields).unwrap());
        let txs = transactions(&fields.txs, usize::MAX).unwrap();
        let bundle = assemble(fields, name, version, &txs, &circumstances(0)).unwrap();
        let hash = bundle_hash(&txs.iter().map(|sent| *sent.tx.tx_hash()).collect::<Vec<_>>());
        assert_eq!(hash.to_string(), vector["hash"], "{vector}");
        assert_eq!(uuid(&bundle, hash).to_string(), vector["uuid"], "{vector}");
    }
}

/// A bundle of the transactions `a` and `c` with more fields.
fn bundle(more: Value) -> String {
    let mut bundle = json!({ "txs": [transaction("a"), transaction("c")], "blockNumber": "0x14" });
    bundle.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    bundle.to_string()
}

fn taken(json: &str) -> Checked {
    match read(json, &circumstances(20)) {
        Ok(Asked::Bundle(checked)) => *checked,
        other => panic!("{json}: {other:?}"),
    }
}

#[test]
fn a_bundle_keeps_what_was_asked_for() {
    let (a, c) = (hash_of("a"), hash_of("c"));
    let checked = taken(&bundle(json!({
        "revertingTxHashes": [a], "droppingTxHashes": [c], "replacementUuid": "D9A3AE5279A25CE9A687E2AA4183D5C6",
        "replacementNonce": 4, "refundPercent": 90, "delayedRefund": true, "minTimestamp": 5, "maxTimestamp": 101,
        "builders": ["one"], "desiredState": "BottomOfBlock", "targetAddresses": [Address::ZERO],
    })));
    let bundle = &checked.bundle;
    assert_eq!(
        (bundle.kind, bundle.version, bundle.blocks),
        (BundleKind::EndOfBlock, BundleVersion::V2, (20, 20))
    );
    assert_eq!((&bundle.reverting[..], &bundle.dropping[..]), (&[a][..], &[c][..]));
    assert_eq!(bundle.replacement.as_deref(), Some("d9a3ae52-79a2-5ce9-a687-e2aa4183d5c6"));
    assert_eq!((bundle.nonce, bundle.signer), (Some(4), Address::repeat_byte(0x33)));
    let refund = bundle.refund.unwrap();
    assert_eq!((refund.percent, refund.tx, refund.delayed), (90, c, true), "of the last transaction");
    assert_eq!(checked.hashes.reveal(), &[a, c]);
    assert_eq!(Checked::again(bundle.clone()), Ok(checked));
}

#[test]
fn what_is_not_said_means_what_it_means_elsewhere() {
    let plain = taken(&bundle(json!({ "blockNumber": null, "minTimestamp": 0, "maxTimestamp": 0 })));
    let Checked { bundle: plain, .. } = plain;
    assert_eq!((plain.blocks, plain.min_timestamp, plain.max_timestamp), ((20, 20), None, None));
    assert_eq!((plain.version, plain.refund), (BundleVersion::V2, None));
    assert_eq!(
        taken(&bundle(json!({ "refundPercent": 0, "refundRecipient": Address::ZERO }))).bundle.refund,
        None
    );
    let by_index = taken(&bundle(json!({ "refundPercent": 1, "refundIndex": 0 }))).bundle.refund.unwrap();
    assert_eq!(by_index.tx, hash_of("a"));
}

#[test]
fn one_order_has_one_id() {
    let (a, c) = (hash_of("a"), hash_of("c"));
    let one = taken(&bundle(json!({ "revertingTxHashes": [a, c] }))).content;
    let same =
        [json!({ "revertingTxHashes": [c, a] }), json!({ "revertingTxHashes": [a, c], "version": "v2" })];
    for same in same {
        assert_eq!(taken(&bundle(same.clone())).content, one, "{same}");
    }
    let others = [
        json!({}),
        json!({ "revertingTxHashes": [a] }),
        json!({ "revertingTxHashes": [a, c], "version": "v1" }),
    ];
    for other in others {
        assert_ne!(taken(&bundle(other.clone())).content, one, "{other}");
    }
    let mut another = circumstances(20);
    another.signer = Address::repeat_byte(0x34);
    match read(&bundle(json!({ "revertingTxHashes": [a, c] })), &another) {
        Ok(Asked::Bundle(checked)) => assert_ne!(checked.content, one, "of another signer"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_transactions_are_a_cancel() {
    for txs in ["\"txs\":[],", "\"txs\":null,", ""] {
        let json = format!("{{{txs}\"replacementUuid\":\"any name\",\"version\":\"v9\",\"blockNumber\":1}}");
        let expect = Refusal::Name { field: "replacementUuid", most: 64 };
        assert_eq!(read(&json, &circumstances(20)).unwrap_err(), expect, "{json}");
        let json = json
            .replace("any name", "any-name")
            .replace("\"version\"", "\"replacementNonce\":49,\"version\"");
        let Ok(Asked::Cancel(cancel)) = read(&json, &circumstances(20)) else { panic!("{json}") };
        let expect = Cancelled::Replacement { name: "any-name".to_owned(), nonce: Some(49) };
        assert!(cancel.of == expect && cancel.signer == Address::repeat_byte(0x33), "{json}");
    }
    assert_eq!(read("{}", &circumstances(20)), Err(Refusal::Empty));
}

#[track_caller]
fn check(more: Value, expect: Refusal) {
    let json = bundle(more);
    assert_eq!(read(&json, &circumstances(20)).expect_err(&json), expect, "{json}");
}

#[test]
fn every_mistake_has_its_own_refusal() {
    let (a, unknown) = (hash_of("a"), B256::repeat_byte(7));
    let tx = transaction("a");
    check(
        json!({ "txs": [tx, "0x02c0"] }),
        Refusal::Transaction { index: 1, problem: "rlp: input too short".to_owned() },
    );
    check(
        json!({ "txs": [tx, "0x7f00"] }),
        Refusal::Transaction { index: 1, problem: "transaction type not supported".to_owned() },
    );
    check(json!({ "txs": [tx, transaction("b")] }), Refusal::Chain { index: 1, chain_id: 1 });
    check(json!({ "txs": [tx, tx] }), Refusal::TransactionTwice { index: 1 });
    check(
        json!({ "revertingTxHashes": [a, unknown] }),
        Refusal::NotInBundle { field: "revertingTxHashes", index: 1 },
    );
    check(
        json!({ "droppingTxHashes": [unknown] }),
        Refusal::NotInBundle { field: "droppingTxHashes", index: 0 },
    );
    check(json!({ "droppingTxHashes": [a, a] }), Refusal::HashTwice { field: "droppingTxHashes", index: 1 });
    check(
        json!({ "droppingTxHashes": [a], "revertingTxHashes": [a] }),
        Refusal::RevertingAndDropping { index: 0 },
    );
    check(json!({ "version": "v3" }), Refusal::Version);
    check(json!({ "version": "v1", "droppingTxHashes": [a] }), Refusal::Later { field: "droppingTxHashes" });
    check(json!({ "version": "v1", "refundPercent": 1 }), Refusal::Later { field: "refundPercent" });
    check(
        json!({ "version": "v1", "refundRecipient": Address::ZERO }),
        Refusal::Later { field: "refundRecipient" },
    );
    check(json!({ "version": "v1", "refundTxHashes": [a] }), Refusal::Later { field: "refundTxHashes" });
    check(json!({ "minTimestamp": 300, "maxTimestamp": 299 }), Refusal::TimesReversed);
    check(json!({ "maxTimestamp": 100 }), Refusal::Expired { head_s: 100 });
    check(json!({ "blockNumber": 19 }), Refusal::Past { next: 20 });
    check(json!({ "blockNumber": 71 }), Refusal::TooFar { most: 70 });
    check(json!({ "refundPercent": 100 }), Refusal::RefundPercent);
    check(
        json!({ "refundRecipient": Address::ZERO }),
        Refusal::RefundWithoutPercent { field: "refundRecipient" },
    );
    check(json!({ "refundPercent": 1, "refundTxHashes": [a, a] }), Refusal::RefundHashes);
    check(
        json!({ "refundPercent": 1, "refundTxHashes": [unknown] }),
        Refusal::NotInBundle { field: "refundTxHashes", index: 0 },
    );
    check(
        json!({ "refundPercent": 1, "refundTxHashes": [a], "refundIndex": 1 }),
        Refusal::Contradiction { field: "refundIndex", other: "refundTxHashes" },
    );
    check(json!({ "desiredState": "TopOfBlock" }), Refusal::Place);
    check(json!({ "targetPools": [Address::ZERO] }), Refusal::TargetsWithoutPlace { field: "targetPools" });
    let bottom = "BottomOfBlock";
    check(
        json!({ "desiredState": bottom, "targetAddresses": [Address::ZERO], "targetSlots": [] }),
        Refusal::Targets,
    );
    check(json!({ "replacementNonce": 1 }), Refusal::NonceWithoutName { field: "replacementNonce" });
    let mut small = circumstances(20);
    small.bytes_max = 1_000;
    let refusal = read(&bundle(json!({})), &small).unwrap_err();
    assert_eq!(refusal.reason(), "tooLarge");
}

#[test]
fn the_place_of_a_bundle_is_told_by_the_method_too() {
    let json = bundle(json!({ "targetPools": [Address::ZERO] }));
    let Ok(Asked::Bundle(checked)) = read_end_of_block(&json, &circumstances(20)) else { panic!("{json}") };
    assert_eq!((checked.bundle.kind, checked.bundle.targets.len()), (BundleKind::EndOfBlock, 1));
}

#[test]
fn refusals_repeat_nothing_of_an_order() {
    let tx = transaction("a");
    let mistakes = [
        json!({ "txs": [tx, tx] }),
        json!({ "txs": [tx, format!("{}00", transaction("b"))] }),
        json!({ "revertingTxHashes": [B256::repeat_byte(0xa7)] }),
        json!({ "replacementUuid": "a name that is none" }),
        json!({ "a7a7a7a7a7": 1 }),
    ];
    for more in mistakes {
        let refusal = read(&bundle(more), &circumstances(20)).unwrap_err();
        for shown in [refusal.to_string(), format!("{refusal:?}")] {
            let said =
                ["a7a7", "0x02", "f24a01ae", "that is none"].iter().find(|piece| shown.contains(*piece));
            assert_eq!(said, None, "{shown}");
        }
    }
    let shown = format!("{:?}", read(&bundle(json!({})), &circumstances(20)));
    assert!(!shown.contains("0x02") && !shown.contains("[2,"), "{shown}");
}
