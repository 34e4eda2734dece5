//! A disk that fills up under a running network, or before its start, and is freed again, as nobody's repair by hand.

use std::{fs, time::Duration};

use maidenlane_tests::{rpc::quantity, settings, wait};
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
pub(crate) const LEFT_TO_HOOK_BYTES: u64 = 4 << 20;
pub(crate) const NOTICED_WITHIN: Duration = Duration::from_secs(30);

/// Disks that are full at the same time.
const CASES: [&[Place]; 4] = [
    &[Place::Log],
    &[Place::Replica],
    &[Place::Spool],
    &[Place::Spool, Place::Log, Place::Tap, Place::Replica],
];

/// Disks that are full before a start.
const BEFORE: [&[Place]; 4] =
    [&[Place::Log], &[Place::Tap], &[Place::Replica], &[Place::Log, Place::Tap, Place::Replica]];

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
pub(crate) fn stopped(driven: &mut Driven, log: &str, what: &str) {
    let words = ["o space left", "no frames yet"];
    let path = driven.net.dir().join(log);
    let seen = wait::until("a full disk to be noticed", NOTICED_WITHIN, || {
        driven.net.tend().map_err(|failure| failure.to_string())?;
        let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
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

/// Daemons that are started on full disks.
const DAEMONS: [&str; 2] = ["tap", "replica"];

/// Starts both daemons while the disks have no byte left: they wait, say so and are not ready; there is room, and they are.
fn start_on(driven: &mut Driven, disks: &Disks, places: &[Place]) {
    let what = format!("a start on {places:?} without a byte left");
    let logs = |driven: &mut Driven| DAEMONS.map(|kind| driven.daemon(kind).log_tail(usize::MAX));
    for kind in DAEMONS {
        driven.daemon(kind).stop().unwrap_or_else(|failure| panic!("before {what}: {failure}"));
    }
    if places.contains(&Place::Log) {
        // As if it had not been restored: who comes first makes it anew.
        let partition = driven.net.dir().join("log").join(settings::topic()).join("0");
        fs::remove_file(partition.join("durable")).unwrap();
    }
    places.iter().for_each(|place| disks.of(*place).leave(Some(0)));
    let before = logs(driven).map(|log| log.len());
    driven.grow(1, 2);
    DAEMONS.into_iter().for_each(|kind| driven.daemon(kind).launch().unwrap());
    let first = DAEMONS.map(|kind| driven.daemon(kind).process().unwrap().id());
    wait::until("both to say what they wait for", NOTICED_WITHIN, || {
        for (kind, (log, before)) in DAEMONS.into_iter().zip(logs(driven).iter().zip(before)) {
            driven.daemon(kind).alive().map_err(|failure| failure.to_string())?;
            let own = places.iter().any(|place| place.daemon() == Some(kind));
            if own && !log.get(before..).unwrap().contains("o space left") {
                return Err(format!("{kind} says nothing of it"));
            }
            // Where it says that it listens is on one of the other disks.
            if places == [Place::Log] {
                let ready = driven.daemon(kind).readiness();
                let waits = ready.as_ref().is_err_and(|said| said.contains("no space left in"));
                waits.then_some(()).ok_or_else(|| format!("{kind}: {ready:?}"))?;
            }
        }
        Ok(())
    })
    .unwrap_or_else(|failure| panic!("{what}: {failure}\n{}", driven.net.last_words()));
    places.iter().for_each(|place| disks.of(*place).leave(None));
    driven.followed(&what);
    let last = DAEMONS.map(|kind| driven.daemon(kind).process().unwrap().id());
    assert_eq!(first, last, "{what}: somebody was started again\n{}", driven.net.last_words());
}

#[test]
fn a_disk_that_is_full_before_a_start_delays_it_until_there_is_room() {
    let Some(disks) = Disks::mount() else { return };
    let Some(mut driven) = Driven::build(|plan| disks.build(plan)) else { return };
    driven.net.start().unwrap();
    driven.grow(0, BLOCKS);
    driven.followed("the beginning");
    for places in BEFORE {
        start_on(&mut driven, &disks, places);
    }
    check_everything(&mut driven.net);
}
