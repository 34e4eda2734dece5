//! The newest head, swapped in one step, and whether it is fresh enough to answer from. Reading is lock-free.

use super::source::{Fitness, Live, ReadError, Source};
use super::stored::Stored;
use crate::config::Fresh;
use crate::store::View;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// What the apply loop publishes and the RPC reads.
#[derive(Debug)]
pub struct Heads {
    current: ArcSwap<Stored>,
    changes: watch::Sender<u64>,
    fresh: Fresh,
    started: Instant,
    /// Milliseconds from `started` to the feed's last sign of life.
    heard_ms: AtomicU64,
    expected: AtomicU64,
    following: AtomicBool,
}

impl Heads {
    /// Begins with the view of the store as it was found. Until [`Heads::follow`] it is stale.
    ///
    /// # Errors
    /// When the view's head is not readable.
    pub fn new(view: View, fresh: Fresh) -> Result<Self, ReadError> {
        let first = Stored::new(view, None)?;
        let number = first.head().block.number;
        Ok(Self {
            current: ArcSwap::from_pointee(first),
            changes: watch::Sender::new(number),
            fresh,
            started: Instant::now(),
            heard_ms: AtomicU64::new(0),
            expected: AtomicU64::new(number),
            following: AtomicBool::new(false),
        })
    }

    /// Shows a new head, or the same head with new finality. Call it only after a whole head change.
    ///
    /// # Errors
    /// When the view's head is not readable.
    pub fn publish(&self, view: View) -> Result<(), ReadError> {
        let before = self.current.load();
        let next = Stored::new(view, Some(&before))?;
        let number = next.head().block.number;
        self.current.store(Arc::new(next));
        self.changes.send_replace(number);
        Ok(())
    }

    /// The master was alive just now, and stood at block `expected`.
    pub fn heard(&self, expected: u64) {
        self.expected.store(expected, Ordering::Relaxed);
        self.heard_ms.store(millis(self.started.elapsed()), Ordering::Relaxed);
    }

    /// Whether the store has caught up with the feed.
    pub fn follow(&self, following: bool) {
        self.following.store(following, Ordering::Relaxed);
    }

    /// The newest view.
    #[must_use]
    pub fn current(&self) -> Arc<Stored> {
        self.current.load_full()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// One look at the clocks.
#[derive(Clone, Copy, Debug)]
struct Look {
    following: bool,
    head: u64,
    expected: u64,
    silence: Duration,
    head_age: Duration,
}

/// Why not to serve; the first reason that holds.
fn stale(fresh: &Fresh, look: Look) -> Option<String> {
    let lag = look.expected.saturating_sub(look.head);
    if look.silence > fresh.silence_max {
        return Some(format!("no sign of life from the feed for {} ms", look.silence.as_millis()));
    }
    if lag > fresh.lag_blocks_max {
        return Some(format!("{lag} blocks behind the master"));
    }
    if !look.following {
        return Some("still catching up with the feed".into());
    }
    let old = fresh.head_age_max.filter(|most| look.head_age > *most);
    old.map(|_| format!("the head is {} s old", look.head_age.as_secs()))
}

impl Live for Heads {
    fn view(&self) -> Arc<dyn Source> {
        self.current()
    }

    fn fitness(&self) -> Fitness {
        let current = self.current.load();
        let head = current.head();
        let since_start = self.started.elapsed();
        let silence =
            since_start.saturating_sub(Duration::from_millis(self.heard_ms.load(Ordering::Relaxed)));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let look = Look {
            following: self.following.load(Ordering::Relaxed),
            head: head.block.number,
            expected: self.expected.load(Ordering::Relaxed),
            silence,
            head_age: now.saturating_sub(Duration::from_secs(head.header.timestamp)),
        };
        Fitness {
            stale: stale(&self.fresh, look),
            head: look.head,
            expected: look.expected,
            silent_ms: millis(silence),
        }
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Fresh = Fresh {
        lag_blocks_max: 2,
        silence_max: Duration::from_secs(15),
        head_age_max: Some(Duration::from_secs(120)),
    };
    const WELL: Look = Look {
        following: true,
        head: 10,
        expected: 12,
        silence: Duration::from_secs(15),
        head_age: Duration::from_secs(120),
    };

    #[track_caller]
    fn check(look: Look, expect: Option<&str>) {
        let got = stale(&FRESH, look);
        assert_eq!(got.is_some(), expect.is_some(), "{got:?}");
        assert!(got.unwrap_or_default().contains(expect.unwrap_or_default()));
    }

    #[test]
    fn each_bound_is_told_by_name() {
        check(WELL, None);
        check(Look { expected: 13, ..WELL }, Some("3 blocks behind"));
        check(Look { silence: Duration::from_millis(15_001), ..WELL }, Some("no sign of life"));
        check(Look { head_age: Duration::from_secs(121), ..WELL }, Some("121 s old"));
        check(Look { following: false, ..WELL }, Some("catching up"));
        check(Look { expected: 3, ..WELL }, None);
        let halting = Fresh { head_age_max: None, ..FRESH };
        assert_eq!(stale(&halting, Look { head_age: Duration::from_secs(9_999_999), ..WELL }), None);
    }
}
