//! Thread that reads the topic of outcomes, all partitions in turn, from where it stood.

use super::kept::{HISTORY_MAX, Outcomes, Settings, needs};
use super::told::Told;
use maidenlane_feed::Scanner;
use maidenlane_log::{Backend, Entry, Error as LogError, Offset};
use maidenlane_service::clock::{millis, now_ms};
use maidenlane_service::{Exit, Failure, Health, Shutdown, with_causes};
use maidenlane_store::fates::{FatesBatch, Reached};
use maidenlane_wire::Outcome;
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Bytes of payload that are read at a time.
const READ_BYTES: usize = 1 << 20;
/// Wait for entries of one partition, when none has any.
const WAIT: Duration = Duration::from_millis(20);
/// Interval of attempts to reach a log that is away.
const TRY_AGAIN: Duration = Duration::from_millis(500);
/// Interval at which old rows are dropped.
const EXPIRE_EVERY: Duration = Duration::from_secs(60);
/// Time by which clocks of emitters may differ, in milliseconds.
const CLOCKS_MS: u64 = 600_000;

/// Failure of a turn.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] maidenlane_store::Error),
    #[error("the topic of outcomes is unfit: {}", .0.join("; "))]
    Unfit(Vec<String>),
}

/// A partition, as far as it was read.
pub(super) struct Partition {
    number: u32,
    scanner: Scanner,
    reached: Reached,
}

pub(super) struct Reader {
    log: Backend,
    settings: Settings,
    outcomes: Outcomes,
    health: Health,
    shutdown: Shutdown,
    /// True once all that was there has been read: what comes then is news.
    live: bool,
    away: bool,
    expired: Instant,
}

impl Reader {
    pub(super) fn new(
        log: Backend,
        settings: Settings,
        outcomes: Outcomes,
        health: Health,
        shutdown: Shutdown,
    ) -> Self {
        Self { log, settings, outcomes, health, shutdown, live: false, away: false, expired: Instant::now() }
    }

    /// Reads until the shutdown. A log that is away is waited for: chain and state are served all the same.
    pub(super) fn run(mut self) -> Result<(), Failure> {
        while !self.shutdown.is_triggered() {
            match self.follow() {
                Ok(()) => {}
                Err(unfit @ Error::Unfit(_)) => return Err(Failure::new(Exit::Settings, unfit)),
                // Opened anew, the database goes on where it was.
                Err(Error::Store(error)) => return Err(Failure::new(Exit::GaveUp, error)),
                Err(Error::Log(error)) => {
                    if !std::mem::replace(&mut self.away, true) {
                        tracing::warn!(
                            "the outcomes of transactions cannot be read: {}",
                            with_causes(&error)
                        );
                    }
                    self.tell(Some(&error));
                    std::thread::sleep(TRY_AGAIN);
                }
            }
        }
        Ok(())
    }

    fn follow(&mut self) -> Result<(), Error> {
        let problems = self.log.check(&self.settings.topic, &needs(&self.settings))?;
        if !problems.is_empty() {
            return Err(Error::Unfit(problems));
        }
        let mut partitions = self.partitions()?;
        let mut turn = 0;
        while !self.shutdown.is_triggered() {
            if self.round(&mut partitions)? {
                continue;
            }
            turn = (turn + 1) % partitions.len().max(1);
            if let Some(partition) = partitions.get_mut(turn) {
                self.read(partition, WAIT)?;
            }
            self.expire()?;
        }
        Ok(())
    }

    pub(super) fn partitions(&self) -> Result<Vec<Partition>, Error> {
        (0..self.log.partitions(&self.settings.topic)?).map(|number| self.open(number)).collect()
    }

    /// Reads what all partitions have; true if there was something.
    pub(super) fn round(&mut self, partitions: &mut [Partition]) -> Result<bool, Error> {
        let mut found = false;
        for partition in partitions.iter_mut() {
            found |= self.read(partition, Duration::ZERO)?;
        }
        if !found {
            self.caught_up(partitions);
        }
        Ok(found)
    }

