//! Traceable blocks: those whose parent's state is there, also when a client sends them.

use crate::rpc::Shared;
use crate::rpc::request_view::RequestView;
use alloy::consensus::Transaction as _;
use alloy::rlp;
use maidenlane_chain::Block;
use maidenlane_chain::BlockRef;
use maidenlane_ethjson::select::{self, pruned};
use maidenlane_ethjson::unreadable;
use maidenlane_jsonrpc::Error;
use std::sync::Arc;

/// Decodes a block to be traced; an error unless its parent's state is there.
pub(crate) fn traceable(shared: &Shared, view: &RequestView, at: BlockRef) -> Result<Arc<Block>, Error> {
    if at.number == 0 {
        return Err(Error::server("genesis is not traceable"));
    }
    let block = shared.blocks.block(view, at)?;
    mined(view, BlockRef::new(at.number, block.header.parent_hash))?;
    Ok(block)
}

/// Refuses a block without a state to run on: `child` names its number and its parent's hash.
pub(crate) fn mined(view: &RequestView, child: BlockRef) -> Result<(), Error> {
    let Some(parent) = child.number.checked_sub(1) else {
        return Err(Error::server("genesis is not traceable"));
    };
    if view.source().hash_of(parent).map_err(unreadable)? != Some(child.hash) {
        // Undone blocks have taken their states with them.
        return Err(Error::server(format!("block {} not found", child.hash)));
    }
    if parent < view.head().state_floor { Err(pruned()) } else { Ok(()) }
}

/// Refuses a block that a client made whose transactions have more gas than a block after its parent may have: gas
/// bounds memory, and how long one instruction takes.
pub(crate) fn affordable(shared: &Shared, view: &RequestView, block: &Block) -> Result<(), Error> {
    let parent = BlockRef::new(block.header.number.saturating_sub(1), block.header.parent_hash);
    let limit = select::header(view.source(), parent)?.gas_limit;
    let most = limit.saturating_add(limit / 1_024).max(shared.settings.get().call_gas_cap);
    let gas = block.transactions.iter().fold(0_u64, |gas, tx| gas.saturating_add(tx.gas_limit()));
    if gas <= most {
        return Ok(());
    }
    Err(Error::server(format!(
        "the block's transactions have {gas} gas; a block after its parent has {most} at most"
    )))
}

/// Decodes a whole block as `debug_getRawBlock` gives it.
pub(crate) fn decode(bytes: &[u8]) -> Result<Block, Error> {
    let parsed = (|| {
        let mut rest = bytes;
        let list = rlp::Header::decode(&mut rest)?;
        let mut after = rest;
        let header = rlp::Header::decode(&mut after)?;
        let header_len = rest.len() - after.len() + header.payload_length;
        let (header, rest) = rest.split_at_checked(header_len).ok_or(rlp::Error::InputTooShort)?;
        let mut body = Vec::with_capacity(rest.len() + 9);
        rlp::Header { list: list.list, payload_length: rest.len() }.encode(&mut body);
        body.extend_from_slice(rest);
        Block::decode(alloy::primitives::keccak256(header), header, &body)
    })();
    parsed.map_err(|error| Error::server(format!("could not decode block: {error}")))
}
