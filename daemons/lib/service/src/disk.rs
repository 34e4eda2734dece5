//! Room on the disk that a daemon's own files are on, and for how long it lasts at the present rate: as `disk` in `/status`.

use crate::{Failure, Health, Shutdown};
use serde_json::json;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Interval of looks.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Looks that the rate is computed from: those of an hour.
const LOOKS_MAX: usize = 60;
/// Shortest time that a rate follows from. What a compaction takes, it gives back within minutes.
const SPAN_MIN: Duration = Duration::from_secs(600);

/// Free bytes over time.
#[derive(Debug, Default)]
struct Room(VecDeque<(Duration, u64)>);

impl Room {
    fn note(&mut self, at: Duration, free: u64) {
        if self.0.len() >= LOOKS_MAX {
            self.0.pop_front();
        }
        self.0.push_back((at, free));
    }

    /// Time until nothing is left, if it becomes less.
    fn left(&self) -> Option<Duration> {
        let ((began, before), (at, now)) = (*self.0.front()?, *self.0.back()?);
        let span = at.saturating_sub(began);
        let taken = before.checked_sub(now).filter(|taken| *taken > 0 && span >= SPAN_MIN)?;
        let seconds = u128::from(now) * u128::from(span.as_secs()) / u128::from(taken);
        Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX)))
    }
}

/// Looks at the disk of a directory until the shutdown.
///
/// # Errors
/// None: a disk that cannot be looked at is not told.
pub(crate) async fn watch(dir: PathBuf, health: Health, shutdown: Shutdown) -> Result<(), Failure> {
    let (began, mut room) = (Instant::now(), Room::default());
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    while shutdown.unless(ticks.tick()).await.is_some() {
        let dir = dir.clone();
        // A file system that hangs holds a thread of its own.
        let looking = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&dir));
        let Some(Ok(Ok(found))) = shutdown.unless(looking).await else { continue };
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        room.note(began.elapsed(), bytes(found.f_bavail));
        health.set_section(
            "disk",
            json!({
                "freeBytes": bytes(found.f_bavail),
                "totalBytes": bytes(found.f_blocks),
                "secondsLeft": room.left().map(|left| left.as_secs()),
            }),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{LOOKS_MAX, Room};
    use std::time::Duration;

    /// Free bytes, minute by minute, and the minutes that are left.
    fn check(free: impl IntoIterator<Item = u64>, expect: Option<u64>) {
        let mut room = Room::default();
        for (minute, free) in (0..).zip(free) {
            room.note(Duration::from_secs(minute * 60), free);
        }
        assert!(room.0.len() <= LOOKS_MAX);
        assert_eq!(room.left(), expect.map(|minutes| Duration::from_secs(minutes * 60)));
    }

    #[test]
    fn the_time_left_follows_from_the_last_hour() {
        check([], None);
        check([1_000, 0], None);
        check((0..20).map(|_| 500), None);
        check((0..20).map(|minute| 500 + minute), None);
        check((0..=20).map(|minute| 500 - 10 * minute), Some(30));
        check((0..=10).map(|minute| 100 - 10 * minute), Some(0));
        // What was taken before the last hour says nothing of the present.
        check((0..200).map(|minute| if minute < 100 { 9_000 } else { 500 }), None);
    }
}
