//! Transactions from a replica through an emitter to a real geth, and what becomes of them: told once, and true.

#![expect(clippy::indexing_slicing, reason = "what is missing in an answer is null")]

mod away;
mod counted;
pub(crate) mod crooked;
pub(crate) mod outcomes;
mod reorged;
mod routed;
mod storm;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::transactions::Sender;
use crooked::{Crooked, Manner};
use maidenlane_chain::{Bytes, keccak256};
use maidenlane_log::{Append, Backend};
use maidenlane_tests::{
    daemon::Daemon,
    scenario::{Carrier, Chain, Net, Plan},
    settings, wait,
};
use maidenlane_wire::{Outcome, Transaction};
use outcomes::{fates_of, log_of, outcomes};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

/// A network of geth, tap and a replica that takes transactions; the log that it is on.
struct World {
    net: Net,
    log: Backend,
    sender: Sender,
}

impl World {
    fn new(carrier: Carrier) -> Self {
        Self::of_replicas(carrier, 1, str::to_owned)
    }

    /// The same with so many replicas, of these settings.
    fn of_replicas(carrier: Carrier, replicas: usize, settings: impl Fn(&str) -> String) -> Self {
        let mut net = Net::build(&Plan { chain: Chain::Developer, carrier, replicas }).unwrap();
        net.take_transactions().unwrap();
        for index in 0..replicas {
            net.replica_daemon(index).unwrap().edit(&settings).unwrap();
        }
        Self::on(net)
    }

    /// The same on a network that takes transactions, and is started.
    fn on(mut net: Net) -> Self {
        net.start().unwrap();
        let log = log_of(&net);
        let sender = Sender::new(net.master(), net.replica(0).unwrap());
        Self { net, log, sender }
    }

    /// Sends a transaction to the replica; its hash.
    fn send(&mut self, fields: &Value) -> String {
        let raw = self.sender.signed(fields);
        self.sender.nonce += 1;
        let answer = wait::until("the replica to take a transaction", SOON, || {
            let answer = self.sender.send(&raw);
            answer["result"].as_str().map(str::to_owned).ok_or_else(|| answer.to_string())
        });
        answer.unwrap()
    }

    /// Appends a transaction as any producer may; its hash.
    fn append(&self, fields: &Value) -> String {
        let raw: Bytes = self.sender.signed(fields).as_str().unwrap().parse().unwrap();
        let hash = keccak256(&raw);
        let sender = self.sender.from.parse().unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let taken_ms = u64::try_from(now.as_millis()).unwrap();
        let entry = Transaction { hash, sender, raw, taken_ms, tag: None, identity: None }.encode();
        let key = Some(entry[42..62].to_vec());
        let entry = Append { key: key.as_deref(), payload: &entry };
        self.log.producer(&settings::transactions_topic()).unwrap().append(&[entry]).unwrap();
        hash.to_string()
    }

    /// All outcomes so far, by transaction; those told again are there once.
    fn outcomes(&self) -> BTreeMap<String, Vec<Outcome>> {
        outcomes(&self.log)
    }

    /// Fates of a transaction but for nodes' verdicts, as they were told.
    fn fates(&self, hash: &str) -> Vec<&'static str> {
        fates_of(&self.outcomes().remove(hash).unwrap_or_default())
    }

    /// Waits until a transaction has met a fate.
    fn meets(&self, hash: &str, fate: &str) {
        let what = format!("{hash} to be {fate}");
        let met = wait::until(&what, SOON, || {
            let fates = self.fates(hash);
            if fates.contains(&fate) { Ok(()) } else { Err(format!("{fates:?}")) }
        });
        met.unwrap_or_else(|failure| {
            panic!("{failure}\n{}\n{}", self.net.last_words(), self.emitters_words())
        });
    }

    fn emitters_words(&self) -> String {
        let logs = ["emitter-0.log", "emitter-1.log"].map(|name| self.net.dir().join(name));
        let texts = logs.map(|log| std::fs::read_to_string(log).unwrap_or_default());
        texts.iter().flat_map(|text| text.lines().rev().take(20)).collect::<Vec<_>>().join("\n")
    }

    fn url(&self) -> String {
        self.net.master().url().to_owned()
    }

    fn started(&self, name: &str, nodes: &[(&str, &str)]) -> Daemon {
        let mut emitter = self.net.emitter(name, nodes).unwrap();
        emitter.start().unwrap();
        emitter
    }
}

