//! `cargo demo` as a person runs it: every mode, its end, and what it leaves behind.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeSet,
    env, fs,
    net::TcpStream,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use maidenlane_tests::{
    install::{self, GETH},
    master,
    process::Process,
    product::{self, Product},
    rpc::Client,
    wait,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A first start under load; on an idle machine it takes two seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running demo. Everything it makes is in one directory.
struct Demo {
    process: Process,
    dir: TempDir,
}

/// The one door: starts `harness demo` with these arguments and this environment.
fn demo(arguments: &str, environment: &[(&str, &Path)]) -> Demo {
    // What is built for the first time would count as a slow start.
    Product::build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("tmp")).unwrap();
    let script = format!("exec '{}' demo {arguments} 2>err", env!("CARGO_BIN_EXE_harness"));
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(dir.path()).env("TMPDIR", dir.path().join("tmp"));
    command.env_remove("MAIDENLANE_GETH").envs(environment.iter().copied());
    let process = Process::start("demo", &mut command, &dir.path().join("out")).unwrap();
    Demo { process, dir }
}

impl Demo {
    fn text(&self, stream: &str) -> String {
        fs::read_to_string(self.dir.path().join(stream)).unwrap_or_default()
    }

    /// Waits for a line with all these words, and returns it.
    fn line(&mut self, stream: &str, words: &[&str]) -> String {
        let what = format!("{words:?} in {stream}");
        let found = wait::until(&what, PATIENCE, || {
            let text = self.text(stream);
            let line = text.lines().find(|line| words.iter().all(|word| line.contains(word)));
            match (line, self.process.ended()) {
                (Some(line), _) => Ok(Some(line.to_owned())),
                (None, None) => Err(text),
                (None, Some(_)) => Ok(None),
            }
        });
        found.unwrap().unwrap_or_else(|| panic!("ended before {what}: {}", self.text("err")))
    }

    /// The port of an endpoint that was printed as `name  http://…`.
    fn url(&mut self, name: &str) -> String {
        self.line("out", &[name, "http://"]).split_whitespace().last().unwrap().to_owned()
    }

    /// Exit code and output, once the demo has ended; nothing of it may be left.
    fn ended(mut self) -> (Option<i32>, String, String) {
        let status = self.process.wait(PATIENCE).unwrap();
        let place = self.dir.path().display().to_string();
        let running = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let line = fs::read(entry.ok()?.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(&place).then_some(line)
        });
        assert_eq!(running.collect::<Vec<_>>(), Vec::<String>::new());
        assert_eq!(fs::read_dir(self.dir.path().join("tmp")).unwrap().count(), 0);
        (status.code(), self.text("out"), self.text("err"))
    }

    /// Ctrl-C.
    fn interrupted(self) -> (Option<i32>, String, String) {
        self.process.signal(Signal::INT);
        self.ended()
    }
}

/// A test that fails leaves no daemons either.
impl Drop for Demo {
    fn drop(&mut self) {
        self.process.signal(Signal::INT);
        let _late = self.process.wait(PATIENCE);
    }
}

/// Targets as a checker tells them, by the address of its page.
fn targets(page: &str) -> Value {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    let told = agent.get(format!("{page}targets")).call().unwrap().body_mut().read_to_string().unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    told.get("targets").cloned().unwrap_or_default()
}

#[test]
fn a_checker_beside_the_demo_has_a_page() {
    let mut demo = demo("--health --hold", &[]);
    let page = demo.url("health");
    let text = ureq::get(&page).call().unwrap().body_mut().read_to_string().unwrap();
    assert!(text.contains("<title>Maidenlane health</title>"));
    for target in targets(&page).as_array().unwrap() {
        assert_eq!(target["verdict"], "healthy", "{target}");
    }
    let (code, _, err) = demo.interrupted();
    assert_eq!(code, Some(0), "{err}");
}

