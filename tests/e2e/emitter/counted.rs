//! Transactions on their way count at every replica alike, whichever took them, and no longer once they have ended.

use maidenlane_tests::{rpc::Client, scenario::Carrier, settings, wait};
use serde_json::{Value, json};

use super::{SOON, World};
use crate::transactions::Sender;

const FULL: &str = "account limit exceeded: pooled 3 txs";

/// A network of two replicas, at which three transactions of a sender may wait.
fn world(carrier: Carrier) -> World {
    World::of_replicas(carrier, 2, |text| settings::sparing(text, 3))
}

/// Replaces the replica that the sender sends to.
fn sends_to(world: &mut World, index: usize) -> Client {
    let replica = world.net.replica(index).unwrap();
    let nonce = world.sender.nonce;
    world.sender = Sender { nonce, ..Sender::new(world.net.master(), replica.clone()) };
    replica
}

/// Waits until a replica answers so to a transaction with this value.
fn answers(world: &World, value: u64, expect: &str) {
    let raw = world.sender.signed(&json!({"value": format!("{value:#x}")}));
    let what = format!("the answer {expect}");
    let seen = wait::until(&what, SOON, || {
        let answer = world.sender.send(&raw).to_string();
        if answer.contains(expect) { Ok(()) } else { Err(answer) }
    });
    seen.unwrap_or_else(|failure| panic!("{failure}\n{}", world.net.last_words()));
}

/// Waits until a replica counts so many transactions: one that it took before, it would answer for ever.
fn counts(world: &mut World, index: usize, count: usize) {
    let expect = format!("maidenlane_replica_transactions_on_their_way {count}\n");
    let seen = wait::until(&format!("replica {index} to count {count}"), SOON, || {
        let replica = world.net.replica_daemon(index).and_then(|replica| replica.admin("metrics"));
        let metrics = replica.map_err(|failure| failure.to_string())?;
        if metrics.contains(&expect) { Ok(()) } else { Err(metrics) }
    });
    seen.unwrap();
}

fn counted(carrier: Carrier) {
    let mut world = world(carrier);
    // Nobody delivers yet. Two through one replica, one through the other, one as any producer may.
    sends_to(&mut world, 0);
    world.send(&json!({"value": "0x1"}));
    world.send(&json!({"value": "0x2"}));
    sends_to(&mut world, 1);
    answers(&world, 3, "result");
    world.sender.nonce += 1;
    for index in [0, 1] {
        counts(&mut world, index, 3);
        sends_to(&mut world, index);
        answers(&world, 4, FULL);
    }
    let replica = world.net.replica_daemon(0).unwrap();
    replica.stop().unwrap();
    replica.start().unwrap();
    counts(&mut world, 0, 3);
    sends_to(&mut world, 0);
    answers(&world, 4, FULL);
    // A node has them, and there is room.
    let url = world.url();
    let mut emitter = world.started("emitter-0", &[("geth", &url)]);
    for (index, value) in [(0, 4), (1, 5)] {
        sends_to(&mut world, index);
        answers(&world, value, "result");
        world.sender.nonce += 1;
    }
    emitter.stop().unwrap();
    world.net.stop().unwrap();
}

#[test]
fn replicas_count_alike_through_the_segment_log() {
    counted(Carrier::Segment);
}

#[test]
fn replicas_count_alike_through_kafka() {
    counted(Carrier::Kafka);
}

#[test]
fn a_rejected_transaction_counts_no_longer() {
    let mut world = world(Carrier::Segment);
    let poor: Vec<String> = (1..=3)
        .map(|value| {
            let fields = json!({"value": format!("{value:#x}"), "maxPriorityFeePerGas": "0x0"});
            world.send(&fields)
        })
        .collect();
    world.sender.nonce = 0;
    counts(&mut world, 1, 3);
    sends_to(&mut world, 1);
    answers(&world, 7, FULL);
    let url = world.url();
    let mut emitter = world.started("emitter-0", &[("geth", &url)]);
    for hash in &poor {
        world.meets(hash, "Rejected");
    }
    // At both doors, long before anything is forgotten.
    answers(&world, 7, "result");
    let replica = sends_to(&mut world, 0);
    answers(&world, 7, "result");
    let status = replica.call("maidenlane_transactionStatus", &json!([poor[0]])).unwrap();
    assert_eq!(status["status"], Value::from("Rejected"), "{status}");
    emitter.stop().unwrap();
}
