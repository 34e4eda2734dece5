//! Progress of a replica on its way to the feed's end, and the time until it is there.

use std::time::{Duration, Instant};

/// Interval of looks at the feed's end.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Measurement of a catch-up since it began.
#[derive(Clone, Copy, Debug)]
pub struct CatchUp {
    begun: Instant,
    first: u64,
    looked: Option<Instant>,
}

/// Progress of a catch-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Log entries still to be read.
    pub left: u64,
    /// Time until then, at the pace since the start; `None` before there is one.
    pub eta: Option<Duration>,
}

impl CatchUp {
    /// Measurement from offset `first`.
    #[must_use]
    pub const fn new(first: u64, now: Instant) -> Self {
        Self { begun: now, first, looked: None }
    }

    /// True if it is time to look again, which costs a request to the log.
    pub fn due(&mut self, now: Instant) -> bool {
        let due = self.looked.is_none_or(|looked| now.duration_since(looked) >= LOOK_EVERY);
        if due {
            self.looked = Some(now);
        }
        due
    }

    /// Progress at offset `next` of `end`.
    #[must_use]
    pub fn progress(&self, next: u64, end: u64, now: Instant) -> Progress {
        let (done, left) = (next.saturating_sub(self.first), end.saturating_sub(next));
        let took_ms = now.duration_since(self.begun).as_millis();
        let eta_ms = (u128::from(left) * took_ms).checked_div(u128::from(done));
        let eta = eta_ms.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX)));
        Progress { left, eta }
    }
}

impl std::fmt::Display for Progress {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} records left", self.left)?;
        match self.eta.map(|eta| eta.as_secs()) {
            None => Ok(()),
            Some(seconds @ 0..=119) => write!(out, ", about {seconds} s"),
            Some(seconds @ 120..=7_199) => write!(out, ", about {} min", seconds / 60),
            Some(seconds) => write!(out, ", about {} h", seconds / 3_600),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CatchUp;
    use std::time::{Duration, Instant};

    /// Checks the progress of a catch-up that began at 100 and is at `next` of 1,100 after ten seconds.
    fn check(next: u64, expect: &str) {
        let begun = Instant::now();
        let progress = CatchUp::new(100, begun).progress(next, 1_100, begun + Duration::from_secs(10));
        assert_eq!(progress.to_string(), expect);
    }

    #[test]
    fn the_pace_so_far_tells_the_rest() {
        check(100, "1000 records left");
        check(600, "500 records left, about 10 s");
        check(110, "990 records left, about 16 min");
        check(101, "999 records left, about 2 h");
        check(1_100, "0 records left, about 0 s");
    }

    #[test]
    fn the_log_is_asked_once_a_second() {
        let begun = Instant::now();
        let mut way = CatchUp::new(0, begun);
        let due = [0, 10, 999, 1_000, 1_500, 2_000].map(|ms| way.due(begun + Duration::from_millis(ms)));
        assert_eq!(due, [true, false, false, true, false, true]);
    }
}
