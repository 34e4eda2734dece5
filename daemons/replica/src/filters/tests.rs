//! Topic of filters in a real segment log, polled by several replicas.

use super::cursors::Ms;
use super::id::{self, Description, Id, Kind, Signer};
use super::{Filters, Found, Key, Settings};
use maidenlane_chain::{B256, BlockRef, Bytes};
use maidenlane_config::listeners::SecretFile;
use maidenlane_log::{Append, Backend, TopicOptions, segment};
use maidenlane_service::clock::now_ms;
use maidenlane_wire::{Filter, FilterCriteria, FilterMoved};

const TOPIC: &str = "t.filters";

/// A log with the topic and a key that all replicas share.
pub(crate) struct Shared {
    dir: tempfile::TempDir,
    pub(crate) log: Backend,
}

impl Shared {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let log = Backend::Segment(segment::Options::new(dir.path().join("log")));
        assert!(log.create(TOPIC, &TopicOptions::default()).expect("a topic"));
        std::fs::write(dir.path().join("key"), "k".repeat(32)).expect("written");
        Self { dir, log }
    }

    /// One more replica.
    pub(crate) fn replica(&self) -> Filters {
        let key = Key::Shared(SecretFile::Path(self.dir.path().join("key")));
        let settings = Settings { topic: TOPIC.to_owned(), key };
        let (filters, reader) = Filters::new(&settings, self.dir.path(), self.log.clone()).expect("a key");
        std::thread::spawn(|| reader.run());
        filters
    }

    fn append(&self, entries: impl IntoIterator<Item = Filter>) {
        let payloads: Vec<_> = entries.into_iter().map(|entry| entry.encode()).collect();
        let entries: Vec<_> = payloads.iter().map(|payload| Append { key: None, payload }).collect();
        self.log.producer(TOPIC).expect("a producer").append(&entries).expect("appended");
    }
}

fn at(number: u64) -> BlockRef {
    BlockRef::new(number, B256::ZERO)
}

/// A filter with its description, which is not yet in the topic.
struct Made {
    id: Id,
    created: Ms,
    criteria: Bytes,
}

/// Unix time so many milliseconds ago, negative if that is to come.
fn ago(age_ms: i64) -> Ms {
    now_ms().checked_add_signed(-age_ms).expect("a time")
}

/// Filter that was made so long ago.
fn made(age_ms: i64, criteria: &str) -> Made {
    let (created, kind) = (ago(age_ms), Kind::Logs(criteria.to_owned()));
    let signer = Signer { secret: "k".repeat(32).into_bytes(), realm: TOPIC.to_owned() };
    let owner = u64::from(criteria.len() > 100_000);
    let describe =
        |nonce| Description { kind: kind.clone(), owner, created, start: at(1), nonce: [nonce; 16] };
    let (id, criteria) =
        (0..=u8::MAX).find_map(|nonce| describe(nonce).write(&signer)).expect("a nonce that will do");
    Made { id, created, criteria: criteria.into() }
}

fn stored(made: &Made, age_ms: i64) -> Filter {
    Filter::Criteria(FilterCriteria { criteria: made.criteria.clone(), at_ms: ago(age_ms) })
}

