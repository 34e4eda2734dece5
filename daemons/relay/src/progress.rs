//! Progress of this relay in the topic of orders: what it has acted on. Pure.
//!
//! # Correctness
//! A cancel is not acted on while its order is on the way to a builder for the first time: whoever is told that it counts must not see
//! the order come after that. What is sent again the builder may have had before.

use maidenlane_wire::ContentId;
use std::collections::HashMap;

/// Progress in all partitions.
#[derive(Debug)]
pub struct Progress {
    next: Vec<u64>,
    /// Time as of which each partition was read to its end.
    fresh_ms: Vec<u64>,
    /// Cancels whose orders are on their way.
    held: Vec<(usize, u64, ContentId)>,
    /// Orders that are on their way for the first time, and to how many builders.
    sending: HashMap<ContentId, usize>,
}

impl Progress {
    /// Nothing of so many partitions.
    #[must_use]
    pub fn new(partitions: usize) -> Self {
        let zeros = vec![0; partitions];
        Self { next: zeros.clone(), fresh_ms: zeros, held: Vec::new(), sending: HashMap::new() }
    }

    /// Notes an entry that was acted on, and the order that it cancelled; true if nothing holds that back.
    pub fn read(&mut self, (partition, offset): (usize, u64), cancelled: Option<ContentId>) -> bool {
        if let Some(next) = self.next.get_mut(partition) {
            *next = (*next).max(offset.saturating_add(1));
        }
        let held = cancelled.filter(|content| self.sending.contains_key(content));
        self.held.extend(held.map(|content| (partition, offset, content)));
        held.is_none()
    }

    /// Notes the time as of which a partition was read to its end.
    pub fn is_fresh(&mut self, partition: usize, as_of_ms: u64) {
        if let Some(fresh_ms) = self.fresh_ms.get_mut(partition) {
            *fresh_ms = as_of_ms;
        }
    }

    /// Time as of which all partitions were read to their ends.
    #[must_use]
    pub fn fresh_ms(&self) -> u64 {
        self.fresh_ms.iter().copied().min().unwrap_or(u64::MAX)
    }

    /// Notes that an order goes out for the first time.
    pub fn begin(&mut self, content: ContentId) {
        let count = self.sending.entry(content).or_default();
        *count = count.saturating_add(1);
    }

    /// Notes that it is no longer on its way; true if a cancel waited for that.
    pub fn end(&mut self, content: ContentId) -> bool {
        let Some(count) = self.sending.get_mut(&content) else { return false };
        *count = count.saturating_sub(1);
        if *count > 0 {
            return false;
        }
        self.sending.remove(&content);
        let before = self.held.len();
        self.held.retain(|(_, _, held)| *held != content);
        self.held.len() < before
    }

    /// For each partition the first offset that was not acted on.
    #[must_use]
    pub fn positions(&self) -> Vec<u64> {
        let position = |(partition, next): (usize, &u64)| {
            let held = self.held.iter().filter(|(of, ..)| *of == partition).map(|(_, offset, _)| *offset);
            held.min().map_or(*next, |held| held.min(*next))
        };
        self.next.iter().enumerate().map(position).collect()
    }

    /// True if the entry of that partition and offset was acted on.
    #[must_use]
    pub fn has_read(&self, (partition, offset): (usize, u64)) -> bool {
        self.positions().get(partition).is_some_and(|next| *next > offset)
    }
}

#[cfg(test)]
mod tests {
    use super::Progress;
    use maidenlane_chain::B256;
    use maidenlane_wire::ContentId;

    #[test]
    fn a_cancel_waits_for_what_is_on_its_way() {
        let (mut progress, content) = (Progress::new(2), ContentId::new(B256::repeat_byte(1)));
        assert!(progress.read((0, 4), None));
        assert_eq!(progress.positions(), [5, 0]);
        progress.begin(content);
        progress.begin(content);
        assert!(!progress.read((0, 6), Some(content)), "held back");
        progress.read((0, 9), None);
        assert_eq!(
            (progress.positions(), progress.has_read((0, 5)), progress.has_read((0, 6))),
            (vec![6, 0], true, false)
        );
        assert!(!progress.end(content) && progress.end(content) && !progress.end(content));
        assert_eq!(progress.positions(), [10, 0]);
        assert!(progress.read((1, 0), Some(content)), "it is not on its way any more");
        assert!(!progress.has_read((2, 0)), "no such partition");
    }

    #[test]
    fn the_stalest_partition_counts() {
        let mut progress = Progress::new(2);
        progress.is_fresh(0, 7);
        assert_eq!(progress.fresh_ms(), 0);
        progress.is_fresh(1, 5);
        assert_eq!(progress.fresh_ms(), 5);
    }
}
