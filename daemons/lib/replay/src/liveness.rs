//! Liveness of the master: its head and its last sign of life, as the feed stated them.

use arc_swap::ArcSwapOption;
use maidenlane_chain::BlockRef;
use maidenlane_service::clock::millis;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Time before the start that signs of life may be from. An older one is as good as none.
const BEFORE: Duration = Duration::from_secs(24 * 60 * 60);

/// The master's head and last sign of life, as the feed states them.
#[derive(Debug)]
pub struct Liveness {
    born: Instant,
    expected: AtomicU64,
    /// Time of the last sign of life, in milliseconds as of [`Liveness::now`]; 0 = none yet.
    seen_ms: AtomicU64,
    /// The block that waits for its trie nodes longer than it should.
    missing: ArcSwapOption<BlockRef>,
    /// Reason why nothing is read from the feed.
    obstacle: ArcSwapOption<String>,
}

impl Default for Liveness {
    fn default() -> Self {
        Self {
            born: Instant::now(),
            expected: AtomicU64::new(0),
            seen_ms: AtomicU64::new(0),
            missing: ArcSwapOption::empty(),
            obstacle: ArcSwapOption::empty(),
        }
    }
}

impl Liveness {
    /// Number of the master's head, as last stated.
    #[must_use]
    pub fn expected(&self) -> u64 {
        self.expected.load(Ordering::Relaxed)
    }

    /// Notes the master's head and that it answered `age` ago; `None` where nobody can tell when.
    pub fn note(&self, expected: u64, age: Option<Duration>) {
        self.expected.store(expected, Ordering::Relaxed);
        if let Some(age) = age {
            let at = self.now().saturating_sub(age);
            self.seen_ms.fetch_max(millis(at), Ordering::Relaxed);
        }
    }

    /// Present moment, counted from [`BEFORE`] the start.
    pub(crate) fn now(&self) -> Duration {
        self.born.elapsed().saturating_add(BEFORE)
    }

    /// Notes the block that waits for its trie nodes longer than it should.
    pub fn set_missing(&self, block: Option<BlockRef>) {
        self.missing.store(block.map(Arc::new));
    }

    /// The block that waits for its trie nodes longer than it should.
    #[must_use]
    pub fn missing(&self) -> Option<BlockRef> {
        self.missing.load().as_deref().copied()
    }

    /// Notes why nothing is read from the feed, or that it is read again.
    pub fn set_obstacle(&self, reason: Option<String>) {
        self.obstacle.store(reason.map(Arc::new));
    }

    /// Reason why nothing is read from the feed, if there is one.
    #[must_use]
    pub fn obstacle(&self) -> Option<String> {
        self.obstacle.load().as_deref().cloned()
    }

    /// Text for a feed that has been silent for too long.
    pub(crate) fn silence(&self) -> String {
        let silent_ms = millis(self.silent());
        match self.obstacle.load().as_deref() {
            Some(reason) => format!("{reason}; nothing is read from the feed, {silent_ms} ms old"),
            None => format!("no sign of life from the feed for {silent_ms} ms"),
        }
    }

    /// Time since the last sign of life, or since the start if there was none.
    #[must_use]
    pub fn silent(&self) -> Duration {
        let seen = match self.seen_ms.load(Ordering::Relaxed) {
            0 => BEFORE,
            seen_ms => Duration::from_millis(seen_ms),
        };
        self.now().saturating_sub(seen)
    }

    /// True if there ever was a sign of life.
    #[must_use]
    pub fn any(&self) -> bool {
        self.seen_ms.load(Ordering::Relaxed) > 0
    }
}

/// Text for a replica that waits for a block's trie nodes.
#[must_use]
pub fn missing(block: BlockRef) -> String {
    format!("proofs missing for block {block}")
}
