//! Descriptions of filters, by id, for as long as entries of the topic repeat them.

use super::cursors::{EXPIRY, Ms};
use super::id::{self, Id};
use maidenlane_chain::Bytes;
use maidenlane_service::clock::millis;
use maidenlane_wire::FilterCriteria;
use std::collections::{BTreeSet, HashMap};

/// Bytes of all descriptions together; the oldest are dropped first.
const MAX_BYTES: usize = 64 << 20;

/// A description as the topic had it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) criteria: Bytes,
    /// Arrival of its last entry.
    pub(super) at: Ms,
    /// True if that came while the topic was read.
    pub(super) live: bool,
}

impl Kept {
    /// True if it must be appended again, before another replica forgets it.
    pub(super) fn wants_again(&self, now: Ms) -> bool {
        !self.live || now.saturating_sub(self.at) > millis(EXPIRY)
    }
}

/// All descriptions that the topic has had lately.
#[derive(Debug, Default)]
pub(super) struct Descriptions {
    by_id: HashMap<Id, Kept>,
    /// Ids by the arrival of their last entry, oldest first.
    ages: BTreeSet<(Ms, Id)>,
    bytes: usize,
}

impl Descriptions {
    /// Applies the next entry of the topic, which arrived at `now`; `live` if it came while the topic was read.
    pub(super) fn apply(&mut self, criteria: &FilterCriteria, now: Ms, live: bool) {
        let id = id::hash(&criteria.criteria);
        self.drop_one(id);
        self.bytes = self.bytes.saturating_add(criteria.criteria.len());
        self.by_id.insert(id, Kept { criteria: criteria.criteria.clone(), at: now, live });
        self.ages.insert((now, id));
        while let Some((at, oldest)) = self.ages.first().copied() {
            let dead = now.saturating_sub(at) > millis(EXPIRY).saturating_mul(2);
            if !dead && self.bytes <= MAX_BYTES {
                return;
            }
            self.drop_one(oldest);
        }
    }

    /// Description of a filter.
    pub(super) fn of(&self, id: Id) -> Option<Kept> {
        self.by_id.get(&id).cloned()
    }

    fn drop_one(&mut self, id: Id) {
        if let Some(Kept { criteria, at, .. }) = self.by_id.remove(&id) {
            self.ages.remove(&(at, id));
            self.bytes = self.bytes.saturating_sub(criteria.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Descriptions, id};
    use maidenlane_wire::FilterCriteria;

    #[test]
    fn they_stay_while_they_are_written_again() {
        let entry = |text: &str| FilterCriteria { criteria: text.as_bytes().to_vec().into(), at_ms: 0 };
        let (one, minute) = (id::hash(b"one"), 60_000);
        let mut all = Descriptions::default();
        all.apply(&entry("one"), minute, false);
        let again = |all: &Descriptions, now| all.of(one).map(|kept| kept.wants_again(now));
        assert_eq!(again(&all, minute), Some(true), "nobody knows how old it is to others");
        all.apply(&entry("one"), 7 * minute, true);
        assert_eq!((again(&all, 12 * minute), again(&all, 12 * minute + 1)), (Some(false), Some(true)));
        all.apply(&entry("two"), 17 * minute, true);
        assert_eq!(again(&all, 17 * minute), Some(true));
        all.apply(&entry("two"), 17 * minute + 1, true);
        assert_eq!(all.of(one), None, "twice the expiry has passed");
        assert_eq!((all.bytes, all.ages.len()), (3, 1));
    }
}
