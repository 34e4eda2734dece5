//! A log that is away: told once, waited for, and given up in the end.

use crate::error::Error;
use maidenlane_service::with_causes;
use std::time::{Duration, Instant};

/// Interval of attempts to reach it.
pub(crate) const TRY_AGAIN: Duration = Duration::from_millis(250);
/// Time after which the daemon gives up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(600);

/// Time since which one of the logs is away.
#[derive(Debug, Default)]
pub(crate) struct Away(Option<Instant>);

impl Away {
    /// Notes that it answers.
    pub(crate) fn is_back(&mut self) {
        self.0 = None;
    }

    /// Notes that it does not, so that `what` fails; true for the first time.
    ///
    /// # Errors
    /// When it has been away for too long.
    pub(crate) fn note(&mut self, what: &str, source: maidenlane_log::Error) -> Result<bool, Error> {
        let is_first = self.0.is_none();
        if is_first {
            tracing::warn!("{what}: {}", with_causes(&source));
        }
        let waited = self.0.get_or_insert_with(Instant::now).elapsed();
        if waited > GIVE_UP_AFTER {
            return Err(Error::Away { waited_s: waited.as_secs(), source });
        }
        Ok(is_first)
    }
}