    /// A partition from where it stood, or where that is gone or unknown from the first entry that is kept.
    fn open(&self, number: u32) -> Result<Partition, Error> {
        let mut scanner = Scanner::new(self.log.consumer(&self.settings.topic, number)?);
        let (earliest, end) = (scanner.earliest()?, scanner.end()?);
        let known = self.outcomes.inner.fates.reached(number)?;
        let reached = match known.filter(|known| (earliest.0..=end.0).contains(&known.next)) {
            Some(reached) => reached,
            None => {
                let at_ms = |entry: &Entry| Outcome::decode(&entry.payload).ok().map(|told| told.at_ms);
                let oldest = scanner.find(earliest, end, |entry| Ok::<_, LogError>(at_ms(entry)))?;
                // Nothing is missing of a log that has dropped nothing.
                let since_ms = if earliest.0 == 0 { 0 } else { oldest.unwrap_or_else(now_ms) };
                let kept_ms = now_ms().saturating_sub(millis(self.settings.keep)).saturating_sub(CLOCKS_MS);
                Reached { next: scanner.first_since(kept_ms, at_ms)?.0, since_ms }
            }
        };
        Ok(Partition { number, scanner, reached })
    }

    /// Reads what a partition has; true if there was something.
    fn read(&mut self, partition: &mut Partition, wait: Duration) -> Result<bool, Error> {
        let entries = partition.scanner.read(Offset(partition.reached.next), READ_BYTES, wait)?;
        let Some(last) = entries.last() else { return Ok(false) };
        let inner = &self.outcomes.inner;
        let oldest_ms = now_ms().saturating_sub(millis(inner.keep));
        let (mut batch, mut told, mut news) = (FatesBatch::default(), Told::default(), Vec::new());
        for entry in &entries {
            let Some(outcome) = outcome(entry, &self.settings.topic, partition.number) else { continue };
            if outcome.at_ms >= oldest_ms && told.is_new(&outcome, &inner.fates, HISTORY_MAX)? {
                let place = (partition.number, entry.offset.0);
                batch.put(outcome.hash, place, outcome.at_ms, &entry.payload);
                news.push(outcome);
            }
        }
        partition.reached.next = last.offset.0.saturating_add(1);
        batch.reached(partition.number, partition.reached);
        inner.fates.write(batch)?;
        if self.live {
            for outcome in &news {
                inner.verdicts.tell(outcome);
                inner.notices.tell(outcome);
            }
        }
        Ok(true)
    }

    fn caught_up(&mut self, partitions: &[Partition]) {
        self.away = false;
        if self.live {
            return;
        }
        self.live = true;
        let since = partitions.iter().map(|partition| partition.reached.since_ms).max();
        self.outcomes.inner.since_ms.store(since.unwrap_or_default(), Ordering::Release);
        self.tell(None);
    }

    fn tell(&self, error: Option<&LogError>) {
        let reason = error.map(|error| with_causes(error));
        self.health.set_section("outcomes", json!({ "read": self.live, "reason": reason }));
    }

    fn expire(&mut self) -> Result<(), Error> {
        if self.expired.elapsed() < EXPIRE_EVERY {
            return Ok(());
        }
        let inner = &self.outcomes.inner;
        let before = now_ms().saturating_sub(millis(inner.keep));
        // The rest waits for the next turn, so that entries do not.
        if !inner.fates.expire(before)? {
            self.expired = Instant::now();
        }
        Ok(())
    }
}

/// Outcome of an entry. One that is none, or of a later build, is passed over.
fn outcome(entry: &Entry, topic: &str, partition: u32) -> Option<Outcome> {
    let offset = entry.offset.0;
    Outcome::decode(&entry.payload)
        .inspect_err(|error| tracing::warn!(%error, topic, partition, offset, "an entry is passed over"))
        .ok()
}
