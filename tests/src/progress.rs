//! Progress of a cargo build for a log: cargo's own bar needs a terminal, and half an hour of silence looks like a hang.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::mpsc::{RecvTimeoutError, sync_channel},
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;

use crate::{
    failure::{Doing, Failure, Outcome},
    process,
};

/// Between two lines.
const PERIOD: Duration = Duration::from_secs(30);
/// Cargo waits when it is so many messages ahead.
const MESSAGES_MAX: usize = 256;

/// A line of `--message-format=json`, as far as progress needs it.
#[derive(Debug, Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    target: Option<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    kind: Vec<String>,
}

/// A build in packages: cargo names what is finished, never what is to come, so the total is asked for beforehand.
#[derive(Debug, Default)]
struct Progress {
    total: usize,
    finished: BTreeSet<String>,
    /// Packages whose build script runs, oldest first: those that compile C or C++ take longest.
    scripts: Vec<String>,
    latest: String,
}

impl Progress {
    fn record(&mut self, message: Message) {
        let Message { reason, package_id: id, target } = message;
        let is_script = target.is_some_and(|target| target.kind.iter().any(|kind| kind == "custom-build"));
        match reason.as_str() {
            "compiler-artifact" if is_script => self.scripts.push(id),
            "build-script-executed" => self.scripts.retain(|script| *script != id),
            "compiler-artifact" => {
                self.latest.clone_from(&id);
                self.finished.insert(id);
            }
            _ => {}
        }
    }

    /// In brackets what keeps the build busy: the oldest build script, else the package that was finished last.
    fn line(&self, elapsed: Duration) -> String {
        let done = self.finished.len();
        let name = name(self.scripts.first().unwrap_or(&self.latest));
        let (minutes, seconds) = (elapsed.as_secs() / 60, elapsed.as_secs() % 60);
        format!("building {done} of {} ({name}), {minutes}:{seconds:02} min …", self.total.max(done))
    }
}

/// The package's name in cargo's id of it: `registry+https://…#ring@0.17.14`, or `path+file:///…/wire#0.1.0`.
fn name(id: &str) -> &str {
    let (source, fragment) = id.rsplit_once('#').unwrap_or(("", id));
    match fragment.split_once('@') {
        Some((name, _)) => name,
        None => source.rsplit('/').next().unwrap_or(fragment),
    }
}

/// Packages that `cargo tree`, one per line, names.
fn packages(tree: &str) -> usize {
    let package = |line: &str| line.split(' ').take(2).map(str::to_owned).collect::<Vec<_>>();
    tree.lines().filter(|line| !line.is_empty()).map(package).collect::<BTreeSet<_>>().len()
}

/// Runs a `cargo build`, and prints a line to standard error now and then. `tree` is the `cargo tree` of the same packages.
///
/// # Errors
/// The build failed; cargo has said why on standard error.
pub(crate) fn watched(build: &mut Command, tree: &mut Command) -> Outcome<()> {
    let listing = process::output(tree.args(["--edges", "normal,build", "--prefix", "none"]))?;
    let mut progress =
        Progress { total: packages(&String::from_utf8_lossy(&listing)), ..Progress::default() };
    build.args(["--quiet", "--message-format", "json-render-diagnostics"]).stdout(Stdio::piped());
    let mut child = build.spawn().doing(|| "start cargo".to_owned())?;
    let messages = child.stdout.take().ok_or_else(|| Failure::new("cargo has no output"))?;
    let (send, received) = sync_channel(MESSAGES_MAX);
    let reader = thread::spawn(move || {
        let lines = BufReader::new(messages).lines().map_while(Result::ok);
        lines.for_each(|line| drop(send.send(line)));
    });
    let (started, mut due) = (Instant::now(), PERIOD);
    loop {
        match received.recv_timeout(due.saturating_sub(started.elapsed())) {
            // Build scripts and macros may print lines of their own.
            Ok(line) => serde_json::from_str(&line).map_or((), |message| progress.record(message)),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                eprintln!("{}", progress.line(started.elapsed()));
                due += PERIOD;
            }
        }
    }
    drop(reader.join());
    let status = child.wait().doing(|| "wait for cargo".to_owned())?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("cargo ended with {status}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(id: &str, kind: &str) -> String {
        format!(r#"{{"reason":"compiler-artifact","package_id":"{id}","target":{{"kind":["{kind}"]}}}}"#)
    }

    fn check(messages: &[String], expect: &str) {
        let mut progress = Progress { total: 3, ..Progress::default() };
        messages.iter().for_each(|message| progress.record(serde_json::from_str(message).unwrap()));
        assert_eq!(progress.line(Duration::from_secs(125)), expect);
    }

    #[test]
    fn a_line_counts_packages_and_names_the_oldest_build_script() {
        let (rocksdb, ring) =
            ("registry+https://x#librocksdb-sys@0.19.0+11", "registry+https://x#ring@0.17.14");
        let wire = "path+file:///x/daemons/lib/wire#0.1.0";
        let executed = format!(r#"{{"reason":"build-script-executed","package_id":"{rocksdb}"}}"#);
        let mut messages = vec![artifact(rocksdb, "custom-build"), artifact(ring, "custom-build")];
        messages.extend([artifact(wire, "lib"), artifact(wire, "bin")]);
        check(&messages, "building 1 of 3 (librocksdb-sys), 2:05 min …");
        messages.push(executed);
        check(&messages, "building 1 of 3 (ring), 2:05 min …");
        messages.push(
            r#"{"reason":"build-script-executed","package_id":"registry+https://x#ring@0.17.14"}"#.into(),
        );
        check(&messages, "building 1 of 3 (wire), 2:05 min …");
        messages.extend(["a@1", "b@1", "c@1"].map(|id| artifact(id, "proc-macro")));
        check(&messages, "building 4 of 4 (c), 2:05 min …");
    }

    #[test]
    fn a_package_that_the_tree_names_twice_counts_once() {
        assert_eq!(packages("a v1.0.0 (/x/a)\nsyn v2.0.1 (*)\n\nsyn v2.0.1\nsyn v3.0.0 (proc-macro)"), 3);
    }
}
