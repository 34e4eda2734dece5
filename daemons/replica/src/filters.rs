//! Filters without a session: any replica answers a poll, also one that never saw the filter made. Description and
//! cursor of every filter are in the topic `<prefix>.<chain>.filters`, which all replicas of a chain share.
//!
//! | file | idea |
//! |---|---|
//! | here | requests to the topic's thread |
//! | `id` | a filter's description, under a MAC; its hash is the id that the client gets |
//! | `arrivals` | when entries came, by this replica's clock |
//! | `cursors` | the cursors: a fold over the topic |
//! | `reader` | one thread that appends and reads |
//! | `descriptions` | the descriptions, by id |
//! | `key` | the MAC's key, own or shared |

mod arrivals;
pub(crate) mod cursors;
mod descriptions;
pub(crate) mod id;
mod key;
mod reader;

use cursors::{EXPIRY, Stand};
use id::{Description, Id, Signer};
pub use key::Key;
use maidenlane_chain::Bytes;
use maidenlane_log::TopicNeeds;
use maidenlane_service::Failure;
use maidenlane_service::clock::now_ms;
use maidenlane_wire::{Filter, FilterCriteria, FilterMoved};
pub use reader::Reader;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use tokio::sync::oneshot;

/// Topic of the filters, and the key that signs them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Topic name: `<prefix>.<chain>.filters`.
    pub topic: String,
    /// Signing key of descriptions.
    pub key: Key,
}

/// Least retention of the topic: well beyond what a replica reads of it when it starts.
const RETENTION_MIN: Duration = Duration::from_secs(12 * EXPIRY.as_secs());
/// Largest criteria: geth's limits of addresses and topics fit.
pub(crate) const CRITERIA_MAX_BYTES: usize = 512 << 10;
/// Requests that may wait for the topic's thread.
const QUEUE_MAX: usize = 4_096;
/// Timeout of a poll that waits for the present end of the topic.
const READ_WAIT: Duration = Duration::from_millis(250);
/// Timeout of an append.
const APPEND_WAIT: Duration = Duration::from_secs(5);

/// Requirements for the filters' topic.
#[must_use]
pub const fn needs() -> TopicNeeds {
    TopicNeeds {
        partitions: Some(1),
        entry_bytes: 1_000_000,
        retention_min_age: RETENTION_MIN,
        retention_min_bytes: 0,
    }
}

/// Error of a request to the filters' topic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unavailable {
    /// Too many requests at once.
    #[error("too many polls of filters at once; try again")]
    Busy,
    /// The log is away, or too slow.
    #[error("where filters stand cannot be read now; try again: {0}")]
    Log(Arc<str>),
}

/// Description and position of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) id: Id,
    pub(crate) filter: Description,
    pub(crate) stand: Stand,
    /// Description to be appended again, before the topic's entry expires; `None` while that is new enough.
    pub(crate) again: Option<Bytes>,
}

#[derive(Debug)]
enum Command {
    Find(Id, oneshot::Sender<Result<Option<Found>, Unavailable>>),
    Append(Filter, oneshot::Sender<Result<bool, Unavailable>>),
}

/// Handle for requests to the filters' topic. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Filters {
    queue: SyncSender<Command>,
    signer: Arc<Signer>,
}

impl Filters {
    /// A handle, and the reader to run on a thread of its own.
    ///
    /// # Errors
    /// The key cannot be read, or made on a disk that refuses, which may pass.
    pub fn new(
        settings: &Settings,
        state_dir: &std::path::Path,
        log: maidenlane_log::Backend,
    ) -> Result<(Self, Reader), Failure> {
        let (queue, commands) = sync_channel(QUEUE_MAX);
        let signer =
            Arc::new(Signer { secret: settings.key.load(state_dir)?, realm: settings.topic.clone() });
        let reader = Reader::new(log, Arc::clone(&signer), commands);
        Ok((Self { queue, signer }, reader))
    }

    /// Signer of descriptions.
    pub(crate) fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Looks a filter up at the topic's present end; `None` when there is none.
    pub(crate) async fn find(&self, id: Id) -> Result<Option<Found>, Unavailable> {
        self.ask(READ_WAIT, |answer| Command::Find(id, answer)).await
    }

    /// Appends a filter's step; false when another one came before it.
    pub(crate) async fn step(&self, moved: FilterMoved) -> Result<bool, Unavailable> {
        self.ask(APPEND_WAIT, |answer| Command::Append(Filter::Moved(moved), answer)).await
    }

    /// Appends a description.
    pub(crate) async fn keep(&self, description: Bytes) -> Result<(), Unavailable> {
        let criteria = FilterCriteria { criteria: description, at_ms: now_ms() };
        self.ask(APPEND_WAIT, |answer| Command::Append(Filter::Criteria(criteria), answer)).await.map(drop)
    }

    async fn ask<T>(
        &self,
        wait: Duration,
        command: impl FnOnce(oneshot::Sender<Result<T, Unavailable>>) -> Command,
    ) -> Result<T, Unavailable> {
        let (answer, answered) = oneshot::channel();
        let stopping = || Unavailable::Log("this replica is stopping".into());
        self.queue.try_send(command(answer)).map_err(|error| match error {
            TrySendError::Full(_) => Unavailable::Busy,
            TrySendError::Disconnected(_) => stopping(),
        })?;
        match tokio::time::timeout(wait, answered).await {
            Ok(answered) => answered.unwrap_or_else(|_| Err(stopping())),
            Err(_) => Err(Unavailable::Log(format!("no answer within {} ms", wait.as_millis()).into())),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
