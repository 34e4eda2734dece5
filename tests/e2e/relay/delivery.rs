//! Orders on their way to builders: signed, again where they fail, taken back, and what became of them.

use std::collections::BTreeSet;

use super::{SOON, Searcher, World, builders::Manner, reason};
use maidenlane_tests::{scenario::Carrier, wait};
use serde_json::{Value, json};

/// Marks of a test's bundles: timestamps that never come.
const MARK: u64 = 4_000_000_000;

impl World {
    /// The statuses of the builders in what is known of an order.
    pub(super) fn words(&mut self, by: &Searcher, taken: &Value) -> Vec<(String, String)> {
        let status = self.status(by, taken);
        let words = status[0]["builders"].as_array().cloned().unwrap_or_default();
        let text = |word: &Value, name: &str| word[name].as_str().unwrap_or_default().to_owned();
        words.iter().map(|word| (text(word, "builder"), text(word, "status"))).collect()
    }

    /// Waits until what is known of an order is this.
    pub(super) fn becomes(&mut self, by: &Searcher, taken: &Value, expect: &str) -> Value {
        let seen = wait::until(&format!("the order to be {expect}"), SOON, || {
            let status = self.status(by, taken);
            if status[0]["status"] == expect { Ok(status[0].clone()) } else { Err(status.to_string()) }
        });
        seen.unwrap_or_else(|failure| panic!("{failure}\n{}", self.relay.log_tail(20)))
    }

    /// A bundle for a block that is so many blocks away.
    pub(super) fn bundle_for(&mut self, blocks: u64, more: &Value) -> Value {
        let block = self.head() + blocks;
        let mut bundle = json!({"txs": [self.transaction()], "blockNumber": format!("{block:#x}")});
        bundle.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        bundle
    }

    pub(super) fn sent(&mut self, by: &Searcher, bundle: &Value) -> Value {
        let answer = self.ask(by, "eth_sendBundle", &json!([bundle]));
        assert_eq!(answer["result"]["durable"], true, "{answer}");
        answer["result"].clone()
    }
}

