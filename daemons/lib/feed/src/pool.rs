//! Reader protocol of a feed's pool: which changes count.
//!
//! # The protocol
//! - **Writers.** Only the tap that owns the newest epoch of the feed writes. One that was displaced may append a little
//!   more, of an older epoch: it does not count.
//! - **Sequence.** `seq` is dense within an epoch. A lower one than the next is late or repeated and does not count; behind
//!   a gap nothing does before the next `Begin`, which may stand at any `seq` that was not passed.
//! - **Whole pools.** From `Begin` to `Complete` all that is in the pool is told. Before the first `Complete` nothing is
//!   known of the pool, and after a later one what it did not tell has left.

use maidenlane_wire::{PoolChange, PoolStep};

/// Reader of changes: entries in, steps that count out.
#[derive(Clone, Debug, Default)]
pub struct PoolReader {
    epoch: u64,
    next_seq: u64,
    /// True behind a `Begin` without a gap since.
    follows: bool,
    /// True once a `Complete` has been read, too.
    knows: bool,
}

impl PoolReader {
    /// Step of a change, if it counts.
    pub fn read(&mut self, change: PoolChange) -> Option<PoolStep> {
        let PoolChange { epoch, seq, step, .. } = change;
        if (epoch, seq) < (self.epoch, self.next_seq) {
            return None;
        }
        let begins = matches!(step, PoolStep::Begin);
        let dense = (epoch, seq) == (self.epoch, self.next_seq);
        (self.epoch, self.next_seq) = (epoch, seq.saturating_add(1));
        self.follows = begins || (self.follows && dense);
        if !self.follows {
            self.knows = false;
            return None;
        }
        self.knows |= matches!(step, PoolStep::Complete);
        Some(step)
    }

    /// True if the steps that counted have told the whole pool.
    #[must_use]
    pub const fn knows(&self) -> bool {
        self.knows
    }

    /// Epoch of the newest change.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }
}

#[cfg(test)]
mod tests {
    use super::PoolReader;
    use maidenlane_chain::B256;
    use maidenlane_wire::{PoolChange, PoolStep};

    const B: PoolStep = PoolStep::Begin;
    const C: PoolStep = PoolStep::Complete;
    const A: PoolStep = PoolStep::Alive;

    /// Checks which of some changes `(epoch, seq, step)` count, and after which the pool is known.
    fn check(changes: &[(u64, u64, PoolStep)], counts: &[bool], knows: &[bool]) {
        let mut reader = PoolReader::default();
        let (mut counted, mut known) = (Vec::new(), Vec::new());
        for (epoch, seq, step) in changes {
            let change = PoolChange { epoch: *epoch, seq: *seq, step: step.clone(), at_ms: 0 };
            let read = reader.read(change);
            assert!(read.is_none() || read.as_ref() == Some(step));
            counted.push(read.is_some());
            known.push(reader.knows());
        }
        assert_eq!((counted.as_slice(), known.as_slice()), (counts, knows));
    }

    #[test]
    fn a_pool_is_known_once_it_was_told_from_begin_to_complete() {
        check(&[(1, 0, B), (1, 1, A), (1, 2, C), (1, 3, A)], &[true; 4], &[false, false, true, true]);
    }

    #[test]
    fn who_comes_in_the_middle_waits_for_the_next_begin() {
        let changes = [(4, 70, A), (4, 71, C), (4, 72, B), (4, 73, C)];
        check(&changes, &[false, false, true, true], &[false, false, false, true]);
    }

    #[test]
    fn behind_a_gap_nothing_counts_before_the_next_begin() {
        let changes = [(1, 0, B), (1, 1, C), (1, 3, A), (1, 4, C), (1, 9, B), (1, 10, C)];
        check(&changes, &[true, true, false, false, true, true], &[false, true, false, false, false, true]);
    }

    #[test]
    fn what_is_late_or_of_a_displaced_writer_does_not_count() {
        let dropped = PoolStep::Dropped { hash: B256::ZERO, reason: None };
        let changes = [(2, 0, B), (2, 1, C), (2, 1, dropped.clone()), (1, 50, dropped), (2, 2, A)];
        check(&changes, &[true, true, false, false, true], &[false, true, true, true, true]);
    }

    #[test]
    fn another_epoch_has_to_begin() {
        let changes = [(1, 0, B), (1, 1, C), (2, 0, B), (2, 1, A), (3, 0, A), (3, 1, C)];
        check(&changes, &[true, true, true, true, false, false], &[false, true, true, true, false, false]);
    }
}
