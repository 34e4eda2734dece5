//! Snapshots of a replica: kept in a repository, verified, and what a replica begins with.

mod gap;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use maidenlane_tests::{
    interrupt::Interrupt,
    libraries,
    process::Process,
    product::{self, Product},
    scenario::{Carrier, Chain, Net, Plan},
    settings, wait,
};
use serde_json::Value;

use crate::consensus::{Consensus, PATIENCE};

/// A network's replica 0 and a repository beside it.
struct Kept {
    config: String,
    state: PathBuf,
    repository: String,
    scratch: String,
}

impl Kept {
    fn of(net: &mut Net) -> Self {
        let dir = net.dir().to_owned();
        fs::create_dir(dir.join("repository")).unwrap();
        let replica = net.replica_daemon(0).unwrap();
        Self {
            config: replica.config().display().to_string(),
            state: replica.state().to_owned(),
            repository: dir.join("repository").display().to_string(),
            scratch: dir.join("scratch").display().to_string(),
        }
    }

    /// `maidenlane` with these words and the repository, killed at a point, if one is named.
    fn run(&self, words: &str, killed: &str) -> Output {
        let words = words.replace("CONFIG", &self.config).replace("SCRATCH", &self.scratch);
        let mut command: Command = Product::build().unwrap().command("maidenlane");
        command.args(words.split_whitespace()).args(["--repository", &self.repository]);
        command.env("MAIDENLANE_FAILPOINT", killed).output().unwrap()
    }

