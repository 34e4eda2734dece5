//! Wall clock, and durations as records, metrics and answers have them. Never for order: it may be set back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Unix time: time since 1970.
#[must_use]
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Unix time in milliseconds.
#[must_use]
pub fn now_ms() -> u64 {
    millis(now())
}

/// Time since a Unix time; zero if that is still to come, as clocks of two machines differ.
#[must_use]
pub fn age_of(then: Duration) -> Duration {
    now().saturating_sub(then)
}

/// Whole milliseconds; a duration that does not fit is as good as for ever.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
