//! Descriptions of filters, by id, for as long as entries of the topic repeat them.
//!
//! Where there are too many the owner who has most loses the oldest of his: nobody's filters make room for another's,
//! unless he has more himself.

use super::cursors::{EXPIRY, Ms};
use super::id::{self, Id, OwnerTag};
use maidenlane_chain::Bytes;
use maidenlane_service::clock::millis;
use std::collections::{BTreeSet, HashMap};

/// Bytes of all descriptions together.
const MAX_BYTES: usize = 64 << 20;
/// Bytes that a description counts beyond its own: what is kept beside it.
const BESIDE_BYTES: usize = 500;

/// A description as the topic had it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) criteria: Bytes,
    pub(super) owner: OwnerTag,
    /// Arrival of its last entry.
    pub(super) at: Ms,
    /// True if that came while the topic was read.
    pub(super) live: bool,
}

impl Kept {
    fn bytes(&self) -> usize {
        self.criteria.len().saturating_add(BESIDE_BYTES)
    }

    /// True if it must be appended again, before another replica forgets it.
    pub(super) fn wants_again(&self, now: Ms) -> bool {
        !self.live || now.saturating_sub(self.at) > millis(EXPIRY)
    }
}

/// Descriptions of one owner.
#[derive(Debug, Default)]
struct Share {
    bytes: usize,
    /// Ids by the arrival of their last entry, oldest first.
    ages: BTreeSet<(Ms, Id)>,
}

/// All descriptions that the topic has had lately.
#[derive(Debug, Default)]
pub(super) struct Descriptions {
    by_id: HashMap<Id, Kept>,
    /// Ids by the arrival of their last entry, oldest first.
    ages: BTreeSet<(Ms, Id)>,
    shares: HashMap<OwnerTag, Share>,
    /// Owners by the bytes that they have, least first.
    by_share: BTreeSet<(usize, OwnerTag)>,
    bytes: usize,
}

impl Descriptions {
    /// Applies the next entry of the topic.
    pub(super) fn apply(&mut self, kept: Kept) {
        let (id, now) = (id::hash(&kept.criteria), kept.at);
        self.drop_one(id);
        self.ages.insert((now, id));
        self.resize(&kept, |share, bytes| {
            share.ages.insert((now, id));
            share.bytes.saturating_add(bytes)
        });
        self.bytes = self.bytes.saturating_add(kept.bytes());
        self.by_id.insert(id, kept);
        while let Some((at, oldest)) = self.ages.first().copied()
            && now.saturating_sub(at) > millis(EXPIRY).saturating_mul(2)
        {
            self.drop_one(oldest);
        }
        while self.bytes > MAX_BYTES
            && let Some((_, owner)) = self.by_share.last()
            && let Some((_, oldest)) = self.shares.get(owner).and_then(|share| share.ages.first()).copied()
        {
            self.drop_one(oldest);
        }
    }

    /// Description of a filter.
    pub(super) fn of(&self, id: Id) -> Option<Kept> {
        self.by_id.get(&id).cloned()
    }

    fn drop_one(&mut self, id: Id) {
        let Some(kept) = self.by_id.remove(&id) else { return };
        self.ages.remove(&(kept.at, id));
        self.resize(&kept, |share, bytes| {
            share.ages.remove(&(kept.at, id));
            share.bytes.saturating_sub(bytes)
        });
        self.bytes = self.bytes.saturating_sub(kept.bytes());
    }

    /// Changes the share of a description's owner to what `change` says.
    fn resize(&mut self, kept: &Kept, change: impl FnOnce(&mut Share, usize) -> usize) {
        let share = self.shares.entry(kept.owner).or_default();
        self.by_share.remove(&(share.bytes, kept.owner));
        share.bytes = change(share, kept.bytes());
        if share.ages.is_empty() {
            self.shares.remove(&kept.owner);
        } else {
            self.by_share.insert((share.bytes, kept.owner));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BESIDE_BYTES, Descriptions, Kept, MAX_BYTES, id};
    use maidenlane_chain::Bytes;

    const MINUTE: u64 = 60_000;

    fn kept(text: &str, owner: u64, at: u64, live: bool) -> Kept {
        Kept { criteria: Bytes::copy_from_slice(text.as_bytes()), owner, at, live }
    }

    #[test]
    fn they_stay_while_they_are_written_again() {
        let one = id::hash(b"one");
        let mut all = Descriptions::default();
        all.apply(kept("one", 1, MINUTE, false));
        let again = |all: &Descriptions, now| all.of(one).map(|kept| kept.wants_again(now));
        assert_eq!(again(&all, MINUTE), Some(true), "nobody knows how old it is to others");
        all.apply(kept("one", 1, 7 * MINUTE, true));
        assert_eq!((again(&all, 12 * MINUTE), again(&all, 12 * MINUTE + 1)), (Some(false), Some(true)));
        all.apply(kept("two", 2, 17 * MINUTE, true));
        assert_eq!(again(&all, 17 * MINUTE), Some(true));
        all.apply(kept("two", 2, 17 * MINUTE + 1, true));
        assert_eq!(all.of(one), None, "twice the expiry has passed");
        assert_eq!((all.bytes, all.ages.len(), all.shares.len()), (3 + BESIDE_BYTES, 1, 1));
        assert_eq!(all.by_share.iter().copied().collect::<Vec<_>>(), [(3 + BESIDE_BYTES, 2)]);
    }

    #[test]
    fn one_owner_s_make_room_for_his_own() {
        let mut all = Descriptions::default();
        let ours: Vec<String> = (0..200).map(|number| format!("{number:01000}")).collect();
        ours.iter().zip(2_u64..).for_each(|(text, owner)| all.apply(kept(text, owner, MINUTE, true)));
        let large = |number: usize| format!("{number}{}", "x".repeat(512_000));
        (0..200).for_each(|number| all.apply(kept(&large(number), 1, 2 * MINUTE, true)));
        assert!(all.bytes <= MAX_BYTES, "{}", all.bytes);
        let found = |text: &String| all.of(id::hash(text.as_bytes())).is_some();
        assert!(ours.iter().all(found), "others keep theirs");
        let left = (0..200).filter(|number| found(&large(*number))).count();
        assert!((100..140).contains(&left), "{left}");
    }
}
