//! Filters that need no view: any replica answers a poll, also one that never saw the filter made. What a filter is
//! and where it stands is in the topic `<prefix>.<chain>.filters`, which all replicas of a chain share.
//!
//! | file | idea |
//! |---|---|
//! | here | what requests ask of the topic |
//! | `id` | all of a filter but its place, under a MAC; its hash is what the client gets |
//! | `cursors` | the places: a fold over the topic |
//! | `reader` | one thread that appends and reads |
//! | `descriptions` | what filters are, by id |
//! | `key` | where the MAC's key comes from |

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
use maidenlane_service::clock::now_ms;
use maidenlane_wire::{Filter, FilterCriteria, FilterMoved};
pub use reader::Reader;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use tokio::sync::oneshot;

/// Where filters stand, and who may have made them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `<prefix>.<chain>.filters`.
    pub topic: String,
    /// What descriptions are signed with.
    pub key: Key,
}

/// How long the topic must keep entries: well beyond what a replica reads of it when it starts.
const RETENTION_MIN: Duration = Duration::from_secs(12 * EXPIRY.as_secs());
/// Largest criteria: geth's limits of addresses and topics fit.
pub(crate) const CRITERIA_MAX_BYTES: usize = 512 << 10;
/// Requests that may wait for the topic.
const QUEUE_MAX: usize = 4_096;
/// A poll waits for the present end of the topic.
const READ_WAIT: Duration = Duration::from_millis(250);
/// An append waits for the log.
const APPEND_WAIT: Duration = Duration::from_secs(5);

/// What the topic must be like.
#[must_use]
pub const fn needs() -> TopicNeeds {
    TopicNeeds {
        partitions: Some(1),
        entry_bytes: 1_000_000,
        retention_min_age: RETENTION_MIN,
        retention_min_bytes: 0,
    }
}

/// Why the topic cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unavailable {
    /// Too many ask at once.
    #[error("too many polls of filters at once; try again")]
    Busy,
    /// The log is away, or too slow.
    #[error("where filters stand cannot be read now; try again: {0}")]
    Log(Arc<str>),
}

/// A filter, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) id: Id,
    pub(crate) filter: Description,
    pub(crate) stand: Stand,
    /// The description as the topic has it, when it must be written again: it is there only for so long.
    pub(crate) again: Option<Bytes>,
}

#[derive(Debug)]
enum Command {
    Find(Id, oneshot::Sender<Result<Option<Found>, Unavailable>>),
    Append(Filter, oneshot::Sender<Result<bool, Unavailable>>),
}

/// Asks the topic. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Filters {
    queue: SyncSender<Command>,
    signer: Arc<Signer>,
}

impl Filters {
    /// The asking end, and the answering one for a thread of its own.
    ///
    /// # Errors
    /// The key cannot be read.
    pub fn new(
        settings: &Settings,
        state_dir: &std::path::Path,
        log: maidenlane_log::Backend,
    ) -> Result<(Self, Reader), String> {
        let (queue, commands) = sync_channel(QUEUE_MAX);
        let signer =
            Arc::new(Signer { secret: settings.key.load(state_dir)?, realm: settings.topic.clone() });
        let reader = Reader::new(log, Arc::clone(&signer), commands);
        Ok((Self { queue, signer }, reader))
    }

    /// What descriptions are written with.
    pub(crate) fn signer(&self) -> &Signer {
        &self.signer
    }

    /// A filter at the topic's present end; `None` when there is none.
    pub(crate) async fn find(&self, id: Id) -> Result<Option<Found>, Unavailable> {
        self.ask(READ_WAIT, |answer| Command::Find(id, answer)).await
    }

    /// Appends a step; false when another came before it.
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
