//! Several relays on one log: when a cancel counts, and who sends for one that stands still.

use std::time::{Duration, Instant};

use super::{SOON, Searcher, World, body, builders::Manner};
use maidenlane_tests::{daemon::Daemon, scenario::Carrier, wait};
use rustix::process::Signal;
use serde_json::{Value, json};

/// Marks of a test's bundles: timestamps that never come.
const MARK: u64 = 4_000_000_000;

/// Attempts to cancel while the other relay stands still and counts as living.
const TRIES: usize = 5;

/// A world whose second relay is beside it.
fn pair(carrier: Carrier) -> (World, Daemon) {
    let mut world = World::with(carrier, &[("prompt", Manner::Prompt)]);
    let url = world.builders[0].url();
    let mut second = world.net.relay("relay-1", &["builder"], &[("prompt", &url)]).unwrap();
    second.start().unwrap();
    second.ready(SOON).unwrap_or_else(|failure| panic!("{failure}\n{}", second.log_tail(20)));
    (world, second)
}

impl World {
    fn cancelled(&mut self, by: &Searcher, name: &str) -> (Value, Duration) {
        let begun = Instant::now();
        let answer = self.ask(by, "eth_cancelBundle", &json!([{"replacementUuid": name}]));
        (answer["result"]["applied"].clone(), begun.elapsed())
    }

    /// Sends a bundle for a block that is too far away for it to be sent now.
    fn waiting(&mut self, by: &Searcher, name: &str, mark: u64) {
        let bundle = self.bundle_for(80, &json!({"replacementUuid": name, "maxTimestamp": mark}));
        self.sent(by, &bundle);
    }
}

/// A cancel counts once the other relay has read it, not while that stands still, and again when it counts as dead. Who stood still sends
/// nothing that was cancelled meanwhile.
fn cancels(carrier: Carrier) {
    let (mut world, mut second) = pair(carrier);
    let one = Searcher::new(1);
    let names: Vec<String> = (0..=TRIES).map(|number| format!("order-{number}")).collect();
    for (name, mark) in names.iter().zip(MARK..) {
        world.waiting(&one, name, mark);
    }
    let counts = |world: &mut World| {
        let counted = wait::until("a cancel that counts", SOON, || {
            let (applied, _) = world.cancelled(&one, "nothing");
            if applied == true { Ok(()) } else { Err(applied.to_string()) }
        });
        counted.unwrap();
    };
    // The first of them may come before the first beat was answered.
    counts(&mut world);
    assert_eq!(world.cancelled(&one, &names[0]).0, true);

    // On a busy machine one that stands still may count as dead before the cancel has come.
    let waited = names[1..].iter().any(|name| {
        second.process().unwrap().signal(Signal::STOP);
        let (applied, took) = world.cancelled(&one, name);
        // Until it counts as dead.
        counts(&mut world);
        second.process().unwrap().signal(Signal::CONT);
        // Until it is heard again.
        std::mem::swap(&mut world.relay, &mut second);
        counts(&mut world);
        std::mem::swap(&mut world.relay, &mut second);
        applied == false && took >= Duration::from_millis(200)
    });
    assert!(waited, "while the other stands still it may send it");
    for name in &names {
        world.cancelled(&one, name);
    }
    let back = wait::until("the other to have read on", SOON, || {
        let mut status = Vec::new();
        std::mem::swap(&mut world.relay, &mut second);
        for name in &names {
            let again = body("eth_sendBundle", &json!([{"replacementUuid": name}]));
            status.push(world.post(&one, &again)["result"]["bundleHashes"].clone());
        }
        std::mem::swap(&mut world.relay, &mut second);
        if status.iter().all(|hashes| *hashes == json!([])) { Ok(()) } else { Err(format!("{status:?}")) }
    });
    back.unwrap();
    let head = world.head();
    let due = wait::until("their blocks to be due", Duration::from_secs(120), || {
        let now = world.head();
        if now > head + 40 { Ok(()) } else { Err(format!("block {now} of {}", head + 40)) }
    });
    due.unwrap();
    let came: Vec<_> = world.builders[0].came().iter().map(|came| came.method.clone()).collect();
    assert!(came.is_empty(), "nothing of what was cancelled was ever sent: {came:?}");
}

#[test]
fn a_cancel_counts_when_all_who_live_have_read_it_on_the_segment_log() {
    cancels(Carrier::Segment);
}

#[test]
fn a_cancel_counts_when_all_who_live_have_read_it_on_kafka() {
    cancels(Carrier::Kafka);
}

#[test]
fn every_order_is_sent_while_both_live() {
    let (mut world, _second) = pair(Carrier::Segment);
    let one = Searcher::new(1);
    for mark in MARK..MARK + 20 {
        let bundle = world.bundle_for(45, &json!({"maxTimestamp": mark}));
        world.sent(&one, &bundle);
    }
    let seen = wait::until("all of them", SOON, || {
        let came = world.builders[0].taken();
        if came.len() >= 20 { Ok(came) } else { Err(format!("{} came", came.len())) }
    });
    let mut marks: Vec<u64> = seen.unwrap().iter().map(super::builders::Came::mark).collect();
    marks.sort_unstable();
    marks.dedup();
    assert_eq!(marks, (MARK..MARK + 20).collect::<Vec<_>>());
}
