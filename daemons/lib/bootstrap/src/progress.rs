//! Progress of an import: how fast it is, and how long it takes from here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Interval of reports.
const EVERY: Duration = Duration::from_secs(10);

/// A report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Rows so far, with those of earlier starts.
    pub rows: u64,
    /// Rows per second since this start.
    pub rows_per_s: f64,
    /// Bytes of the files read so far, as they lie on the disk.
    pub bytes: u64,
    /// Bytes of all files.
    pub bytes_total: u64,
    /// Time that the rest takes at the rate of this start, in seconds.
    pub left_s: u64,
}

/// Taker of reports.
pub type Report = Box<dyn Fn(Progress) + Send + Sync>;

/// Meter of rows and bytes, which reports from time to time.
pub(crate) struct Meter {
    report: Report,
    begun: Instant,
    /// Rows of this start.
    rows: AtomicU64,
    /// Rows of the starts before, and the bytes that they were read from.
    before: (u64, u64),
    bytes: Arc<AtomicU64>,
    bytes_total: u64,
    /// Reports so far.
    reports: AtomicU64,
}

impl Meter {
    /// Meter of what comes behind the rows that were read before this start, and have been passed over.
    pub(crate) fn behind(rows: u64, report: Report, bytes: Arc<AtomicU64>, bytes_total: u64) -> Self {
        let before = (rows, bytes.load(Ordering::Relaxed));
        let (rows, reports) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { report, begun: Instant::now(), rows, before, bytes, bytes_total, reports }
    }

    /// Adds rows.
    pub(crate) fn add(&self, rows: u64) {
        let now = self.rows.fetch_add(rows, Ordering::Relaxed).saturating_add(rows);
        let (since, due) = (self.begun.elapsed(), self.reports.load(Ordering::Relaxed).saturating_add(1));
        if since < EVERY.saturating_mul(u32::try_from(due).unwrap_or(u32::MAX)) {
            return;
        }
        self.reports.store(since.as_secs() / EVERY.as_secs().max(1), Ordering::Relaxed);
        let bytes = self.bytes.load(Ordering::Relaxed);
        (self.report)(progress(now, self.before, bytes, self.bytes_total, since));
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "for people")]
fn progress(rows: u64, before: (u64, u64), bytes: u64, bytes_total: u64, since: Duration) -> Progress {
    let ((rows_before, bytes_before), seconds) = (before, since.as_secs_f64().max(0.001));
    let bytes_per_s = bytes.saturating_sub(bytes_before).max(1) as f64 / seconds;
    let left = bytes_total.saturating_sub(bytes) as f64 / bytes_per_s;
    Progress {
        rows: rows.saturating_add(rows_before),
        rows_per_s: rows as f64 / seconds,
        bytes,
        bytes_total,
        left_s: left as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::progress;
    use std::time::Duration;

    #[test]
    fn the_rate_is_that_of_this_start() {
        let found = progress(1_000, (5_000, 600), 900, 1_500, Duration::from_secs(10));
        assert_eq!((found.rows, found.rows_per_s.to_string(), found.left_s), (6_000, "100".to_owned(), 20));
    }
}
