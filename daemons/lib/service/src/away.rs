//! A log that is away: told once, waited for, and given up in the end.

use crate::with_causes;
use std::time::{Duration, Instant};

/// Time after which a daemon gives up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(600);

/// Time since which a log is away, as one of its users sees it.
#[derive(Debug, Default)]
pub struct Away(Option<Instant>);

/// End of the wait: the log was away for too long.
#[derive(Debug, thiserror::Error)]
#[error("gave up after {waited_s} s without the log")]
pub struct GaveUp {
    waited_s: u64,
    source: maidenlane_log::Error,
}

impl Away {
    /// Interval of attempts to reach it.
    pub const TRY_AGAIN: Duration = Duration::from_millis(250);

    /// Notes that it answers.
    pub fn is_back(&mut self) {
        self.0 = None;
    }

    /// Notes that it does not, so that `what` fails; true for the first time.
    ///
    /// # Errors
    /// When it has been away for too long.
    pub fn note(&mut self, what: &str, source: maidenlane_log::Error) -> Result<bool, GaveUp> {
        let is_first = self.0.is_none();
        if is_first {
            tracing::warn!("{what}: {}", with_causes(&source));
        }
        let waited = self.0.get_or_insert_with(Instant::now).elapsed();
        if waited > GIVE_UP_AFTER {
            return Err(GaveUp { waited_s: waited.as_secs(), source });
        }
        Ok(is_first)
    }
}
