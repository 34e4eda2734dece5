//! Blocks that may hold an order.
//!
//! Times are those of block headers, never of a clock: a missed slot moves a block to a later time without moving its number.

/// Range of blocks, and of the timestamps of their headers; all bounds are inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// First and last block.
    pub blocks: (u64, u64),
    /// Least and greatest timestamp.
    pub times: (u64, u64),
}

/// Place of a block that is to be built, as an order sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before the first that may hold it: later ones may.
    Early,
    /// One that may hold it.
    Open,
    /// Behind all that may hold it.
    Late,
}

impl Window {
    /// Window between blocks and, where they are given, timestamps.
    #[must_use]
    pub fn new(blocks: (u64, u64), min_timestamp: Option<u64>, max_timestamp: Option<u64>) -> Self {
        Self { blocks, times: (min_timestamp.unwrap_or(0), max_timestamp.unwrap_or(u64::MAX)) }
    }

    /// Place of the block of this number and timestamp.
    ///
    /// Late wins: blocks and timestamps both grow, so what is past in one of them never comes back by the other.
    #[must_use]
    pub const fn place(&self, block: u64, timestamp: u64) -> Place {
        if block > self.blocks.1 || timestamp > self.times.1 {
            Place::Late
        } else if block < self.blocks.0 || timestamp < self.times.0 {
            Place::Early
        } else {
            Place::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Window};

    #[track_caller]
    fn check(bounds: (Option<u64>, Option<u64>), at: (u64, u64), expect: Place) {
        let window = Window::new((10, 12), bounds.0, bounds.1);
        assert_eq!(window.place(at.0, at.1), expect, "{window:?} at {at:?}");
    }

    #[test]
    fn bounds_are_within() {
        let none = (None, None);
        for (block, place) in [(9, Place::Early), (10, Place::Open), (12, Place::Open), (13, Place::Late)] {
            check(none, (block, 0), place);
            check(none, (block, u64::MAX), place);
        }
        let both = (Some(100), Some(200));
        for (time, place) in [(99, Place::Early), (100, Place::Open), (200, Place::Open), (201, Place::Late)]
        {
            check(both, (11, time), place);
        }
    }

    #[test]
    fn what_is_past_in_one_bound_is_past() {
        check((None, Some(200)), (9, 201), Place::Late);
        check((Some(100), None), (13, 99), Place::Late);
        check((Some(100), None), (9, 99), Place::Early);
    }
}