/// Every kind of transaction is delivered over HTTP and IPC, mined, and told so once.
fn delivered(carrier: Carrier) {
    let mut world = World::new(carrier);
    let (url, ipc) = (world.url(), world.net.master_ipc());
    let mut emitter = world.started("emitter-0", &[("http", &url), ("ipc", &ipc)]);
    emitter.ready(SOON).unwrap();
    let authorization = json!({
        "chainId": "0x0", "address": world.sender.from, "nonce": "0x0", "yParity": "0x0", "r": "0x1", "s": "0x1",
    });
    let blob = format!("0x{}", "05".repeat(131_072));
    let kinds = [
        json!({"gasPrice": "0x4a817c800"}),
        json!({"gasPrice": "0x4a817c800", "accessList": []}),
        json!({"value": "0x7", "input": "0x00ff"}),
        json!({"blobs": [blob], "maxFeePerBlobGas": "0x3b9aca00"}),
        json!({"authorizationList": [authorization]}),
    ];
    let hashes: Vec<String> = kinds.iter().map(|fields| world.send(fields)).collect();
    for hash in &hashes {
        world.meets(hash, "Mined");
        let receipt = world.net.master().call("eth_getTransactionReceipt", &json!([hash])).unwrap();
        let told = world.outcomes();
        let mined = told[hash].iter().find(|outcome| outcome.fate.name() == "Mined").unwrap().to_json();
        assert_eq!(mined["block"]["hash"], receipt["blockHash"]);
        assert_eq!(world.fates(hash)[..3], ["Received", "Accepted", "Mined"], "each once");
    }
    let metrics = emitter.admin("metrics").unwrap();
    let accepted = metrics.lines().filter(|line| line.contains("first_accept_seconds"));
    println!("{}", accepted.collect::<Vec<_>>().join("\n"));
    assert!(metrics.contains("maidenlane_emitter_answers_total{upstream=\"ipc\",class="), "{metrics}");
    emitter.stop().unwrap();
    assert_eq!(emitter.errors(), Vec::<String>::new());
    let unconsumed = world.log.unconsumed(&settings::transactions_topic(), "emitter").unwrap();
    assert!(unconsumed.is_empty(), "all positions are committed: {}", unconsumed.len());
    world.net.stop().unwrap();
}

#[test]
fn transactions_are_delivered_through_the_segment_log() {
    delivered(Carrier::Segment);
}

#[test]
fn transactions_are_delivered_through_kafka() {
    delivered(Carrier::Kafka);
}

#[test]
fn an_emitter_killed_at_any_point_delivers_once_more_and_tells_the_same() {
    let mut world = World::new(Carrier::Segment);
    let url = world.url();
    let file = maidenlane_tests::product::root().join("daemons/emitter/src/failpoints.rs");
    let text = std::fs::read_to_string(file).unwrap();
    let points: Vec<&str> = text.split('"').filter(|word| word.starts_with("emitter.")).collect();
    assert_eq!(points.len(), 6, "{points:?}");
    let mut emitter = world.net.emitter("emitter-0", &[("geth", &url)]).unwrap();
    let mut hashes = Vec::new();
    for point in points {
        emitter.environment("MAIDENLANE_FAILPOINT", point);
        emitter.launch().unwrap();
        hashes.push(world.send(&json!({"value": "0x1"})));
        emitter.wait(SOON).unwrap_or_else(|failure| panic!("at {point}: {failure}"));
        emitter.kill();
        emitter.environment("MAIDENLANE_FAILPOINT", "");
        emitter.start().unwrap();
        world.meets(hashes.last().unwrap(), "Mined");
        emitter.kill();
    }
    emitter.start().unwrap();
    for hash in &hashes {
        let fates = world.fates(hash);
        let each_once = fates.iter().collect::<BTreeSet<_>>().len() == fates.len();
        // One that came back to an entry whose block had come already finds that, and asks nobody.
        let is_true = fates.first() == Some(&"Received") && fates.contains(&"Mined");
        assert!(each_once && is_true && !fates.contains(&"Rejected"), "{hash}: {fates:?}");
    }
    emitter.stop().unwrap();
}

