//! Outcomes on their way to the log, on a thread of its own: many at a time, in their order, until each is durable.
//!
//! # Why it never gives an outcome up
//! A position is committed once the outcomes before it are durable. One that was dropped would leave a transaction without
//! a fate, or let the position pass what nobody else can know. One that is appended twice is known by its id.

use crate::error::Error;
use crate::failpoints;
use maidenlane_log::{Append, Backend, LogProducer as _, Reopening};
use maidenlane_service::{Away, Health, Shutdown, failpoint};
use maidenlane_wire::Outcome;
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;

/// Most outcomes in one append.
const BATCH_MAX: usize = 2_000;

/// Appender of outcomes.
pub struct Journal {
    producer: Reopening,
    outcomes: Receiver<Vec<Outcome>>,
    /// Number of durable outcomes.
    durable: watch::Sender<u64>,
    health: Health,
    shutdown: Shutdown,
}

impl Journal {
    /// An appender of what comes, which tells how many are durable.
    #[must_use]
    pub fn new(
        (log, topic): (Backend, String),
        outcomes: Receiver<Vec<Outcome>>,
        durable: watch::Sender<u64>,
        health: Health,
        shutdown: Shutdown,
    ) -> Self {
        Self { producer: Reopening::new(log, topic), outcomes, durable, health, shutdown }
    }

    /// Appends until the last sender is gone, with what came before that.
    ///
    /// # Errors
    /// When the log is away for too long, or needs a person.
    pub fn run(mut self) -> Result<(), Error> {
        while let Some(mut batch) = self.outcomes.blocking_recv() {
            while batch.len() < BATCH_MAX
                && let Ok(more) = self.outcomes.try_recv()
            {
                batch.extend(more);
            }
            failpoint(failpoints::BEFORE_APPEND);
            if !self.keep(&batch)? {
                return Ok(());
            }
            failpoint(failpoints::AFTER_APPEND);
            let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
            self.durable.send_modify(|durable| *durable = durable.saturating_add(count));
        }
        Ok(())
    }

    /// Appends until it is done; false if the daemon stops before the log is there.
    fn keep(&mut self, batch: &[Outcome]) -> Result<bool, Error> {
        let encoded: Vec<Vec<u8>> = batch.iter().map(Outcome::encode).collect();
        let entries = batch.iter().zip(&encoded);
        let entries: Vec<Append<'_>> = entries
            .map(|(outcome, payload)| Append { key: Some(outcome.sender.as_slice()), payload })
            .collect();
        let mut away = Away::default();
        loop {
            let error = match self.producer.append(&entries) {
                Ok(_) => return Ok(true),
                Err(error) if may_pass(&error) => error,
                Err(error) => return Err(error.into()),
            };
            let noted = away.note("outcomes cannot be appended", error);
            if self.shutdown.is_triggered() {
                return Ok(false);
            }
            noted?;
            // All others wait for this.
            self.health.progress();
            std::thread::sleep(Away::TRY_AGAIN);
        }
    }
}

/// True if the log is away, was cut, or takes nothing at the moment.
fn may_pass(error: &maidenlane_log::Error) -> bool {
    use maidenlane_log::Error::{Cut, Forbidden, Io};
    error.may_come() || matches!(error, Cut { .. } | Forbidden { .. } | Io { .. })
}
