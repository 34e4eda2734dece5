//! Conformance tests of every log, run against every backend: the segment log, and a real Kafka broker.
//!
//! `KAFKA_BOOTSTRAP=host:port` takes an existing cluster instead of starting a broker.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test program: a panic is its verdict")]

mod cases;
mod guarded;
mod kills;
mod stalls;
mod sync;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use maidenlane_testkit::kafka as broker;

use maidenlane_log::{Backend, kafka, segment};

/// Number of kills of processes; more with `MAIDENLANE_KILLS`.
const KILLS: u32 = 12;

/// Time within which entries must come.
const SOON: Duration = Duration::from_secs(30);

fn kills() -> u32 {
    std::env::var_os("MAIDENLANE_KILLS").and_then(|text| text.to_str()?.parse().ok()).unwrap_or(KILLS)
}

fn all(backend: &Backend) {
    for (name, case) in cases::ALL {
        let begun = Instant::now();
        case(backend, &format!("case-{name}"));
        eprintln!("case {name}: {} ms", begun.elapsed().as_millis());
    }
}

fn on_segment_log(run: impl FnOnce(&Backend)) {
    let dir = tempfile::tempdir().unwrap();
    run(&Backend::Segment(segment::Options::new(dir.path())));
}

/// Runs on a real broker, or prints loudly that it does not.
fn on_kafka(run: impl FnOnce(&Backend, Option<&mut broker::Broker>)) {
    if let Some(address) = std::env::var_os("KAFKA_BOOTSTRAP") {
        return run(&kafka_at(address.to_string_lossy().into_owned()), None);
    }
    if let Some(missing) = broker::missing() {
        eprintln!("not run: Kafka needs {missing}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut broker = broker::Broker::start(&cache(), dir.path()).unwrap();
    run(&kafka_at(broker.address()), Some(&mut broker));
}

fn kafka_at(address: String) -> Backend {
    let mut options = kafka::Options::new(vec![address]);
    options.session_timeout = Duration::from_secs(1);
    Backend::Kafka(options)
}

fn cache() -> PathBuf {
    Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(".cache/maidenlane/kafka")
}

#[test]
fn the_segment_log_keeps_the_contract() {
    on_segment_log(all);
}

#[test]
fn kafka_keeps_the_contract() {
    on_kafka(|backend, broker| {
        all(backend);
        if let Some(broker) = broker {
            cases::broker_killed(backend, broker);
        }
    });
}

#[test]
fn kafka_appends_that_time_out_leave_no_hole() {
    on_kafka(|backend, broker| {
        if let Some(pid) = broker.and_then(|broker| broker.pid()) {
            stalls::appends(backend, pid, kills().div_ceil(2));
        }
    });
}

#[test]
fn a_guarded_kafka_lets_in_whom_it_knows_and_grants_what_it_was_told() {
    if let Some(world) = guarded::World::new() {
        guarded::rights(&world);
        guarded::doors(&world);
    }
}

#[test]
fn segment_log_writers_killed_at_random_lose_nothing() {
    on_segment_log(|backend| kills::writers(backend, kills()));
}

#[test]
fn kafka_writers_killed_at_random_lose_nothing() {
    on_kafka(|backend, _| kills::writers(backend, kills().div_ceil(2)));
}

#[test]
fn segment_log_members_killed_at_random_are_replaced() {
    on_segment_log(|backend| kills::members(backend, kills()));
}

#[test]
fn kafka_members_killed_at_random_are_replaced() {
    on_kafka(|backend, _| kills::members(backend, kills().div_ceil(3)));
}

#[test]
fn the_segment_log_syncs_before_it_acknowledges() {
    sync::before_acknowledgement();
}

/// Role of a child process of the tests above; not a test.
#[test]
fn child() {
    kills::child();
}