    /// The same, with what it prints.
    fn told(&self, words: &str) -> Vec<Value> {
        let output = self.run(words, "");
        assert!(output.status.success(), "{words}: {}", said(&output));
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn snapshot(&self) -> Value {
        self.told("replica snapshot --config CONFIG").remove(0)
    }

    fn restore(&self) -> Value {
        self.told("replica restore --config CONFIG").remove(0)
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Starts the replica, which is killed at a point of its restore: the next start ends that.
fn killed_at(consensus: &mut Consensus, kept: &Kept, point: &str) {
    let replica = consensus.net.replica_daemon(0).unwrap();
    replica.environment("MAIDENLANE_FAILPOINT", point);
    replica.launch().unwrap();
    assert_eq!(replica.wait(PATIENCE).unwrap().code(), None, "{point}");
    replica.environment("MAIDENLANE_FAILPOINT", "");
    replica.start().unwrap();
    consensus.replica_moved();
    consensus.agreed();
    assert!(!kept.state.join("restore").exists(), "{point}");
}

#[test]
fn a_replica_begins_with_a_snapshot_and_follows() {
    let Some(mut consensus) = Consensus::new(Carrier::Segment) else { return };
    let kept = Kept::of(&mut consensus.net);
    let base = consensus.head();
    let undone = consensus.branch(&base, 2, 1);
    consensus.followed();
    let running = said(&kept.run("replica snapshot --config CONFIG", ""));
    assert!(running.contains("in use; stop the replica"), "{running}");
    consensus.net.replica_daemon(0).unwrap().stop().unwrap();
    let made = kept.snapshot();
    assert_eq!(made["hash"], undone, "{made}");
    let refused = said(&kept.run("replica restore --config CONFIG", ""));
    assert!(refused.contains(&format!("holds block {}", made["number"])), "{refused}");
    fs::remove_dir_all(&kept.state).unwrap();
    let refused = said(&kept.run("replica restore --config CONFIG", ""));
    assert!(refused.contains("no verified snapshot"), "{refused}");
    let note = Path::new(&kept.scratch).join("another's");
    fs::create_dir_all(&note).unwrap();
    let verified = kept.told("snapshot verify --scratch SCRATCH").remove(0);
    assert!(note.exists(), "what else is in the scratch directory is not ours");
    assert_eq!(verified["id"], made["id"], "{verified}");
    assert_eq!(kept.told("snapshot verify --scratch SCRATCH"), [] as [Value; 0], "once is enough");
    // Its newest blocks are undone while nobody has them.
    consensus.branch(&base, 4, 2);
    assert_eq!(kept.restore()["id"], made["id"]);
    consensus.net.replica_daemon(0).unwrap().start().unwrap();
    consensus.replica_moved();
    consensus.agreed();
    consensus.net.replica_daemon(0).unwrap().stop().unwrap();
    // Again, of what has grown on it.
    let again = kept.snapshot();
    assert!(again["sentFiles"].as_u64() < again["files"].as_u64(), "{again}");
    let listed = kept.told("snapshot list");
    let marks: Vec<_> = listed.iter().map(|row| (&row["id"], row["verifiedMs"].is_u64())).collect();
    assert_eq!(marks, [(&made["id"], true), (&again["id"], false)]);
    consensus.net.replica_daemon(0).unwrap().start().unwrap();
    consensus.replica_moved();
    consensus.end();
}

#[test]
fn a_serving_replica_makes_snapshots_and_an_empty_one_begins_by_itself() {
    let Some(mut consensus) = Consensus::new(Carrier::Segment) else { return };
    let kept = Kept::of(&mut consensus.net);
    let replica = consensus.net.replica_daemon(0).unwrap();
    replica.edit(|text| settings::keeping(text, Path::new(&kept.repository))).unwrap();
    // An empty repository: it begins where the feed does.
    replica.stop().unwrap();
    fs::remove_dir_all(&kept.state).unwrap();
    replica.start().unwrap();
    consensus.replica_moved();
    consensus.branch(&consensus.head(), 2, 1);
    consensus.agreed();
    let ask = ["replica", "snapshot", "--config", &kept.config];
    let answer = consensus.net.command(&ask).unwrap();
    let made: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(made["hash"], consensus.head(), "{made}");
    let refused = said(&kept.run("replica snapshot --config CONFIG", ""));
    assert!(refused.contains("the replica runs"), "{refused}");
    // Nobody but root and the group may ask.
    let mode = fs::metadata(kept.state.join("control.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    kept.told("snapshot verify --scratch SCRATCH");
    consensus.branch(&consensus.head(), 2, 1);
    consensus.agreed();
    for point in ["restore.after_fetched:3", "restore.after_place"] {
        consensus.net.replica_daemon(0).unwrap().stop().unwrap();
        assert!(!kept.state.join("control.sock").exists());
        fs::remove_dir_all(&kept.state).unwrap();
        killed_at(&mut consensus, &kept, point);
    }
    // A log that has dropped nothing needs no snapshot.
    let replica = consensus.net.replica_daemon(0).unwrap();
    wait::until("the guard's first look", PATIENCE, || {
        let status = replica.status().map_err(|failure| failure.to_string())?;
        let told = &status["snapshots"];
        let is_whole = told["newestVerified"] == made["id"] && told["due"] == false;
        let left = (told["recordsLeft"].as_u64(), told["recordsHeld"].as_u64());
        if is_whole && left.0 > Some(0) && left.0 < left.1 { Ok(()) } else { Err(status.to_string()) }
    })
    .unwrap();
    assert!(replica.admin("metrics").unwrap().contains("maidenlane_replica_snapshot_due 0\n"));
    let log = fs::read_to_string(consensus.net.dir().join("replica-0.log")).unwrap();
    assert!(log.contains("restored snapshot") && log.contains("no verified snapshot"), "{log}");
    // Of a state that has none of it: 78, with the setting.
    let replica = consensus.net.replica_daemon(0).unwrap();
    replica.stop().unwrap();
    fs::rename(&kept.state, kept.state.with_extension("kept")).unwrap();
    let before = fs::read_to_string(replica.config()).unwrap();
    replica.edit(settings::proving).unwrap();
    replica.launch().unwrap();
    assert_eq!(replica.wait(PATIENCE).unwrap().code(), Some(78));
    assert!(replica.log_tail(5).contains("which `proofs` wants"), "{}", replica.log_tail(5));
    replica.edit(|_| before).unwrap();
    fs::remove_dir_all(&kept.state).unwrap();
    replica.start().unwrap();
    consensus.replica_moved();
    consensus.end();
}

/// An S3-compatible store on this machine, with a bucket; `None`, said aloud, on a machine without Python.
fn store(net: &Net) -> Option<(Process, String)> {
    let list = product::root().join("tests/e2e/clients/store.txt");
    let python = libraries::python("store", &list).unwrap()?;
    let log = net.dir().join("store.log");
    let mut command = Command::new(python);
    command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]);
    let mut process = Process::start("the store", &mut command, &log).unwrap();
    let endpoint = wait::until("the store to listen", PATIENCE, || {
        process.alive().map_err(|failure| failure.to_string())?;
        let said = fs::read_to_string(&log).map_err(|error| error.to_string())?;
        let rest = said.split("Running on ").nth(1).ok_or_else(|| said.clone())?;
        rest.split_whitespace().next().map(str::to_owned).ok_or(said)
    })
    .unwrap();
    // Of the region that the settings name.
    let scope = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
    ureq::put(format!("{endpoint}/snapshots")).header("Authorization", scope).send_empty().unwrap();
    Some((process, endpoint))
}

#[test]
fn snapshots_go_to_a_store_and_come_back() {
    let Some(mut consensus) = Consensus::new(Carrier::Segment) else { return };
    let Some((_store, endpoint)) = store(&consensus.net) else { return };
    let kept = Kept::of(&mut consensus.net);
    let secret = consensus.net.dir().join("secret");
    fs::write(&secret, "a secret\n").unwrap();
    let replica = consensus.net.replica_daemon(0).unwrap();
    replica.edit(|text| settings::keeping_in_bucket(text, &endpoint, "snapshots", "test", &secret)).unwrap();
    replica.stop().unwrap();
    replica.start().unwrap();
    consensus.replica_moved();
    let command = |net: &Net, words: &str| -> Vec<Value> {
        let words = words.replace("SCRATCH", &kept.scratch);
        let words: Vec<_> = words.split_whitespace().chain(["--config", &kept.config]).collect();
        let lines = net.command(&words).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let net = &consensus.net;
    let first = command(net, "replica snapshot").remove(0);
    assert_eq!(first["sentFiles"], first["files"], "{first}");
    consensus.branch(&consensus.head(), 3, 1);
    consensus.agreed();
    let net = &consensus.net;
    let second = command(net, "replica snapshot").remove(0);
    assert!(second["sentFiles"].as_u64() < second["files"].as_u64(), "{second}");
    assert_eq!(command(net, "snapshot verify --scratch SCRATCH").len(), 2);
    let collected = command(net, "snapshot collect --newest 1 --daily 0 --weekly 0").remove(0);
    assert_eq!(collected["snapshots"], Value::from(vec![first["id"].clone()]), "{collected}");
    assert!(collected["files"].as_u64() > Some(0), "{collected}");
    let left = command(net, "snapshot list");
    assert_eq!(left.len(), 1);
    let again = format!("snapshot verify --scratch SCRATCH {}", second["id"].as_str().unwrap());
    command(net, &again);
    consensus.branch(&consensus.head(), 2, 1);
    let replica = consensus.net.replica_daemon(0).unwrap();
    replica.stop().unwrap();
    fs::remove_dir_all(&kept.state).unwrap();
    replica.start().unwrap();
    consensus.replica_moved();
    consensus.agreed();
    let log = fs::read_to_string(consensus.net.dir().join("replica-0.log")).unwrap();
    assert!(log.contains(&format!("restored snapshot {}", second["id"].as_str().unwrap())), "{log}");
    consensus.end();
}

/// Points of one kind of work at which it is killed, each for its first and its third passage.
fn points(work: &str) -> Vec<String> {
    let text = fs::read_to_string(product::root().join("daemons/lib/snapshot/src/failpoints.rs")).unwrap();
    let all: Vec<&str> = text.split('"').skip(1).step_by(2).filter(|word| word.starts_with(work)).collect();
    assert!(all.len() > 1, "{all:?}");
    all.into_iter().flat_map(|name| [1, 3].map(|nth| format!("{name}:{nth}"))).collect()
}

/// Runs the words of each point, killed there, and has `check` look at what is left. Some are passed once.
fn killed(kept: &Kept, work: &str, words: impl Fn(usize) -> String, mut check: impl FnMut(&str)) {
    let mut kills = 0;
    for (nth, point) in points(work).into_iter().enumerate() {
        let output = kept.run(&words(nth), &point);
        let died = output.status.code().is_none();
        assert!(died || (point.ends_with(":3") && output.status.success()), "{point}: {}", said(&output));
        kills += usize::from(died);
        check(&point);
    }
    assert!(kills >= points(work).len() / 2, "{kills} kills of {work}");
}

#[test]
fn what_is_killed_at_any_point_goes_on() {
    let plan = Plan { chain: Chain::Recorded, carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::started(&plan).unwrap();
    net.replay().unwrap().play(Duration::from_millis(1), &Interrupt::default());
    assert_eq!(net.caught_up(0).unwrap(), 64);
    net.stop().unwrap();
    let kept = Kept::of(&mut net);
    let dump = net.dump(0).unwrap();
    let words = |words: &'static str| move |_| words.to_owned();
    killed(&kept, "snapshot.", words("replica snapshot --config CONFIG"), |point| {
        // What a kill has left is no snapshot, or a whole one.
        kept.told("snapshot verify --scratch SCRATCH");
        kept.snapshot();
        assert!(!kept.state.join("snapshot/checkpoint").exists(), "{point}");
        kept.told("snapshot verify --scratch SCRATCH");
    });
    let newest = kept.told("snapshot list").last().unwrap()["id"].clone();
    // Each has something to remove.
    let fewer = |nth| format!("snapshot collect --newest {} --daily 0 --weekly 0", 8 - nth);
    killed(&kept, "collect.", fewer, |point| {
        for row in kept.told("snapshot list") {
            let id = row["id"].as_str().unwrap();
            kept.told(&format!("snapshot verify --scratch SCRATCH {id}"));
        }
        assert_eq!(kept.told("snapshot list").last().unwrap()["id"], newest, "{point}");
    });
    assert_eq!(kept.told("snapshot list").len(), 8 + 1 - points("collect.").len());
    fs::remove_dir_all(&kept.state).unwrap();
    killed(&kept, "restore.", words("replica restore --config CONFIG"), |point| {
        let placed = kept.state.join("db").exists();
        assert!(
            !placed || point.contains("after_place") || point.ends_with(":3"),
            "{point} left something to serve"
        );
        if kept.state.join("restore").exists() {
            assert_eq!(kept.restore()["id"], newest, "{point}");
        }
        assert_eq!(net.dump(0).unwrap(), dump, "{point}");
        assert!(!kept.state.join("restore").exists(), "{point} left its files");
        fs::remove_dir_all(&kept.state).unwrap();
    });
}
