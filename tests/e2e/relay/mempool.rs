//! The public mempool as a failsafe: what its sender allows to become public does after some blocks, and nothing else ever.

use super::{SOON, Searcher, World, builders::Manner, wallet::developer};
use crate::{emitter::outcomes::log_of, transactions::stored};
use maidenlane_tests::{daemon::Daemon, rpc::Client, scenario::Carrier, settings::Log, wait};
use serde_json::{Value, json};

/// Blocks after which it becomes public.
const AFTER: u64 = 4;
/// Blocks after that in which what must not become public would have.
const LATER: u64 = 5;

fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

fn allow(relay: &Daemon) {
    let some = format!("mempoolAfterBlocks = Some {AFTER}");
    relay.edit(|text| text.replace("mempoolAfterBlocks = None Natural", &some)).unwrap();
}

/// A relay that has what may become public do so.
fn world(builders: &[(&str, Manner)]) -> World {
    let mut world = World::with(Carrier::Segment, builders);
    allow(&world.relay);
    world.killed();
    world
}

impl World {
    /// Sends a private transaction that may become public, or may not.
    fn private(&mut self, by: &Searcher, tx: &str, mempool: bool) -> Value {
        let params = json!([{"tx": tx, "preferences": {"privacy": {"useMempool": mempool}}}]);
        let answer = self.ask(by, "eth_sendPrivateTransaction", &params);
        assert!(answer["result"].is_string(), "{answer}");
        answer["result"].clone()
    }

    fn of_transaction(&mut self, by: &Searcher, hash: &Value) -> Value {
        self.status(by, &json!({"bundleHash": hash}))[0].take()
    }

    /// Waits until an order is said to be public.
    fn becomes_public(&mut self, by: &Searcher, hash: &Value) {
        let seen = wait::until("it to become public", SOON, || {
            let status = self.of_transaction(by, hash);
            let words = status["builders"].as_array().cloned().unwrap_or_default();
            let is_public =
                words.iter().any(|word| word["builder"] == "public mempool" && word["status"] == "sent");
            if is_public { Ok(()) } else { Err(status.to_string()) }
        });
        seen.unwrap_or_else(|failure| panic!("{failure}\n{}", self.relay.log_tail(20)));
    }
}

#[test]
fn what_no_builder_takes_is_mined_through_the_mempool_where_its_sender_allows_it() {
    let mut world = world(&[]);
    let url = world.net.master().url().to_owned();
    let mut emitter = world.net.emitter("emitter-0", &[("geth", &url)]).unwrap();
    emitter.start().unwrap();
    emitter.ready(SOON).unwrap();
    let one = Searcher::new(1);
    let allowed = world.transaction();
    let hash = world.private(&one, &allowed, true);
    // All of them could be mined behind it, one at a time.
    let others: Vec<String> = ["0x2", "0x3", "0x4"]
        .map(|value| world.sender.signed(&json!({"value": value})).as_str().unwrap().to_owned())
        .into();
    let plain = world.private(&one, &others[0], false);
    let cancelled = world.private(&one, &others[1], true);
    let ended = world.ask(&one, "eth_cancelPrivateTransaction", &json!([{"txHash": cancelled}]));
    assert_eq!(ended["result"], true, "{ended}");
    let block = world.head() + 20;
    let bundle = json!({"txs": [others[2]], "blockNumber": format!("{block:#x}")});
    let bundle = world.sent(&one, &bundle);

    let first = number(&world.of_transaction(&one, &hash)["firstBlock"]);
    let receipt = world.net.master().receipt(&hash, SOON).unwrap();
    let mined = number(&receipt["blockNumber"]);
    assert!(mined >= first + AFTER, "private from {first}, and in {mined}");
    let landed = wait::until("it to have landed", SOON, || {
        let status = world.of_transaction(&one, &hash);
        if status["status"] == "landed" { Ok(()) } else { Err(status.to_string()) }
    });
    landed.unwrap();
    world.becomes_public(&one, &hash);
    let stats = world.ask(&one, "flashbots_getBundleStatsV2", &json!([{"bundleHash": hash}]));
    assert_eq!(stats["result"]["consideredByBuildersAt"], json!([]), "the public is no builder: {stats}");

    let later = first + AFTER + LATER;
    let passed = wait::until("more blocks", SOON, || {
        let head = world.net.master().block_number().unwrap();
        if head >= later { Ok(()) } else { Err(head.to_string()) }
    });
    passed.unwrap();
    assert_eq!(stored(&log_of(&world.net)), [hash.as_str().unwrap()], "once, and nothing else");
    assert_eq!(world.of_transaction(&one, &plain)["status"], "due");
    assert_eq!(world.of_transaction(&one, &cancelled)["status"], "cancelled");
    assert_eq!(world.status(&one, &bundle)[0]["builders"], json!([]));
    world.relay.stop().unwrap();
    assert_eq!(world.relay.errors(), Vec::<String>::new());
}

