//! Transactions into a real segment log and out again.

use super::{Bounds, Consumers, Counts, NotTaken, Settings, Submissions};
use futures_util::FutureExt as _;
use maidenlane_chain::{Address, B256, Bytes, keccak256};
use maidenlane_log::{Append, Backend, TopicOptions, segment};
use maidenlane_wire::Transaction;
use std::sync::Arc;
use std::time::Duration;

const TOPIC: &str = "t.transactions";
const HOUR: Duration = Duration::from_secs(3_600);
const BOUNDS: Bounds = Bounds { waiting_max: 1_000, waiting_max_bytes: 1 << 30 };

fn transaction(number: u64) -> Transaction {
    let hash = keccak256(number.to_be_bytes());
    let (sender, raw) = (Address::from_word(hash), Bytes::copy_from_slice(&number.to_be_bytes()));
    let taken_ms = maidenlane_service::clock::now_ms();
    Transaction { hash, sender, raw, taken_ms, tag: None, identity: None }
}

/// A log with the topic, in a directory that is kept as long as the first part.
fn log() -> (tempfile::TempDir, Backend) {
    let dir = tempfile::tempdir().expect("a directory");
    let log = Backend::Segment(segment::Options::new(dir.path()));
    let options = TopicOptions { partitions: 4, ..TopicOptions::default() };
    assert!(log.create(TOPIC, &options).expect("a topic"));
    (dir, log)
}

fn consumers(log: &Backend) -> Arc<Consumers> {
    let consumers = unknown();
    consumers.look(log).expect("a look");
    consumers
}

fn unknown() -> Arc<Consumers> {
    let (topic, outcomes_topic, group) = (TOPIC.to_owned(), "t.outcomes".to_owned(), "emitter".to_owned());
    let settings =
        Settings { topic, outcomes_topic, group, retention: HOUR, bounds: BOUNDS, verdict_wait: None };
    Arc::new(Consumers::new(settings))
}

/// Counts of a replica that has read what there is.
fn counts() -> Counts {
    let counts = Counts::new(BOUNDS);
    counts.set_known();
    counts
}

/// Running submissions for tests of the RPC, and their log.
pub(crate) fn running() -> (Submissions, Stored) {
    let (dir, log) = log();
    let (submissions, appender) = Submissions::new(log.clone(), TOPIC.to_owned(), consumers(&log), counts());
    std::thread::spawn(|| appender.run());
    (submissions, Stored { log, _dir: dir })
}

/// Log whose directory is kept as long as this value.
pub(crate) struct Stored {
    log: Backend,
    _dir: tempfile::TempDir,
}

impl Stored {
    /// Hashes of the transactions that `group` has not read yet.
    pub(crate) fn stored(&self, group: &str) -> Vec<B256> {
        stored(&self.log, group)
    }
}

