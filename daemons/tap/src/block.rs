//! Examination of a block by itself ([`maidenlane_chain::block`]) and against its parent, before it is published. Pure.

use alloy::consensus::Header;
use alloy::rlp::Header as Prefix;
use alloy_trie::EMPTY_ROOT_HASH;
use maidenlane_chain::block::{BlockError, Body, block_hash, check_receipts, decode_header, split};
use maidenlane_chain::{Address, B256, BlockRef, Bytes};

/// A block whose parts agree with its hash.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The block.
    pub at: BlockRef,
    /// Decoded header.
    pub header: Header,
    /// Header RLP.
    pub header_raw: Bytes,
    /// Body RLP: `[transactions, uncles, withdrawals?]`.
    pub body: Bytes,
    /// Number of transactions in the body.
    pub transactions: usize,
}

/// Checks a block's RLP against its hash, and its body against its header.
///
/// # Errors
/// Names what does not fit.
pub fn examine(hash: B256, raw: &[u8]) -> Result<Examined, String> {
    let (header_raw, mut body) = split(raw).map_err(with_cause)?;
    let found = block_hash(&header_raw);
    if found != hash {
        return Err(format!("its header has hash {found}"));
    }
    let header = decode_header(&header_raw).map_err(with_cause)?;
    if header.number == 0
        && header.withdrawals_root == Some(EMPTY_ROOT_HASH)
        && Body::parse(&body).map_err(with_cause)?.withdrawals.is_none()
    {
        // geth hands a genesis that was just written to its tracer without the empty list that the block has.
        let parts = Prefix::decode_bytes(&mut body.as_ref(), true).map_err(|error| error.to_string())?;
        body = list_of(&[parts, &[0xc0]]);
    }
    let parsed = Body::parse(&body).map_err(with_cause)?;
    parsed.check(&header).map_err(with_cause)?;
    let (at, transactions) = (BlockRef::new(header.number, hash), parsed.transactions.len());
    Ok(Examined { at, header, header_raw, body, transactions })
}

/// Checks receipts in their consensus encoding against the block.
///
/// # Errors
/// Names what does not fit.
pub fn examine_receipts(block: &Examined, receipts: &[u8]) -> Result<(), String> {
    check_receipts(&block.header, block.transactions, receipts).map_err(with_cause)
}

/// Checks that there is a sender for each transaction, where there are any.
///
/// # Errors
/// Names what does not fit.
pub fn examine_senders(block: &Examined, senders: Option<&[Address]>) -> Result<(), String> {
    match senders.map(<[Address]>::len) {
        Some(found) if found != block.transactions => {
            Err(format!("{found} senders for {} transactions", block.transactions))
        }
        _ => Ok(()),
    }
}

/// Checks that the block continues its parent, both in hashes and in state.
///
/// # Errors
/// Names what does not fit.
pub fn examine_roots(block: &Examined, parent: (B256, B256), state: (B256, B256)) -> Result<(), String> {
    expect("parent hash", block.header.parent_hash, parent.0)?;
    expect("state root before", state.0, parent.1)?;
    expect("state root", state.1, block.header.state_root)
}

/// Hashes of the transactions in a body.
///
/// # Errors
/// When it is no body.
pub fn transaction_hashes(body: &[u8]) -> Result<Vec<B256>, String> {
    Ok(Body::parse(body).map_err(with_cause)?.transaction_hashes())
}

fn expect(what: &str, found: B256, wanted: B256) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what} is {found}, expected {wanted}")) }
}

fn with_cause(error: BlockError) -> String {
    maidenlane_service::with_causes(&error)
}

fn list_of<T: AsRef<[u8]>>(items: &[T]) -> Bytes {
    let payload_length = items.iter().map(|item| item.as_ref().len()).sum();
    let mut out = Vec::with_capacity(payload_length + 9);
    Prefix { list: true, payload_length }.encode(&mut out);
    for item in items {
        out.extend_from_slice(item.as_ref());
    }
    out.into()
}

#[cfg(test)]
mod tests;