#[test]
fn crooked_nodes_hold_up_nobody_and_are_seen() {
    let mut world = World::new(Carrier::Segment);
    let (url, geth) = (world.url(), world.net.master());
    let manners = [
        ("slow", Manner::Slow(Duration::from_secs(20))),
        ("lying", Manner::Lying),
        ("limiting", Manner::Limiting),
        ("foreign", Manner::Foreign),
        ("refusing", Manner::Refusing("invalid sender")),
        ("swallowing", Manner::Swallowing),
    ];
    let doors = manners.map(|(name, manner)| (name, Crooked::open(&geth, manner)));
    let urls: Vec<(&str, String)> = doors.iter().map(|(name, door)| (*name, door.url())).collect();
    let mut nodes = vec![("geth", url.as_str())];
    nodes.extend(urls.iter().map(|(name, url)| (*name, url.as_str())));
    let mut emitter = world.started("emitter-0", &nodes);
    emitter.ready(SOON).unwrap();
    let begun = std::time::Instant::now();
    let hashes: Vec<String> =
        (0..10).map(|value| world.send(&json!({"value": format!("{value:#x}")}))).collect();
    for hash in &hashes {
        world.meets(hash, "Mined");
        assert_eq!(world.fates(hash)[..3], ["Received", "Accepted", "Mined"]);
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "nobody waits for the slow one");
    let seen = |status: &Value, name: &str| {
        let node = &status["upstreams"][name];
        format!(
            "{}: {}",
            node["state"].as_str().unwrap_or_default(),
            node["fault"].as_str().unwrap_or_default()
        )
    };
    let expect = [
        ("geth", "right: "),
        ("slow", "no answer within"),
        ("lying", "it answered with the hash 0xabab"),
        ("limiting", "right: HTTP status 429"),
        ("foreign", "wrong chain: "),
        ("refusing", "right: "),
    ];
    wait::until("all nodes to be seen as they are", SOON, || {
        let status = emitter.status().map_err(|failure| failure.to_string())?;
        let wrong = expect.iter().find(|(name, text)| !seen(&status, name).contains(text));
        wrong.map_or(Ok(()), |(name, _)| Err(format!("{name} is {}", seen(&status, name))))
    })
    .unwrap();
    let foreign = doors.iter().find(|(name, _)| *name == "foreign").map(|(_, door)| door.came());
    assert_eq!(foreign, Some(0), "a node of another chain gets nothing");
    emitter.stop().unwrap();
}

#[test]
fn an_answer_that_is_lost_is_neither_a_failure_nor_taken_for_a_success() {
    let mut world = World::new(Carrier::Segment);
    let door = Crooked::open(&world.net.master(), Manner::Lying);
    let mut emitter = world.started("emitter-0", &[("only", &door.url())]);
    let hash = world.send(&json!({"value": "0x1"}));
    wait::until("some lies", SOON, || if door.came() > 2 { Ok(()) } else { Err(door.came().to_string()) })
        .unwrap();
    assert_eq!(world.fates(&hash), ["Received"]);
    door.be(Manner::Swallowing);
    // geth has it from now on; that it says so is found out by asking again, and mined it is by itself.
    world.meets(&hash, "Mined");
    door.be(Manner::Honest);
    let next = world.send(&json!({"value": "0x1"}));
    world.meets(&next, "Mined");
    assert!(world.fates(&next).contains(&"Accepted"));
    assert!(!world.fates(&hash).contains(&"Rejected"));
    emitter.stop().unwrap();
}