#[test]
fn a_relay_beside_the_demo_shows_what_becomes_of_bundles() {
    if !GETH.met() || Command::new("npm").arg("--version").output().is_err() {
        println!("not run: no {}, or no Node.js with npm", GETH.name);
        return;
    }
    let mut demo = demo("--relay --hold", &[]);
    for words in [["cancelled"], ["sent to including at"], ["landed in block"], ["all agree"]] {
        demo.line("out", &words);
    }
    let (code, _, err) = demo.interrupted();
    assert_eq!(code, Some(0), "{err}");
}

#[test]
fn a_cluster_loses_a_replica_and_with_it_no_more_than_one_answer() {
    if let Err(missing) = install::ensure(&install::BALANCER) {
        println!("not run: {missing}");
        return;
    }
    let mut demo = demo("--cluster --hold", &[]);
    let (page, balancer) = (demo.url("health"), Client::new(demo.url("balancer")));
    let line = demo.line("out", &["replica-1", "kill"]);
    let pid: i32 = line.split_whitespace().last().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    let mut failed = Vec::new();
    wait::until("replica-1 to be out", PATIENCE, || {
        failed.extend(balancer.block_number().err());
        let first = targets(&page)[0].take();
        if first["verdict"] == "down" { Ok(()) } else { Err(first.to_string()) }
    })
    .unwrap();
    assert!(failed.len() <= 1, "more than the one on its way failed: {failed:?}");
    let (code, _, err) = demo.interrupted();
    assert_eq!(code, Some(0), "{err}");
}

/// The programs of this machine but Go.
fn without_go(dir: &Path) -> PathBuf {
    let bin = dir.join("bin");
    fs::create_dir(&bin).unwrap();
    for from in env::split_paths(&env::var_os("PATH").unwrap()) {
        for entry in fs::read_dir(from).into_iter().flatten().flatten() {
            if entry.file_name() != "go" {
                // The first of its name counts, as on any path.
                let _second = symlink(entry.path(), bin.join(entry.file_name()));
            }
        }
    }
    bin
}

fn closed(url: &str) -> bool {
    TcpStream::connect(url.trim_start_matches("http://")).is_err()
}

#[test]
fn without_go_a_recording_is_replayed_before_ones_eyes() {
    let dir = tempfile::tempdir().unwrap();
    let path = without_go(dir.path());
    let mut demo = demo("", &[("PATH", &path)]);
    demo.line("err", &["no Go", "recorded", "https://go.dev/dl"]);
    let ends = demo.line("out", &["the recording ends here"]);
    assert!(ends.contains(" 0 differ") && !ends.contains(" 0 recorded"), "{ends}");
    let urls = [demo.url("master"), demo.url("replica")];
    assert_eq!(Client::new(urls[1].as_str()).block_number().unwrap(), 64);
    let (code, out, err) = demo.interrupted();
    assert_eq!(code, Some(0), "{err}");
    assert!(urls.iter().all(|url| closed(url)));
    let heads: BTreeSet<&str> =
        out.lines().filter_map(|line| line.strip_prefix("master head")?.split_whitespace().next()).collect();
    assert!(heads.len() >= 4 && heads.contains("64"), "seen {heads:?}");
    assert!(out.contains("geth, recorded") && !out.contains('≠'), "{out}");
    assert!(out.lines().last().unwrap().starts_with("lag p50"), "{out}");
}

#[test]
fn without_go_all_recorded_answers_are_compared() {
    let dir = tempfile::tempdir().unwrap();
    let path = without_go(dir.path());
    let (code, out, err) = demo("--once", &[("PATH", &path)]).ended();
    assert_eq!(code, Some(0), "{err}");
    let last = out.lines().last().unwrap();
    assert!(last.ends_with(" answers agree, 0 differ, head 64"), "{last}");
}

