//! Tests of the golden bytes. They change only with a new schema or frame version; `UPDATE_GOLDEN=1` writes them anew,
//! and the diff of the files is what a reviewer approves.

use super::sample;
use crate::{
    BundleFate, Filter, NodePart, NodeSet, Order, Outcome, PoolChange, Refusal, RelayBeat, Sealed,
    Transaction, decode, encode, frame, frame_to_json, to_json,
};
use std::path::PathBuf;

fn check(name: &str, bytes: &[u8], json: &serde_json::Value) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    #[expect(clippy::disallowed_methods, reason = "regeneration is a deliberate act of a developer")]
    if std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1") {
        std::fs::write(&path, format!("{}\n{json:#}\n", hex(bytes))).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let (golden_hex, golden_json) = golden.split_once('\n').unwrap_or_default();
    let place = path.display();
    assert_eq!(hex(bytes), golden_hex, "{place}: a format change needs a version, see FORMAT.md");
    // Parsed, for the order of keys in text depends on which features other crates enable.
    assert_eq!(Some(json), serde_json::from_str(golden_json).ok().as_ref(), "{place}");
}

/// JSON of an entry of any topic, as the operator's commands print it.
fn as_json(bytes: &[u8]) -> serde_json::Value {
    crate::entry_to_json(bytes).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn records() {
    for (stamped, schema) in sample::all().iter().zip(crate::schema::SCHEMAS) {
        let bytes = encode(stamped);
        assert_eq!(bytes[2..10], schema.fingerprint.to_le_bytes());
        check(&format!("record-{}.txt", schema.name), &bytes, &to_json(stamped));
        assert_eq!(as_json(&bytes), to_json(stamped));
        assert_eq!(decode(&bytes).as_ref(), Ok(stamped));
    }
}

#[test]
fn transactions() {
    let transaction = sample::transaction();
    let bytes = transaction.encode();
    check("record-transaction.txt", &bytes, &as_json(&bytes));
    assert_eq!(Transaction::decode(&bytes), Ok(transaction));
    let tagged = sample::tagged_transaction();
    let bytes = tagged.encode();
    check("record-transaction-2.txt", &bytes, &as_json(&bytes));
    assert_eq!(Transaction::decode(&bytes), Ok(tagged));
}

#[test]
fn outcomes() {
    for (name, outcome) in sample::outcomes() {
        let bytes = outcome.encode();
        check(&format!("record-outcome-{name}.txt"), &bytes, &as_json(&bytes));
        assert_eq!(Outcome::decode(&bytes), Ok(outcome));
    }
}

#[test]
fn refusals() {
    for (name, refusal) in [("refusal", sample::refusal()), ("refusal-2", sample::refusal_of_somebody())] {
        let bytes = refusal.encode();
        check(&format!("record-{name}.txt"), &bytes, &as_json(&bytes));
        assert_eq!(Refusal::decode(&bytes), Ok(refusal));
    }
}

#[test]
fn pool_changes() {
    for (name, change) in sample::pool_changes() {
        let bytes = change.encode();
        check(&format!("record-pool-{name}.txt"), &bytes, &as_json(&bytes));
        assert_eq!(PoolChange::decode(&bytes), Ok(change));
    }
}

#[test]
fn filters() {
    for (filter, name) in sample::filters().into_iter().zip(["filter-moved", "filter-criteria"]) {
        let bytes = filter.encode();
        check(&format!("record-{name}.txt"), &bytes, &as_json(&bytes));
        assert_eq!(Filter::decode(&bytes), Ok(filter));
    }
}

#[test]
fn private_orders() {
    let [named, private] = sample::bundle_cancels().map(Order::Cancel);
    let bundles = [sample::bundle(), sample::bundle_for_the_mempool()];
    let [first, second] = bundles.map(|bundle| Order::Bundle(Box::new(bundle)));
    let orders = [("", first), ("-2", second), ("-cancel", named), ("-cancel-2", private)];
    for (name, order) in orders {
        let bytes = order.encode();
        check(&format!("record-bundle{name}.txt"), &bytes, &as_json(&bytes));
        // Ids are in the log: another one for the same content, and what was delivered is delivered again.
        check(
            &format!("content-bundle{name}.txt"),
            order.content().reveal().as_slice(),
            &serde_json::Value::Null,
        );
        assert_eq!(Order::decode(&bytes), Ok(order));
    }
    for (name, fate) in sample::bundle_fates() {
        let bytes = fate.encode();
        check(&format!("record-bundle-fate-{name}.txt"), &bytes, &as_json(&bytes));
        assert_eq!(BundleFate::decode(&bytes), Ok(fate));
    }
    let beat = sample::relay_beat();
    let bytes = beat.encode();
    check("record-relay-beat.txt", &bytes, &as_json(&bytes));
    assert_eq!((RelayBeat::is_one(&bytes), RelayBeat::decode(&bytes)), (true, Ok(beat)));
    let sealed = sample::sealed();
    let bytes = sealed.encode();
    check("record-sealed.txt", &bytes, &as_json(&bytes));
    assert_eq!(Sealed::decode(&bytes), Ok(sealed));
}

#[test]
fn nodes() {
    let set = sample::node_set();
    check("record-node-set.txt", &set.encode(), &as_json(&set.encode()));
    assert_eq!(NodeSet::decode(&set.encode()), Ok(set));
    let part = sample::node_part();
    check("record-node-part.txt", &part.encode(), &as_json(&part.encode()));
    assert_eq!(NodePart::decode(&part.encode()), Ok(part));
}

#[test]
fn frames() {
    for (index, frame) in frame::tests::all().iter().enumerate() {
        let json = frame_to_json(frame);
        let kind = json["frame"].as_str().unwrap().to_lowercase();
        check(&format!("frame-{index:02}-{kind}.txt"), &frame::encode(frame), &json);
    }
}