fn moved(made: &Made, step: u64, next: u64, age_ms: i64) -> FilterMoved {
    let (filter, created_ms, at_ms) = (made.id, made.created, ago(age_ms));
    FilterMoved { filter, created_ms, step, base: at(step), next: Some(at(next)), at_ms }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// Looks a filter up. Waits out the first opening, which may take longer than a poll waits.
fn find(filters: &Filters, made: &Made) -> Option<Found> {
    block_on(async {
        loop {
            if let Ok(found) = filters.find(made.id).await {
                return found;
            }
        }
    })
}

fn stands(filters: &Filters, made: &Made) -> Option<(u64, u64)> {
    find(filters, made).map(|found| (found.stand.cursor.number, found.stand.step))
}

#[test]
fn what_one_replica_moves_the_others_see() {
    let shared = Shared::new();
    let (one, two, made) = (shared.replica(), shared.replica(), &made(0, "{}"));
    shared.append([stored(made, 0)]);
    assert_eq!((stands(&one, made), stands(&two, made)), (Some((1, 0)), Some((1, 0))));
    assert_eq!(block_on(one.step(moved(made, 1, 5, 0))), Ok(true));
    assert_eq!(stands(&two, made), Some((5, 1)));
    assert_eq!(block_on(two.step(moved(made, 1, 6, 0))), Ok(false), "another came before");
    assert_eq!(stands(&one, made), Some((5, 1)));
    assert_eq!(block_on(two.step(FilterMoved { next: None, ..moved(made, 2, 0, 0) })), Ok(true));
    assert_eq!((stands(&one, made), stands(&two, made)), (None, None));
    assert_eq!(stands(&shared.replica(), made), None, "nor does a new replica take it for new");
}

#[test]
fn many_at_once_are_answered_in_one_order() {
    let shared = Shared::new();
    let replicas: Vec<_> = (0..3).map(|_| shared.replica()).collect();
    let made = &made(0, "{}");
    shared.append([stored(made, 0)]);
    for step in 1..=20 {
        let replies = block_on(futures_util::future::join_all(
            replicas.iter().chain(&replicas).map(|replica| replica.step(moved(made, step, step + 1, 0))),
        ));
        assert_eq!(replies.iter().filter(|reply| **reply == Ok(true)).count(), 1, "{replies:?}");
    }
    for replica in &replicas {
        assert_eq!(stands(replica, made), Some((21, 20)));
    }
}

#[test]
fn what_a_filter_is_stands_in_the_topic() {
    let shared = Shared::new();
    let criteria = "x".repeat(2_000);
    let (one, made) = (shared.replica(), made(0, &criteria));
    assert_eq!(find(&one, &made), None);
    assert_eq!(block_on(one.keep(made.criteria.clone())), Ok(()));
    let found = find(&shared.replica(), &made).expect("a filter");
    assert_eq!(found.filter.kind, Kind::Logs(criteria));
    let again = |found: Option<Found>| found.and_then(|found| found.again);
    assert_eq!(again(find(&one, &made)), None);
    assert_eq!(again(Some(found)), Some(made.criteria.clone()), "a start knows no ages");
    let forged = [&made.criteria[..], b" "].concat();
    let strange = Made { id: id::hash(&forged), criteria: forged.into(), ..made };
    shared.append([stored(&strange, 0)]);
    assert_eq!(find(&one, &strange), None, "nobody with the key made it");
}

#[test]
fn a_start_reads_back_as_far_as_a_filter_can_live() {
    let shared = Shared::new();
    let (old, minute) = (made(3_600_000, "{}"), 60_000);
    let other = |number: u64| {
        let filter = id::hash(&number.to_be_bytes());
        Filter::Moved(FilterMoved { filter, ..moved(&old, 1, 2, 40 * minute) })
    };
    // An hour old, polled a minute ago for the last time, with ten thousand entries of others before that.
    shared.append([stored(&old, 60 * minute), Filter::Moved(moved(&old, 1, 3, 50 * minute))]);
    shared.append((0..10_000).map(other));
    let silent = made(22 * minute, "{}");
    shared.append([stored(&silent, 21 * minute)]);
    shared.append([stored(&old, 6 * minute), Filter::Moved(moved(&old, 2, 9, minute))]);
    assert_eq!(stands(&shared.replica(), &old), Some((9, 2)));
    assert!(find(&shared.replica(), &old).is_some_and(|found| found.again == Some(old.criteria)));
    assert_eq!(stands(&shared.replica(), &silent), None, "made long ago, by any clock, and never polled");
}

#[test]
fn one_replica_s_clock_neither_ends_nor_repeats_the_filters_of_others() {
    let shared = Shared::new();
    let (one, two) = (shared.replica(), shared.replica());
    let minute = 60_000;
    for clock in [-11 * minute, 11 * minute] {
        // Of a filter that this replica makes, and of one that another makes and this one polls.
        let (theirs, ours) = (&made(-clock, "{}"), &made(0, "{}"));
        shared.append([stored(ours, 0), stored(theirs, -clock)]);
        assert_eq!((stands(&two, theirs), stands(&one, theirs)), (Some((1, 0)), Some((1, 0))), "{clock}");
        assert_eq!(block_on(two.step(moved(ours, 1, 4, 0))), Ok(true), "{clock}");
        assert_eq!(block_on(one.step(moved(ours, 2, 5, -clock))), Ok(true), "{clock}");
        assert_eq!(block_on(one.step(moved(theirs, 1, 7, -clock))), Ok(true), "{clock}");
        assert_eq!(block_on(two.step(moved(ours, 3, 6, 0))), Ok(true), "{clock}");
        for replica in [&one, &two, &shared.replica()] {
            let found = (stands(replica, ours), stands(replica, theirs));
            assert_eq!(found, (Some((6, 3)), Some((7, 1))), "{clock}");
        }
    }
}

#[test]
fn one_client_s_filters_push_out_nobody_else_s() {
    let shared = Shared::new();
    let (replica, small) = (shared.replica(), made(0, "{}"));
    shared.append([stored(&small, 0)]);
    assert_eq!(stands(&replica, &small), Some((1, 0)));
    for number in 0..130 {
        shared.append([stored(&made(0, &format!("{number}{}", "x".repeat(524_280))), 0)]);
    }
    assert_eq!(stands(&replica, &small), Some((1, 0)));
    assert_eq!(stands(&shared.replica(), &small), Some((1, 0)), "nor in a replica that reads all at once");
}
