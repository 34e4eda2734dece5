//! A geth that ends while the disk of its spool is full: what its hook had in memory is lost to replicas, which is told,
//! and a repair brings it back; or, where geth is to end by itself, it executes the blocks again.

use std::time::Duration;

use serde_json::json;

use crate::{
    check_everything,
    driven::Driven,
    full::LEFT_TO_HOOK_BYTES,
    rig::{Disks, Place},
};

const BLOCKS: usize = 4;
const DATA: i32 = 65;
const WITHIN: Duration = Duration::from_secs(60);
/// Blocks whose frames are more than the least memory of a hook.
const FLOOD: usize = 2_000;

fn begin(disks: &Disks) -> Option<Driven> {
    let mut driven = Driven::build(|plan| disks.build(plan))?;
    driven.net.start().unwrap();
    driven.grow(0, BLOCKS);
    driven.followed("the beginning");
    Some(driven)
}

#[test]
fn blocks_in_the_memory_of_a_geth_that_stops_are_told_and_repaired() {
    let Some(disks) = Disks::mount() else { return };
    let Some(mut driven) = begin(&disks) else { return };
    // A HOLE may take what the hook leaves free. Where not even that is there, the next block shows what is missing.
    for left in [LEFT_TO_HOOK_BYTES, 0] {
        disks.of(Place::Spool).leave(Some(left));
        driven.grow(0, BLOCKS);
        driven.net.node().stop().unwrap();
        disks.of(Place::Spool).leave(None);
        driven.restart();
        driven.grow(0, 1);
        let tap = driven.net.tap();
        let (status, said) = (tap.wait(WITHIN).unwrap(), tap.log_tail(4));
        assert_eq!(status.code(), Some(DATA), "{left} bytes left: {said}");
        assert!(said.contains("a hole; run `maidenlane tap repair"), "{left} bytes left: {said}");
        let config = tap.config().display().to_string();
        let repair = ["tap", "repair", "--patience-s", "0", "--config", &config];
        assert!(driven.net.command(&repair).unwrap().contains("waiting"), "{left} bytes left");
        driven.grow(BLOCKS + 1, BLOCKS + 2);
        driven.net.tap().launch().unwrap();
        driven.followed(&format!("repaired after {left} bytes left"));
    }
    check_everything(&mut driven.net);
}

#[test]
fn a_geth_that_is_to_stop_loses_nothing() {
    let Some(disks) = Disks::mount() else { return };
    let Some(mut driven) = begin(&disks) else { return };
    let node = driven.net.node();
    node.stop().unwrap();
    node.hook("memoryMax_MB", json!(1));
    node.hook("onFull", json!("StopGeth"));
    driven.restart();
    disks.of(Place::Spool).leave(Some(LEFT_TO_HOOK_BYTES));
    let made = (0..FLOOD).take_while(|_| driven.try_grow(1).is_ok()).count();
    let status = driven.net.node().process().unwrap().wait(WITHIN).unwrap();
    assert_eq!(status.code(), Some(1), "after {made} blocks");
    disks.of(Place::Spool).leave(None);
    driven.begin_again();
    driven.grow(0, BLOCKS);
    driven.followed("a geth that stopped by itself");
    check_everything(&mut driven.net);
}