#[test]
fn another_emitter_goes_on_where_a_machine_was_lost() {
    let mut world = World::new(Carrier::Segment);
    let door = Crooked::open(&world.net.master(), Manner::Honest);
    let url = door.url();
    let mut first = world.started("emitter-0", &[("geth", &url)]);
    // The second of the account: geth has it in its queue, and no block can hold it.
    world.sender.nonce = 1;
    let early = world.send(&json!({"value": "0x1"}));
    world.meets(&early, "Accepted");
    first.kill();
    std::fs::remove_dir_all(first.state()).unwrap();
    let came = door.came();
    let mut second = world.started("emitter-1", &[("geth", &url)]);
    wait::until("the other to send it again", SOON, || {
        if door.came() > came { Ok(()) } else { Err(came.to_string()) }
    })
    .unwrap();
    world.sender.nonce = 0;
    let late = world.send(&json!({"value": "0x1"}));
    for hash in [&early, &late] {
        world.meets(hash, "Mined");
        assert_eq!(world.fates(hash)[..3], ["Received", "Accepted", "Mined"]);
    }
    second.stop().unwrap();
}

#[test]
fn two_emitters_share_the_work_and_take_over_from_each_other() {
    let mut world = World::new(Carrier::Kafka);
    let url = world.url();
    let mut emitters = ["emitter-0", "emitter-1"].map(|name| world.started(name, &[("geth", &url)]));
    let mut hashes = Vec::new();
    for round in 0..4 {
        // Whichever holds the sender's partition, it is killed once.
        emitters[round % 2].kill();
        hashes.extend((0..5).map(|value| world.send(&json!({"value": format!("{value:#x}")}))));
        world.meets(hashes.last().unwrap(), "Mined");
        emitters[round % 2].start().unwrap();
        hashes.push(world.send(&json!({"value": "0x1"})));
    }
    for hash in &hashes {
        world.meets(hash, "Mined");
        let fates = world.fates(hash);
        let each_once = fates.iter().collect::<BTreeSet<_>>().len() == fates.len();
        assert!(each_once && !fates.contains(&"Rejected"), "{hash}: {fates:?}");
    }
    for emitter in &mut emitters {
        emitter.stop().unwrap();
        assert_eq!(emitter.errors(), Vec::<String>::new());
    }
}

#[test]
fn what_geth_refuses_is_rejected_in_its_words() {
    let mut world = World::new(Carrier::Segment);
    let url = world.url();
    let mut emitter = world.started("emitter-0", &[("geth", &url)]);
    let first = world.send(&json!({"value": "0x1"}));
    world.meets(&first, "Mined");
    let balance = world.net.master().call("eth_getBalance", &json!([world.sender.from, "latest"])).unwrap();
    let zeros = |bytes: usize| format!("0x{}", "00".repeat(bytes));
    // The feed says who has the nonce, before any node is asked.
    let used = world.append(&json!({"nonce": "0x0", "value": "0x2"}));
    world.meets(&used, "Replaced");
    assert_eq!(world.outcomes()[&used][1].to_json()["by"], first.as_str());
    // Some that its queue holds first, for the others to meet.
    let queued = world.append(&json!({"nonce": "0x5", "value": "0x1"}));
    world.meets(&queued, "Accepted");
    for (fields, class, words) in [
        (json!({"value": balance}), "funds", "insufficient funds for gas * price + value"),
        (
            json!({"nonce": "0x5", "value": "0x2"}),
            "replaceUnderpriced",
            "replacement transaction underpriced",
        ),
        (json!({"gas": "0x5207"}), "invalid", "intrinsic gas too low"),
        (
            json!({"gas": "0x77359400", "maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x0"}),
            "invalid",
            "gas limit",
        ),
        (
            json!({"to": null, "input": zeros(49_153), "gas": "0xf42400"}),
            "invalid",
            "max initcode size exceeded",
        ),
        (json!({"input": zeros(131_072), "gas": "0xf42400"}), "invalid", "oversized data"),
        (json!({"authorizationList": []}), "invalid", "at least one authorization tuple"),
        (
            json!({"maxFeePerGas": "0x4a817c800", "maxPriorityFeePerGas": "0x0"}),
            "underpriced",
            "below minimum",
        ),
    ] {
        let hash = world.append(&fields);
        world.meets(&hash, "Rejected");
        let all = world.outcomes();
        let told = all[&hash].iter().find(|outcome| outcome.fate.name() == "Rejected").unwrap().to_json();
        assert_eq!(told["class"], class, "{told}");
        assert!(told["reason"].as_str().unwrap().contains(words), "{told}");
    }
    emitter.stop().unwrap();
}