/// Hashes of the transactions that a group reads until there are no more, in log order by partition.
fn stored(log: &Backend, group: &str) -> Vec<B256> {
    let mut member = log.group(TOPIC, group).expect("a member");
    let mut hashes = Vec::new();
    loop {
        let entries = member.read(1 << 20, Duration::ZERO).expect("entries");
        if entries.is_empty() {
            return hashes;
        }
        for (partition, entry) in entries {
            let transaction = Transaction::decode(&entry.payload).expect("a transaction");
            assert_eq!(entry.key.as_deref(), Some(transaction.sender.as_slice()), "the sender is the key");
            hashes.push(transaction.hash);
            member.commit(partition, entry.offset).expect("a commit");
        }
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

#[test]
fn every_transaction_is_stored_once_before_it_is_answered() {
    let (_dir, log) = log();
    let (submissions, appender) = Submissions::new(log.clone(), TOPIC.to_owned(), consumers(&log), counts());
    let worker = std::thread::spawn(|| appender.run());
    // Each comes twice at the same time, and the first once more later.
    let taken = block_on(async {
        let twice = (0..200).flat_map(|number| [number, number]);
        let all =
            futures_util::future::join_all(twice.map(|number| submissions.take(transaction(number)))).await;
        let again = submissions.take(transaction(0)).await;
        (all, again)
    });
    assert!(taken.0.iter().chain([&taken.1]).all(Result::is_ok), "{taken:?}");
    let mut hashes = stored(&log, "test");
    hashes.sort();
    let mut expect: Vec<_> = (0..200).map(|number| transaction(number).hash).collect();
    expect.sort();
    assert_eq!(hashes, expect);
    drop(submissions);
    worker.join().expect("ends with the last handle");
}

#[test]
fn a_log_that_fails_is_an_error_and_tried_again() {
    let (dir, log) = log();
    let missing = "t.missing".to_owned();
    let (submissions, appender) = Submissions::new(log.clone(), missing.clone(), consumers(&log), counts());
    let worker = std::thread::spawn(|| appender.run());
    let refused = block_on(submissions.take(transaction(1)));
    assert!(matches!(&refused, Err(NotTaken::Log(why)) if why.contains("t.missing")), "{refused:?}");
    assert!(log.create(&missing, &TopicOptions::default()).expect("a topic"));
    assert_eq!(block_on(submissions.take(transaction(1))), Ok(()));
    drop((submissions, dir));
    worker.join().expect("ends");
}

#[test]
fn what_is_too_much_is_refused_at_once() {
    let (_dir, log) = log();
    let (submissions, appender) = Submissions::new(log.clone(), TOPIC.to_owned(), consumers(&log), counts());
    let large = |number: u64| Transaction { raw: vec![0; 900_000].into(), ..transaction(number) };
    let waiting: Vec<_> = (0..80).map(|number| submissions.take(large(number))).collect();
    let outcomes = block_on(async {
        // Nobody appends: those with room wait, the others are answered.
        futures_util::future::join_all(
            waiting.into_iter().map(|one| tokio::time::timeout(Duration::from_millis(1), one)),
        )
        .await
    });
    let refused = outcomes.iter().filter(|outcome| **outcome == Ok(Err(NotTaken::Full))).count();
    assert_eq!((outcomes.len() - refused, refused), (74, 6), "64 MiB wait");
    drop(appender);
    assert!(matches!(block_on(submissions.take(transaction(1))), Err(NotTaken::Log(_))), "stopping");
}

#[test]
fn a_transaction_right_after_the_start_waits_for_what_is_read_then() {
    let (_dir, log) = log();
    let has_begun = |consumers: Arc<Consumers>, counts: Counts| {
        let (submissions, _appender) = Submissions::new(log.clone(), TOPIC.to_owned(), consumers, counts);
        block_on(async { submissions.begun().now_or_never().is_some() })
    };
    assert!(!has_begun(unknown(), counts()), "whether anybody delivers");
    assert!(!has_begun(consumers(&log), Counts::new(BOUNDS)), "what is on its way");
    assert!(has_begun(consumers(&log), counts()));
}

#[test]
fn nothing_is_taken_that_nobody_delivers() {
    let (_dir, log) = log();
    let consumers = unknown();
    let (submissions, appender) =
        Submissions::new(log.clone(), TOPIC.to_owned(), Arc::clone(&consumers), counts());
    let worker = std::thread::spawn(|| appender.run());
    let early = block_on(submissions.take(transaction(1)));
    assert!(matches!(&early, Err(NotTaken::Unconsumed(why)) if why.contains("not known yet")), "{early:?}");
    let old = Transaction { taken_ms: transaction(0).taken_ms - 31 * 60_000, ..transaction(0) };
    let payload = old.encode();
    let entry = Append { key: Some(old.sender.as_slice()), payload: &payload };
    log.producer(TOPIC).expect("a producer").append(&[entry]).expect("appended");
    assert_eq!(consumers.look(&log).expect("a look"), Duration::from_secs(1));
    let refused = block_on(submissions.take(transaction(1)));
    let Err(NotTaken::Unconsumed(reason)) = refused else { panic!("{refused:?}") };
    let since = (old.taken_ms / 1_000).to_string();
    assert!(reason.contains("emitter") && reason.contains(TOPIC) && reason.contains(&since), "{reason}");
    assert_eq!(stored(&log, "emitter"), [old.hash]);
    consumers.look(&log).expect("a look");
    assert_eq!(block_on(submissions.take(transaction(1))), Ok(()), "it is consumed again");
    drop(submissions);
    worker.join().expect("ends");
}
