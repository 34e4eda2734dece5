//! Test that acknowledgements come after the sync, as the kernel sees it.

use std::path::Path;
use std::process::{Command, Stdio};

use maidenlane_log::{TopicOptions, segment};

use super::kills;

/// Last system calls of a traced writer, and their number.
#[derive(Default)]
struct Trace {
    unsynced: bool,
    published: bool,
    syncs: u32,
    acknowledgements: u32,
}

impl Trace {
    fn see(&mut self, call: &str) {
        let log = call.contains(".log>");
        if call.contains("pwrite64(") && log {
            self.unsynced = true;
            self.published = false;
        } else if call.contains("fdatasync(") && log {
            self.unsynced = false;
            self.syncs += 1;
        } else if call.contains("pwrite64(") && call.contains("/durable>") {
            assert!(!self.unsynced, "published before the sync: {call}");
            self.published = true;
        } else if call.contains("write(1") && call.contains("said acknowledged") {
            assert!(!self.unsynced && self.published, "acknowledged before the sync: {call}");
            self.acknowledgements += 1;
        }
    }
}

/// Traces a writer of some appends; every one must be synced, published and acknowledged in this order.
pub(crate) fn before_acknowledgement() {
    if !Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        eprintln!("not run: the order of system calls needs strace");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let options = segment::Options::new(dir.path().join("log"));
    segment::create(&options, kills::WRITERS_TOPIC, &TopicOptions::default()).unwrap();
    let trace = traced(dir.path(), &options);
    assert!(trace.syncs >= kills::FEW_APPENDS && trace.acknowledgements >= kills::FEW_APPENDS);
    eprintln!("{} syncs, {} entries acknowledged", trace.syncs, trace.acknowledgements);
}

fn traced(dir: &Path, options: &segment::Options) -> Trace {
    let out = dir.join("strace");
    let status = Command::new("strace")
        .args(["-f", "-qq", "-y", "-e", "trace=pwrite64,fdatasync,write", "-o"])
        .arg(&out)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(kills::ROLE, format!("few 0 segment {}", options.dir.display()))
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let mut trace = Trace::default();
    for call in std::fs::read_to_string(out).unwrap().lines() {
        trace.see(call);
    }
    trace
}
