//! The member of the consumer group, on a thread of its own: entries of transactions, the partitions that this emitter holds,
//! and the commits of their positions.
//!
//! # Correctness
//! - A share that changed is lost and given anew, also where the same partitions come back: another may have had them.
//! - What is on its way in a partition is read before its entries are handed on. Entries that were read for a share from
//!   before are not.

use crate::error::Error;
use crate::failpoints;
use crate::rebuild::{Histories, Rebuilt};
use crate::sound::{Sound, Unsound, sound};
use maidenlane_chain::{Address, B256};
use maidenlane_feed::Scanner;
use maidenlane_log::{Backend, Entry, GroupConsumer, Offset, Share, partition_of};
use maidenlane_service::{Away, Health, Shutdown, clock, failpoint, with_causes};
use maidenlane_wire::{DecodeError, Outcome, Refusal, Transaction};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Sender;

/// Bytes that are read at a time.
const READ_BYTES: usize = 4 << 20;
/// Longest wait for entries, and so for a commit.
const WAIT: Duration = Duration::from_millis(20);
/// Interval of commits: each is a sync or a question to a broker, and holds up what comes meanwhile.
const COMMIT_EVERY: Duration = Duration::from_millis(100);
/// Time by which clocks of replicas and emitters may differ, in milliseconds.
const CLOCKS_MS: u64 = 600_000;

/// News of the topic of transactions.
#[derive(Debug)]
pub enum News {
    /// The member has joined its group.
    Joined,
    /// A transaction.
    Came {
        /// Partition and offset of its entry.
        at: (u32, u64),
        /// The transaction.
        tx: Sound,
        /// Unix time in milliseconds at which it was taken.
        taken_ms: u64,
    },
    /// A transaction that no node takes.
    Unfit {
        /// Partition and offset of its entry.
        at: (u32, u64),
        /// Hash and sender.
        of: (B256, Address),
        /// Reason, in geth's words.
        reason: String,
    },
    /// An entry that says nothing of any transaction.
    Foreign {
        /// Partition and offset of the entry.
        at: (u32, u64),
    },
    /// Entries were deleted before anybody read them.
    Deleted {
        /// Number of them.
        entries: u64,
    },
    /// A partition is this emitter's.
    Gained {
        /// The partition.
        partition: u32,
        /// Transactions on their way there.
        rebuilt: Rebuilt,
    },
    /// A partition is no longer this emitter's.
    Lost {
        /// The partition.
        partition: u32,
    },
}

/// Positions to be committed; the newest of a partition counts.
pub type Commits = Arc<Mutex<BTreeMap<u32, u64>>>;

/// Member of the group, and all that it works with.
pub struct Intake {
    /// The log.
    pub log: Backend,
    /// Topics of transactions and of outcomes.
    pub topics: (String, String),
    /// Consumer group.
    pub group: String,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Names of the nodes.
    pub names: Vec<String>,
    /// Time after which a transaction is given up, in milliseconds.
    pub lifetime_ms: u64,
    /// Receiver of the news.
    pub news: Sender<News>,
    /// Positions to be committed.
    pub commits: Commits,
    /// True while no more entries are wanted.
    pub full: Arc<AtomicBool>,
    /// Present time of the steady clock in milliseconds.
    pub steady_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Health, for progress.
    pub health: Health,
    /// End of it all.
    pub shutdown: Shutdown,
}

