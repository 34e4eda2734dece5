//! Reader of one partition of the orders' topic, on a thread of its own: from its beginning, after every start, and then what comes.
//!
//! # Correctness
//! - Entries that were not sealed for this topic are passed over with a warning: whoever may write there could stop every relay
//!   otherwise. What was sealed with a key that is not here, or by a newer version, is not passed over: it may be a cancel.
//! - A reader stands still only where the log does, so that a client whose order is durable is answered.

use crate::error::Error;
use crate::failpoints;
use crate::orders::Orders;
use crate::seal::{self, Opener};
use maidenlane_feed::Scanner;
use maidenlane_log::{Backend, Entry, Offset};
use maidenlane_service::{Away, Health, Shutdown, failpoint};
use maidenlane_wire::{DecodeError, Order, SealedKind};
use std::time::Duration;
use tokio::sync::oneshot;

/// Bytes that are read at a time.
const READ_BYTES: usize = 4 << 20;
/// Longest wait for entries, and so for a shutdown.
const WAIT: Duration = Duration::from_millis(100);

/// Reader of one partition.
pub struct Reader {
    /// The log.
    pub log: Backend,
    /// Partition.
    pub partition: u32,
    /// Receiver of what is read.
    pub orders: Orders,
    /// Told once what stood there at the start was read.
    pub caught_up: Option<oneshot::Sender<()>>,
    /// Health, for progress.
    pub health: Health,
    /// End of it all.
    pub shutdown: Shutdown,
}

impl Reader {
    /// Reads until the shutdown.
    ///
    /// # Errors
    /// When the log is away for too long, or an entry may not be passed over.
    pub fn run(mut self) -> Result<(), Error> {
        let mut opener = Opener::new(self.orders.keys().clone(), self.orders.place().clone());
        let (mut away, mut next, mut end) = (Away::default(), None, None);
        let mut log = None;
        while !self.shutdown.is_triggered() {
            match self.turn(&mut log, &mut next, &mut end, &mut opener) {
                Ok(()) => away.is_back(),
                Err(Error::Log(error)) if may_pass(&error) => {
                    // Opened anew: it may have come back with an older end, or without its beginning.
                    (log, next) = (None, None);
                    away.note("orders cannot be read", error)?;
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
        opener: &mut Opener,
    ) -> Result<(), Error> {
        let scanner = match log {
            Some(scanner) => scanner,
            None => log.insert(Scanner::new(self.log.consumer(&self.orders.place().topic, self.partition)?)),
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
        for entry in scanner.read(from, READ_BYTES, WAIT)? {
            self.take(&entry, opener)?;
            *next = Some(Offset(entry.offset.0.saturating_add(1)));
        }
        Ok(())
    }

    fn take(&self, entry: &Entry, opener: &mut Opener) -> Result<(), Error> {
        let offset = entry.offset.0;
        let partition = self.partition;
        let fatal = |source| {
            let topic = self.orders.place().topic.clone();
            Error::Entry { topic, partition, offset, source }
        };
        match opener.take(&entry.payload) {
            Ok(None) => {}
            Ok(Some(opened)) if opened.kind == SealedKind::Order => {
                if self.caught_up.is_none() {
                    failpoint(failpoints::BEFORE_TAKE);
                }
                let order = Order::decode(&opened.whole).map_err(|error| fatal(error.into()))?;
                self.orders.read(offset, opened.nonce, order);
            }
            Ok(Some(_)) => tracing::warn!(partition, offset, "an entry of the orders' topic holds no order"),
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
