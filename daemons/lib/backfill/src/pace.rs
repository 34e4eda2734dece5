//! Pace of a back-fill: so many bytes a second, of blocks and receipts as they are stored.

use std::time::{Duration, Instant};

/// Time that may be caught up after a pause.
const BURST: Duration = Duration::from_millis(200);

/// Keeper of a rate.
#[derive(Debug)]
pub(crate) struct Pace {
    bytes_per_s: u64,
    /// Time at which all bytes so far are due.
    due: Instant,
}

impl Pace {
    pub(crate) const fn new(bytes_per_s: u64, now: Instant) -> Self {
        Self { bytes_per_s, due: now }
    }

    /// Notes bytes, and returns how long to wait before the next.
    pub(crate) fn note(&mut self, bytes: usize, now: Instant) -> Duration {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let takes_us = bytes.saturating_mul(1_000_000) / self.bytes_per_s.max(1);
        let begun = self.due.max(now.checked_sub(BURST).unwrap_or(now));
        self.due = begun + Duration::from_micros(takes_us);
        self.due.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::{BURST, Pace};
    use std::time::{Duration, Instant};

    #[test]
    fn bytes_take_their_time_and_a_pause_is_not_made_up_for() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let mut pace = Pace::new(1_000, start);
        assert_eq!(pace.note(500, start), ms(500));
        assert_eq!(pace.note(500, start), ms(1_000));
        assert_eq!(pace.note(100, start + ms(1_000)), ms(100));
        let later = start + ms(60_000);
        assert_eq!(pace.note(700, later), ms(700) - BURST);
        assert_eq!(pace.note(100, later), ms(800) - BURST);
    }
}
