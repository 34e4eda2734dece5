//! Thread that reads the topics of transactions and outcomes, all partitions at once.
//!
//! # Correctness
//! One thread for both topics: an outcome that is read before its transaction is in the database when that comes, and one
//! that is read after it finds it among the counts.

use super::error::Error;
use super::kept::{HISTORY_MAX, Outcomes, Settings, needs};
use super::places::{self, Of, Partition};
use super::told::{Told, decoded};
use crate::submission::Counts;
use maidenlane_log::{Backend, Entry, Error as LogError, PlacesConsumer};
use maidenlane_service::clock::{millis, now_ms};
use maidenlane_service::{Exit, Failure, Health, Shutdown, with_causes};
use maidenlane_store::fates::FatesBatch;
use maidenlane_wire::{Outcome, Refusal};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Bytes of payload that are read at a time.
const READ_BYTES: usize = 1 << 20;
/// Longest wait for entries, and so for the shutdown.
const WAIT: Duration = Duration::from_millis(100);
/// Interval of attempts to reach a log that is away.
const TRY_AGAIN: Duration = Duration::from_millis(500);
/// Interval at which old rows are dropped.
const EXPIRE_EVERY: Duration = Duration::from_secs(60);

/// Transactions that are counted: their topic, and the counts.
pub(crate) struct Counted {
    pub(crate) topic: String,
    pub(crate) counts: Counts,
}

pub(super) struct Reader {
    log: Backend,
    settings: Settings,
    outcomes: Outcomes,
    counted: Option<Counted>,
    health: Health,
    shutdown: Shutdown,
    /// True once all that was there has been read: what comes then is news.
    live: bool,
    away: bool,
    expired: Instant,
    /// Offset to read next in each partition of transactions: no database has it.
    stands: BTreeMap<u32, u64>,
}

/// Both topics, opened.
pub(super) struct Opened {
    partitions: Vec<Partition>,
    log: Box<dyn PlacesConsumer>,
}

/// News for whoever waits for it.
enum News {
    Fate(Outcome),
    Refusal(Refusal),
}

impl Reader {
    pub(super) fn new(
        (log, settings): (Backend, Settings),
        outcomes: Outcomes,
        counted: Option<Counted>,
        health: Health,
        shutdown: Shutdown,
    ) -> Self {
        let (live, away, expired, stands) = (false, false, Instant::now(), BTreeMap::new());
        Self { log, settings, outcomes, counted, health, shutdown, live, away, expired, stands }
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
        let mut opened = self.open()?;
        while !self.shutdown.is_triggered() {
            self.turn(&mut opened, WAIT)?;
            self.expire()?;
        }
        Ok(())
    }

    pub(super) fn open(&self) -> Result<Opened, Error> {
        let topic = self.counted.as_ref().map(|counted| counted.topic.as_str());
        let transactions = topic.map(|topic| (topic, &self.stands));
        let partitions = places::open(&self.log, &self.settings, transactions, &self.outcomes)?;
        let places: Vec<_> = partitions
            .iter()
            .map(|partition| partition.place(&self.settings, topic.unwrap_or_default()))
            .collect();
        Ok(Opened { log: self.log.places(&places)?, partitions })
    }

    /// Waits for entries and takes them; true if there were some.
    pub(super) fn turn(&mut self, opened: &mut Opened, wait: Duration) -> Result<bool, Error> {
        let entries = opened.log.read(READ_BYTES, wait)?;
        if !entries.is_empty() {
            self.take(&mut opened.partitions, &entries)?;
        }
        if opened.partitions.iter().all(Partition::is_read) {
            self.caught_up(&opened.partitions);
        }
        Ok(!entries.is_empty())
    }

    fn take(&mut self, partitions: &mut [Partition], entries: &[(usize, Entry)]) -> Result<(), Error> {
        let fates = &self.outcomes.inner.fates;
        let oldest_ms = now_ms().saturating_sub(millis(self.outcomes.inner.keep));
        let (mut batch, mut told, mut news) = (FatesBatch::default(), Told::default(), Vec::new());
        for (at, entry) in entries {
            let Some(partition) = partitions.get_mut(*at) else { continue };
            // Whoever subscribed meanwhile is told of what comes behind the end that was found.
            let is_news = self.live || partition.is_read();
            partition.reached.next = entry.offset.0.saturating_add(1);
            if partition.of == Of::Transactions {
                self.stands.insert(partition.number, partition.reached.next);
                if let Some(Counted { counts, .. }) = &self.counted {
                    // Outcomes of this batch are not in the database yet, and end it after this.
                    counts.came(entry, |hash| Ok::<_, Error>(decoded(&fates.history(hash, HISTORY_MAX)?)))?;
                }
                continue;
            }
            match read(entry, &self.settings.topic, partition.number) {
                Some(News::Fate(outcome))
                    if outcome.at_ms >= oldest_ms && told.is_new(&outcome, fates, HISTORY_MAX)? =>
                {
                    let place = (partition.number, entry.offset.0);
                    batch.put(outcome.hash, place, outcome.at_ms, &entry.payload);
                    news.push((News::Fate(outcome), is_news));
                }
                Some(refusal @ News::Refusal(_)) => news.push((refusal, is_news)),
                Some(News::Fate(_)) | None => {}
            }
        }
        for partition in partitions.iter().filter(|partition| partition.of == Of::Outcomes) {
            batch.reached(partition.number, partition.reached);
        }
        fates.write(batch)?;
        for (each, is_news) in news {
            self.pass_on(&each, is_news);
        }
        Ok(())
    }

    /// Tells the counts, and if it is news those who wait for it.
    fn pass_on(&self, news: &News, is_news: bool) {
        let inner = &self.outcomes.inner;
        match news {
            News::Fate(outcome) => {
                let counts = self.counted.as_ref().map(|counted| &counted.counts);
                // Before its end, after which nobody knows who sent it.
                let identity = counts.and_then(|counts| counts.identity(&outcome.hash));
                if let Some(counts) = counts {
                    counts.became(outcome);
                }
                if is_news {
                    inner.verdicts.tell(outcome);
                    inner.notices.tell(outcome, identity.as_deref());
                }
            }
            News::Refusal(refusal) if is_news => inner.notices.tell_refusal(refusal),
            News::Refusal(_) => {}
        }
    }

    fn caught_up(&mut self, partitions: &[Partition]) {
        self.away = false;
        if self.live {
            return;
        }
        self.live = true;
        if let Some(counted) = &self.counted {
            counted.counts.set_known();
        }
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
        if let Some(counted) = &self.counted {
            counted.counts.expire(before);
        }
        // The rest waits for the next turn, so that entries do not.
        if !inner.fates.expire(before)? {
            self.expired = Instant::now();
        }
        Ok(())
    }
}

/// Reads an entry of the topic of outcomes. One that is nothing, or of a later build, is passed over.
fn read(entry: &Entry, topic: &str, partition: u32) -> Option<News> {
    let read = if Refusal::is_one(&entry.payload) {
        Refusal::decode(&entry.payload).map(News::Refusal)
    } else {
        Outcome::decode(&entry.payload).map(News::Fate)
    };
    let offset = entry.offset.0;
    read.inspect_err(|error| tracing::warn!(%error, topic, partition, offset, "an entry is passed over")).ok()
}
