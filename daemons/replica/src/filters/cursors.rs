//! Cursors of all filters: a fold over the entries of the topic `filters`, in order, with the same result on every
//! replica.
//!
//! An entry counts only if it is the filter's next step when it is read. Of two polls that began at one cursor one
//! wins, and the other begins again: nothing is answered twice. A poll without changes appends an entry as well,
//! [`TOUCH`] after the last one: that is how the other replicas know that the filter lives.
//!
//! # Correctness
//! All replicas must agree on what counts, so no time decides that, neither an entry's nor this machine's: only the
//! order of the topic. Time decides whether a filter has expired and what is forgotten, and it is the time at which
//! this replica read the filter's last entry, by its own clock (see `arrivals`): a replica whose clock is wrong, as its
//! entries then are, ends nobody's filter. Two replicas may disagree about a filter that has expired in this very
//! moment; the next poll that finds it makes it live for both.
//!
//! A pass that begins in the middle of the topic may meet the loser of a race first and take it for the filter's step.
//! The next step corrects that, for steps are counted, and a living filter makes one at least every [`EXPIRY`]: a
//! replica that has read twice that time knows every living filter.

use maidenlane_chain::{B256, BlockRef};
use maidenlane_service::clock::millis;
use maidenlane_wire::FilterMoved;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Lifetime of a filter without a poll, as in geth.
pub(crate) const EXPIRY: Duration = Duration::from_secs(300);
/// Time without an entry after which a poll appends one, changes or not.
pub(crate) const TOUCH: Duration = Duration::from_secs(60);

/// Unix time in milliseconds.
pub(crate) type Ms = u64;
/// A filter's id.
pub(crate) type Key = B256;

/// Creation of a filter: its id, first block and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) filter: Key,
    pub(crate) start: BlockRef,
    /// Creation time, by the clock of the replica that made it.
    pub(crate) created: Ms,
    /// Arrival of the last entry that describes it.
    pub(crate) described: Ms,
}

/// Position of a filter: its cursor, and the steps so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    /// Block that was answered last.
    pub(crate) cursor: BlockRef,
    /// Number of entries that have counted.
    pub(crate) step: u64,
    /// True when a poll without changes must append an entry.
    pub(crate) wants_touch: bool,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    cursor: Option<BlockRef>,
    step: u64,
    created: Ms,
    seen: Ms,
}

/// Cursors of all filters that have been polled and may still live.
#[derive(Debug)]
pub(crate) struct Cursors {
    known: HashMap<Key, Known>,
    /// Filters by the arrival of their last entry, oldest first.
    ages: BTreeSet<(Ms, Key)>,
    most: usize,
    /// Newest creation time of filters that are gone: the topic does not say enough about them, or they were forgotten.
    gone: Ms,
}

impl Cursors {
    /// Empty state for at most `most` filters; nothing is known of those made up to `gone`.
    pub(crate) fn new(most: usize, gone: Ms) -> Self {
        Self { known: HashMap::new(), ages: BTreeSet::new(), most, gone }
    }

    /// Applies the next entry of the topic, which arrived at `now`. True when it counts.
    pub(crate) fn apply(&mut self, moved: &FilterMoved, now: Ms) -> bool {
        let counts = match self.known.get(&moved.filter) {
            Some(known) => known.step.saturating_add(1) == moved.step && known.cursor.is_some(),
            None => moved.created_ms > self.gone,
        };
        if counts {
            let (cursor, step, created) = (moved.next, moved.step, moved.created_ms);
            self.put(moved.filter, Known { cursor, step, created, seen: now });
        }
        self.forget(now);
        counts
    }

    /// Position of a filter; `None` when it is unknown, uninstalled or expired.
    pub(crate) fn of(&self, made: &Made, now: Ms) -> Option<Stand> {
        let known = match self.known.get(&made.filter) {
            Some(known) => *known,
            None if made.created <= self.gone => return None,
            None => Known { cursor: Some(made.start), step: 0, created: made.created, seen: made.described },
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

    /// Drops expired filters, and the oldest where there are too many. An uninstalled one stays as long as its id could
    /// be taken for a new filter's.
    fn forget(&mut self, now: Ms) {
        while let Some((seen, filter)) = self.ages.first().copied() {
            let dead = now.saturating_sub(seen) > millis(EXPIRY).saturating_mul(2);
            if !dead && self.known.len() <= self.most {
                return;
            }
            self.ages.pop_first();
            let Some(known) = self.known.remove(&filter) else { continue };
            if !dead {
                // It must not seem to be at its start again. Where its maker's clock was ahead, nor may others seem gone.
                self.gone = self.gone.max(known.created.min(now));
            }
        }
    }
}

fn expired(seen: Ms, now: Ms) -> bool {
    now.saturating_sub(seen) > millis(EXPIRY)
}

#[cfg(test)]
mod tests;
