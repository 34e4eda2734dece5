//! Position in one partition of transactions: everything below it needs nobody any more.
//!
//! # Correctness
//! An entry is done when what came of it is durable in the topic of outcomes, not when it is decided: whoever takes over
//! reads that topic. So done entries remember how much must be durable first. Entries are done in any order, and the
//! position is below the lowest that is not.

use std::collections::BTreeMap;

/// Entries of a partition that were read and lie above the committed position.
#[derive(Debug, Default)]
pub struct Positions {
    /// Offset to the number of outcomes that must be durable; `None` while undecided.
    open: BTreeMap<u64, Option<u64>>,
}

impl Positions {
    /// Notes an entry that was read.
    pub fn read(&mut self, offset: u64) {
        self.open.entry(offset).or_default();
    }

    /// Notes that an entry is done once so many outcomes are durable.
    pub fn settle(&mut self, offset: u64, outcomes: u64) {
        if let Some(open) = self.open.get_mut(&offset) {
            open.get_or_insert(outcomes);
        }
    }

    /// Offset up to which all entries are done, now that so many outcomes are durable; `None` if it has not moved.
    pub fn advance(&mut self, durable: u64) -> Option<u64> {
        let mut last = None;
        while let Some(first) = self.open.first_entry() {
            match first.get() {
                Some(outcomes) if *outcomes <= durable => last = Some(*first.key()),
                _ => break,
            }
            first.remove();
        }
        last
    }

    /// Number of entries that are not done.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Positions;

    #[test]
    fn the_position_is_below_the_lowest_open_entry() {
        let mut positions = Positions::default();
        [3, 5, 6, 9].into_iter().for_each(|offset| positions.read(offset));
        positions.settle(5, 1);
        positions.settle(6, 2);
        assert_eq!(positions.advance(2), None, "3 is open");
        positions.settle(3, 4);
        assert_eq!(positions.advance(3), None, "its outcome is not durable");
        assert_eq!(positions.advance(4), Some(6), "with those done before");
        positions.settle(9, 4);
        positions.settle(9, 7);
        assert_eq!(positions.advance(4), Some(9), "what was needed first counts");
        assert_eq!((positions.advance(9), positions.open()), (None, 0));
        positions.settle(9, 1);
        assert_eq!(positions.open(), 0, "done before");
    }
}
