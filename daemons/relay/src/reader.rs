//! Reader of one partition of a topic of relays, on a thread of its own: from its beginning, after every start, and then what comes.
//!
//! # Correctness
//! - Entries that were not sealed for this topic are passed over with a warning: whoever may write there could stop every relay
//!   otherwise. What was sealed with a key that is not here, or by a newer version, is not passed over: it may be a cancel.
//! - A reader stands still only where the log does, so that a client whose order is durable is answered.

use crate::error::Error;
use crate::seal::{self, Opened, Opener, Place};
use maidenlane_feed::Scanner;
use maidenlane_log::{Backend, Entry, Offset};
use maidenlane_service::{Away, Health, Shutdown};
use maidenlane_wire::{DecodeError, SealedKind};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Bytes that are read at a time.
const READ_BYTES: usize = 4 << 20;
/// Longest wait for entries, and so for a shutdown.
const WAIT: Duration = Duration::from_millis(100);

/// Receiver of what a topic's entries sealed.
pub trait Sink: Send {
    /// Kind of what is in the topic.
    const KIND: SealedKind;

    /// Takes what an entry of a partition, or the last of several, sealed. `is_new` says that it was not there at the start.
    ///
    /// # Errors
    /// When it cannot be read.
    fn take(&self, at: (u32, Offset), opened: Opened, is_new: bool) -> Result<(), DecodeError>;

    /// Takes note that a partition was read to its end, as of then.
    fn reached(&self, partition: u32, as_of: Instant) {
        let _ = (partition, as_of);
    }
}

/// Reader of one partition.
pub struct Reader<S> {
    /// The log.
    pub log: Backend,
    /// Topic and chain.
    pub place: Place,
    /// Partition.
    pub partition: u32,
    /// Opener of its entries.
    pub opener: Opener,
    /// Receiver of what is read.
    pub sink: S,
    /// Told once what stood there at the start was read.
    pub caught_up: Option<oneshot::Sender<()>>,
    /// Health, for progress.
    pub health: Health,
    /// End of it all.
    pub shutdown: Shutdown,
}

impl<S: Sink> Reader<S> {
    /// Reads until the shutdown.
    ///
    /// # Errors
    /// When the log is away for too long, or an entry may not be passed over.
    pub fn run(mut self) -> Result<(), Error> {
        let (mut away, mut next, mut end) = (Away::default(), None, None);
        let mut log = None;
        while !self.shutdown.is_triggered() {
            match self.turn(&mut log, &mut next, &mut end) {
                Ok(()) => away.is_back(),
                Err(Error::Log(error)) if may_pass(&error) => {
                    // Opened anew: it may have come back with an older end, or without its beginning.
                    (log, next) = (None, None);
                    away.note("orders and fates cannot be read", error)?;
                    std::thread::sleep(Away::TRY_AGAIN);
                }
                Err(error) => return Err(error),
            }
            self.health.progress();
        }
        Ok(())
    }

    fn turn(
        &mut self,
        log: &mut Option<Scanner>,
        next: &mut Option<Offset>,
        end: &mut Option<Offset>,
    ) -> Result<(), Error> {
        let scanner = match log {
            Some(scanner) => scanner,
            None => log.insert(Scanner::new(self.log.consumer(&self.place.topic, self.partition)?)),
        };
        let from = match *next {
            Some(next) => next,
            None => *next.insert(scanner.earliest()?),
        };
        if end.is_none() {
            *end = Some(scanner.end()?);
        }
        if end.is_some_and(|end| from >= end)
            && let Some(caught_up) = self.caught_up.take()
        {
            // Gone only when the daemon is stopping.
            let _ = caught_up.send(());
        }
        let (begun, mut bytes) = (Instant::now(), 0_usize);
        for entry in scanner.read(from, READ_BYTES, WAIT)? {
            bytes = bytes.saturating_add(entry.payload.len());
            self.take(&entry)?;
            *next = Some(Offset(entry.offset.0.saturating_add(1)));
        }
        // As much as was asked for may not be all.
        if bytes < READ_BYTES / 2 {
            self.sink.reached(self.partition, begun);
        }
        Ok(())
    }

    fn take(&mut self, entry: &Entry) -> Result<(), Error> {
        let (offset, partition) = (entry.offset.0, self.partition);
        let topic = || self.place.topic.clone();
        let fatal = |source| Error::Entry { topic: topic(), partition, offset, source };
        match self.opener.take(&entry.payload) {
            Ok(None) => {}
            Ok(Some(opened)) if opened.kind == S::KIND => {
                let taken = self.sink.take((partition, entry.offset), opened, self.caught_up.is_none());
                taken.map_err(|error| fatal(error.into()))?;
            }
            Ok(Some(_)) => {
                tracing::warn!(partition, offset, topic = topic(), "an entry is of another topic's kind");
            }
            Err(
                error @ (seal::Error::UnknownKey { .. }
                | seal::Error::Entry(DecodeError::UnknownSchema { .. })),
            ) => return Err(fatal(error)),
            Err(error) => tracing::warn!(partition, offset, "{}", maidenlane_service::with_causes(&error)),
        }
        Ok(())
    }
}

/// True if the log is away, or lost its beginning: it is read from there again, which changes nothing that is known. One that
/// was cut counts offsets anew, and only a new book fits it: that ends the daemon, which is started again.
fn may_pass(error: &maidenlane_log::Error) -> bool {
    use maidenlane_log::Error::{Forbidden, Io, RetentionGap};
    error.may_come() || matches!(error, RetentionGap { .. } | Forbidden { .. } | Io { .. })
}
