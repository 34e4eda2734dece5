//! Fates that the chain decides: which order a block holds, which missed its last one, and what a reorganisation takes back.
//!
//! # What landed means
//! One block of an order's window holds all its transactions but those that may be left out, in their order. Who put them there,
//! and whether other transactions stand between, is not told apart: they are where their sender wanted them. Of an order whose
//! transactions may all be left out, the first that a block holds counts.
//!
//! # Why nothing is judged by a clock
//! The block after a missed slot has the number of the one that is missing. So an order for it is still due, and only the blocks
//! that came say what is over.

use crate::book::Head;
use crate::bundle::Checked;
use crate::told::{End, History};
use crate::window::Window;
use maidenlane_chain::{B256, BlockRef};
use maidenlane_wire::Delivery;

/// The chain, as far as orders depend on it.
pub trait Chain {
    /// Failure to read it.
    type Error;

    /// Hash of a block of the canonical chain.
    ///
    /// # Errors
    /// When it cannot be read.
    fn hash_of(&self, number: u64) -> Result<Option<B256>, Self::Error>;

    /// Block of the canonical chain that holds a transaction, and its place there.
    ///
    /// # Errors
    /// When it cannot be read.
    fn place_of(&self, transaction: B256) -> Result<Option<(BlockRef, usize)>, Self::Error>;
}

/// An order, as far as blocks decide on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    window: Window,
    /// Hashes of the transactions that must be there.
    needed: Vec<B256>,
    /// Hashes of those that may be left out, where none must be there.
    any_of: Vec<B256>,
}

impl Case {
    /// The case of an order.
    #[must_use]
    pub fn of(checked: &Checked) -> Self {
        let dropping = &checked.bundle.dropping;
        let (any_of, needed): (Vec<B256>, Vec<B256>) =
            checked.hashes.reveal().iter().copied().partition(|hash| dropping.contains(hash));
        let any_of = if needed.is_empty() { any_of } else { Vec::new() };
        Self { window: checked.window(), needed, any_of }
    }

    /// Fate of an order without an end; `None` while it is open.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub fn judge<C: Chain>(&self, head: Head, chain: &C) -> Result<Option<Delivery>, C::Error> {
        if let Some(block) = self.holder(chain)? {
            return Ok(Some(Delivery::Landed { block }));
        }
        let last = self.window.blocks.1;
        if head.number >= last {
            let hash = chain.hash_of(last)?;
            return Ok(hash.map(|hash| Delivery::Missed { block: BlockRef { number: last, hash } }));
        }
        // The next block is later than the head.
        Ok((head.timestamp_s >= self.window.times.1).then_some(Delivery::Expired))
    }

    /// The block that holds it.
    fn holder<C: Chain>(&self, chain: &C) -> Result<Option<BlockRef>, C::Error> {
        for hash in &self.any_of {
            if let Some((block, _)) = chain.place_of(*hash)?
                && self.may_hold(block)
            {
                return Ok(Some(block));
            }
        }
        let mut before = None::<(BlockRef, usize)>;
        for hash in &self.needed {
            let Some((block, index)) = chain.place_of(*hash)? else { return Ok(None) };
            let follows = before.is_none_or(|(held, place)| held == block && place < index);
            if !follows || !self.may_hold(block) {
                return Ok(None);
            }
            before = Some((block, index));
        }
        Ok(before.map(|(block, _)| block))
    }

    fn may_hold(&self, block: BlockRef) -> bool {
        let (first, last) = self.window.blocks;
        (first..=last).contains(&block.number)
    }
}

/// Fate that follows for an order that has an end: the end is final, or no longer true.
///
/// # Errors
/// When the chain cannot be read.
pub fn later<C: Chain>(history: &History, head: Head, chain: &C) -> Result<Option<Delivery>, C::Error> {
    let Some(End::Landed(block) | End::Missed(block)) = history.end.filter(|_| !history.is_final) else {
        return Ok(None);
    };
    if block.number > head.number || chain.hash_of(block.number)? != Some(block.hash) {
        return Ok(Some(Delivery::Uncled { block }));
    }
    let is_final = head.finalized.is_some_and(|finalized| finalized >= block.number);
    Ok(is_final.then_some(Delivery::Final { block }))
}

#[cfg(test)]
mod tests;
