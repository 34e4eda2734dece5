//! Transactions that clients send: made durable in the log's topic `transactions`, from which they go to the nodes.
//!
//! | file | idea |
//! |---|---|
//! | here | a bounded queue in front of one thread that appends, many at a time |
//! | `offer` | a transaction as it is counted |
//! | `senders` | pure: what each sender has on its way, and may append |
//! | `bucket` | pure: bytes that a sender may append |
//! | `counts` | those, as the door asks and the topics fill them |
//! | `refusals` | transactions that are not taken, told in the topic of outcomes |
//! | `known` | transactions stored a moment ago, which are not stored again |
//! | `consumers` | lag of the consumer group that delivers them |
//! | `start` | the threads of the daemon |
//!
//! # Why a thread
//! Appends are synchronous, and while one is under way the next batch gathers: the busier the replica, the fewer
//! entries wait for a sync of their own.

mod bucket;
mod consumers;
mod counts;
mod known;
mod offer;
mod refusals;
mod senders;
mod start;

pub use consumers::Consumers;
pub use counts::Counts;
pub(crate) use known::FOR as STORED_ONCE_FOR;
use known::Known;
use maidenlane_chain::B256;
use maidenlane_log::{Append, Backend, LogProducer as _, Reopening};
use maidenlane_wire::Transaction;
pub(crate) use offer::{Means, Offer};
use refusals::Refusals;
pub(crate) use refusals::Refused;
pub use senders::Bounds;
pub(crate) use start::brief;
pub use start::{needs, start};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Topic of transactions, and the requirements for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Topic name: `<prefix>.<chain>.transactions`.
    pub topic: String,
    /// Topic of their outcomes, which says what they count for, and is told of refusals.
    pub outcomes_topic: String,
    /// Consumer group that delivers the transactions.
    pub group: String,
    /// Least retention of the topic.
    pub retention: Duration,
    /// Bounds of what may wait for a node.
    pub bounds: Bounds,
    /// Time that an answer waits for a node's verdict, once the transaction is durable; `None` waits for none.
    pub verdict_wait: Option<Duration>,
}

/// Transactions that wait to be appended.
const QUEUE_MAX: usize = 16_384;
/// Size of the waiting transactions, in KiB.
const QUEUE_MAX_KIB: usize = 64 << 10;
/// Most transactions in one append.
const BATCH_MAX: usize = 1_000;
const BATCH_MAX_BYTES: usize = 4 << 20;
/// Longest wait of a transaction that comes right after the start, for what must be read before the first is taken.
const BEGIN_MAX: Duration = Duration::from_secs(3);

/// Reason for which a transaction was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// The queue is full.
    #[error("too many transactions are waiting to be stored; send it again")]
    Full,
    /// The log. What became of the entry may be unknown, so the same transaction may be sent again.
    #[error("the transaction was not stored, send it again: {0}")]
    Log(String),
    /// The sender's other transactions: in geth's words.
    #[error("{0}")]
    Refused(String),
    /// The sender's bytes are used up.
    #[error("the sender has sent too much of late; send it again in a minute")]
    TooMany,
    /// So many bytes of the same caller's wait for a node.
    #[error("{bytes} bytes of yours wait for nodes; send it again when some of them have been delivered")]
    Waiting {
        /// Sum of their sizes.
        bytes: u64,
    },
    /// Nothing takes them out of the log.
    #[error("{0}")]
    Unconsumed(String),
}

struct Waiting {
    transaction: Transaction,
    answer: oneshot::Sender<Result<(), NotTaken>>,
    _room: OwnedSemaphorePermit,
}

/// Handle that takes transactions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Submissions {
    queue: SyncSender<Waiting>,
    room: Arc<Semaphore>,
    consumers: Arc<Consumers>,
    counts: Counts,
    refusals: Refusals,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Waiting").field(&self.transaction.hash).finish()
    }
}

impl Submissions {
    /// A handle, and the appender to run on a thread of its own.
    #[must_use]
    pub fn new(log: Backend, topic: String, consumers: Arc<Consumers>, counts: Counts) -> (Self, Appender) {
        let (queue, waiting) = sync_channel(QUEUE_MAX);
        let room = Arc::new(Semaphore::new(QUEUE_MAX_KIB));
        let appender = Appender { producer: Reopening::new(log, topic), waiting, known: Known::default() };
        (Self { queue, room, consumers, counts, refusals: Refusals::none() }, appender)
    }

    /// Time that an answer waits for a node's verdict, if it waits for one.
    pub(crate) fn verdict_wait(&self) -> Option<Duration> {
        self.consumers.verdict_wait()
    }

