//! Criteria that are too long for an id, by their hash, for as long as somebody says that they are still wanted.

use super::cursors::{EXPIRY, Ms, ms};
use super::id;
use maidenlane_chain::{B256, Bytes};
use maidenlane_wire::FilterCriteria;
use std::collections::{BTreeSet, HashMap};

/// Of all criteria together; the oldest go first.
const MAX_BYTES: usize = 64 << 20;

/// All criteria that the topic has told lately.
#[derive(Debug, Default)]
pub(super) struct Criteria {
    by_hash: HashMap<B256, (Ms, Bytes)>,
    /// Oldest first.
    ages: BTreeSet<(Ms, B256)>,
    bytes: usize,
}

impl Criteria {
    /// Takes the next entry of the topic.
    pub(super) fn apply(&mut self, told: &FilterCriteria) {
        let hash = id::hash(&told.criteria);
        self.drop_one(hash);
        self.bytes = self.bytes.saturating_add(told.criteria.len());
        self.by_hash.insert(hash, (told.at_ms, told.criteria.clone()));
        self.ages.insert((told.at_ms, hash));
        while let Some((at, oldest)) = self.ages.first().copied() {
            let dead = told.at_ms.saturating_sub(at) > ms(EXPIRY).saturating_mul(2);
            if !dead && self.bytes <= MAX_BYTES {
                return;
            }
            self.drop_one(oldest);
        }
    }

    /// The criteria, and whether to tell them again before they are forgotten.
    pub(super) fn of(&self, hash: B256, now: Ms) -> Option<(Bytes, bool)> {
        let (at, criteria) = self.by_hash.get(&hash)?;
        Some((criteria.clone(), now.saturating_sub(*at) > ms(EXPIRY)))
    }

    fn drop_one(&mut self, hash: B256) {
        if let Some((at, criteria)) = self.by_hash.remove(&hash) {
            self.ages.remove(&(at, hash));
            self.bytes = self.bytes.saturating_sub(criteria.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Criteria, id};
    use maidenlane_wire::FilterCriteria;

    #[test]
    fn criteria_stay_while_they_are_told_again() {
        let told = |text: &str, at_ms| FilterCriteria { criteria: text.as_bytes().to_vec().into(), at_ms };
        let (one, minute) = (id::hash(b"one"), 60_000);
        let mut criteria = Criteria::default();
        criteria.apply(&told("one", minute));
        let seen = |criteria: &Criteria, now| criteria.of(one, now).map(|(_, again)| again);
        assert_eq!(seen(&criteria, 6 * minute), Some(false));
        assert_eq!(seen(&criteria, 6 * minute + 1), Some(true));
        criteria.apply(&told("one", 7 * minute));
        criteria.apply(&told("two", 17 * minute));
        assert_eq!(seen(&criteria, 17 * minute), Some(true));
        criteria.apply(&told("two", 17 * minute + 1));
        assert_eq!(seen(&criteria, 17 * minute), None, "twice the expiry has passed");
        assert_eq!((criteria.bytes, criteria.ages.len()), (3, 1));
    }
}
