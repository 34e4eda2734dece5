//! Lag of the consumer group that delivers transactions. Undelivered ones are deleted by retention in the end: a
//! replica stops taking new ones well before the first is lost.

use super::Settings;
use maidenlane_log::{Backend, Entry};
use maidenlane_service::clock;
use maidenlane_wire::Transaction;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

/// Interval between two checks of the lag.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Interval while transactions are refused: clients wait for the end of that.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

const UNKNOWN: u8 = 0;
const CONSUMED: u8 = 1;
const STALLED: u8 = 2;

/// Consumer lag as of the last check.
#[derive(Debug)]
pub struct Consumers {
    settings: Settings,
    /// Unix time in milliseconds at which the oldest unconsumed transaction was taken; 0: there is none.
    oldest_ms: AtomicU64,
    /// State of the group: `UNKNOWN` before the first check, `STALLED` when that transaction is too old.
    state: AtomicU8,
}

impl Consumers {
    /// Time that an answer waits for a node's verdict, if it waits for one.
    pub(super) const fn verdict_wait(&self) -> Option<Duration> {
        self.settings.verdict_wait
    }

    /// Unknown state, until the first check.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, oldest_ms: AtomicU64::new(0), state: AtomicU8::new(UNKNOWN) }
    }

    /// Checks the lag in the log; returns the time until the next check. Without the log nothing changes here, as
    /// appends to it fail by themselves.
    ///
    /// # Errors
    /// The log's.
    pub fn look(&self, log: &Backend) -> Result<Duration, maidenlane_log::Error> {
        let oldest = log.unconsumed(&self.settings.topic, &self.settings.group)?;
        let taken = oldest_taken(&oldest);
        self.oldest_ms.store(taken.unwrap_or_default(), Ordering::Relaxed);
        let stalled = taken.is_some_and(|taken| is_stalled(taken, clock::now_ms(), self.settings.retention));
        let state = if stalled { STALLED } else { CONSUMED };
        match (self.state.swap(state, Ordering::Relaxed), self.fit()) {
            (UNKNOWN | CONSUMED, Err(reason)) => tracing::error!("{reason}"),
            (STALLED, Ok(())) => tracing::info!("transactions are consumed again"),
            _ => {}
        }
        Ok(if stalled { LOOK_AGAIN } else { LOOK_EVERY })
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
        match self.state.load(Ordering::Relaxed) {
            CONSUMED => return Ok(()),
            UNKNOWN => return Err(format!("it is not known yet whether {topic} is consumed; send it again")),
            _ => {}
        }
        let since = self.oldest_ms.load(Ordering::Relaxed) / 1_000;
        let minutes = self.oldest_age().as_secs() / 60;
        Err(format!(
            "no transactions are taken: group {group} has not consumed {topic} since unix time {since}, {minutes} \
             minutes ago; start what delivers them"
        ))
    }
}

/// Unix time in milliseconds at which the oldest of these transactions was taken.
fn oldest_taken(oldest: &[(u32, Entry)]) -> Option<u64> {
    // An entry that is no transaction was never taken here, and does not count.
    let taken = oldest.iter().filter_map(|(_, entry)| Transaction::decode(&entry.payload).ok());
    taken.map(|transaction| transaction.taken_ms).min()
}

/// True when more than half of the retention has passed since `taken_ms`.
fn is_stalled(taken_ms: u64, now_ms: u64, retention: Duration) -> bool {
    Duration::from_millis(now_ms.saturating_sub(taken_ms)) > retention / 2
}

#[cfg(test)]
mod tests {
    use super::{is_stalled, oldest_taken};
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
        let taken = oldest_taken(&oldest);
        let taken = taken.filter(|taken| is_stalled(*taken, now_ms, Duration::from_secs(3_600)));
        assert_eq!(taken.map(|taken| (now_ms - taken) / 60_000), expect_min, "{ages_min:?}");
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