impl Intake {
    /// Reads until the shutdown.
    ///
    /// # Errors
    /// When the log is away for too long, or needs a person.
    pub fn run(self) -> Result<(), Error> {
        let mut away = Away::default();
        let mut held = Share::default();
        while !self.shutdown.is_triggered() {
            let done = self.member(&mut held, &mut away);
            self.lose(&mut held);
            match done {
                Ok(()) => return Ok(()),
                Err(Error::Log(maidenlane_log::Error::RetentionGap { wanted, earliest, .. })) => {
                    let entries = earliest.saturating_sub(wanted);
                    tracing::error!(
                        from = wanted,
                        to = earliest,
                        "{entries} transactions were deleted before any emitter read them, and nobody can tell which: \
                         raise the retention of {}, or look after emitters sooner",
                        self.topics.0
                    );
                    self.tell(News::Deleted { entries });
                }
                Err(Error::Log(error)) if may_pass(&error) => {
                    away.note("transactions cannot be read", error)?;
                    self.health.progress();
                    std::thread::sleep(Away::TRY_AGAIN);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Joins, and reads until the shutdown or an error.
    fn member(&self, held: &mut Share, away: &mut Away) -> Result<(), Error> {
        let mut member = self.log.group(&self.topics.0, &self.group)?;
        let partitions = self.log.partitions(&self.topics.0)?;
        self.tell(News::Joined);
        let mut committed = Instant::now();
        while !self.shutdown.is_triggered() {
            self.health.progress();
            if committed.elapsed() >= COMMIT_EVERY {
                self.commit(member.as_mut());
                committed = Instant::now();
            }
            if self.full.load(Ordering::Relaxed) {
                std::thread::sleep(WAIT);
                continue;
            }
            let entries = member.read(READ_BYTES, WAIT)?;
            away.is_back();
            let share = member.share()?;
            if share != *held {
                self.lose(held);
                failpoint(failpoints::BEFORE_REBUILD);
                for partition in &share.partitions {
                    self.gain(*partition)?;
                }
                *held = share;
            }
            if !entries.is_empty() {
                failpoint(failpoints::AFTER_READ);
            }
            for (partition, entry) in &entries {
                if held.partitions.contains(partition) {
                    self.hand_on(*partition, partitions, entry)?;
                }
            }
        }
        self.commit(member.as_mut());
        Ok(())
    }

    fn hand_on(&self, partition: u32, partitions: u32, entry: &Entry) -> Result<(), Error> {
        let at = (partition, entry.offset.0);
        // Whoever holds the partition of the key looks for its history there, and would not find this one.
        let own = entry.key.as_deref().map(|key| partition_of(key, partitions));
        if own.is_some_and(|own| own != partition) {
            tracing::warn!(
                partition,
                offset = at.1,
                "passed over: the entry's key belongs to another partition, by murmur2"
            );
            self.tell(News::Foreign { at });
            return Ok(());
        }
        self.tell(match sound(entry, self.chain_id) {
            Ok((tx, taken_ms)) => News::Came { at, tx, taken_ms },
            Err(Unsound::Refused { hash, sender, reason }) => News::Unfit { at, of: (hash, sender), reason },
            Err(Unsound::Newer(source)) => {
                let (topic, offset) = (self.topics.0.clone(), at.1);
                return Err(Error::Newer { topic, partition, offset, source });
            }
            Err(unsound @ Unsound::Foreign(_)) => {
                tracing::warn!(partition, offset = at.1, "{unsound}");
                News::Foreign { at }
            }
        });
        Ok(())
    }

    /// Commits what is to be committed. A commit that fails is made up for by the next, or the entries come again.
    fn commit(&self, member: &mut dyn GroupConsumer) {
        let due = std::mem::take(&mut *self.commits.lock().unwrap_or_else(PoisonError::into_inner));
        for (partition, offset) in due {
            match member.commit(partition, Offset(offset)) {
                Ok(()) => failpoint(failpoints::AFTER_COMMIT),
                Err(error) => tracing::info!(partition, offset, "not committed: {}", with_causes(&error)),
            }
        }
    }

    fn lose(&self, held: &mut Share) {
        for partition in std::mem::take(held).partitions {
            self.commits.lock().unwrap_or_else(PoisonError::into_inner).remove(&partition);
            self.tell(News::Lost { partition });
        }
    }

    /// Reads what is on its way in a partition, and hands it on.
    fn gain(&self, partition: u32) -> Result<(), Error> {
        let unix_ms = clock::now_ms();
        // Twice the time that any is on its way: what began within it has its end within it.
        let since_ms = unix_ms.saturating_sub(self.lifetime_ms.saturating_mul(2)).saturating_sub(CLOCKS_MS);
        let histories = self.histories(partition, since_ms)?;
        let found = self.transactions(partition, since_ms, &histories)?;
        let rebuilt = histories.rebuilt(found, (self.steady_ms)(), unix_ms);
        tracing::info!(partition, on_their_way = rebuilt.flights.len(), "a partition is ours");
        self.tell(News::Gained { partition, rebuilt });
        Ok(())
    }

    /// Histories, as the outcomes from a time on tell them, of a partition's transactions.
    fn histories(&self, partition: u32, since_ms: u64) -> Result<Histories, Error> {
        let mut log = Scanner::new(self.log.consumer(&self.topics.1, partition)?);
        let at_ms = |entry: &Entry| Outcome::decode(&entry.payload).ok().map(|outcome| outcome.at_ms);
        let (first, end) = (log.first_since(since_ms, at_ms)?, log.end()?);
        let histories = self.told(partition, &mut log, (first, end))?;
        let earliest = log.earliest()?;
        if first > earliest && histories.lack_beginnings() {
            return self.told(partition, &mut log, (earliest, end));
        }
        Ok(histories)
    }

    /// Histories as these outcomes tell them.
    fn told(
        &self,
        partition: u32,
        log: &mut Scanner,
        (first, end): (Offset, Offset),
    ) -> Result<Histories, Error> {
        let topic = &self.topics.1;
        let mut histories = Histories::new(self.names.clone(), partition);
        log.each(first, end, |entry| {
            match Outcome::decode(&entry.payload) {
                Ok(outcome) => histories.take(&outcome),
                // Of a replica's door, and never on its way.
                Err(_) if Refusal::is_one(&entry.payload) => {}
                Err(source @ DecodeError::UnknownSchema { .. }) => {
                    let (topic, offset) = (topic.clone(), entry.offset.0);
                    return Err(Error::Newer { topic, partition, offset, source });
                }
                // Nobody's: whoever wrote it told nothing.
                Err(error) => tracing::warn!(partition, offset = entry.offset.0, "no outcome: {error}"),
            }
            Ok(())
        })?;
        Ok(histories)
    }

    /// The transactions that are on their way: those taken from a time on, and before it if some are not among them, which
    /// waited long for an emitter.
    fn transactions(
        &self,
        partition: u32,
        since_ms: u64,
        histories: &Histories,
    ) -> Result<Vec<Sound>, Error> {
        let mut log = Scanner::new(self.log.consumer(&self.topics.0, partition)?);
        let taken_ms = |entry: &Entry| Transaction::decode(&entry.payload).ok().map(|stated| stated.taken_ms);
        let (first, end) = (log.first_since(since_ms, taken_ms)?, log.end()?);
        let earliest = log.earliest()?;
        let mut found = HashMap::new();
        let mut find = |from, end| {
            log.each(from, end, |entry| {
                let stated = Transaction::decode(&entry.payload).ok();
                // Before its signature, which takes ten times as long: most have ended.
                if stated.is_some_and(|stated| histories.wants(&stated.hash)) {
                    // What is unsound has no history of its own, and is met again when its entry comes.
                    found.extend(sound(entry, self.chain_id).ok().map(|(tx, _)| (tx.hash, tx)));
                }
                Ok::<_, Error>(())
            })?;
            Ok::<_, Error>(found.len())
        };
        if find(first, end)? < histories.wanted().count() {
            find(earliest, first)?;
        }
        Ok(found.into_values().collect())
    }

    fn tell(&self, news: News) {
        // Gone only when the daemon is stopping.
        let _ = self.news.blocking_send(news);
    }
}

/// True if the log is away, and waiting may help: also where a member lost its share or its rights for a moment.
fn may_pass(error: &maidenlane_log::Error) -> bool {
    use maidenlane_log::Error::{BeyondEnd, Forbidden, Io};
    error.may_come() || matches!(error, BeyondEnd { .. } | Forbidden { .. } | Io { .. })
}
