//! One transaction of a block: taken from the decoded block, or decoded alone.
//!
//! # Why
//! Most look-ups of old transactions ask for one of their block and never again. Decoding all the others for it costs
//! more than everything else.

use alloy::consensus::Header;
use alloy::primitives::Address;
use maidenlane_chain::block::decode_header;
use maidenlane_chain::decoded::transaction_of;
use maidenlane_chain::transaction::sender;
use maidenlane_chain::{Block, BlockRef, Transaction};
use maidenlane_ethjson::block::BlockJson as _;
use maidenlane_ethjson::select::pruned;
use maidenlane_ethjson::transaction::{Included, Inclusion};
use maidenlane_ethjson::unreadable;
use maidenlane_jsonrpc::Error;
use maidenlane_state::StateView;
use std::sync::Arc;

/// Transaction that is known to exist.
pub(crate) enum Mined {
    /// At an index of a decoded block.
    Within(Arc<Block>, usize),
    /// Without the rest of its block.
    Alone(Box<Lone>),
}

/// Transaction, and what its block adds to it.
pub(crate) struct Lone {
    at: BlockRef,
    header: Header,
    index: usize,
    tx: Transaction,
    from: Address,
}

impl Mined {
    /// The transaction at `index` of a decoded block.
    pub(crate) fn within(block: Arc<Block>, index: usize) -> Option<Self> {
        block.transactions.get(index)?;
        Some(Self::Within(block, index))
    }

    /// Reads the transaction at `index` of a block that is known to exist, and nothing else of the block.
    pub(crate) fn alone(source: &dyn StateView, at: BlockRef, index: usize) -> Result<Option<Self>, Error> {
        let damaged =
            |error: &dyn std::fmt::Display| Error::internal(format!("block {at} in the store: {error}"));
        let (Some(header), Some(body)) =
            (source.header(at).map_err(unreadable)?, source.body(at).map_err(unreadable)?)
        else {
            return Err(pruned());
        };
        let header = decode_header(&header).map_err(|error| damaged(&error))?;
        let Some(tx) = transaction_of(&body, index).map_err(|error| damaged(&error))? else {
            return Ok(None);
        };
        let from = match source.senders(at).map_err(unreadable)? {
            Some(senders) => {
                *senders.get(index).ok_or_else(|| damaged(&"fewer senders than transactions"))?
            }
            None => sender(&tx),
        };
        Ok(Some(Self::Alone(Box::new(Lone { at, header, index, tx, from }))))
    }

    /// The transaction itself.
    pub(crate) fn tx(&self) -> Option<&Transaction> {
        match self {
            Self::Within(block, index) => block.transactions.get(*index),
            Self::Alone(lone) => Some(&lone.tx),
        }
    }

    /// Header of its block.
    pub(crate) fn header(&self) -> &Header {
        match self {
            Self::Within(block, _) => &block.header,
            Self::Alone(lone) => &lone.header,
        }
    }

    /// The transaction with its sender and place.
    pub(crate) fn included(&self) -> Option<Included<'_>> {
        match self {
            Self::Within(block, index) => block.included(*index),
            Self::Alone(lone) => {
                let place = Inclusion::of(&lone.header, lone.at.hash, lone.index);
                Some(Included { tx: &lone.tx, from: lone.from, place })
            }
        }
    }
}

#[cfg(test)]
mod tests;
