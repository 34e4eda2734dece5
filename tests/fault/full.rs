//! A disk that fills up under a running network and is freed again, as nobody's repair by hand.

use std::time::Duration;

use maidenlane_tests::{rpc::quantity, wait};
use serde_json::json;

use crate::{
    check_everything,
    driven::Driven,
    long,
    rig::{Disks, Place},
};

/// Room that is left, in bytes: for a part of a record, or for some records.
const LEFT: [u64; 2] = [100, 6_000];
/// Blocks that a round makes in vain.
const BLOCKS: usize = 12;
/// The hook keeps so much of its disk free (`minFree_MB`), so this is none.
const LEFT_TO_HOOK_BYTES: u64 = 32 << 20;
const NOTICED_WITHIN: Duration = Duration::from_secs(30);

/// Disks that are full at the same time.
const CASES: [&[Place]; 4] = [
    &[Place::Log],
    &[Place::Replica],
    &[Place::Spool],
    &[Place::Spool, Place::Log, Place::Tap, Place::Replica],
];

fn round(driven: &mut Driven, disks: &Disks, places: &[Place], left: u64) {
    let what = format!("{places:?} with {left} bytes left");
    for place in places {
        disks.of(*place).leave(Some(if *place == Place::Spool { LEFT_TO_HOOK_BYTES } else { left }));
    }
    driven.grow(1, BLOCKS);
    let said = if places == [Place::Replica] { "replica-0.log" } else { "tap.log" };
    stopped(driven, said, &what);
    // Who has state answers from it, for as long as it is fresh, and says so afterwards: it never falls.
    let replica = driven.net.replica(0).unwrap();
    let answer = replica.respond("eth_getBalance", &json!([format!("0x{:040x}", 0xc0de), "latest"])).unwrap();
    let stale = answer.pointer("/error/code").and_then(serde_json::Value::as_i64) == Some(-32_090);
    assert!(stale || answer.get("result").and_then(quantity).is_some(), "{what}: {answer}");
    for place in places {
        disks.of(*place).leave(None);
    }
    driven.grow(0, 1);
    driven.followed(&what);
}

/// Waits until somebody has said that it does not get on.
fn stopped(driven: &mut Driven, log: &str, what: &str) {
    let words = ["o space left", "no frames yet"];
    let path = driven.net.dir().join(log);
    let seen = wait::until("a full disk to be noticed", NOTICED_WITHIN, || {
        driven.net.tend().map_err(|failure| failure.to_string())?;
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let last: Vec<&str> = text.lines().rev().take(2).collect();
        let noticed = last.iter().any(|line| words.iter().any(|word| line.contains(word)));
        if noticed { Ok(()) } else { Err(last.concat()) }
    });
    seen.unwrap_or_else(|failure| panic!("{what}: {failure}\n{}", driven.net.last_words()));
}

#[test]
fn a_full_disk_stops_nobody_for_longer_than_it_is_full() {
    let Some(disks) = Disks::mount() else { return };
    let Some(mut driven) = Driven::build(|plan| disks.build(plan)) else { return };
    driven.net.start().unwrap();
    driven.grow(0, BLOCKS);
    driven.followed("the beginning");
    for turn in 0..if long() { 5 } else { 1 } {
        for places in CASES {
            for left in LEFT {
                round(&mut driven, &disks, places, left + turn * 997);
            }
        }
    }
    check_everything(&mut driven.net);
}