/// With no emitter to bring it to a node, so that it is public and in no block.
#[test]
fn what_is_public_is_taken_back_by_a_block_alone() {
    let mut world = world(&[("prompt", Manner::Prompt)]);
    let relay = Client::new(format!("{}/?useMempool=true", world.url("rpc")));
    let owner = developer(&world.sender.from);
    let raw = world.sender.signed(&json!({"value": "0x5"}));
    let hash = relay.call("eth_sendRawTransaction", &json!([raw])).unwrap();
    world.becomes_public(&owner, &hash);
    let nothing = world.sender.signed(&json!({"to": world.sender.from, "value": "0x0"}));
    relay.call("eth_sendRawTransaction", &json!([nothing])).unwrap();
    let came = wait::until("the one that keeps it out to reach the builder", SOON, || {
        let came = world.builders[0].came();
        let is_there = came.iter().any(|came| came.asked["txs"] == json!([nothing]));
        if is_there { Ok(()) } else { Err(format!("{} requests", came.len())) }
    });
    came.unwrap_or_else(|failure| panic!("{failure}\n{}", world.relay.log_tail(20)));
    let ended = world.ask(&owner, "eth_cancelPrivateTransaction", &json!([{"txHash": hash}]));
    assert_eq!(ended["result"], false, "{ended}");
    // Known after a crash, too.
    world.killed();
    world.becomes_public(&owner, &hash);
}

#[test]
fn another_relay_has_it_become_public_where_the_one_that_took_it_died() {
    let mut world = world(&[]);
    let mut second = world.net.relay("relay-1", &["builder"], &[]).unwrap();
    allow(&second);
    second.start().unwrap();
    second.ready(SOON).unwrap_or_else(|failure| panic!("{failure}\n{}", second.log_tail(20)));
    let one = Searcher::new(1);
    let tx = world.transaction();
    let hash = world.private(&one, &tx, true);
    std::mem::swap(&mut world.relay, &mut second);
    second.kill();
    world.becomes_public(&one, &hash);
    let first = number(&world.of_transaction(&one, &hash)["firstBlock"]);
    assert!(world.head() >= first + AFTER, "a head later than the one that took it");
    assert_eq!(stored(&log_of(&world.net)), [hash.as_str().unwrap()]);
}

#[test]
fn a_topic_that_is_not_there_is_awaited_and_named() {
    let mut world = World::new(Carrier::Segment);
    allow(&world.relay);
    world.relay.stop().unwrap();
    let Log::Segment(dir) = world.net.carrier() else { panic!("a segment log") };
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let topics: Vec<_> = entries.filter(|path| path.to_string_lossy().ends_with(".transactions")).collect();
    let [topic] = topics.as_slice() else { panic!("one topic, found {topics:?}") };
    let hidden = world.net.dir().join("hidden");
    std::fs::rename(topic, &hidden).unwrap();
    world.relay.start().unwrap();
    let named = wait::until("it to name the topic", SOON, || match world.relay.readiness() {
        Err(reason) if reason.contains(".transactions") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    named.unwrap();
    std::fs::rename(&hidden, topic).unwrap();
    world.relay.ready(SOON).unwrap();
}
