//! A real feed, read by a program that has nothing of ours but the published schemas, and looked at with the
//! operator's command while daemons run and after. Needs no Go: the blocks are recorded.

use std::{fs, process::Command, time::Duration};

use maidenlane_tests::{
    interrupt::Interrupt,
    libraries, product,
    scenario::{Carrier, Chain, Net, Plan},
    settings::{self, Log},
};

/// Runs feed.py, unless there is no Python, and returns what it printed on both streams.
fn feed_py(arguments: &[&str]) -> Option<(String, String)> {
    let here = product::root().join("tests/conformance");
    let python = libraries::python("fastavro", &here.join("requirements.txt")).unwrap()?;
    let output = Command::new(python).arg(here.join("feed.py")).args(arguments).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{err}");
    Some((out, err))
}

#[test]
fn a_feed_is_read_with_nothing_but_the_schemas() {
    let plan = Plan { chain: Chain::Recorded, carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::started(&plan).unwrap();
    net.replay().unwrap().play(Duration::from_millis(1), &Interrupt::default());
    assert_eq!(net.caught_up(0).unwrap(), 64);
    let config = net.replica_daemon(0).unwrap().config().display().to_string();
    let refused = net.command(&["replica", "verify", "--config", &config]).unwrap_err().to_string();
    assert!(refused.contains("78") && refused.contains("in use; stop the replica"), "{refused}");
    net.stop().unwrap();
    let verified = net.command(&["replica", "verify", "--config", &config]).unwrap();
    assert!(verified.contains("\"number\":64"), "{verified}");

    let Log::Segment(log) = net.carrier() else { panic!("a segment log") };
    let (log, topic) = (log.display().to_string(), settings::topic());
    let arguments = ["log", "tail", "--dir", &log, "--topic", &topic, "--entries", "100000", "--raw"];
    let output = product::Product::build().unwrap().command("maidenlane").args(arguments).output().unwrap();
    assert!(output.status.success());
    let dump = net.dir().join("entries");
    fs::write(&dump, &output.stdout).unwrap();
    let Some((records, summary)) = feed_py(&["dump", &dump.display().to_string()]) else { return };
    assert!(
        summary.contains("64 Advance") && summary.contains("1 Genesis") && summary.ends_with("head 64\n"),
        "{summary}"
    );
    let head = net_head(&records);
    assert!(verified.contains(&head), "{head} is not in {verified}");
}

/// The hash of the last block in feed.py's lines.
fn net_head(records: &str) -> String {
    let line = records.lines().rfind(|line| line.contains("\"Advance\"")).unwrap();
    let record: serde_json::Value = serde_json::from_str(line).unwrap();
    record.pointer("/block/hash").and_then(serde_json::Value::as_str).unwrap().to_owned()
}

#[test]
fn golden_records_are_read_and_written_alike() {
    let Some((output, _)) = feed_py(&["golden"]) else { return };
    assert!(output.contains("55 golden records of 25 schemas agree"), "{output}");
}
