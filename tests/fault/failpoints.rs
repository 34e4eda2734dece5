//! A kill at every named point: the list is read from the daemons' own source, so that none is forgotten.

use std::{fs, time::Duration};

use maidenlane_tests::{
    product,
    scenario::{Carrier, Net},
    traffic::Traffic,
    wait,
};

use crate::{check_everything, developer_net};

/// Points that a growing developer chain does not pass: reorgs and deletions have scenarios of their own.
const ELSEWHERE: &[&str] = &["tap.between_undo_and_advance", "tap.before_spool_delete", "replica.after_undo"];
/// The first passage falls into the start, the third into the work.
const TIMES: [u32; 2] = [1, 3];
/// A daemon under way passes each of its points at every block.
const PASSED_WITHIN: Duration = Duration::from_secs(20);
const PASSED_AGAIN_WITHIN: Duration = Duration::from_secs(6);

/// The points in a daemon's `failpoints.rs`, each for several passages.
fn names(daemon: &str) -> Vec<String> {
    let file = product::root().join("daemons").join(daemon).join("src/failpoints.rs");
    let text = fs::read_to_string(file).unwrap();
    let prefix = format!("{daemon}.");
    let quoted = text.split('"').skip(1).step_by(2).filter(|word| word.starts_with(&prefix));
    let passed = quoted.filter(|name| !ELSEWHERE.contains(name));
    passed.flat_map(|name| TIMES.map(|nth| format!("{name}:{nth}"))).collect()
}

#[test]
fn a_tap_killed_at_any_point_comes_back() {
    let Some(mut net) = developer_net(Carrier::Segment) else { return };
    let mut traffic = Traffic::open(&net.master()).unwrap();
    for name in names("tap") {
        net.tap().stop().unwrap_or_else(|failure| panic!("before {name}: {failure}"));
        net.tap().environment("MAIDENLANE_FAILPOINT", &name);
        net.tap().launch().unwrap();
        killed(&mut net, &name, true, &mut traffic);
        net.tap().environment("MAIDENLANE_FAILPOINT", "");
        net.tap().start().unwrap();
        net.caught_up(0).unwrap_or_else(|failure| panic!("after {name}: {failure}"));
    }
    check_everything(&mut net);
}

#[test]
fn a_replica_killed_at_any_point_comes_back() {
    let Some(mut net) = developer_net(Carrier::Segment) else { return };
    let mut traffic = Traffic::open(&net.master()).unwrap();
    for name in names("replica") {
        let replica = net.replica_daemon(0).unwrap();
        replica.stop().unwrap_or_else(|failure| panic!("before {name}: {failure}"));
        replica.environment("MAIDENLANE_FAILPOINT", &name);
        replica.launch().unwrap();
        killed(&mut net, &name, false, &mut traffic);
        let replica = net.replica_daemon(0).unwrap();
        replica.environment("MAIDENLANE_FAILPOINT", "");
        replica.start().unwrap();
        net.caught_up(0).unwrap_or_else(|failure| panic!("after {name}: {failure}"));
    }
    check_everything(&mut net);
}

/// Sends transactions until the process has ended, and makes sure that it died of the failpoint.
///
/// Points that a start passes once are not passed a third time: then the daemon is stopped instead.
fn killed(net: &mut Net, name: &str, tap: bool, traffic: &mut Traffic) {
    let first = name.ends_with(":1");
    let timeout = if first { PASSED_WITHIN } else { PASSED_AGAIN_WITHIN };
    let status = wait::until(&format!("the failpoint {name}"), timeout, || {
        traffic.burst().map_err(|failure| failure.to_string())?;
        let daemon = if tap { net.tap() } else { net.replica_daemon(0).unwrap() };
        daemon.wait(Duration::from_millis(200)).map_err(|failure| failure.to_string())
    });
    match status {
        Ok(status) => assert_eq!(status.code(), None, "{name} is a kill, not an exit"),
        Err(failure) if first => panic!("{failure}"),
        Err(_) => (if tap { net.tap() } else { net.replica_daemon(0).unwrap() }).kill(),
    }
}
