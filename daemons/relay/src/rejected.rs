//! Notices of the feed `rejectedTransactions`, in the shape of a node's feed of the same name. Pure.

use maidenlane_chain::Bytes;
use maidenlane_chain::transaction::sender;
use maidenlane_ethjson::{raw, transaction};
use maidenlane_jsonrpc::Json;
use maidenlane_jsonrpc::json::{Object, push_str};

/// Notice of a transaction, as its sender knows it; `None` for what is none, which no order holds.
#[must_use]
pub fn notice(tx: Bytes, reason: &str) -> Option<Json> {
    let sent = raw::decode(tx).ok()?;
    Some(Json::object(|object| {
        let mut tx = Object::new(object.value("tx"));
        transaction::write(&mut tx, &sent.tx, sender(&sent.tx), None);
        tx.end();
        push_str(object.value("reason"), reason);
    }))
}

#[cfg(test)]
mod tests {
    use super::notice;
    use maidenlane_chain::Bytes;
    use serde_json::Value;

    #[test]
    fn a_notice_has_the_transaction_and_the_reason() {
        let vectors: Value = serde_json::from_str(include_str!("../golden/bundles.json")).unwrap();
        let raw: Bytes = vectors["transactions"]["a"].as_str().unwrap().parse().unwrap();
        let hash = maidenlane_chain::keccak256(&raw).to_string();
        let told: Value = serde_json::from_str(notice(raw, "one: nonce too low").unwrap().as_str()).unwrap();
        assert_eq!((&told["reason"], &told["tx"]["hash"]), (&"one: nonce too low".into(), &hash.into()));
        assert!(told["tx"]["from"].is_string() && told["tx"]["blockHash"].is_null());
        assert!(notice(Bytes::from_static(&[2, 0xc0]), "").is_none());
    }
}
