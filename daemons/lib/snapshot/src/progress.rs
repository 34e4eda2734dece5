//! Progress of files on their way: how far they are, and how long the rest takes.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Interval of reports.
const EVERY: Duration = Duration::from_secs(5);

/// A report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes so far.
    pub bytes: u64,
    /// Bytes of all.
    pub bytes_total: u64,
    /// Time that the rest takes at the rate so far, in seconds.
    pub left_s: u64,
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = self.bytes.saturating_mul(100) / self.bytes_total.max(1);
        let (megabytes, minutes) = (self.bytes >> 20, self.left_s.div_ceil(60));
        write!(f, "{megabytes} MiB, {percent} %, {minutes} min left")
    }
}

/// Taker of reports.
pub type Report<'a> = &'a (dyn Fn(Progress) + Sync);

/// Meter of bytes, which reports from time to time.
pub(crate) struct Meter<'a> {
    report: Report<'a>,
    begun: Instant,
    bytes_total: u64,
    /// Bytes so far, and the time of the last report.
    state: Mutex<(u64, Instant)>,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(report: Report<'a>, bytes_total: u64) -> Self {
        let begun = Instant::now();
        Self { report, begun, bytes_total, state: Mutex::new((0, begun)) }
    }

    pub(crate) fn add(&self, bytes: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = state.0.saturating_add(bytes);
        if state.1.elapsed() >= EVERY || state.0 >= self.bytes_total {
            state.1 = Instant::now();
            (self.report)(progress(state.0, self.bytes_total, self.begun.elapsed()));
        }
    }
}

fn progress(bytes: u64, bytes_total: u64, since: Duration) -> Progress {
    let left = u128::from(bytes_total.saturating_sub(bytes));
    let left_s = left * since.as_millis() / u128::from(bytes.max(1)) / 1_000;
    Progress { bytes, bytes_total, left_s: u64::try_from(left_s).unwrap_or(u64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::progress;
    use std::time::Duration;

    #[test]
    fn the_rest_takes_as_long_as_its_share() {
        let found = progress(25 << 20, 100 << 20, Duration::from_secs(61));
        assert_eq!((found.left_s, found.to_string()), (183, "25 MiB, 25 %, 4 min left".to_owned()));
        assert_eq!(progress(0, 0, Duration::ZERO).to_string(), "0 MiB, 0 %, 0 min left");
    }
}