    /// Waits until transactions can be judged: a client that finds a replica ready need not know that its start is not
    /// over. Without the log the wait ends all the same, and the refusal names what is missing.
    pub(crate) async fn begun(&self) {
        let both = async {
            self.counts.known().await;
            self.consumers.checked().await;
        };
        let _ = tokio::time::timeout(BEGIN_MAX, both).await;
    }

    /// Takes note of a transaction that is about to be taken, unless its sender may not send it.
    pub(crate) fn admit(&self, offer: &Offer, means: &Means) -> Result<(), NotTaken> {
        self.counts.admit(offer, means)
    }

    /// Counts of what senders have on their way.
    pub(crate) const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Tells whoever reads the outcomes that a transaction was refused.
    pub(crate) fn refuse(&self, refused: Refused) {
        self.refusals.note(refused);
    }

    /// Takes a transaction that was admitted, and returns once it is durable.
    ///
    /// # Errors
    /// The transaction may be sent again, here or elsewhere.
    pub async fn take(&self, transaction: Transaction) -> Result<(), NotTaken> {
        let hash = transaction.hash;
        let taken = self.append(transaction).await;
        if taken.is_err() {
            // Where it was appended all the same, it is read again.
            self.counts.withdraw(&hash);
        }
        taken
    }

    async fn append(&self, transaction: Transaction) -> Result<(), NotTaken> {
        self.consumers.fit().map_err(NotTaken::Unconsumed)?;
        let kib = u32::try_from(transaction.raw.len().div_ceil(1_024)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(kib.max(1)).map_err(|_| NotTaken::Full)?;
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Waiting { transaction, answer, _room: room }).map_err(|error| match error {
            TrySendError::Full(_) => NotTaken::Full,
            TrySendError::Disconnected(_) => NotTaken::Log("this replica is stopping".to_owned()),
        })?;
        answered.await.unwrap_or_else(|_| Err(NotTaken::Log("this replica is stopping".to_owned())))
    }
}

/// Appender of taken transactions.
pub struct Appender {
    producer: Reopening,
    waiting: Receiver<Waiting>,
    known: Known,
}

impl std::fmt::Debug for Appender {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Appender").field("topic", &self.producer.topic()).finish_non_exhaustive()
    }
}

impl Appender {
    /// Runs until the last [`Submissions`] is gone; transactions in the queue are still answered then.
    pub fn run(mut self) {
        while let Ok(first) = self.waiting.recv() {
            let batch = self.gather(first);
            let done = self.append(&batch, Instant::now());
            if let Err(error) = &done {
                tracing::error!(%error, topic = self.producer.topic(), "transactions were not stored");
            }
            for waiting in batch {
                // Gone only when the client left.
                let _ = waiting.answer.send(done.clone());
            }
        }
    }

    /// Collects the waiting transactions, up to the limits of one append.
    fn gather(&self, first: Waiting) -> Vec<Waiting> {
        let mut bytes = first.transaction.raw.len();
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX && bytes < BATCH_MAX_BYTES {
            let Ok(next) = self.waiting.try_recv() else { break };
            bytes = bytes.saturating_add(next.transaction.raw.len());
            batch.push(next);
        }
        batch
    }

    fn append(&mut self, batch: &[Waiting], now: Instant) -> Result<(), NotTaken> {
        self.known.forget(now);
        let mut seen = BTreeSet::new();
        let new = |hash: &B256| !self.known.has(hash);
        let news: Vec<&Transaction> = batch
            .iter()
            .map(|waiting| &waiting.transaction)
            .filter(|transaction| new(&transaction.hash) && seen.insert(transaction.hash))
            .collect();
        let encoded: Vec<Vec<u8>> = news.iter().map(|transaction| transaction.encode()).collect();
        let entries = news.iter().zip(&encoded);
        let entries: Vec<Append<'_>> = entries
            .map(|(transaction, payload)| Append { key: Some(transaction.sender.as_slice()), payload })
            .collect();
        if !entries.is_empty() {
            self.producer.append(&entries).map_err(|error| log_error(&error))?;
        }
        let hashes: Vec<B256> = news.iter().map(|transaction| transaction.hash).collect();
        hashes.into_iter().for_each(|hash| self.known.add(hash, now));
        Ok(())
    }
}

/// The log's error with its causes, for the client and the log line.
fn log_error(error: &maidenlane_log::Error) -> NotTaken {
    NotTaken::Log(maidenlane_service::with_causes(error))
}

#[cfg(test)]
pub(crate) mod tests;
