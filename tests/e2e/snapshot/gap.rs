//! A replica that the log has left behind: it says what cures it, and with a source it is cured.

use std::{fs, path::Path, process::Command};

use maidenlane_tests::{
    scenario::{Carrier, Net},
    settings::{self, Log},
};
use rustix::process::Signal;
use serde_json::Value;

use super::{Kept, killed_at};
use crate::consensus::{Consensus, PATIENCE};

/// Directory of the feed's topic in the segment log.
fn topic(net: &Net) -> std::path::PathBuf {
    let Log::Segment(dir) = net.carrier() else { panic!("the feed is in another log") };
    dir.join(settings::topic())
}

/// Has the log keep so many bytes from now on, in small segments.
fn retain(net: &mut Net, bytes: &str) {
    net.tap().stop().unwrap();
    let path = topic(net).join("topic");
    let text = fs::read_to_string(&path).unwrap();
    let edited = text.lines().map(|line| match line.split_once(' ') {
        Some(("segment_max_bytes", _)) => "segment_max_bytes 4096\n".to_owned(),
        Some(("retention_max_bytes", _)) => format!("retention_max_bytes {bytes}\n"),
        _ => format!("{line}\n"),
    });
    fs::write(&path, edited.collect::<String>()).unwrap();
    net.tap().start().unwrap();
}

/// Offset of the oldest record.
fn oldest(net: &Net) -> u64 {
    let files = fs::read_dir(topic(net).join("0")).unwrap().map(|file| file.unwrap().path());
    let segments = files.filter(|path| path.extension().is_some_and(|suffix| suffix == "log"));
    segments.map(|path| path.file_stem().unwrap().to_str().unwrap().parse().unwrap()).min().unwrap()
}

/// Makes blocks until the log has dropped what is there now, and a segment more: a reader that stands in a file which is
/// deleted reads that to its end, and the next file may be there.
fn drop_all(consensus: &mut Consensus) {
    retain(&mut consensus.net, "8192");
    for _ in ["the files that a reader may have open", "the one behind them"] {
        let newest = consensus.net.feed().unwrap().last().unwrap()["offset"].as_u64().unwrap();
        while oldest(&consensus.net) <= newest + 1 {
            assert!(consensus.number() < 400, "the log drops nothing: {}", consensus.net.last_words());
            consensus.branch(&consensus.head(), 8, 1);
        }
    }
    // What is there now stays, heartbeats or not.
    retain(&mut consensus.net, "none");
}

fn copied(from: &Path, to: &Path) {
    drop(fs::remove_dir_all(to));
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[test]
fn a_replica_that_the_log_left_behind_is_cured_by_a_snapshot() {
    let Some(mut consensus) = Consensus::new(Carrier::Segment) else { return };
    let kept = Kept::of(&mut consensus.net);
    let old = kept.state.with_extension("old");
    let replica = consensus.net.replica_daemon(0).unwrap();
    let without = fs::read_to_string(replica.config()).unwrap();
    replica.edit(|text| settings::keeping(text, Path::new(&kept.repository))).unwrap();
    replica.stop().unwrap();
    copied(&kept.state, &old);
    replica.start().unwrap();
    consensus.replica_moved();
    drop_all(&mut consensus);
    consensus.agreed();
    let made = consensus.net.command(&["replica", "snapshot", "--config", &kept.config]).unwrap();
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["hash"], consensus.head(), "{made}");
    let id = made["id"].as_str().unwrap();
    let replica = consensus.net.replica_daemon(0).unwrap();
    replica.stop().unwrap();
    let ended = |consensus: &mut Consensus, code, words: &str| {
        let replica = consensus.net.replica_daemon(0).unwrap();
        assert_eq!(replica.wait(PATIENCE).unwrap().code(), code, "{words}");
        let log = replica.log_tail(6);
        assert!(log.contains(words), "{log}");
    };
    // A snapshot that nobody has verified counts for nothing.
    copied(&old, &kept.state);
    replica.launch().unwrap();
    ended(&mut consensus, Some(65), "no source has a verified snapshot");
    kept.told("snapshot verify --scratch SCRATCH");
    for point in ["restore.before_place", "replace.set_aside", "restore.after_place"] {
        copied(&old, &kept.state);
        killed_at(&mut consensus, &kept, point);
        consensus.net.replica_daemon(0).unwrap().stop().unwrap();
    }
    // Without a source, what would cure it is named.
    let replica = consensus.net.replica_daemon(0).unwrap();
    let with = fs::read_to_string(replica.config()).unwrap();
    for (settings, words) in [
        (settings::sending(&without, Path::new(&kept.repository)), format!("snapshot {id} in")),
        (without, "name a repository with a snapshot of a replica that follows".to_owned()),
    ] {
        copied(&old, &kept.state);
        let replica = consensus.net.replica_daemon(0).unwrap();
        replica.edit(|_| settings).unwrap();
        replica.launch().unwrap();
        ended(&mut consensus, Some(65), &words);
    }
    // One that follows and is held up for too long starts again, to be cured.
    let replica = consensus.net.replica_daemon(0).unwrap();
    replica.edit(|_| with).unwrap();
    replica.start().unwrap();
    consensus.replica_moved();
    let replica = consensus.net.replica_daemon(0).unwrap();
    replica.process().unwrap().signal(Signal::STOP);
    drop_all(&mut consensus);
    let replica = consensus.net.replica_daemon(0).unwrap();
    replica.process().unwrap().signal(Signal::CONT);
    ended(&mut consensus, Some(75), "the next start looks for a snapshot");
    consensus.net.replica_daemon(0).unwrap().launch().unwrap();
    ended(&mut consensus, Some(65), "is too old to go on from");
}
