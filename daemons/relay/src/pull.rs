//! Index of orders that builders pull: `AddMevBundle` and `MevBundles` of the first MEV nodes.
//!
//! A question names the block that is being built and its timestamp. What is past is dropped, what is early is kept for later,
//! and what may go into that block is answered and kept, since the next question may be about the same one.
//!
//! # Why three sets
//! The original walked over all it had for every question. Here an order waits in one of three sets: until its first block, then
//! until its least timestamp, then as *ripe*. Sets are sorted by what is waited for, so that a question looks at those only
//! that move, each once in its life, and at those that it answers: O(log n) for each. Questions go forward nearly always; one
//! that goes back, after a reorganisation, is answered right all the same, at the cost of passing over what is ripe by then.

use crate::window::{Place, Window};
use maidenlane_wire::ContentId;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Failure to take one order more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the index holds {most} orders, its maximum: wait until the next block drops some")]
pub struct Full {
    /// Maximum.
    pub most: usize,
}

/// Index of orders by their content id.
#[derive(Debug)]
pub struct Index<T> {
    most: usize,
    items: HashMap<ContentId, Item<T>>,
    /// Number of the next order, which tells in what order they came.
    next: u64,
    /// Orders whose first block has not been asked for.
    by_block: BTreeSet<(u64, u64, ContentId)>,
    /// Orders whose block has, and whose least timestamp has not.
    by_time: BTreeSet<(u64, u64, ContentId)>,
    /// Orders that wait for nothing, in the order in which they came.
    ripe: BTreeMap<u64, ContentId>,
    /// All, by their last block and by their greatest timestamp.
    last_block: BTreeSet<(u64, ContentId)>,
    last_time: BTreeSet<(u64, ContentId)>,
}

#[derive(Debug)]
struct Item<T> {
    window: Window,
    number: u64,
    order: T,
}

impl<T> Index<T> {
    /// Index of at most `most` orders.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most,
            items: HashMap::new(),
            next: 0,
            by_block: BTreeSet::new(),
            by_time: BTreeSet::new(),
            ripe: BTreeMap::new(),
            last_block: BTreeSet::new(),
            last_time: BTreeSet::new(),
        }
    }

    /// Number of orders.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// `AddMevBundle`: takes an order; false if it is known.
    ///
    /// # Errors
    /// [`Full`].
    pub fn add(&mut self, content: ContentId, window: Window, order: T) -> Result<bool, Full> {
        if self.items.contains_key(&content) {
            return Ok(false);
        }
        if self.items.len() >= self.most {
            return Err(Full { most: self.most });
        }
        let number = self.next;
        self.next = number.saturating_add(1);
        self.by_block.insert((window.blocks.0, number, content));
        self.last_block.insert((window.blocks.1, content));
        self.last_time.insert((window.times.1, content));
        self.items.insert(content, Item { window, number, order });
        Ok(true)
    }

    /// Takes an order out, such as one that was cancelled.
    pub fn remove(&mut self, content: &ContentId) -> Option<T> {
        let Item { window, number, order } = self.items.remove(content)?;
        self.by_block.remove(&(window.blocks.0, number, *content));
        self.by_time.remove(&(window.times.0, number, *content));
        self.ripe.remove(&number);
        self.last_block.remove(&(window.blocks.1, *content));
        self.last_time.remove(&(window.times.1, *content));
        Some(order)
    }

    /// The order of this content.
    #[must_use]
    pub fn get(&self, content: &ContentId) -> Option<&T> {
        self.items.get(content).map(|item| &item.order)
    }

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.items.values().map(|item| &item.order)
    }

    /// `MevBundles`: the orders that may go into the block of this number and timestamp, in the order in which they came.
    /// Those for which it is too late are dropped.
    pub fn mev_bundles(&mut self, block: u64, timestamp: u64) -> Vec<&T> {
        self.drop_late(block, timestamp);
        self.open(block, timestamp)
    }

    /// The same, with nothing dropped: for several who ask, of whom one may be a block behind the others.
    pub fn open(&mut self, block: u64, timestamp: u64) -> Vec<&T> {
        self.ripen(block, timestamp);
        let items = self.ripe.values().filter_map(|content| self.items.get(content));
        let open = items.filter(|item| item.window.place(block, timestamp) == Place::Open);
        open.map(|item| &item.order).collect()
    }

    /// Drops the orders for which it is too late in this block, and returns them.
    pub fn drop_late(&mut self, block: u64, timestamp: u64) -> Vec<T> {
        let mut dropped = Vec::new();
        while let Some((_, content)) = self.last_block.first().copied().filter(|(last, _)| *last < block) {
            dropped.extend(self.remove(&content));
        }
        while let Some((_, content)) = self.last_time.first().copied().filter(|(last, _)| *last < timestamp) {
            dropped.extend(self.remove(&content));
        }
        dropped
    }

    fn ripen(&mut self, block: u64, timestamp: u64) {
        while let Some(first) = self.by_block.first().copied().filter(|(from, ..)| *from <= block) {
            self.by_block.remove(&first);
            let (_, number, content) = first;
            if let Some(item) = self.items.get(&content) {
                self.by_time.insert((item.window.times.0, number, content));
            }
        }
        while let Some(first) = self.by_time.first().copied().filter(|(from, ..)| *from <= timestamp) {
            self.by_time.remove(&first);
            self.ripe.insert(first.1, first.2);
        }
    }
}

#[cfg(test)]
mod tests;
