//! The chain as an emitter needs it: which transactions the blocks hold. Pure: records of a feed in, changes of the head out.
//!
//! # Correctness
//! Records of one head change are taken together, when the last has come: in between stands a chain that no node ever
//! had, and a transaction that the old block held and the new one holds too would be told as out of both.

use alloy::consensus::Transaction as _;
use maidenlane_chain::{Address, B256, Block, BlockRef};
use maidenlane_feed::Whole;
use maidenlane_wire::{Advance, DecodeError, Outline, Record};
use std::collections::{BTreeSet, VecDeque};

/// A transaction in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Included {
    /// Hash.
    pub hash: B256,
    /// Signer.
    pub sender: Address,
    /// Nonce.
    pub nonce: u64,
}

/// A block of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The block.
    pub block: BlockRef,
    /// Unix time in seconds.
    pub time_s: u64,
    /// Transactions, in order.
    pub transactions: Vec<Included>,
}

/// Change of the head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Blocks that left, newest first.
    pub undone: Vec<BlockRef>,
    /// Blocks that came, oldest first.
    pub added: Vec<Holding>,
    /// The finalized number.
    pub finalized: u64,
}

/// Blocks from some moment on, as far as the feed tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// Oldest first, each the parent of the next.
    pub blocks: VecDeque<Holding>,
    /// Blocks from before it that left the chain.
    pub undone: BTreeSet<BlockRef>,
    /// The finalized number.
    pub finalized: u64,
}

/// Fault of a record.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Not a record.
    #[error(transparent)]
    Record(#[from] DecodeError),
    /// Not a block.
    #[error("block {block} cannot be read; if it is of a later fork, upgrade")]
    Block {
        /// The block.
        block: BlockRef,
        /// Cause.
        #[source]
        source: alloy::rlp::Error,
    },
}

impl Stretch {
    /// Takes a change.
    pub fn take(&mut self, change: Change) {
        for undone in &change.undone {
            match self.blocks.back() {
                Some(last) if last.block == *undone => drop(self.blocks.pop_back()),
                _ => drop(self.undone.insert(*undone)),
            }
        }
        for added in &change.added {
            self.undone.remove(&added.block);
        }
        self.blocks.extend(change.added);
        self.finalized = self.finalized.max(change.finalized);
    }

    /// Number of the newest block.
    #[must_use]
    pub fn head(&self) -> Option<u64> {
        self.blocks.back().map(|last| last.block.number)
    }

    /// True if a block is not on the chain, as far as that can be told.
    #[must_use]
    pub fn lacks(&self, block: BlockRef) -> bool {
        if self.undone.contains(&block) {
            return true;
        }
        let Some(first) = self.blocks.front().map(|first| first.block.number) else { return false };
        let Some(index) = block.number.checked_sub(first) else { return false };
        let at = usize::try_from(index).ok().and_then(|index| self.blocks.get(index));
        at.is_none_or(|at| at.block != block)
    }
}

/// Gatherer of records into changes.
#[derive(Debug, Default)]
pub struct Gatherer(Change);

impl Gatherer {
    /// Takes a record that counts; returns the change that it completes.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn take(&mut self, whole: &Whole<'_>) -> Result<Option<Change>, Unreadable> {
        if whole.forget {
            self.0 = Change::default();
        }
        match whole.outline()? {
            Outline::Advance { .. } => {
                if let Record::Advance(advance) = whole.record()? {
                    self.0.added.push(holding(&advance)?);
                }
            }
            Outline::Undo { block, .. } => match self.0.added.last() {
                Some(last) if last.block == block => drop(self.0.added.pop()),
                _ => self.0.undone.push(block),
            },
            Outline::Open(_) | Outline::Base { .. } | Outline::Final(_) | Outline::Heartbeat => {}
        }
        if whole.stamp.more {
            return Ok(None);
        }
        let mut change = std::mem::take(&mut self.0);
        change.finalized = whole.stamp.finalized;
        Ok(Some(change))
    }
}

/// The transactions of a block. Who signed them is in the feed, or recovered where an older master did not tell.
fn holding(advance: &Advance) -> Result<Holding, Unreadable> {
    let Advance { block, header, body, senders, .. } = advance;
    let unreadable = |source| Unreadable::Block { block: *block, source };
    let decoded = Block::decode(block.hash, header, body).map_err(unreadable)?;
    let decoded = match senders {
        Some(senders) => decoded
            .sent_by(senders.clone())
            .ok_or_else(|| unreadable(alloy::rlp::Error::Custom("as many senders as transactions")))?,
        None => decoded,
    };
    let included = decoded.transactions.iter().enumerate().map(|(index, tx)| {
        let sender = decoded.sender(index).unwrap_or_default();
        Included { hash: *tx.tx_hash(), sender, nonce: tx.nonce() }
    });
    Ok(Holding { block: *block, time_s: decoded.header.timestamp, transactions: included.collect() })
}

#[cfg(test)]
mod tests;
