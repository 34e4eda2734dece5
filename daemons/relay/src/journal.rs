//! Orders and fates on their way into the log, each topic on a thread of its own: many at a time, each sealed before it comes here.
//!
//! # Why an append that fails is not tried again
//! The client is told so and sends again, here or to another relay: its order has a deadline of seconds, and a queue behind a log
//! that is away would fill with what is past. An append whose outcome is unknown does no harm: the same order is known by its
//! content id.

use crate::failpoints;
use maidenlane_log::{Append, Backend, LogProducer as _, Reopening};
use maidenlane_service::{failpoint, with_causes};
use maidenlane_wire::SealedKind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Orders that wait to be appended, and their size in KiB.
const QUEUE_MAX: usize = 16_384;
const QUEUE_MAX_KIB: usize = 128 << 10;
/// Most of one append.
const BATCH_MAX: usize = 1_000;
const BATCH_MAX_BYTES: usize = 8 << 20;

/// Reason for which an order is not in the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStored {
    /// The queue is full.
    #[error("too many orders are waiting to be stored; send it again")]
    Full,
    /// The log. What became of the entry may be unknown. Why is for the relay's own log: the words name brokers and paths.
    #[error("the order was not stored; send it again, here or to another relay")]
    Log,
    /// The daemon stops.
    #[error("this relay is stopping; send it to another, or again in a moment")]
    Stopping,
}

/// Sealed order.
struct Waiting {
    key: [u8; 16],
    entries: Vec<Vec<u8>>,
    bytes: usize,
    answer: oneshot::Sender<Result<(), NotStored>>,
    _room: OwnedSemaphorePermit,
}

/// Handle that takes sealed orders. Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    queue: SyncSender<Waiting>,
    room: Arc<Semaphore>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("room", &self.room.available_permits()).finish_non_exhaustive()
    }
}

impl Journal {
    /// A handle, and the appender to run on a thread of its own. Of appends of orders, failpoints stand before and after each: fates and
    /// beats come at any time, and would meet a point that is meant for an order.
    #[must_use]
    pub fn new(log: Backend, topic: String, kind: SealedKind) -> (Self, Appender) {
        let (queue, waiting) = sync_channel(QUEUE_MAX);
        let room = Arc::new(Semaphore::new(QUEUE_MAX_KIB));
        (Self { queue, room }, Appender { producer: Reopening::new(log, topic), waiting, kind })
    }

    /// Appends the entries of one order; returns once they are durable.
    ///
    /// # Errors
    /// The order may be sent again.
    pub async fn store(&self, key: [u8; 16], entries: Vec<Vec<u8>>) -> Result<(), NotStored> {
        self.queue(key, entries)?.await.unwrap_or(Err(NotStored::Stopping))
    }

    /// The same, and returns at once: the answer tells when they are durable.
    ///
    /// # Errors
    /// There is no room.
    pub fn queue(
        &self,
        key: [u8; 16],
        entries: Vec<Vec<u8>>,
    ) -> Result<oneshot::Receiver<Result<(), NotStored>>, NotStored> {
        let bytes: usize = entries.iter().map(Vec::len).sum();
        let kib = u32::try_from(bytes.div_ceil(1_024)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(kib).map_err(|_| NotStored::Full)?;
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { key, entries, bytes, answer, _room: room };
        self.queue.try_send(waiting).map_err(|error| match error {
            TrySendError::Full(_) => NotStored::Full,
            TrySendError::Disconnected(_) => NotStored::Stopping,
        })?;
        Ok(answered)
    }
}

/// Appender of sealed orders.
pub struct Appender {
    producer: Reopening,
    waiting: Receiver<Waiting>,
    kind: SealedKind,
}

impl std::fmt::Debug for Appender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Appender").field("topic", &self.producer.topic()).finish_non_exhaustive()
    }
}

impl Appender {
    /// Appends until the last [`Journal`] is gone, with what came before that.
    pub fn run(mut self) {
        while let Ok(first) = self.waiting.recv() {
            let mut bytes = first.bytes;
            let mut batch = vec![first];
            while batch.len() < BATCH_MAX
                && bytes < BATCH_MAX_BYTES
                && let Ok(next) = self.waiting.try_recv()
            {
                bytes = bytes.saturating_add(next.bytes);
                batch.push(next);
            }
            self.pass(failpoints::BEFORE_APPEND);
            let done = self.append(&batch);
            if let Err(error) = &done {
                tracing::error!(
                    topic = self.producer.topic(),
                    "orders were not stored: {}",
                    with_causes(error)
                );
            }
            self.pass(failpoints::AFTER_APPEND);
            let done = done.map_err(|_| NotStored::Log);
            for waiting in batch {
                // Gone only when the client left.
                let _ = waiting.answer.send(done.clone());
            }
        }
    }

    fn pass(&self, point: &'static str) {
        if self.kind == SealedKind::Order {
            failpoint(point);
        }
    }

    fn append(&mut self, batch: &[Waiting]) -> Result<(), maidenlane_log::Error> {
        let entries = batch.iter().flat_map(|waiting| {
            waiting.entries.iter().map(|payload| Append { key: Some(&waiting.key), payload })
        });
        self.producer.append(&entries.collect::<Vec<_>>()).map(drop)
    }
}
