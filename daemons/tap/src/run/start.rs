//! Start while the log is away, a topic of it is not there yet, or its disk is full: brokers and room may come after the
//! tap, and a service manager that is left to try again gives up within minutes.

use super::{Reporter, TRY_AGAIN};
use crate::error::Error;
use crate::events::Event;
use maidenlane_service::{Health, Shutdown, Tracer};

/// Attempts to begin.
pub(crate) struct Start {
    reporter: Reporter,
    shutdown: Shutdown,
}

impl Start {
    pub(crate) fn new(events: Tracer<Event>, health: Health, shutdown: Shutdown) -> Self {
        Self { reporter: Reporter::new(events, health), shutdown }
    }

    /// Attempts something until the log is there for it. `None` at a shutdown.
    ///
    /// # Errors
    /// A failure that waiting does not mend, or that has lasted for too long.
    pub(crate) fn attempt<T>(
        &mut self,
        mut begin: impl FnMut() -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        while !self.shutdown.is_triggered() {
            match begin() {
                Ok(begun) => {
                    self.reporter.works();
                    return Ok(Some(begun));
                }
                Err(Error::Log(away)) if away.may_come() => {
                    self.reporter.fails(Error::Log(away))?;
                    std::thread::sleep(TRY_AGAIN);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}
