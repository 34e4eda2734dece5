//! Lag of the consumer group that delivers transactions. Undelivered ones are deleted by retention in the end: a
//! replica stops taking new ones well before the first is lost.

use super::Settings;
use maidenlane_log::{Backend, Entry, Offset};
use maidenlane_service::clock;
use maidenlane_wire::{DecodeError, Transaction};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Interval between two checks of the lag.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Interval while transactions are refused: clients wait for the end of that.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// State of the consumer group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first check.
    Unknown,
    Consumed,
    /// The oldest unconsumed transaction is too old.
    Stalled,
}

/// Unix times in milliseconds, by partition and offset.
type Newer = BTreeMap<(u32, Offset), u64>;

/// Consumer lag as of the last check.
#[derive(Debug)]
pub struct Consumers {
    settings: Settings,
    /// Unix time in milliseconds at which the oldest unconsumed transaction was taken; 0: there is none.
    oldest_ms: AtomicU64,
    /// Entries of a newer schema that are the oldest of their partition, and when they were first seen to be.
    newer: Mutex<Newer>,
    state: watch::Sender<State>,
}

impl Consumers {
    /// Time that an answer waits for a node's verdict, if it waits for one.
    pub(super) const fn verdict_wait(&self) -> Option<Duration> {
        self.settings.verdict_wait
    }

    /// Unknown state, until the first check.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            oldest_ms: AtomicU64::new(0),
            newer: Mutex::default(),
            state: watch::Sender::new(State::Unknown),
        }
    }

    /// Checks the lag in the log; returns the time until the next check. Without the log nothing changes here, as
    /// appends to it fail by themselves.
    ///
    /// # Errors
    /// The log's.
    pub fn look(&self, log: &Backend) -> Result<Duration, maidenlane_log::Error> {
        let oldest = log.unconsumed(&self.settings.topic, &self.settings.group)?;
        let now_ms = clock::now_ms();
        let taken =
            oldest_taken(&oldest, &mut self.newer.lock().unwrap_or_else(PoisonError::into_inner), now_ms);
        self.oldest_ms.store(taken.unwrap_or_default(), Ordering::Relaxed);
        let stalled = taken.is_some_and(|taken| is_stalled(taken, now_ms, self.settings.retention));
        let state = if stalled { State::Stalled } else { State::Consumed };
        match (self.state.send_replace(state), self.fit()) {
            (State::Unknown | State::Consumed, Err(reason)) => tracing::error!("{reason}"),
            (State::Stalled, Ok(())) => tracing::info!("transactions are consumed again"),
            _ => {}
        }
        Ok(if stalled { LOOK_AGAIN } else { LOOK_EVERY })
    }

    /// Waits for the first check.
    pub(super) async fn checked(&self) {
        // Never closed while this value is borrowed.
        let _ = self.state.subscribe().wait_for(|state| *state != State::Unknown).await;
    }

    /// Age of the oldest unconsumed transaction; zero if there is none.
    #[must_use]
    pub fn oldest_age(&self) -> Duration {
        match self.oldest_ms.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            taken => clock::age_of(Duration::from_millis(taken)),
        }
    }

    /// Fitness to take transactions: an error that says why none are taken.
    ///
    /// # Errors
    /// The reason, for people.
    pub fn fit(&self) -> Result<(), String> {
        let Settings { topic, group, .. } = &self.settings;
        match *self.state.borrow() {
            State::Consumed => return Ok(()),
            State::Unknown => {
                return Err(format!("it is not known yet whether {topic} is consumed; send it again"));
            }
            State::Stalled => {}
        }
        let since = self.oldest_ms.load(Ordering::Relaxed) / 1_000;
        let minutes = self.oldest_age().as_secs() / 60;
        Err(format!(
            "no transactions are taken: group {group} has not consumed {topic} since unix time {since}, {minutes} \
             minutes ago; start what delivers them"
        ))
    }
}

/// Unix time in milliseconds at which the oldest of these transactions was taken. One of a newer schema counts from when it
/// was first seen: an emitter that cannot read it delivers nothing behind it.
fn oldest_taken(oldest: &[(u32, Entry)], newer: &mut Newer, now_ms: u64) -> Option<u64> {
    let before = std::mem::take(newer);
    let taken = oldest.iter().filter_map(|(partition, entry)| match Transaction::decode(&entry.payload) {
        Ok(transaction) => Some(transaction.taken_ms),
        Err(DecodeError::UnknownSchema { .. }) => {
            let at = (*partition, entry.offset);
            let seen_ms = before.get(&at).copied().unwrap_or(now_ms);
            newer.insert(at, seen_ms);
            Some(seen_ms)
        }
        // Was never taken here; emitters pass over it.
        Err(_) => None,
    });
    taken.min()
}

/// True when more than half of the retention has passed since `taken_ms`.
fn is_stalled(taken_ms: u64, now_ms: u64, retention: Duration) -> bool {
    Duration::from_millis(now_ms.saturating_sub(taken_ms)) > retention / 2
}

#[cfg(test)]
mod tests {
    use super::{Newer, is_stalled, oldest_taken};
    use maidenlane_chain::{Address, B256, Bytes};
    use maidenlane_log::{Entry, Offset};
    use maidenlane_wire::Transaction;
    use std::time::Duration;

    /// Checks partitions whose oldest transactions were taken so many minutes ago; retention is an hour.
    fn check(ages_min: &[u64], expect_min: Option<u64>) {
        let now_ms = 1_700_000_000_000;
        let entry = |age: &u64| {
            let (hash, sender, raw) = (B256::ZERO, Address::ZERO, Bytes::new());
            let taken_ms = now_ms - age * 60_000;
            let transaction = Transaction { hash, sender, raw, taken_ms, tag: None, identity: None };
            (0, Entry { offset: Offset(7), key: None, payload: transaction.encode() })
        };
        let mut oldest: Vec<_> = ages_min.iter().map(entry).collect();
        oldest.push((1, Entry { offset: Offset(0), key: None, payload: b"something else".to_vec() }));
        let taken = oldest_taken(&oldest, &mut Newer::new(), now_ms);
        let taken = taken.filter(|taken| is_stalled(*taken, now_ms, Duration::from_secs(3_600)));
        assert_eq!(taken.map(|taken| (now_ms - taken) / 60_000), expect_min, "{ages_min:?}");
    }

    #[test]
    fn an_entry_of_a_newer_schema_counts_from_when_it_was_first_seen() {
        let (hash, sender, raw) = (B256::ZERO, Address::ZERO, Bytes::new());
        let transaction = Transaction { hash, sender, raw, taken_ms: 5, tag: None, identity: None };
        let newer = |offset| {
            let mut payload = transaction.encode();
            payload[2] ^= 1;
            (3, Entry { offset: Offset(offset), key: None, payload })
        };
        let mut seen = Newer::new();
        let mut oldest = |offset, now_ms| oldest_taken(&[newer(offset)], &mut seen, now_ms);
        let told =
            [(7, 100), (7, 200), (7, 300), (8, 400), (7, 500)].map(|(offset, now_ms)| oldest(offset, now_ms));
        assert_eq!(told, [100, 100, 100, 400, 500].map(Some));
    }

    #[test]
    fn half_of_the_retention_is_the_limit() {
        check(&[], None);
        check(&[0, 29], None);
        check(&[30], None);
        check(&[1, 31, 2], Some(31));
        check(&[31, 50], Some(50));
    }
}
