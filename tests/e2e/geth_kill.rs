//! kill -9 of geth: it comes back blocks behind its own published head, and nobody goes back with it.

use std::time::Duration;

use maidenlane_tests::{scenario::Carrier, wait};
use serde_json::{Value, json};

use crate::{
    consensus::{Consensus, PATIENCE},
    long,
};

/// Kills in the suite and in the long run, of each kind. After every one, geth executes the whole chain again.
const ROUNDS: u32 = 3;
const ROUNDS_LONG: u32 = 30;
/// Blocks come every few hundredths of a second here, so a kill falls into any step of making one.
const KILLED_WITHIN_MS: u32 = 700;
/// A prime far from any period of geth's own spreads the kills over that time.
const STRIDE_MS: u32 = 277;

fn rounds() -> u32 {
    if long() { ROUNDS_LONG } else { ROUNDS }
}

/// Feeds blocks until the master is killed in the middle of it.
fn feed_until_killed(consensus: &mut Consensus, round: u32) {
    let delay = Duration::from_millis(u64::from((100 + round * STRIDE_MS) % KILLED_WITHIN_MS));
    let killer = consensus.net.node().kill_in(delay);
    while !killer.is_finished() {
        let head = consensus.head();
        // What fails is what the kill has interrupted: a consensus client asks again later.
        let made = consensus.try_execute(&head, 1, 1);
        if let Ok(block) = made {
            let _interrupted = consensus.try_choose(&block);
        }
    }
    killer.join().unwrap();
    consensus.lost();
}

#[test]
fn a_killed_geth_syncs_from_its_peer_and_nobody_goes_back() {
    let Some(mut consensus) = Consensus::new(Carrier::Segment) else { return };
    consensus.add_peer();
    consensus.settle();
    let mut behind = 0;
    for round in 0..rounds() {
        feed_until_killed(&mut consensus, round);
        // The network goes on without it, in every other round on another branch than it has seen last.
        let base = if round % 2 == 1 { consensus.ancestor(2) } else { consensus.head() };
        consensus.branch(&base, 4, 2);
        let head = consensus.number();
        consensus.restart_master();
        behind += u32::from(consensus.net.master().block_number().unwrap() < head - 4);
        consensus.sync_master();
        consensus.followed();
        settled(&mut consensus);
    }
    assert!(behind > 0, "geth never came back behind its own head: this tests nothing");
    consensus.never_went_back();
    consensus.end();
}

#[test]
fn a_killed_geth_without_peers_is_set_back_and_fed_again_and_nobody_goes_back() {
    let Some(mut consensus) = Consensus::new(Carrier::Segment) else { return };
    consensus.settle();
    let mut behind = 0;
    for round in 0..rounds() {
        feed_until_killed(&mut consensus, round + 1);
        consensus.restart_master();
        let master = consensus.net.master();
        let number = master.block_number().unwrap();
        behind += u32::from(number < consensus.number());
        // The one manual step: without it geth takes none of the blocks that it knows without their state. It refuses
        // when it knows of no such block.
        let set = master.respond("debug_setHead", &json!([format!("0x{number:x}")])).unwrap();
        let refusal = set.pointer("/error/message").and_then(Value::as_str);
        assert!(refusal.is_none_or(|told| told == "not allowed to rewind to a future block"), "{set}");
        consensus.feed_master(number);
        consensus.followed();
        settled(&mut consensus);
    }
    assert!(behind > 0, "geth never came back behind its own head: this tests nothing");
    consensus.never_went_back();
    consensus.end();
}

/// Waits until the replica knows as final what the consensus client has named.
fn settled(consensus: &mut Consensus) {
    let wanted = consensus.settled().unwrap();
    let (_, replica) = consensus.sides();
    wait::until("finality at the replica", PATIENCE, || {
        let found = replica.block_hash("finalized").map_err(|failure| failure.to_string())?;
        if found == wanted { Ok(()) } else { Err(format!("{found}, not {wanted}")) }
    })
    .unwrap();
}
