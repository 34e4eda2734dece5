//! Gaps: blocks that may lack their row of `senders`.

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Most gaps that are told apart: they are written with every batch.
const GAPS_MAX: usize = 64;

/// Blocks that may lack their row of `senders`, as ascending ranges; all others have it.
///
/// # Why ranges
/// They are filled from the newest block down, and meanwhile blocks come above, with and without senders. A search for
/// missing rows would read the whole table at each start.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Gaps(Vec<Range<u64>>);

impl Gaps {
    /// One gap of all blocks: of a database that told none.
    pub(super) fn unknown() -> Self {
        Self(std::iter::once(0..u64::MAX).collect())
    }

    /// The gap of the newest blocks; `None` where nothing is missing.
    #[must_use]
    pub fn newest(&self) -> Option<Range<u64>> {
        self.0.last().cloned()
    }

    /// Number of blocks in gaps.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.0.iter().map(|gap| gap.end.saturating_sub(gap.start)).sum()
    }

    /// Adds a block that is newer than all gaps.
    pub(super) fn add(&mut self, block: u64) {
        let end = block.saturating_add(1);
        match self.0.last_mut() {
            Some(last) if last.end == block => last.end = end,
            _ => self.0.push(block..end),
        }
        if self.0.len() > GAPS_MAX {
            // Rows between the oldest two are looked at in vain, once.
            let oldest = self.0.remove(0);
            if let Some(next) = self.0.first_mut() {
                next.start = oldest.start;
            }
        }
    }

    /// Takes blocks out that lack nothing, or are no more.
    pub(super) fn close(&mut self, blocks: &Range<u64>) {
        let sides =
            |gap: &Range<u64>| [gap.start..gap.end.min(blocks.start), gap.start.max(blocks.end)..gap.end];
        self.0 = self.0.iter().flat_map(sides).filter(|left| !left.is_empty()).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::{GAPS_MAX, Gaps};

    fn gaps(blocks: impl IntoIterator<Item = u64>) -> Gaps {
        let mut gaps = Gaps::default();
        blocks.into_iter().for_each(|block| gaps.add(block));
        gaps
    }

    #[test]
    fn neighbours_are_one_gap() {
        let found = gaps([3, 4, 5, 8]);
        assert_eq!((found.0.as_slice(), found.blocks()), (&[3..6, 8..9][..], 4));
        assert_eq!((found.newest(), Gaps::default().newest()), (Some(8..9), None));
    }

    #[test]
    fn what_is_filled_or_undone_is_no_gap() {
        let check = |close, left: &[(u64, u64)]| {
            let mut found = gaps((3..9).chain(20..22));
            found.close(&close);
            let found: Vec<_> = found.0.iter().map(|gap| (gap.start, gap.end)).collect();
            assert_eq!(found, left, "{close:?}");
        };
        check(20..22, &[(3, 9)]);
        check(5..7, &[(3, 5), (7, 9), (20, 22)]);
        check(8..21, &[(3, 8), (21, 22)]);
        check(9..20, &[(3, 9), (20, 22)]);
        check(4..u64::MAX, &[(3, 4)]);
        check(0..u64::MAX, &[]);
        check(9..12, &[(3, 9), (20, 22)]);
    }

    #[test]
    fn many_gaps_become_few_that_cover_them() {
        let many = || (0..1_000).map(|block| block * 2);
        let found = gaps(many());
        assert_eq!((found.0.len(), found.newest()), (GAPS_MAX, Some(1_998..1_999)));
        assert!(many().all(|block| found.0.iter().any(|gap| gap.contains(&block))));
        let mut all = Gaps::unknown();
        all.close(&(7..u64::MAX));
        assert_eq!(all.newest(), Some(0..7));
    }
}
