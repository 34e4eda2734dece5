//! Liveness of the master: its head and its last sign of life, as the feed stated them.

use arc_swap::ArcSwapOption;
use maidenlane_chain::BlockRef;
use maidenlane_service::clock::millis;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The master's head and last sign of life, as the feed states them.
#[derive(Debug)]
pub struct Liveness {
    born: Instant,
    expected: AtomicU64,
    /// Time of the last sign of life, in milliseconds since `born`, plus one; 0 = none yet.
    seen_ms: AtomicU64,
    /// The block that waits for its trie nodes longer than it should.
    missing: ArcSwapOption<BlockRef>,
}

impl Default for Liveness {
    fn default() -> Self {
        Self {
            born: Instant::now(),
            expected: AtomicU64::new(0),
            seen_ms: AtomicU64::new(0),
            missing: ArcSwapOption::empty(),
        }
    }
}

impl Liveness {
    /// Number of the master's head, as last stated.
    #[must_use]
    pub fn expected(&self) -> u64 {
        self.expected.load(Ordering::Relaxed)
    }

    /// Notes the master's head and that it answered `age` ago.
    pub fn note(&self, expected: u64, age: Duration) {
        self.expected.store(expected, Ordering::Relaxed);
        let at = self.born.elapsed().saturating_sub(age);
        self.seen_ms.fetch_max(millis(at).saturating_add(1), Ordering::Relaxed);
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

    /// Time since the last sign of life, or since the start if there was none.
    #[must_use]
    pub fn silent(&self) -> Duration {
        let seen = Duration::from_millis(self.seen_ms.load(Ordering::Relaxed).saturating_sub(1));
        self.born.elapsed().saturating_sub(seen)
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
