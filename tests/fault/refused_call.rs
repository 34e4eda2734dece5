//! A disk that refuses one call: every one that a daemon makes at its start and over a few blocks, one after another.
//!
//! Whoever is refused goes on, or ends with a code on which the service manager starts it again and says what the disk
//! said. What it took for done is then still there after a power cut.

use std::ops::Range;

use fastrand::Rng;
use maidenlane_tests::daemon::Daemon;

use crate::{
    check_everything,
    disk::{Call, Refusal},
    driven::Driven,
    long,
    rig::{Disks, Place},
};

const SEED: u64 = 0x6e74_6821;
/// Blocks that a round replaces, and makes.
const REPLACED: usize = 1;
const BLOCKS: usize = 3;
/// Words of the system, RocksDB and the log for a disk that refuses.
const SAID: [&str; 4] = ["nput/output error", "I/O error", "o space left", "IO error"];

/// The call that is refused.
#[derive(Debug, Clone, Copy)]
struct Case {
    place: Place,
    call: Call,
    refusal: Refusal,
    /// So many calls of the kind pass before it.
    passed: u64,
}

/// True if there was such a call.
fn round(driven: &mut Driven, disks: &Disks, case: Case, rng: &mut Rng) -> bool {
    let (what, disk) = (format!("{case:?}"), disks.of(case.place));
    let log = |daemon: &Daemon| daemon.log_tail(usize::MAX);
    let Some(kind) = case.place.daemon() else {
        disk.refuse(case.call, case.passed, case.refusal);
        driven.grow(REPLACED, BLOCKS);
        let met = disk.heal();
        // What the disk refused is written with the next block.
        driven.grow(0, 1);
        driven.followed(&what);
        return met;
    };
    driven.daemon(kind).stop().unwrap_or_else(|failure| panic!("before {what}: {failure}"));
    let before = log(driven.daemon(kind)).len();
    disk.refuse(case.call, case.passed, case.refusal);
    driven.daemon(kind).launch().unwrap();
    driven.grow(REPLACED, BLOCKS);
    driven.followed(&what);
    let met = disk.heal();
    let said = log(driven.daemon(kind));
    let said = said.get(before..).unwrap();
    assert!(!said.contains("ERROR") || SAID.iter().any(|words| said.contains(words)), "{what}:\n{said}");
    // Both read the log, and both machines may be one.
    driven.net.tap().kill();
    driven.daemon("replica").kill();
    disk.cut(rng);
    driven.net.tap().launch().unwrap();
    driven.daemon("replica").launch().unwrap();
    driven.followed(&format!("power cut after {what}"));
    met
}

/// Refuses the calls that `wanted` lists, until there are no more.
fn refuse(place: Place, calls: &[Call], wanted: Range<u64>, step: usize) {
    let Some(disks) = Disks::mount() else { return };
    let Some(mut driven) = Driven::build(|plan| disks.build(plan)) else { return };
    driven.net.start().unwrap();
    driven.grow(0, BLOCKS);
    driven.followed("the beginning");
    let mut rng = Rng::with_seed(SEED);
    for call in calls.iter().copied() {
        for refusal in [Refusal::Broken, Refusal::Full] {
            let wanted = if long() { (0..u64::MAX).step_by(1) } else { wanted.clone().step_by(step) };
            let met = wanted
                .map(|passed| Case { place, call, refusal, passed })
                .take_while(|case| round(&mut driven, &disks, *case, &mut rng));
            println!("{place:?} {call:?} {refusal:?}: {} refused", met.count());
        }
    }
    check_everything(&mut driven.net);
}

#[test]
fn a_tap_goes_on_after_any_call_that_the_disk_of_the_log_refuses() {
    refuse(Place::Log, &[Call::Write, Call::Sync], 0..9, 4);
}

#[test]
fn a_tap_goes_on_after_any_call_that_its_own_disk_refuses() {
    refuse(Place::Tap, &[Call::Write, Call::Rename, Call::Create], 0..2, 1);
}

#[test]
fn a_replica_goes_on_after_any_call_that_its_disk_refuses() {
    refuse(Place::Replica, &[Call::Write, Call::Sync, Call::Rename, Call::Create], 0..13, 6);
}

#[test]
fn no_block_is_lost_by_any_call_that_the_disk_of_the_spool_refuses() {
    refuse(Place::Spool, &[Call::Write, Call::Sync], 0..3, 1);
}