#[test]
fn a_given_chain_is_compared_and_held_by_a_given_geth() {
    if !GETH.met() {
        return println!("not run: no Go for a real geth");
    }
    let dir = tempfile::tempdir().unwrap();
    let (path, geth) = (without_go(dir.path()), master::build().unwrap());
    let chain = product::fixtures().map(|dir| dir.join("execution-apis"));
    let chain = chain.unwrap_or_else(|| product::vectors().join("chain"));
    let arguments = format!("--json --once --hold --chain '{}'", chain.display());
    let mut demo = demo(&arguments, &[("PATH", &path), ("MAIDENLANE_GETH", &geth)]);
    demo.line("out", &["{"]);
    let text = demo.text("out");
    let endpoints: Value = serde_json::from_str(&text).unwrap();
    let url = |name: &str| endpoints.get(name).and_then(Value::as_str).unwrap().to_owned();
    let [master, replica] = ["master", "replica"].map(url);
    demo.line("err", &["eth_getBlockByNumber"]);
    let heads = [&master, &replica].map(|url| Client::new(url.as_str()).block_number().unwrap());
    assert!(heads[0] > 10 && heads[0] == heads[1], "{heads:?}");
    let proof = json!([format!("0x{:040x}", 0), [], "latest"]);
    let proofs =
        [&master, &replica].map(|url| Client::new(url.as_str()).call("eth_getProof", &proof).unwrap());
    assert_eq!(proofs[0], proofs[1]);
    let (code, out, err) = demo.interrupted();
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(out, text, "one line of JSON and nothing else");
    assert!(err.lines().last().unwrap().contains(" answers agree, 0 differ"), "{err}");
    assert!(closed(&master) && closed(&replica));
}

#[test]
fn the_live_view_shows_a_growing_chain_until_interrupted() {
    if !GETH.met() {
        return println!("not run: no Go for a real geth");
    }
    let mut demo = demo("", &[]);
    let replica = demo.url("replica");
    demo.line("out", &["Ctrl-C stops"]);
    for count in ["transactions sent", ", accepted", ", mined"] {
        wait::until(&format!("three lines of the view with more `{count}`"), PATIENCE, || {
            let text = demo.text("out");
            let shown = text.lines().filter_map(|line| {
                let words = line.split_once(count)?.1;
                words.split(',').next()?.trim().parse().ok()
            });
            let shown: BTreeSet<u64> = shown.collect();
            if shown.len() >= 3 { Ok(()) } else { Err(text) }
        })
        .unwrap();
    }
    let (code, out, err) = demo.interrupted();
    assert_eq!(code, Some(0), "{err}");
    assert!(closed(&replica) && !out.contains('≠') && out.contains("requests served"), "{out}");
}

#[test]
fn ctrl_c_while_it_starts_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = without_go(dir.path());
    let mut demo = demo("--hold", &[("PATH", &path)]);
    demo.line("err", &["starting tap and replica"]);
    let (code, out, err) = demo.interrupted();
    match code {
        Some(1) => assert!(err.ends_with("harness: interrupted before it was done\n"), "{err}"),
        // It was faster than the signal.
        code => assert!(code == Some(0) && out.starts_with("master"), "{code:?} {out} {err}"),
    }
}

#[test]
fn what_cannot_be_used_is_named_with_its_cure() {
    let dir = tempfile::tempdir().unwrap();
    let path = without_go(dir.path());
    let check = |arguments, environment: &[(&str, &Path)], words: &[&str]| {
        let (code, out, err) = demo(arguments, environment).ended();
        let last = err.lines().last().unwrap();
        assert!(code == Some(1) && out.is_empty(), "{code:?} {out}");
        assert!(words.iter().all(|word| last.contains(word)), "{last}");
    };
    check(
        "--once --chain x",
        &[("PATH", &path)],
        &["--chain needs a real geth", "install Go", "MAIDENLANE_GETH"],
    );
    let nowhere = Path::new("/no/such/geth");
    check(
        "--once",
        &[("MAIDENLANE_GETH", nowhere)],
        &["built with daemons/tap/geth/hook.go", "/no/such/geth"],
    );
    let other = Path::new("/bin/echo");
    check(
        "--once",
        &[("MAIDENLANE_GETH", other)],
        &["MAIDENLANE_GETH must name", "/bin/echo is no such geth"],
    );
    check(
        "--once --chain /nowhere",
        &[("MAIDENLANE_GETH", other)],
        &["--chain: /nowhere has no genesis.json"],
    );
}
