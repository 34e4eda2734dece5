//! A kill at every named point: the list is read from the daemons' own source, so that none is forgotten.

use std::{fs, time::Duration};

use maidenlane_tests::{
    compare::Comparison,
    interrupt::Interrupt,
    product,
    scenario::{Carrier, Chain, Net, Plan},
    traffic::Traffic,
    wait,
};

use serde_json::json;

use crate::{check_everything, driven::Driven, net};

/// Points that only a reorganisation passes.
const IN_REORGS: [&str; 2] = ["tap.between_undo_and_advance", "replica.after_undo"];
/// Points that a tap passes when what it published has become final.
const WHEN_FINAL: [&str; 1] = ["tap.before_spool_delete"];
/// Points that a replica passes when its feed told no senders.
const WHEN_FILLING: [&str; 1] = ["replica.before_fill"];
/// Points that a replica passes when it brings blocks from before its beginning: `tests/e2e/bootstrap/backfill.rs` kills it there.
const WHEN_BACKFILLING: [&str; 4] =
    ["replica.before_past", "replica.after_past", "replica.before_floor", "replica.after_floor"];
/// The first passage falls into the start, the third into the work.
const TIMES: [u32; 2] = [1, 3];
/// A daemon under way passes each of its points at every block.
const PASSED_WITHIN: Duration = Duration::from_secs(20);
const PASSED_AGAIN_WITHIN: Duration = Duration::from_secs(6);

/// The points of a daemon in the `failpoints.rs` of `folder` that a growing chain passes, each for several passages. What is new there
/// and is passed by no growing chain fails its test, until it is named above.
fn names(daemon: &str, folder: &str) -> Vec<String> {
    let file = product::root().join(folder).join("src/failpoints.rs");
    let text = fs::read_to_string(file).unwrap();
    let prefix = format!("{daemon}.");
    let quoted = text.split('"').skip(1).step_by(2).filter(|word| word.starts_with(&prefix));
    let all: Vec<&str> = quoted.collect();
    let elsewhere = || IN_REORGS.iter().chain(&WHEN_FINAL).chain(&WHEN_FILLING).chain(&WHEN_BACKFILLING);
    let unknown = elsewhere().find(|name| name.starts_with(&prefix) && !all.contains(name));
    assert_eq!(unknown, None, "no such point");
    let passed = all.iter().filter(|name| !elsewhere().any(|other| other == *name));
    passed.flat_map(|name| TIMES.map(|nth| format!("{name}:{nth}"))).collect()
}

#[test]
fn a_tap_killed_at_any_point_comes_back() {
    let Some(mut net) = net(Carrier::Segment, Net::proving) else { return };
    let mut traffic = Traffic::open(&net.master()).unwrap();
    for name in names("tap", "daemons/tap") {
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
    let Some(mut net) = net(Carrier::Segment, Net::proving) else { return };
    let mut traffic = Traffic::open(&net.master()).unwrap();
    for name in names("replica", "daemons/lib/replay") {
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

#[test]
fn a_daemon_killed_in_a_reorg_comes_back() {
    let Some(mut driven) = Driven::new() else { return };
    driven.net.start().unwrap();
    driven.grow(0, 4);
    for name in IN_REORGS.iter().flat_map(|name| TIMES.map(|nth| format!("{name}:{nth}"))) {
        driven.followed(&format!("before {name}"));
        let kind = name.split('.').next().unwrap().to_owned();
        let daemon = driven.daemon(&kind);
        daemon.stop().unwrap();
        daemon.environment("MAIDENLANE_FAILPOINT", &name);
        daemon.start().unwrap();
        driven.net.recovered().unwrap();
        // The third passage may be in the third reorg, or at the third block of the first.
        let struck = (0..3).find_map(|_| {
            driven.grow(3, 4);
            driven.daemon(&kind).wait(PASSED_AGAIN_WITHIN).ok()
        });
        assert_eq!(
            struck.unwrap_or_else(|| panic!("{name} was not passed")).code(),
            None,
            "{name} is a kill"
        );
        driven.daemon(&kind).environment("MAIDENLANE_FAILPOINT", "");
        driven.daemon(&kind).start().unwrap();
        driven.followed(&format!("after {name}"));
    }
    check_everything(&mut driven.net);
}

#[test]
fn a_tap_killed_before_it_deletes_what_is_final_deletes_it_later() {
    let Some(mut driven) = Driven::new() else { return };
    let segments = |driven: &mut Driven| fs::read_dir(driven.net.node().spool()).unwrap().count();
    // The import's segment is closed once geth writes to the next.
    driven.grow(0, 1);
    let before = segments(&mut driven);
    assert!(before > 1);
    for name in WHEN_FINAL {
        driven.net.tap().environment("MAIDENLANE_FAILPOINT", name);
        driven.net.tap().launch().unwrap();
        let status = driven.net.tap().wait(PASSED_WITHIN).unwrap();
        assert_eq!((status.code(), segments(&mut driven)), (None, before), "{name}");
    }
    driven.net.tap().environment("MAIDENLANE_FAILPOINT", "");
    driven.net.start().unwrap();
    wait::until("only the newest segment to be left", PASSED_WITHIN, || match segments(&mut driven) {
        1 => Ok(()),
        more => Err(format!("{more} of {before}")),
    })
    .unwrap();
    driven.grow(0, 1);
    driven.followed("after the deletion");
    check_everything(&mut driven.net);
}

#[test]
fn a_replica_killed_while_it_fills_senders_fills_them_later() {
    // Recorded with a hook that told no senders.
    let plan = Plan { chain: Chain::Recorded, carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::build(&plan).unwrap();
    net.tap().start().unwrap();
    net.replay().unwrap().play(Duration::from_millis(1), &Interrupt::default());
    for name in WHEN_FILLING {
        let replica = net.replica_daemon(0).unwrap();
        replica.environment("MAIDENLANE_FAILPOINT", name);
        replica.launch().unwrap();
        assert_eq!(replica.wait(PASSED_WITHIN).unwrap().code(), None, "{name} is a kill");
        replica.environment("MAIDENLANE_FAILPOINT", "");
        replica.start().unwrap();
    }
    assert_eq!(net.caught_up(0).unwrap(), 64);
    let replica = net.replica_daemon(0).unwrap();
    wait::until("all senders to be filled", PASSED_WITHIN, || {
        let status = replica.status().map_err(|failure| failure.to_string())?;
        let filled = json!({ "filledTo": 0, "blocksMissing": 0 });
        if status.get("senders") == Some(&filled) { Ok(()) } else { Err(status.to_string()) }
    })
    .unwrap();
    assert!(replica.admin("metrics").unwrap().contains("maidenlane_replica_senders_missing_blocks 0\n"));
    // Blocks that nobody asked for are read from the store, with what was filled.
    let comparison = Comparison::with_recorded(&net.master(), &net.replica(0).unwrap()).unwrap();
    assert_eq!(comparison.differences, Vec::<String>::new());
    net.stop().unwrap();
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
