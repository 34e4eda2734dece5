//! Floors: rows of the past at or below these blocks disappear in compactions.
//!
//! # Correctness
//! A compaction drops rows that snapshots still see: RocksDB's filters know of none. So a view holds the floors that it
//! was taken at, and no floor rises above what the oldest view that lives was taken at. A margin of blocks instead of
//! that is a time that depends on the chain: 64 blocks are 13 minutes on one and 16 seconds on another, less than a
//! request may last.

use super::facts::Facts;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One floor.
#[derive(Debug, Default)]
struct Floor {
    /// Floor that compactions look at.
    now: Arc<AtomicU64>,
    /// Floors of the views that live, and how many have each.
    held: Mutex<BTreeMap<u64, usize>>,
}

impl Floor {
    fn held(&self) -> MutexGuard<'_, BTreeMap<u64, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn raise(&self, wanted: u64) {
        let oldest = self.held().first_key_value().map_or(wanted, |(oldest, _)| *oldest);
        self.now.fetch_max(wanted.min(oldest), Ordering::Relaxed);
    }

    fn hold(&self, floor: u64) {
        let mut held = self.held();
        let count = held.entry(floor).or_default();
        *count = count.saturating_add(1);
    }

    fn release(&self, floor: u64) {
        let mut held = self.held();
        if let Some(count) = held.get_mut(&floor) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                held.remove(&floor);
            }
        }
    }
}

/// Floors of a database.
#[derive(Clone, Debug, Default)]
pub(super) struct Floors(Arc<Both>);

#[derive(Debug, Default)]
struct Both {
    state: Floor,
    nodes: Floor,
}

impl Floors {
    /// Floor of accounts and slots.
    pub(super) fn state(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.0.state.now)
    }

    /// Floor of trie nodes.
    pub(super) fn nodes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.0.nodes.now)
    }

    /// Raises both floors to what `facts` say, as far as no view is in the way.
    pub(super) fn raise(&self, facts: &Facts) {
        self.0.state.raise(facts.state_floor);
        self.0.nodes.raise(nodes_floor(facts));
    }

    /// Holds both floors at what `facts` say. Call it before they can rise above that.
    pub(super) fn hold(&self, facts: &Facts) -> HeldFloors {
        let (state, nodes) = (facts.state_floor, nodes_floor(facts));
        self.0.state.hold(state);
        self.0.nodes.hold(nodes);
        HeldFloors { floors: self.clone(), state, nodes }
    }
}

fn nodes_floor(facts: &Facts) -> u64 {
    facts.proofs.map_or(0, |proofs| proofs.floor)
}

/// Floors that do not rise until this is dropped.
#[derive(Debug)]
pub(super) struct HeldFloors {
    floors: Floors,
    state: u64,
    nodes: u64,
}

impl Drop for HeldFloors {
    fn drop(&mut self) {
        self.floors.0.state.release(self.state);
        self.floors.0.nodes.release(self.nodes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_floor_rises_above_the_oldest_view() {
        let floors = Floors::default();
        let at = |state_floor| Facts { state_floor, ..Facts::default() };
        let now = || floors.state().load(Ordering::Relaxed);
        floors.raise(&at(10));
        assert_eq!(now(), 10);
        let (first, again, second) = (floors.hold(&at(10)), floors.hold(&at(10)), floors.hold(&at(20)));
        for (gone, expect) in [(first, 10), (again, 20), (second, 500)] {
            drop(gone);
            floors.raise(&at(500));
            assert_eq!(now(), expect);
        }
    }
}
