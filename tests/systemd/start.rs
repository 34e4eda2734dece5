//! Conditions that a start waits for, and those that it does not.

use std::time::Duration;

use maidenlane_tests::wait;

use crate::lane::{Lane, REPLICA, TAP};

/// A boot, or a change of the system's configuration, may take so long.
const PROMPT: Duration = Duration::from_secs(30);

#[test]
fn a_service_that_was_started_is_fit() {
    let Some(lane) = Lane::new() else { return };
    lane.systemctl(&format!("start {TAP}"));
    assert_eq!(lane.property(TAP, "ActiveState"), "active");
    lane.play();
    // Returns when the replica follows: it has all blocks that the feed has.
    lane.systemctl(&format!("start {REPLICA}"));
    assert_eq!(lane.property(REPLICA, "ActiveState"), "active");
    lane.followed();
    let status = lane.property(REPLICA, "StatusText");
    assert!(status.starts_with("block "), "{status}");
    lane.off();
}

#[test]
fn the_target_waits_for_nobody_and_a_service_until_it_is_fit() {
    let Some(lane) = Lane::new() else { return };
    lane.systemctl(&format!("enable maidenlane.target {REPLICA}"));
    let mut target = lane.spawn_systemctl("start maidenlane.target");
    let reached = wait::until("the target", PROMPT, || {
        target.try_wait().ok().flatten().ok_or_else(|| lane.property(REPLICA, "StatusText"))
    });
    assert!(reached.unwrap().success());
    // Nobody feeds it: it bootstraps for as long as it takes.
    lane.becomes(REPLICA, "StatusText", "the feed is empty: is its tap running?");
    assert_eq!(lane.property(REPLICA, "ActiveState"), "activating");
    let mut start = lane.spawn_systemctl(&format!("start {REPLICA}"));
    assert!(start.try_wait().unwrap().is_none(), "started before it was fit");
    lane.systemctl(&format!("start {TAP}"));
    assert!(start.wait().unwrap().success());
    assert_eq!(lane.property(REPLICA, "ActiveState"), "active");
    lane.systemctl("stop maidenlane.target");
    lane.becomes(REPLICA, "ActiveState", "inactive");
    lane.becomes(TAP, "ActiveState", "inactive");
    lane.off();
}
