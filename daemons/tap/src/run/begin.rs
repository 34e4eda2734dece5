//! The first record of an empty feed.

use super::blocks::Blocks;
use crate::begin;
use crate::error::Error;
use alloy::consensus::Header;
use alloy::rlp::Decodable;
use maidenlane_chain::{B256, BlockRef};
use maidenlane_wire::{Genesis, Start};

/// Number of headers in a START: those that BLOCKHASH can ask for.
const ANCESTORS: usize = 256;

/// GENESIS record, if the spool holds the frame: block 0 is `hash`.
pub(super) fn genesis(blocks: &Blocks, hash: B256) -> Result<Option<Genesis>, Error> {
    let Some(frame) = blocks.spool.genesis()? else { return Ok(None) };
    let (block, segment) = (BlockRef::new(0, hash), blocks.spool.segment_of_genesis());
    let genesis = begin::genesis(hash, frame);
    genesis.map(Some).map_err(|what| Error::BadFrames { block, segment, what })
}

/// START record at `block`, whose child is the oldest in the spool.
pub(super) fn start(blocks: &mut Blocks, block: BlockRef) -> Result<Start, Error> {
    let master = blocks.connection.master()?;
    let header = master.raw_header(block.hash)?;
    let parent_of = |raw: &[u8]| -> Result<B256, Error> {
        let decoded = Header::decode(&mut &*raw);
        Ok(decoded.map_err(|error| Error::BadBlock { block, what: error.to_string() })?.parent_hash)
    };
    let (mut ancestors, mut parent) = (Vec::new(), parent_of(&header)?);
    while ancestors.len() < ANCESTORS && !parent.is_zero() {
        let raw = master.raw_header(parent)?;
        parent = parent_of(&raw)?;
        ancestors.push(raw);
    }
    Ok(Start { block, header, ancestors })
}
