//! Line of orders that wait to be simulated: the nearest deadline first, then the highest tips, then in the order in which they
//! came. Pure.

use crate::bundle::Checked;
use maidenlane_wire::ContentId;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};

/// Rank of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    last_block: u64,
    bid: Reverse<u128>,
}

impl Rank {
    /// The rank of an order: by its last block, and its tips.
    #[must_use]
    pub fn of(checked: &Checked) -> Self {
        Self { last_block: checked.bundle.blocks.1, bid: Reverse(*checked.bid.reveal()) }
    }
}

/// Line of orders.
#[derive(Debug)]
pub struct Line {
    most: usize,
    waiting: BTreeSet<(Rank, u64, ContentId)>,
    known: HashSet<ContentId>,
    numbers: u64,
}

impl Line {
    /// Line of at most so many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, waiting: BTreeSet::new(), known: HashSet::new(), numbers: 0 }
    }

    /// Number of orders.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds an order; false if the line is full. One that stands there keeps its place.
    pub fn push(&mut self, content: ContentId, rank: Rank) -> bool {
        if self.known.contains(&content) {
            return true;
        }
        if self.waiting.len() >= self.most {
            return false;
        }
        self.numbers = self.numbers.saturating_add(1);
        self.known.insert(content);
        self.waiting.insert((rank, self.numbers, content))
    }

    /// Takes the first one out.
    pub fn pop(&mut self) -> Option<ContentId> {
        let (_, _, content) = self.waiting.pop_first()?;
        self.known.remove(&content);
        Some(content)
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, Rank};
    use maidenlane_chain::B256;
    use maidenlane_wire::ContentId;
    use std::cmp::Reverse;

    fn content(number: u8) -> ContentId {
        ContentId::new(B256::repeat_byte(number))
    }

    fn push(line: &mut Line, number: u8, last_block: u64, bid: u128) -> bool {
        line.push(content(number), Rank { last_block, bid: Reverse(bid) })
    }

    #[test]
    fn deadlines_come_before_tips_and_tips_before_who_came_first() {
        let mut line = Line::new(10);
        for (number, last_block, bid) in [(1, 9, 100), (2, 8, 1), (3, 8, 5), (4, 8, 5), (5, 9, 101)] {
            assert!(push(&mut line, number, last_block, bid));
        }
        let order: Vec<_> = std::iter::from_fn(|| line.pop()).collect();
        assert_eq!(order, [3, 4, 2, 5, 1].map(content));
        assert!(line.is_empty());
    }

    #[test]
    fn a_full_line_takes_no_more_and_nobody_stands_twice() {
        let mut line = Line::new(2);
        assert!(push(&mut line, 1, 1, 1) && push(&mut line, 1, 1, 1) && push(&mut line, 2, 1, 1));
        assert!(!push(&mut line, 3, 1, 1), "full");
        assert_eq!((line.len(), line.pop()), (2, Some(content(1))));
        assert!(push(&mut line, 3, 1, 1));
        line.clear();
        assert!(line.pop().is_none() && push(&mut line, 2, 1, 1), "forgotten, and so taken");
    }
}
