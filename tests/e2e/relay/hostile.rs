//! Input that means harm: each refused with its own error, and nobody waits for it.

use std::time::{Duration, Instant};

use super::{Searcher, World, body, reason};
use maidenlane_tests::{rpc::Client, scenario::Carrier};
use serde_json::{Value, json};

/// Time that one of them may take of everybody's, on a busy machine.
const LONG: Duration = Duration::from_secs(5);

impl World {
    /// The answer to bytes with headers; what is refused before all of it was read may have no answer.
    fn harmed(&mut self, body: &str, headers: &[(&str, &str)]) -> Option<(u16, String)> {
        let begun = Instant::now();
        let answer = Client::new(self.url("rpc")).post_with(body, headers).ok();
        assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
        // And it goes on as before.
        assert!(self.head() > 0);
        answer
    }
}

#[test]
fn what_is_large_deep_or_packed_is_refused_unread() {
    let mut world = World::new(Carrier::Segment);
    // Nothing is unpacked: a bomb is bytes that are no JSON.
    let (status, answer) = world.harmed("\u{1f}\u{8}not json", &[("Content-Encoding", "gzip")]).unwrap();
    assert!(status == 200 && answer.contains("-32700"), "{status} {answer}");

    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    let deep = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_sendBundle\",\"params\":[{deep}]}}");
    let one = Searcher::new(1);
    let (_, answer) = world.harmed(&deep, &[("X-Flashbots-Signature", &one.header(&deep))]).unwrap();
    assert!(answer.contains("notAnObject") || answer.contains("-32700"), "{answer}");

    let large = " ".repeat(100_000_000);
    match world.harmed(&large, &[]) {
        Some((status, answer)) => assert_eq!(status, 413, "{answer}"),
        None => assert!(world.relay.alive().is_ok(), "hung up before all of it was sent"),
    }
}

#[test]
fn a_flood_of_wrong_signatures_keeps_nobody_out() {
    let mut world = World::new(Carrier::Segment);
    let (one, other) = (Searcher::new(1), Searcher::new(2));
    let url = world.url("rpc");
    let asked = body("eth_sendBundle", &json!([{"txs": ["0x02"]}]));
    let header = one.header(&asked).replace(&one.address, &other.address);
    let flood = std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let client = Client::new(&url);
            let refused = |_: &u32| {
                let (_, answer) = client.post_with(&asked, &[("X-Flashbots-Signature", &header)]).unwrap();
                let answer: Value = serde_json::from_str(&answer).unwrap();
                reason(&answer) == "signatureMismatch"
            };
            (0..1_000).filter(refused).count()
        });
        let begun = Instant::now();
        let bundle = world.bundle(&json!({}));
        let taken = world.ask(&one, "eth_sendBundle", &json!([bundle]));
        assert_eq!(taken["result"]["durable"], true, "{taken}");
        assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
        flood.join().unwrap()
    });
    assert_eq!(flood, 1_000, "each with its own error");
}

#[test]
fn windows_and_hashes_that_cannot_be_are_refused_by_name() {
    let mut world = World::new(Carrier::Segment);
    let one = Searcher::new(1);
    let none = format!("0x{}", "07".repeat(32));
    for (more, expect) in [
        (json!({"minTimestamp": 4_000_000_001_u64, "maxTimestamp": 4_000_000_000_u64}), "timestampsReversed"),
        (json!({"minTimestamp": -1}), "wrongType"),
        (json!({"maxTimestamp": 1}), "timestampPast"),
        (json!({"blockNumber": "0x1"}), "blockPast"),
        (json!({"blockNumber": "0xffffff"}), "blockTooFar"),
        (json!({"droppingTxHashes": [none]}), "hashNotInBundle"),
        (json!({"revertingTxHashes": [none]}), "hashNotInBundle"),
        (json!({"refundPercent": 10, "refundTxHashes": [none]}), "hashNotInBundle"),
    ] {
        let bundle = world.bundle(&more);
        let answer = world.ask(&one, "eth_sendBundle", &json!([bundle]));
        assert_eq!(reason(&answer), expect, "{answer}");
    }
}
