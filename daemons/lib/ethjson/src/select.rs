//! Selection of blocks and states by a selector, with the errors that geth gives in each place.

use crate::params::{Selector, Tag};
use crate::unreadable;
use alloy::consensus::Header;
use alloy::primitives::B256;
use alloy::rlp::Decodable;
use maidenlane_chain::BlockRef;
use maidenlane_jsonrpc::{Error, codes};
use maidenlane_state::{At, StateView};
use std::sync::Arc;

/// A state to read, and the header of its block.
#[derive(Clone, Debug)]
pub struct StateOf {
    /// Position of the state: after a block.
    pub at: At,
    /// Header of that block.
    pub header: Arc<Header>,
    /// True if the client asked for the block being built on it.
    pub pending: bool,
}

impl StateOf {
    /// Number below which a call sees block hashes, whatever number an override gives its block.
    pub fn hashes_below(&self) -> u64 {
        self.header.number.saturating_add(u64::from(self.pending))
    }
}

/// Error for blocks and state that this replica no longer has.
pub fn pruned() -> Error {
    Error::new(codes::PRUNED, "pruned history unavailable")
}

/// The block of a name; `None` for a plain number, "pending" and "earliest".
fn named(source: &dyn StateView, tag: Tag) -> Result<Option<BlockRef>, Error> {
    let head = source.head();
    match tag {
        Tag::Latest => Ok(Some(head.block)),
        Tag::Safe => head.safe.map(Some).ok_or_else(|| Error::server("safe block not found")),
        Tag::Finalized => head.finalized.map(Some).ok_or_else(|| Error::server("finalized block not found")),
        Tag::Number(_) | Tag::Pending | Tag::Earliest => Ok(None),
    }
}

/// The block of a selector: `None` where there is none, an error for what is pruned or not available by name.
pub fn block(source: &dyn StateView, selector: Selector) -> Result<Option<BlockRef>, Error> {
    match selector {
        Selector::Tag(tag) => {
            let number = match (named(source, tag)?, tag) {
                (Some(block), _) => return Ok(Some(block)),
                (None, Tag::Number(number)) => number,
                (None, Tag::Pending) => return Err(Error::server("pending block is not available")),
                (None, _) => source.head().body_floor,
            };
            if number < source.head().body_floor {
                return Err(pruned());
            }
            if number > source.head().block.number {
                return Ok(None);
            }
            Ok(source.hash_of(number).map_err(unreadable)?.map(|hash| BlockRef::new(number, hash)))
        }
        Selector::Hash { hash, canonical } => by_hash(source, hash, canonical),
    }
}

fn by_hash(source: &dyn StateView, hash: B256, canonical: bool) -> Result<Option<BlockRef>, Error> {
    match source.find(hash).map_err(unreadable)? {
        None => Ok(None),
        Some((_, false)) if canonical => Err(Error::server("hash is not currently canonical")),
        Some((number, _)) if number < source.head().body_floor => Err(pruned()),
        Some((number, _)) => Ok(Some(BlockRef::new(number, hash))),
    }
}

/// The state of a selector: unknown blocks are errors here, and so is a block that has left the chain.
pub fn state(source: &dyn StateView, selector: Selector) -> Result<StateOf, Error> {
    let head = source.head();
    let latest = |pending| StateOf { at: At::Latest, header: Arc::clone(&head.header), pending };
    let block = match selector {
        Selector::Tag(Tag::Pending) => return Ok(latest(true)),
        Selector::Tag(tag) => match (named(source, tag)?, tag) {
            (Some(block), _) => block,
            (None, Tag::Number(number)) => numbered(source, number)?,
            (None, _) => numbered(source, head.body_floor)?,
        },
        Selector::Hash { hash, canonical } => match source.find(hash).map_err(unreadable)? {
            None => return Err(Error::server("header for hash not found")),
            Some((_, false)) if canonical => return Err(Error::server("hash is not currently canonical")),
            // Its state was taken back with it.
            Some((_, false)) => return Err(Error::server("header not found")),
            Some((number, true)) => BlockRef::new(number, hash),
        },
    };
    if block == head.block {
        return Ok(latest(false));
    }
    if block.number < head.state_floor {
        return Err(pruned());
    }
    Ok(StateOf { at: At::Block(block.number), header: Arc::new(header(source, block)?), pending: false })
}

fn numbered(source: &dyn StateView, number: u64) -> Result<BlockRef, Error> {
    let head = source.head();
    if number > head.block.number {
        return Err(Error::server("header not found"));
    }
    if number < head.state_floor {
        return Err(pruned());
    }
    let hash =
        source.hash_of(number).map_err(unreadable)?.ok_or_else(|| Error::server("header not found"))?;
    Ok(BlockRef::new(number, hash))
}

/// The header of a known block.
pub fn header(source: &dyn StateView, block: BlockRef) -> Result<Header, Error> {
    let bytes = source.header(block).map_err(unreadable)?.ok_or_else(|| Error::server("header not found"))?;
    Header::decode(&mut &bytes[..]).map_err(|error| Error::internal(format!("header of {block}: {error}")))
}
