//! The blocks of late, and which nonces they used: a transaction may come to an emitter after the block that holds it.
//!
//! # Why
//! A sender may send the same transaction elsewhere as well, an emitter may be late, or come back from a kill to an entry
//! that it had sent. Whoever looks only at blocks that come later never learns that a block holds it, and would tell in the
//! end that its time was over.

use crate::chain::{Change, Holding, Stretch};
use maidenlane_chain::{Address, B256, BlockRef};
use std::collections::HashMap;

/// Blocks that are kept at least: more than three hours of mainnet's.
const BLOCKS_MIN: usize = 1_024;
/// Blocks from before that left the chain, as many as are kept.
const UNDONE_MAX: usize = 10_000;
/// Time for which older blocks are kept after they were wanted: where one late transaction is, there are more.
const KEEP_MS: u64 = 600_000;

/// The blocks of late.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    stretch: Stretch,
    /// Transaction that used a nonce, and its block.
    used: HashMap<(Address, u64), (B256, BlockRef)>,
    /// Unix time in seconds from which on all blocks are here.
    from_s: Option<u64>,
    /// Time from which on they are wanted, and not here yet.
    wanted_s: Option<u64>,
    kept_until_ms: u64,
}

impl Recent {
    /// True if blocks from this time on must be read first; they are wanted then.
    pub(crate) fn wants(&mut self, since_s: u64, now_ms: u64) -> bool {
        if self.from_s.is_some_and(|from| from <= since_s) {
            return false;
        }
        self.kept_until_ms = now_ms.saturating_add(KEEP_MS);
        if self.wanted_s.is_some_and(|wanted| wanted <= since_s) {
            return false;
        }
        self.wanted_s = Some(since_s);
        true
    }

    /// Takes all blocks from a time on, in the place of what was here.
    pub(crate) fn replace(&mut self, stretch: Stretch, from_s: u64, now_ms: u64) {
        *self = Self { wanted_s: self.wanted_s.filter(|wanted| *wanted < from_s), ..Self::default() };
        self.from_s = Some(from_s);
        self.kept_until_ms = now_ms.saturating_add(KEEP_MS);
        self.stretch.finalized = stretch.finalized;
        self.stretch.undone = stretch.undone;
        stretch.blocks.into_iter().for_each(|holding| self.add(holding));
    }

    /// Takes a change of the head.
    pub(crate) fn take(&mut self, change: &Change, now_ms: u64) {
        for undone in &change.undone {
            self.undo(*undone);
        }
        for holding in &change.added {
            self.stretch.undone.remove(&holding.block);
            self.add(holding.clone());
        }
        self.stretch.finalized = self.stretch.finalized.max(change.finalized);
        while self.stretch.undone.len() > UNDONE_MAX {
            self.stretch.undone.pop_first();
        }
        while self.stretch.blocks.len() > BLOCKS_MIN && now_ms >= self.kept_until_ms {
            self.forget();
        }
    }

    fn add(&mut self, holding: Holding) {
        for included in &holding.transactions {
            self.used.insert((included.sender, included.nonce), (included.hash, holding.block));
        }
        self.stretch.blocks.push_back(holding);
    }

    fn undo(&mut self, block: BlockRef) {
        if self.stretch.blocks.back().is_none_or(|last| last.block != block) {
            self.stretch.undone.insert(block);
            return;
        }
        for included in self.stretch.blocks.pop_back().map(|last| last.transactions).unwrap_or_default() {
            self.used.remove(&(included.sender, included.nonce));
        }
    }

    fn forget(&mut self) {
        let Some(oldest) = self.stretch.blocks.pop_front() else { return };
        for included in &oldest.transactions {
            self.used.remove(&(included.sender, included.nonce));
        }
        self.from_s = self.stretch.blocks.front().map(|first| first.time_s);
    }

    /// Transaction of a block that used this nonce, if one of these blocks has one.
    pub(crate) fn decision(&self, sender: Address, nonce: u64) -> Option<(B256, BlockRef)> {
        self.used.get(&(sender, nonce)).copied()
    }

    /// True if a block is not on the chain, as far as that can be told.
    pub(crate) fn lacks(&self, block: BlockRef) -> bool {
        self.stretch.lacks(block)
    }

    pub(crate) fn head(&self) -> Option<u64> {
        self.stretch.head()
    }

    pub(crate) const fn finalized(&self) -> u64 {
        self.stretch.finalized
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCKS_MIN, KEEP_MS, Recent};
    use crate::chain::{Change, Holding, Included, Stretch};
    use maidenlane_chain::{Address, B256, BlockRef, U256};

    fn holding(number: u64) -> Holding {
        let hash = B256::from(U256::from(number));
        let included = Included { hash, sender: Address::ZERO, nonce: number };
        Holding { block: BlockRef::new(number, hash), time_s: number * 12, transactions: vec![included] }
    }

    fn add(recent: &mut Recent, number: u64, now_ms: u64) {
        recent.take(&Change { added: vec![holding(number)], ..Change::default() }, now_ms);
    }

    #[test]
    fn blocks_are_wanted_once_and_kept_while_more_are_likely() {
        let mut recent = Recent::default();
        assert!(recent.wants(120, 0) && !recent.wants(120, 0) && !recent.wants(130, 0), "on their way");
        assert!(recent.wants(24, 0), "older ones");
        recent.replace(Stretch { blocks: (10..20).map(holding).collect(), ..Stretch::default() }, 120, 0);
        assert!(!recent.wants(120, 0) && !recent.wants(24, 0), "the older are still on their way");
        recent.replace(Stretch { blocks: (2..20).map(holding).collect(), ..Stretch::default() }, 24, 0);
        assert!(!recent.wants(24, 0) && recent.decision(Address::ZERO, 2).is_some());
        for number in 20..20 + BLOCKS_MIN as u64 {
            add(&mut recent, number, KEEP_MS - 1);
        }
        assert!(!recent.wants(24, 0), "kept");
        add(&mut recent, 20 + BLOCKS_MIN as u64, 2 * KEEP_MS);
        assert_eq!((recent.decision(Address::ZERO, 2), recent.used.len()), (None, BLOCKS_MIN));
        assert!(recent.wants(24, 0), "gone");
    }

    #[test]
    fn what_an_undone_block_used_is_free_again() {
        let mut recent = Recent::default();
        add(&mut recent, 1, 0);
        assert_eq!(
            recent.decision(Address::ZERO, 1),
            Some((holding(1).transactions[0].hash, holding(1).block))
        );
        recent.take(&Change { undone: vec![holding(1).block], ..Change::default() }, 0);
        assert_eq!(recent.decision(Address::ZERO, 1), None);
    }
}
