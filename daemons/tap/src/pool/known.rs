//! The pool as it was told, and what an observation changes in it. Pure.

use alloy::primitives::U256;
use maidenlane_chain::{Address, B256, BlockRef};
use maidenlane_wire::{PoolStep, Pooled};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

/// Bytes of transactions that are told; geth's own bounds are far below, unless its operator raised them.
const BYTES_MAX: usize = 256 << 20;
/// Bytes that a transaction takes beside its own.
const OVERHEAD_BYTES: usize = 400;

/// A transaction of the pool, and what can be said of it without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) pooled: Pooled,
    pub(super) nonce: u64,
    /// Most that it can cost its sender.
    pub(super) cost: U256,
    pub(super) gas: u64,
    pub(super) is_blob: bool,
    /// True until it was announced as executable.
    pub(super) queued: bool,
}

impl Held {
    fn bytes(&self) -> usize {
        self.pooled.raw.len().saturating_add(OVERHEAD_BYTES)
    }
}

/// Way out of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Mined(BlockRef),
    Dropped(Option<&'static str>),
}

/// The pool.
#[derive(Debug, Default)]
pub(super) struct Known {
    held: HashMap<B256, Held>,
    /// Hashes by sender and nonce: a pool has one of each.
    places: BTreeMap<(Address, u64), B256>,
    blobs: BTreeSet<B256>,
    /// The transaction with blobs that was asked for last.
    asked: B256,
    bytes: usize,
    left_out: u64,
}

impl Known {
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Transactions that were left out since the start, for want of room.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    pub(super) fn has(&self, hash: &B256) -> bool {
        self.held.contains_key(hash)
    }

    pub(super) fn get(&self, hash: &B256) -> Option<Held> {
        self.held.get(hash).cloned()
    }

    /// Notes that geth has a transaction, announced or `queued`.
    pub(super) fn add(&mut self, seen: Held, queued: bool, steps: &mut Vec<PoolStep>) {
        let (hash, place) = (seen.pooled.hash, (seen.pooled.sender, seen.nonce));
        if self.has(&hash) {
            return self.stands(hash, queued, steps);
        }
        if let Some(old) = self.places.get(&place).copied() {
            self.remove(&old);
            steps.push(PoolStep::Replaced { hash: old, by: hash });
        }
        if self.bytes.saturating_add(seen.bytes()) > BYTES_MAX {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        steps.push(PoolStep::Added { pooled: seen.pooled.clone(), queued });
        self.bytes = self.bytes.saturating_add(seen.bytes());
        self.places.insert(place, hash);
        if seen.is_blob {
            self.blobs.insert(hash);
        }
        self.held.insert(hash, Held { queued, ..seen });
    }

    /// Notes where in geth's pool a transaction stands that is known. One that fell back into the queue is not told: it
    /// is told when it is announced again.
    pub(super) fn stands(&mut self, hash: B256, queued: bool, steps: &mut Vec<PoolStep>) {
        let Some(held) = self.held.get_mut(&hash) else { return };
        if held.queued && !queued {
            steps.push(PoolStep::Promoted { hash });
        }
        held.queued = queued;
    }

    /// Transactions that a listing of the whole pool lacks. Those with blobs are in none.
    pub(super) fn absent(&self, listed: &BTreeSet<B256>) -> Vec<B256> {
        let absent = |(hash, held): &(&B256, &Held)| !held.is_blob && !listed.contains(*hash);
        self.held.iter().filter(absent).map(|(hash, _)| *hash).collect()
    }

    /// Some transactions with blobs, others at every call until all had their turn.
    pub(super) fn blobs(&mut self, most: usize) -> Vec<B256> {
        let behind = self.blobs.range((Bound::Excluded(self.asked), Bound::Unbounded));
        let mut turn: Vec<B256> = behind.chain(&self.blobs).take(most).copied().collect();
        self.asked = turn.last().copied().unwrap_or_default();
        turn.sort_unstable();
        turn.dedup();
        turn
    }

    /// Notes that a transaction has left; false if it was not there.
    pub(super) fn leave(&mut self, hash: B256, why: &Left, steps: &mut Vec<PoolStep>) -> bool {
        let was_there = self.remove(&hash);
        if was_there {
            steps.push(match why {
                Left::Mined(block) => PoolStep::Mined { hash, block: *block },
                Left::Dropped(reason) => PoolStep::Dropped { hash, reason: reason.map(str::to_owned) },
            });
        }
        was_there
    }

    /// The whole pool, by sender and nonce.
    pub(super) fn whole(&self) -> Vec<PoolStep> {
        let held = self.places.values().filter_map(|hash| self.held.get(hash));
        let added = held.map(|held| PoolStep::Added { pooled: held.pooled.clone(), queued: held.queued });
        std::iter::once(PoolStep::Begin).chain(added).chain([PoolStep::Complete]).collect()
    }

    fn remove(&mut self, hash: &B256) -> bool {
        let Some(held) = self.held.remove(hash) else { return false };
        self.places.remove(&(held.pooled.sender, held.nonce));
        self.blobs.remove(hash);
        self.bytes = self.bytes.saturating_sub(held.bytes());
        true
    }
}

#[cfg(test)]
mod tests;
