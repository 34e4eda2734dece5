//! Tests of a real daemon process through its life: start, status, reload, stop, and every way to die.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: what is unexpected may panic")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(20);

struct Hello {
    dir: tempfile::TempDir,
    child: Child,
    manager: UnixDatagram,
}

fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples/hello")
}

fn settings(dir: &std::path::Path, fate: &str) -> String {
    format!(
        "{{ admin = {{ listen = \"127.0.0.1:0\", behindProxy = False }}\n\
         , logging = {{ filter = \"info\", json = False }}, every_ms = 5\n\
         , stateDir = \"{}/state\", fate = < End | Fail | Greet | HoldAll | HoldSome | Panic >.{fate} }}\n",
        dir.display()
    )
}

impl Hello {
    fn start(fate: &str, environment: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("hello.dhall");
        std::fs::write(&config, settings(dir.path(), fate)).unwrap();
        let socket = dir.path().join("notify");
        let manager = UnixDatagram::bind(&socket).unwrap();
        manager.set_read_timeout(Some(DEADLINE)).unwrap();
        let child = Command::new(binary())
            .arg("--config")
            .arg(config)
            .env("NOTIFY_SOCKET", socket)
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { dir, child, manager }
    }

    /// Replaces pieces of the settings, reloads, and returns the status line that the service manager gets at the end.
    fn reload(&self, edits: &[(&str, &str)]) -> String {
        let file = self.dir.path().join("hello.dhall");
        let mut text = std::fs::read_to_string(&file).unwrap();
        for (piece, by) in edits {
            assert!(text.contains(piece), "{piece}");
            text = text.replace(piece, by);
        }
        std::fs::write(&file, text).unwrap();
        self.signal(rustix::process::Signal::HUP);
        let text = self.notification();
        assert!(text.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{text}");
        let text = self.notification();
        text.strip_prefix("READY=1\nSTATUS=").unwrap_or_else(|| panic!("{text}")).to_owned()
    }

    /// Generation, success of the last reload, fields that wait for a restart; and the settings that the work runs
    /// with.
    fn in_use(&self) -> ([String; 3], u64) {
        let metrics = self.get("/metrics").1;
        let names = ["generation", "reload_success", "restart_needed"];
        let gauges = names.map(|name| {
            let name = format!("maidenlane_hello_config_{name} ");
            metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap().to_owned()
        });
        let status: serde_json::Value = serde_json::from_str(&self.get("/status").1).unwrap();
        assert_eq!(status["settings"]["generation"].to_string(), gauges[0]);
        (gauges, status["every"].as_u64().unwrap())
    }

    /// Waits until the work was done with `every_ms`.
    fn uses(&self, every_ms: u64) {
        let until = std::time::Instant::now() + DEADLINE;
        while self.in_use().1 != every_ms {
            assert!(std::time::Instant::now() < until, "{:?}", self.in_use());
        }
    }

    /// The next message to the service manager, but for status lines.
    fn notification(&self) -> String {
        loop {
            let mut bytes = [0; 4096];
            let length = self.manager.recv(&mut bytes).unwrap();
            let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
            if !text.starts_with("STATUS=") {
                return text.trim_end().to_owned();
            }
        }
    }

    fn addresses(&self) -> PathBuf {
        self.dir.path().join("state/addresses.json")
    }

    fn get(&self, path: &str) -> (u16, String) {
        let text = std::fs::read_to_string(self.addresses()).unwrap();
        let addresses: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mut stream = TcpStream::connect(addresses["admin"].as_str().unwrap()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: hello\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Exit status of the daemon, and its log.
    fn end(mut self) -> (ExitStatus, String) {
        let mut log = String::new();
        // Read first: a full pipe would hold the daemon. The pipe ends with the process.
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap(), log)
    }
}

impl Drop for Hello {
    fn drop(&mut self) {
        // Ended already unless a check failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_daemon_serves_tells_and_stops() {
    let hello = Hello::start("Greet", &[]);
    assert_eq!(hello.notification(), "READY=1");
    assert_eq!(hello.get("/live").0, 200);
    assert_eq!(hello.get("/ready"), (200, "ready\n".to_owned()));
    let status: serde_json::Value = serde_json::from_str(&hello.get("/status").1).unwrap();
    assert_eq!(status["ready"], true);
    assert!(status["greeter"].as_u64() > Some(0));
    assert!(status["addresses"]["admin"].is_string());
    let metrics = hello.get("/metrics").1;
    assert!(metrics.contains("maidenlane_hello_greetings_total "), "{metrics}");

    hello.signal(rustix::process::Signal::TERM);
    assert_eq!(hello.notification(), "STOPPING=1");
    let (status, log) = hello.end();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("greeted 1 times"), "{log}");
}

#[test]
fn a_reload_takes_over_what_it_can_all_or_nothing() {
    let hello = Hello::start("Greet", &[]);
    assert_eq!(hello.notification(), "READY=1");
    let gauges = |generation: &str, success: &str, restart: &str| {
        [generation, success, restart].map(ToOwned::to_owned)
    };
    assert_eq!(hello.in_use(), (gauges("1", "1", "0"), 5));
    let line = hello.reload(&[("every_ms = 5", "every_ms = 6")]);
    assert!(line.starts_with("settings 2 | greeted "), "{line}");
    hello.uses(6);
    assert_eq!(hello.in_use(), (gauges("2", "1", "0"), 6));
    // A file that says the same in other words.
    assert!(hello.reload(&[("every_ms = 6", "every_ms = 3 + 3")]).starts_with("settings 2 | "));

    let line = hello.reload(&[("every_ms = 3 + 3", "every_ms = 0"), ("\"info\"", "\"debug\"")]);
    let rejected = "reload rejected: every_ms: expected 1 to 1000, found 0; settings 2 still run | greeted ";
    assert!(line.starts_with(rejected), "{line}");
    assert_eq!(hello.in_use(), (gauges("2", "0", "0"), 6));

    let line = hello.reload(&[("every_ms = 0", "every_ms = 7"), ("/state", "/elsewhere")]);
    assert!(line.starts_with("restart needed for stateDir | "), "{line}");
    hello.uses(7);
    assert_eq!(hello.in_use(), (gauges("3", "1", "1"), 7));
    let line = hello.reload(&[("/elsewhere", "/state")]);
    assert!(line.starts_with("settings 3 | "), "{line}");

    hello.signal(rustix::process::Signal::TERM);
    assert_eq!(hello.notification(), "STOPPING=1");
    let (status, log) = hello.end();
    assert_eq!(status.code(), Some(0), "{log}");
    for line in [
        "settings: every_ms: 5 -> 6",
        "reload rejected, generation 2 still runs",
        "settings: every_ms: 6 -> 7",
        "settings: logging.filter: \"info\" -> \"debug\"",
        "(needs a restart)",
        "; restart needed for stateDir",
        "waited 7 ms",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    let (before, _) = log.split_once("settings: every_ms: 6 -> 7").unwrap();
    assert!(!before.contains("waited "), "the rejected filter was taken over: {log}");
}

#[test]
fn an_interrupt_stops_too_and_takes_the_addresses_away() {
    let mut hello = Hello::start("Greet", &[]);
    assert_eq!(hello.notification(), "READY=1");
    assert!(hello.addresses().exists());
    hello.signal(rustix::process::Signal::INT);
    assert_eq!(hello.child.wait().unwrap().code(), Some(0));
    assert!(!hello.addresses().exists());
}

#[test]
fn a_second_one_on_the_same_state_ends_and_takes_nothing_away() {
    let hello = Hello::start("Greet", &[]);
    assert_eq!(hello.notification(), "READY=1");
    let before = std::fs::read_to_string(hello.addresses()).unwrap();
    let config = hello.dir.path().join("hello.dhall");
    let (code, text) = run(&["--config", config.to_str().unwrap()]);
    assert_eq!(code, Some(78));
    assert!(text.contains("another process runs on stateDir"), "{text}");
    assert_eq!(std::fs::read_to_string(hello.addresses()).unwrap(), before);
}

#[test]
fn a_stop_while_settings_are_read_is_a_clean_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hello.dhall");
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    let mut child = Command::new(binary()).arg("--config").arg(&file).spawn().unwrap();
    // Opens when the daemon reads.
    let mut writer = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .unwrap();
    writer.write_all(settings(dir.path(), "Greet").as_bytes()).unwrap();
    drop(writer);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn every_unexpected_end_has_its_code_and_name() {
    for (fate, code, message) in [
        ("End", 70, "task greeter ended by itself"),
        ("Panic", 70, "task greeter: panicked: no words"),
        ("Fail", 65, "task greeter: the words are corrupt"),
    ] {
        let (status, log) = Hello::start(fate, &[]).end();
        assert_eq!(status.code(), Some(code), "{fate}: {log}");
        assert!(log.contains(message), "{fate}: {log}");
    }
}

#[test]
fn work_that_holds_all_io_threads_holds_neither_the_admin_listener_nor_a_stop() {
    let hello = Hello::start("HoldAll", &[]);
    assert_eq!(hello.notification(), "READY=1");
    assert_eq!(hello.get("/live").0, 200);
    assert_eq!(hello.get("/ready").0, 200);
    assert_eq!(hello.get("/status").0, 200);
    hello.signal(rustix::process::Signal::TERM);
    assert_eq!(hello.notification(), "STOPPING=1");
    let (status, log) = hello.end();
    assert_eq!(status.code(), Some(70), "{log}");
    assert!(log.contains("did not stop within 30000 ms: endless "), "{log}");
}

#[test]
fn the_watch_ends_a_process_whose_io_threads_run_nothing() {
    let (status, log) = Hello::start("HoldAll", &[("WATCHDOG_USEC", "1500000")]).end();
    assert_eq!(status.code(), Some(70), "{log}");
    assert!(log.contains("task io watch: no IO thread ran anything for 1000 ms"), "{log}");
}

#[test]
fn one_io_thread_that_answers_is_enough() {
    let hello = Hello::start("HoldSome", &[("WATCHDOG_USEC", "1500000")]);
    // The greeter feeds the watchdog, and only while the IO threads answer: longer than that may last without.
    let mut fed = 0;
    while fed < 10 {
        fed += usize::from(hello.notification() == "WATCHDOG=1");
    }
    assert_eq!(hello.get("/ready").0, 200);
}

#[test]
fn a_failpoint_kills_at_its_nth_passage() {
    let (status, log) = Hello::start("Greet", &[("MAIDENLANE_FAILPOINT", "hello.before_greeting:3")]).end();
    assert_eq!(status.signal(), Some(6), "{log}");
    assert!(log.contains("greeted 2 times") && !log.contains("greeted 3 times"), "{log}");
}

#[test]
fn lines_carry_their_priority_under_the_journal() {
    let (_, log) = Hello::start("Fail", &[("JOURNAL_STREAM", "8:1")]).end();
    assert!(log.lines().any(|line| line.starts_with("<3>task greeter")), "{log}");
}

#[test]
fn a_file_gets_no_colours() {
    let (_, log) = Hello::start("Fail", &[]).end();
    assert!(log.contains("ERROR") && !log.contains('\x1b'), "{log:?}");
}

/// Runs to the end and returns code and standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(binary()).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn settings_are_checked_without_a_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hello.dhall");
    let check = |text: &str| {
        std::fs::write(&path, text).unwrap();
        run(&["--check-config", "--config", path.to_str().unwrap()])
    };
    let good = settings(dir.path(), "Greet");
    assert_eq!(check(&good), (Some(0), String::new()));
    assert!(!dir.path().join("state").exists());
    let (code, text) = check(&good.replace("127.0.0.1:0", "here"));
    assert_eq!(code, Some(78));
    assert!(
        text.contains(
            "\n  admin.listen: expected an IP address and a port up to 65535, `127.0.0.1:8545`, found `here`"
        ),
        "{text}"
    );
    let (code, text) = check(&good.replace("\"info\"", "\"info=loud\""));
    assert_eq!(
        (code, text.contains("logging.filter: error parsing level filter")),
        (Some(78), true),
        "{text}"
    );
    // Where the file of settings itself stands there can be no directory.
    let taken = good.replace(&dir.path().join("state").display().to_string(), path.to_str().unwrap());
    let (code, text) = check(&taken);
    assert_eq!(
        (code, text.contains("stateDir: ") && text.contains("is no directory")),
        (Some(78), true),
        "{text}"
    );
    assert_eq!(run(&["--version"]).0, Some(0));
    assert_eq!(run(&[]).0, Some(78));
}
