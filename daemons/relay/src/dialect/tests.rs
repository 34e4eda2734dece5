//! Tests of the dialects: what is said, what is not, and what answers mean.

use super::{Dialect, Unsaid, Verdict};
use maidenlane_chain::{Address, B256, Bytes};
use maidenlane_wire::{Bundle, BundleKind, BundleVersion, Refund, Taken};
use serde_json::{Value, json};
use uuid::Uuid;

const ALL: [Dialect; 3] = [Dialect::Flashbots, Dialect::BuilderNet, Dialect::Titan];

fn order(change: impl FnOnce(&mut Bundle)) -> Bundle {
    let mut bundle = Bundle {
        taken: Taken { relay: [1; 16], identity: None, at_ms: 7 },
        signer: Address::repeat_byte(1),
        kind: BundleKind::Bundle,
        version: BundleVersion::V2,
        txs: vec![Bytes::from_static(&[2, 0xc0])],
        blocks: (20, 20),
        min_timestamp: None,
        max_timestamp: Some(99),
        reverting: vec![B256::repeat_byte(3)],
        dropping: Vec::new(),
        replacement: None,
        nonce: Some(5),
        refund: None,
        refund_identity: None,
        targets: Vec::new(),
        builders: Vec::new(),
        mempool: false,
    };
    change(&mut bundle);
    bundle
}

fn said(dialect: Dialect, order: &Bundle) -> Result<Value, Unsaid> {
    let body = dialect.order(order, 20, Uuid::nil())?;
    Ok(serde_json::from_str(body.reveal()).unwrap())
}

#[test]
fn an_order_is_said_in_every_dialect() {
    for dialect in ALL {
        let request = said(dialect, &order(|_| ())).unwrap();
        assert_eq!((&request["method"], request["id"].as_u64()), (&json!("eth_sendBundle"), Some(1)));
        let mut expect = json!({
            "txs": ["0x02c0"], "blockNumber": "0x14", "maxTimestamp": 99,
            "revertingTxHashes": [B256::repeat_byte(3)], "replacementUuid": Uuid::nil().to_string(),
        });
        if dialect == Dialect::BuilderNet {
            expect["version"] = json!("v2");
            expect["replacementNonce"] = json!(5);
        }
        assert_eq!(request["params"], json!([expect]), "{dialect:?}");
    }
}

#[test]
fn what_a_dialect_has_no_words_for_is_not_left_out() {
    let check = |order: &Bundle, expect: [Option<&'static str>; 3]| {
        let unsaid = ALL.map(|dialect| said(dialect, order).err().map(|Unsaid(field)| field));
        assert_eq!(unsaid, expect);
    };
    check(&order(|_| ()), [None; 3]);
    let dropping = order(|order| order.dropping = vec![B256::repeat_byte(4)]);
    check(&dropping, [Some("droppingTxHashes"), None, None]);
    assert_eq!(
        said(Dialect::Titan, &dropping).unwrap()["params"][0]["droppingTxHashes"],
        json!([B256::repeat_byte(4)])
    );
    let refund = Refund { percent: 9, recipient: Address::ZERO, tx: B256::ZERO, delayed: false };
    check(&order(|order| order.refund = Some(refund)), [Some("refundPercent"), None, None]);
    let last = order(|order| order.kind = BundleKind::EndOfBlock);
    check(&last, [Some("desiredState"), None, Some("desiredState")]);
}

#[test]
fn a_cancel_names_what_it_takes_back() {
    let name = Uuid::nil().to_string();
    for (dialect, method, params) in [
        (Dialect::Flashbots, "eth_cancelBundle", json!({ "replacementUuid": name })),
        (Dialect::Titan, "eth_cancelBundle", json!({ "replacementUuid": name })),
        (Dialect::BuilderNet, "eth_sendBundle", json!({ "replacementUuid": name, "txs": [] })),
    ] {
        let request: Value = serde_json::from_str(dialect.cancel(Uuid::nil()).reveal()).unwrap();
        assert_eq!((&request["method"], &request["params"]), (&json!(method), &json!([params])));
    }
}

#[test]
fn answers_mean_what_builders_mean_by_them() {
    let ours = B256::repeat_byte(9);
    let check = |status: u16, body: &str, expect: &Verdict| {
        assert_eq!(Dialect::Flashbots.verdict(status, body.as_bytes(), Some(ours)), *expect, "{body}");
    };
    check(200, &json!({ "result": { "bundleHash": ours } }).to_string(), &Verdict::Taken);
    check(200, r#"{"result":null}"#, &Verdict::Taken);
    check(200, r#"{"error":null,"result":"0x"}"#, &Verdict::Taken);
    let other = json!({ "result": { "bundleHash": B256::ZERO } }).to_string();
    check(200, &other, &Verdict::Fault("it answered with the hash of another bundle"));
    assert_eq!(Dialect::BuilderNet.verdict(200, other.as_bytes(), Some(ours)), Verdict::Taken);
    assert_eq!(Dialect::Flashbots.verdict(200, other.as_bytes(), None), Verdict::Taken, "to a cancel");
    let error = |code: i64, text: &str| json!({ "error": { "code": code, "message": text } }).to_string();
    check(200, &error(-32_000, "nonce too low"), &Verdict::Refused("nonce too low".to_owned()));
    check(400, &error(-32_602, "bundle with no txs"), &Verdict::Refused("bundle with no txs".to_owned()));
    check(200, &error(-32_000, "Bundle already known"), &Verdict::Taken);
    check(200, &error(-32_005, "slow down"), &Verdict::Busy);
    check(429, &error(-32_000, "Too many requests"), &Verdict::Busy);
    check(500, &error(-32_603, "Internal error"), &Verdict::Fault("internal error"));
    check(429, "slow down", &Verdict::Busy);
    check(502, "<html>", &Verdict::Fault("HTTP status"));
    check(401, "", &Verdict::Fault("it does not let us in"));
    check(200, "[]", &Verdict::Fault("its answer is no JSON"));
    check(200, "{}", &Verdict::Fault("its answer is no JSON-RPC"));
    let long = error(-32_000, &"ä".repeat(5_000));
    let Verdict::Refused(reason) = Dialect::Flashbots.verdict(200, long.as_bytes(), None) else {
        panic!("{long:.80}")
    };
    assert!(reason.len() <= super::REASON_MAX_BYTES && reason.len() > 1_000);
}
