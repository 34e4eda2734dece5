//! Signs of life of a tap whose clock is another than ours.

use super::{DEMANDS, KEEP, PROOFS, TOPIC, World};
use crate::follow::{Follower, Logs};
use crate::liveness::Liveness;
use maidenlane_service::{Tracer, clock};
use maidenlane_store::Store;
use maidenlane_testkit::feed::Feed;
use maidenlane_wire::{Heartbeat, Record};
use std::sync::Arc;
use std::time::Duration;

/// Silence that makes a replica stale here.
const SILENCE_MAX: Duration = Duration::from_secs(10);

fn beat(feed: &mut Feed, tap_clock_ahead_s: i64) {
    let master_seen_ms = clock::now_ms().saturating_add_signed(tap_clock_ahead_s * 1_000);
    let at = feed.tip().at;
    feed.put(
        Record::Heartbeat(Heartbeat { published: at, master: at, resuming: false, master_seen_ms }),
        false,
    );
}

/// Checks whether a heartbeat counts that was there before the replica looked, and one that comes while it follows.
fn check(tap_clock_ahead_s: i64, found: bool, live: bool) {
    let mut feed = Feed::from_genesis();
    let world = World::new();
    let store = Arc::new(Store::open(&world.dir.path().join("db"), super::CACHE_BYTES).unwrap());
    beat(&mut feed, tap_clock_ahead_s);
    world.append(&feed, 0, feed.entries.len());
    let liveness = Arc::new(Liveness::default());
    let logs = Logs::open(&world.backend(), TOPIC, Some(PROOFS)).unwrap();
    let mut follower =
        Follower::new(store, KEEP, DEMANDS, logs, Tracer::silent(), Arc::clone(&liveness), &mut || ())
            .unwrap();
    let counts = || liveness.any() && liveness.silent() < SILENCE_MAX;
    follower.turn(Duration::ZERO).unwrap();
    assert_eq!(counts(), found, "{tap_clock_ahead_s} s ahead, found");
    let before = feed.entries.len();
    beat(&mut feed, tap_clock_ahead_s);
    world.append(&feed, before, feed.entries.len());
    follower.turn(Duration::ZERO).unwrap();
    assert_eq!(counts(), live, "{tap_clock_ahead_s} s ahead, live");
    assert_eq!(liveness.expected(), 0);
}

#[test]
fn a_tap_s_clock_neither_makes_silence_nor_hides_it() {
    check(0, true, true);
    check(-15, false, true);
    check(-86_400, false, true);
    check(15, false, true);
    check(86_400, false, true);
}
