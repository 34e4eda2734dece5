//! A broker that stands still around an append's deadline: the log has a beginning of each append, never a hole.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use fastrand::Rng;
use maidenlane_log::{Append, Backend, From, Offset, TopicOptions};

use super::SOON;

const TOPIC: &str = "case-stalled";
/// Deadline of an append.
const TIMEOUT: Duration = Duration::from_secs(1);
const ENTRIES: usize = 64;
const ENTRY_BYTES: usize = 500_000;

fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

/// Entry of a round; does not compress.
fn entry(random: &mut Rng, round: u32, index: usize) -> Vec<u8> {
    let mut bytes = vec![0; ENTRY_BYTES];
    random.fill(&mut bytes);
    bytes[..4].copy_from_slice(&round.to_be_bytes());
    bytes[4..8].copy_from_slice(&u32::try_from(index).unwrap().to_be_bytes());
    bytes
}

/// Appends in rounds, each with the broker stopped from some moment to one around the deadline.
pub(crate) fn appends(backend: &Backend, broker: u32, rounds: u32) {
    let mut backend = backend.clone();
    backend.create(TOPIC, &TopicOptions::default()).unwrap();
    if let Backend::Kafka(options) = &mut backend {
        options.timeout = TIMEOUT;
    }
    let mut random = super::kills::random();
    let mut producer = backend.producer(TOPIC).unwrap();
    let mut whole = Vec::new();
    for round in 0..rounds {
        let payloads: Vec<_> = (0..ENTRIES).map(|index| entry(&mut random, round, index)).collect();
        let entries: Vec<_> = payloads.iter().map(|payload| Append { key: None, payload }).collect();
        let stop = Duration::from_millis(random.u64(..300));
        let still = TIMEOUT + Duration::from_millis(random.u64(..700)) - Duration::from_millis(350);
        let done = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(stop);
                signal(broker, "-STOP");
                std::thread::sleep(still);
                signal(broker, "-CONT");
            });
            producer.append(&entries)
        });
        whole.push(done.is_ok());
        eprintln!(
            "round {round}: stopped after {stop:?} for {still:?}: {}",
            match done {
                Ok(_) => "appended".to_owned(),
                Err(error) => error.to_string(),
            }
        );
    }
    check(&backend, &whole);
}

/// Holds the log to what was acknowledged.
fn check(backend: &Backend, whole: &[bool]) {
    let mut patient = backend.clone();
    if let Backend::Kafka(options) = &mut patient {
        options.timeout = SOON;
    }
    let mut consumer = patient.consumer(TOPIC, 0).unwrap();
    let end = consumer.end().unwrap();
    consumer.seek(From::Earliest).unwrap();
    let mut found: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let mut next = Offset(0);
    while next < end {
        for read in consumer.read(8 << 20, SOON).unwrap() {
            next = Offset(read.offset.0 + 1);
            let number = |at: usize| u32::from_be_bytes(read.payload[at..at + 4].try_into().unwrap());
            found.entry(number(0)).or_default().push(number(4));
        }
    }
    for (round, whole) in (0..).zip(whole) {
        let indexes = found.remove(&round).unwrap_or_default();
        let dense = (0..).zip(&indexes).all(|(expect, index)| expect == *index);
        assert!(dense, "round {round} has a hole: {indexes:?}");
        assert!(!whole || indexes.len() == ENTRIES, "round {round} was acknowledged: {indexes:?}");
    }
}