#[test]
fn orders_reach_builders_and_everybody_is_told_his_own_fates() {
    let builders =
        [("prompt", Manner::Prompt), ("picky", Manner::Refusing("nonce too low")), ("liar", Manner::Lying)];
    let mut world = World::with(Carrier::Segment, &builders);
    let (one, other) = (Searcher::new(1), Searcher::new(2));
    let bundle = world.bundle_for(6, &json!({"maxTimestamp": MARK}));
    let taken = world.sent(&one, &bundle);
    let expect = [("picky", "refused"), ("prompt", "sent")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    let seen = wait::until("words of two builders", SOON, || {
        let words = world.words(&one, &taken);
        if words == expect { Ok(()) } else { Err(format!("{words:?}")) }
    });
    seen.unwrap_or_else(|failure| panic!("{failure}\n{}", world.relay.log_tail(20)));
    let came = world.builders[0].came();
    assert_eq!(came.len(), 1, "once: {came:?}");
    assert_eq!((&came[0].asked["txs"], came[0].mark()), (&bundle["txs"], MARK));
    let header = Searcher::new(7).header(&came[0].body);
    assert_eq!(came[0].signature.to_lowercase(), header.to_lowercase(), "signed with the relay's own key");

    let status = world.becomes(&one, &taken, "missed");
    assert_eq!(status["blockNumber"], bundle["blockNumber"], "{status}");
    let lies = world.builders[2].came();
    assert!(lies.len() > 1, "a lie is no answer: it was tried again");
    assert!(lies.iter().all(|came| came.head <= came.block()), "and not after its block");
    assert!(lies.iter().all(|came| came.key == lies[0].key && came.body == lies[0].body));

    let fates = world.ask(&one, "maidenlane_bundleFates", &json!([]))["result"].clone();
    let mut names: Vec<&str> =
        fates.as_array().unwrap().iter().map(|fate| fate["fate"].as_str().unwrap()).collect();
    assert_eq!(names.pop(), Some("missed"));
    names.sort_unstable();
    assert_eq!(names, ["refused", "sent"]);
    assert_eq!(fates[2]["bundleHash"], taken["bundleHash"]);
    let later = json!([{"cursor": fates[1]["cursor"]}]);
    assert_eq!(world.ask(&one, "maidenlane_bundleFates", &later)["result"], json!([fates[2]]));
    assert_eq!(world.ask(&other, "maidenlane_bundleFates", &json!([]))["result"], json!([]));
    let stats = world.ask(&one, "flashbots_getBundleStatsV2", &json!([{"bundleHash": taken["bundleHash"]}]));
    assert_eq!(stats["result"]["consideredByBuildersAt"][0]["pubkey"], "prompt", "{stats}");

    world.killed();
    let fates_again = world.ask(&one, "maidenlane_bundleFates", &later)["result"].clone();
    assert_eq!(fates_again, json!([fates[2]]), "cursors are good after a restart");
    assert_eq!(world.becomes(&one, &taken, "missed")["builders"].as_array().unwrap().len(), 2);
}

#[test]
fn a_private_transaction_lands_and_is_left_alone() {
    let mut world = World::with(Carrier::Segment, &[("including", Manner::Including)]);
    let one = Searcher::new(1);
    let tx = world.transaction();
    let hash = world.ask(&one, "eth_sendPrivateTransaction", &json!([{"tx": tx}]))["result"].clone();
    let status = world.becomes(&one, &json!({"bundleHash": hash}), "landed");
    let receipt = world.net.master().receipt(&hash, SOON).unwrap();
    assert_eq!(
        (&status["blockNumber"], &status["blockHash"]),
        (&receipt["blockNumber"], &receipt["blockHash"])
    );
    let (came, head) = (world.builders[0].came().len(), world.head());
    world.net.master().next_block(head + 1, SOON).unwrap();
    let head = world.head();
    world.net.master().next_block(head, SOON).unwrap();
    assert_eq!(world.builders[0].came().len(), came, "nothing more is sent of what a block holds");
}

#[test]
fn a_private_transaction_goes_out_for_each_block_until_one_holds_it() {
    let mut world = World::with(Carrier::Segment, &[("prompt", Manner::Prompt)]);
    let one = Searcher::new(1);
    let tx = world.transaction();
    world.ask(&one, "eth_sendPrivateTransaction", &json!([{"tx": tx}]));
    let blocks = wait::until("three blocks", SOON, || {
        let mut blocks: Vec<u64> =
            world.builders[0].taken().iter().map(super::builders::Came::block).collect();
        blocks.dedup();
        if blocks.len() > 2 { Ok(blocks) } else { Err(format!("{blocks:?}")) }
    });
    let blocks = blocks.unwrap();
    assert!(blocks.windows(2).all(|pair| pair[1] > pair[0]), "{blocks:?}");
    let cancelled = world.ask(
        &one,
        "eth_cancelPrivateTransaction",
        &json!([{"txHash": maidenlane_chain::keccak256(tx.parse::<maidenlane_chain::Bytes>().unwrap())}]),
    );
    assert_eq!(cancelled["result"], true, "{cancelled}");
}

#[test]
fn a_cancel_follows_its_order_to_builders() {
    let builders = [("prompt", Manner::Prompt), ("failing", Manner::Failing)];
    let mut world = World::with(Carrier::Segment, &builders);
    let one = Searcher::new(1);
    let bundle = world.bundle_for(40, &json!({"replacementUuid": "mine", "maxTimestamp": MARK}));
    let taken = world.sent(&one, &bundle);
    let tried = wait::until("both builders to be asked", SOON, || {
        let came = [0, 1].map(|index: usize| world.builders[index].came().len());
        if came.iter().all(|count| *count > 0) { Ok(()) } else { Err(format!("{came:?}")) }
    });
    tried.unwrap();
    let cancelled = world.ask(&one, "eth_cancelBundle", &json!([{"replacementUuid": "mine"}]));
    assert_eq!(cancelled["result"]["applied"], true, "{cancelled}");
    world.builders[1].be(Manner::Prompt);
    for index in [0, 1] {
        let seen = wait::until("the cancel to be taken", SOON, || {
            let came = world.builders[index].came();
            let cancel = came.iter().find(|came| came.method == "eth_cancelBundle" && came.taken);
            cancel.map(|_| came.clone()).ok_or_else(|| format!("{} requests", came.len()))
        });
        let came = seen.unwrap();
        let (names, at): (Vec<_>, _) = (
            came.iter().map(|came| came.asked["replacementUuid"].clone()).collect(),
            came.iter().position(|came| came.method == "eth_cancelBundle").unwrap(),
        );
        assert!(
            names.iter().all(|name| *name == names[0]) && names[0] != "mine",
            "a name that tells nothing"
        );
        assert!(came[at..].iter().all(|came| came.method == "eth_cancelBundle"), "nothing after the cancel");
    }
    assert_eq!(world.builders[1].taken().len(), 0);
    assert_eq!(world.status(&one, &taken)[0]["status"], "cancelled");
    // The same order, in other bytes: the same ones would be answered as before.
    let mut again = bundle.clone();
    again["version"] = json!("v2");
    let again = world.ask(&one, "eth_sendBundle", &json!([again]));
    assert_eq!(reason(&again), "cancelled", "{again}");
}

#[test]
fn what_is_due_is_delivered_before_a_relay_stops() {
    let slow = Manner::Slow(std::time::Duration::from_millis(500));
    let mut world = World::with(Carrier::Segment, &[("slow", slow)]);
    let one = Searcher::new(1);
    let tx = world.transaction();
    let block = format!("{:#x}", world.head() + 40);
    for mark in MARK..MARK + 24 {
        let bundle = json!({"txs": [tx], "blockNumber": block, "maxTimestamp": mark});
        world.sent(&one, &bundle);
    }
    world.relay.stop().unwrap();
    let mut marks: Vec<u64> = world.builders[0].taken().iter().map(super::builders::Came::mark).collect();
    marks.sort_unstable();
    assert_eq!(marks, (MARK..MARK + 24).collect::<Vec<_>>(), "each of them, and once");
}

#[test]
fn a_relay_killed_around_a_delivery_repeats_it_once_under_the_same_key() {
    let mut world = World::with(Carrier::Segment, &[("prompt", Manner::Prompt)]);
    let one = Searcher::new(1);
    for (mark, (point, times)) in (MARK..).zip([("relay.before_send", 1), ("relay.after_send", 2)]) {
        let bundle = world.bundle_for(45, &json!({"maxTimestamp": mark}));
        world.relay.kill();
        world.relay.environment("MAIDENLANE_FAILPOINT", point);
        world.relay.start().unwrap();
        world.relay.ready(SOON).unwrap();
        let body = super::body("eth_sendBundle", &json!([bundle]));
        let client = maidenlane_tests::rpc::Client::new(world.url("rpc"));
        // Whether the answer comes before the kill is chance.
        let _answer = client.post_with(&body, &[("X-Flashbots-Signature", &one.header(&body))]);
        world.relay.wait(SOON).unwrap_or_else(|failure| panic!("at {point}: {failure}"));
        world.relay.environment("MAIDENLANE_FAILPOINT", "");
        world.killed();
        let seen = wait::until("the builder to have it", SOON, || {
            let mut came = world.builders[0].taken();
            came.retain(|came| came.mark() == mark);
            if came.len() >= times { Ok(came) } else { Err(format!("{} times", came.len())) }
        });
        let came =
            seen.unwrap_or_else(|failure| panic!("at {point}: {failure}\n{}", world.relay.log_tail(9)));
        assert_eq!(came.len(), times, "at {point}");
        assert!(came.iter().all(|other| other.key == came[0].key && other.body == came[0].body));
    }
}

/// One relay takes an order and dies before it sends it; another one, which reads the same log, delivers it.
fn taken_over(carrier: Carrier) {
    let mut world = World::with(carrier, &[("prompt", Manner::Prompt)]);
    let one = Searcher::new(1);
    let builders = [("prompt", world.builders[0].url())];
    let builders = builders.each_ref().map(|(name, url)| (*name, url.as_str()));
    let mut second = world.net.relay("relay-1", &["builder"], &builders).unwrap();
    second.start().unwrap();
    second.ready(SOON).unwrap();
    let calm = world.bundle_for(45, &json!({"maxTimestamp": MARK}));
    let taken = world.sent(&one, &calm);
    let first = std::mem::replace(&mut world.relay, second);
    let seen = wait::until("the other relay to know that it was sent", SOON, || {
        let words = world.words(&one, &taken);
        if words.len() == 1 { Ok(()) } else { Err(format!("{words:?}")) }
    });
    seen.unwrap();
    let second = std::mem::replace(&mut world.relay, first);

    world.relay.kill();
    world.relay.environment("MAIDENLANE_FAILPOINT", "relay.before_send");
    world.relay.start().unwrap();
    world.relay.ready(SOON).unwrap();
    let bundle = world.bundle_for(45, &json!({"maxTimestamp": MARK + 1}));
    let body = super::body("eth_sendBundle", &json!([bundle]));
    let client = maidenlane_tests::rpc::Client::new(world.url("rpc"));
    let _answer = client.post_with(&body, &[("X-Flashbots-Signature", &one.header(&body))]);
    world.relay.wait(SOON).unwrap();
    world.relay = second;
    let seen = wait::until("the other relay to deliver it", SOON, || {
        let came = world.builders[0].taken();
        match came.iter().any(|came| came.mark() == MARK + 1) {
            true => Ok(came),
            false => Err(format!("{} came", came.len())),
        }
    });
    // A relay that tells late what it sent may see another send it, too: that is the same request.
    let keys: BTreeSet<(u64, String)> =
        seen.unwrap().into_iter().map(|came| (came.mark(), came.key)).collect();
    assert_eq!(keys.into_iter().map(|(mark, _)| mark).collect::<Vec<_>>(), [MARK, MARK + 1]);
}

#[test]
fn another_relay_delivers_for_one_that_died_on_the_segment_log() {
    taken_over(Carrier::Segment);
}

#[test]
fn another_relay_delivers_for_one_that_died_on_kafka() {
    taken_over(Carrier::Kafka);
}
