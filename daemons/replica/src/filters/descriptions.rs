//! Descriptions of filters, by id, for as long as entries of the topic repeat them.

use super::cursors::{EXPIRY, Ms};
use super::id::{self, Id};
use maidenlane_chain::Bytes;
use maidenlane_service::clock::millis;
use maidenlane_wire::FilterCriteria;
use std::collections::{BTreeSet, HashMap};

/// Bytes of all descriptions together; the oldest are dropped first.
const MAX_BYTES: usize = 64 << 20;

/// All descriptions that the topic has had lately.
#[derive(Debug, Default)]
pub(super) struct Descriptions {
    by_id: HashMap<Id, (Ms, Bytes)>,
    /// Ids by the time of their last entry, oldest first.
    ages: BTreeSet<(Ms, Id)>,
    bytes: usize,
}

impl Descriptions {
    /// Applies the next entry of the topic.
    pub(super) fn apply(&mut self, criteria: &FilterCriteria) {
        let id = id::hash(&criteria.criteria);
        self.drop_one(id);
        self.bytes = self.bytes.saturating_add(criteria.criteria.len());
        self.by_id.insert(id, (criteria.at_ms, criteria.criteria.clone()));
        self.ages.insert((criteria.at_ms, id));
        while let Some((at, oldest)) = self.ages.first().copied() {
            let dead = criteria.at_ms.saturating_sub(at) > millis(EXPIRY).saturating_mul(2);
            if !dead && self.bytes <= MAX_BYTES {
                return;
            }
            self.drop_one(oldest);
        }
    }

    /// Description of a filter, and whether to append it again before it is forgotten.
    pub(super) fn of(&self, id: Id, now: Ms) -> Option<(Bytes, bool)> {
        let (at, criteria) = self.by_id.get(&id)?;
        Some((criteria.clone(), now.saturating_sub(*at) > millis(EXPIRY)))
    }

    fn drop_one(&mut self, id: Id) {
        if let Some((at, criteria)) = self.by_id.remove(&id) {
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
        let entry = |text: &str, at_ms| FilterCriteria { criteria: text.as_bytes().to_vec().into(), at_ms };
        let (one, minute) = (id::hash(b"one"), 60_000);
        let mut all = Descriptions::default();
        all.apply(&entry("one", minute));
        let seen = |all: &Descriptions, now| all.of(one, now).map(|(_, again)| again);
        assert_eq!(seen(&all, 6 * minute), Some(false));
        assert_eq!(seen(&all, 6 * minute + 1), Some(true));
        all.apply(&entry("one", 7 * minute));
        all.apply(&entry("two", 17 * minute));
        assert_eq!(seen(&all, 17 * minute), Some(true));
        all.apply(&entry("two", 17 * minute + 1));
        assert_eq!(seen(&all, 17 * minute), None, "twice the expiry has passed");
        assert_eq!((all.bytes, all.ages.len()), (3, 1));
    }
}
