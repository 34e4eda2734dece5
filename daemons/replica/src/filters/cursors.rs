//! Where each filter stands, as the `filters` topic says: one pass over its entries, in order, that every replica makes
//! alike.
//!
//! An entry counts only if it is the filter's next step when it is read. Of two polls that began at one cursor one
//! wins, and the other begins again: nothing is answered twice. The times are those of the entries, never this machine's, so
//! that all replicas decide alike. A poll without changes leaves an entry as well, [`TOUCH`] after the last one: that
//! is how the others know that the filter lives.
//!
//! # Correctness
//! A pass that begins in the middle of the topic may meet the loser of a race first and take it for the filter's step.
//! The next step puts it right, for steps are counted, and a filter that lives makes one at least every [`TOUCH`]: who
//! has read twice the [`EXPIRY`] knows every living filter.

use maidenlane_chain::{B256, BlockRef};
use maidenlane_service::clock::millis;
use maidenlane_wire::FilterMoved;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// How long a filter lives without a poll, as in geth.
pub(crate) const EXPIRY: Duration = Duration::from_secs(300);
/// After this long without an entry a poll leaves one, changes or not.
pub(crate) const TOUCH: Duration = Duration::from_secs(60);

/// Unix time in milliseconds.
pub(crate) type Ms = u64;
/// A filter's id.
pub(crate) type Key = B256;

/// A filter as it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) filter: Key,
    pub(crate) start: BlockRef,
    pub(crate) created: Ms,
}

/// Where a filter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    /// The block that was answered last.
    pub(crate) cursor: BlockRef,
    /// How many entries have counted.
    pub(crate) step: u64,
    /// Whether a poll without changes must leave an entry.
    pub(crate) wants_touch: bool,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    cursor: Option<BlockRef>,
    step: u64,
    seen: Ms,
}

/// All filters that have been polled and may still live.
#[derive(Debug)]
pub(crate) struct Cursors {
    known: HashMap<Key, Known>,
    /// Oldest first.
    ages: BTreeSet<(Ms, Key)>,
    most: usize,
    /// What was made no later than this is gone: the topic does not say enough about it, or it was forgotten.
    gone: Ms,
}

impl Cursors {
    /// For at most `most` filters; nothing is known of those made up to `gone`.
    pub(crate) fn new(most: usize, gone: Ms) -> Self {
        Self { known: HashMap::new(), ages: BTreeSet::new(), most, gone }
    }

    /// Takes the next entry of the topic. True when it counts.
    pub(crate) fn apply(&mut self, moved: &FilterMoved) -> bool {
        let before = self.known.get(&moved.filter);
        let counts = match before {
            Some(known) => {
                known.step.saturating_add(1) == moved.step
                    && known.cursor.is_some()
                    && !expired(known.seen, moved.at_ms)
            }
            None => moved.created_ms > self.gone,
        };
        if counts {
            let seen = before.map_or(moved.at_ms, |known| known.seen.max(moved.at_ms));
            self.put(moved.filter, Known { cursor: moved.next, step: moved.step, seen });
        }
        self.forget(moved.at_ms);
        counts
    }

    /// Where a filter stands; `None` when there is none: unknown, uninstalled, expired.
    pub(crate) fn of(&self, made: &Made, now: Ms) -> Option<Stand> {
        let known = match self.known.get(&made.filter) {
            Some(known) => *known,
            None if made.created <= self.gone => return None,
            None => Known { cursor: Some(made.start), step: 0, seen: made.created },
        };
        let cursor = known.cursor.filter(|_| !expired(known.seen, now))?;
        let wants_touch = now.saturating_sub(known.seen) >= millis(TOUCH);
        Some(Stand { cursor, step: known.step, wants_touch })
    }

    fn put(&mut self, filter: Key, known: Known) {
        if let Some(old) = self.known.insert(filter, known) {
            self.ages.remove(&(old.seen, filter));
        }
        self.ages.insert((known.seen, filter));
    }

    /// Drops the dead, and the oldest where there are too many. An uninstalled one stays as long as its id could be
    /// taken for a new filter's.
    fn forget(&mut self, now: Ms) {
        while let Some((seen, filter)) = self.ages.first().copied() {
            let dead = now.saturating_sub(seen) > millis(EXPIRY).saturating_mul(2);
            if !dead && self.known.len() <= self.most {
                return;
            }
            self.ages.pop_first();
            self.known.remove(&filter);
            if !dead {
                // It was made before it was seen, and must not seem to stand at its start again.
                self.gone = self.gone.max(seen);
            }
        }
    }
}

fn expired(seen: Ms, now: Ms) -> bool {
    now.saturating_sub(seen) > millis(EXPIRY)
}

#[cfg(test)]
mod tests;
