//! The newest records of the log are lost and others written in their place, as when a disk or a broker without
//! copies loses what it had acknowledged. A replica that is ahead finds its head by hash and goes on from there.

use std::{fs, path::Path, time::Duration};

use fastrand::Rng;
use maidenlane_tests::{scenario::Carrier, settings, traffic::Traffic, wait};
use rustix::process::Signal;

use crate::{check_everything, developer_net, driven::Driven, long};

const SEED: u64 = 0x6375_7421;
/// The spool keeps what is not final, and only that can be published again: so many entries must not reach below it.
const ENTRIES_MAX: usize = 50;
const BRANCH_MAX: usize = 4;
const PATIENCE: Duration = Duration::from_secs(60);

/// State of the daemons while the log is cut.
#[derive(Debug, Clone, Copy)]
enum Meanwhile {
    /// Both are stopped.
    Stopped,
    /// Both run: the tap gives up and is started again, the replica finds its place while it serves.
    Running,
    /// The replica looks again only after a new tap has written more than was lost.
    Frozen,
}

/// Runs a verb of `maidenlane log` and returns where the log ends.
fn log(driven: &Driven, verb: &str, options: &[&str]) -> u64 {
    let place = driven.net.dir().join("log").display().to_string();
    let topic = settings::topic();
    let line = [["log", verb, "--dir", &place, "--topic", &topic].as_slice(), options].concat();
    let said = driven.net.command(&line).unwrap();
    let last: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    last.get("end").and_then(serde_json::Value::as_u64).unwrap()
}

/// Cuts `entries` off; if `depth` is more than 0, another branch replaces so many blocks meanwhile.
fn round(driven: &mut Driven, entries: usize, depth: usize, meanwhile: Meanwhile) {
    driven.grow(0, BRANCH_MAX);
    driven.followed("before the cut");
    let end = log(driven, "inspect", &[]);
    let cut_and_grow = |driven: &mut Driven| {
        log(driven, "cut", &["--entries", &entries.to_string()]);
        driven.grow(depth, depth * 2);
    };
    match meanwhile {
        Meanwhile::Stopped => {
            driven.net.tap().stop().unwrap();
            driven.daemon("replica").stop().unwrap();
            cut_and_grow(driven);
            driven.net.tap().start().unwrap();
            driven.daemon("replica").start().unwrap();
        }
        Meanwhile::Running => cut_and_grow(driven),
        Meanwhile::Frozen => {
            driven.net.tap().stop().unwrap();
            driven.daemon("replica").process().unwrap().signal(Signal::STOP);
            cut_and_grow(driven);
            driven.net.tap().start().unwrap();
            wait::until("more than was lost", PATIENCE, || {
                let now = log(driven, "inspect", &[]);
                if now > end { Ok(()) } else { Err(format!("{now} of {end}")) }
            })
            .unwrap();
            driven.daemon("replica").process().unwrap().signal(Signal::CONT);
        }
    }
    driven.followed(&format!(
        "seed {SEED:#x}: {entries} entries cut off, {depth} blocks replaced, {meanwhile:?}"
    ));
}

#[test]
fn a_replica_finds_its_place_in_a_log_that_was_cut_and_written_anew() {
    let Some(mut driven) = Driven::new() else { return };
    // A replica that waits in vain for signs of life looks sooner whether its place in the log is still there.
    let sooner = |text: &str| text.replace("maxSilence_ms = 15000", "maxSilence_ms = 2000");
    driven.daemon("replica").edit(sooner).unwrap();
    driven.net.start().unwrap();
    driven.grow(0, ENTRIES_MAX);
    let mut rng = Rng::with_seed(SEED);
    let few = [1, 2, 7, 19, 33, ENTRIES_MAX];
    let all: Vec<usize> = (1..=ENTRIES_MAX).collect();
    let counts = if long() { all.as_slice() } else { few.as_slice() };
    for (turn, entries) in counts.iter().copied().enumerate() {
        let meanwhile = [Meanwhile::Stopped, Meanwhile::Running, Meanwhile::Frozen][turn % 3];
        // The same blocks again, or others in place of some.
        let depth = if turn % 2 == 0 { 0 } else { rng.usize(1..=4) };
        round(&mut driven, entries, depth, meanwhile);
    }
    let log = fs::read_to_string(driven.net.dir().join("replica-0.log")).unwrap();
    let found = log.lines().filter(|line| line.contains("the log was cut: went back")).count();
    assert!(found >= counts.len(), "the replica noticed {found} of {} cuts", counts.len());
    check_everything(&mut driven.net);
}

#[test]
fn a_broker_restored_from_an_older_copy_is_followed_again() {
    let Some(mut net) = developer_net(Carrier::Kafka) else { return };
    let mut traffic = Traffic::open(&net.master()).unwrap();
    net.caught_up(0).unwrap();
    let (data, copy) = (net.broker().unwrap().data(), net.dir().join("older"));
    net.broker().unwrap().stop();
    copy_all(&data, &copy);
    net.broker().unwrap().restart().unwrap();
    net.recovered().unwrap();
    for _ in 0..3 {
        traffic.burst().unwrap();
        traffic.settle().unwrap();
    }
    net.caught_up(0).unwrap();
    net.broker().unwrap().kill();
    fs::remove_dir_all(&data).unwrap();
    copy_all(&copy, &data);
    net.broker().unwrap().restart().unwrap();
    // The tap gives up, as what it has read is no longer there; its next start goes on where the log ends now.
    let ended = net.tap().wait(PATIENCE);
    let ended = ended.unwrap_or_else(|failure| panic!("{failure}\n{}", net.last_words()));
    assert_eq!(ended.code(), Some(75), "{}", net.last_words());
    net.recovered().unwrap_or_else(|failure| panic!("{failure}\n{}", net.last_words()));
    check_everything(&mut net);
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let place = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_all(&path, &place);
        } else {
            fs::copy(&path, place).unwrap();
        }
    }
}
