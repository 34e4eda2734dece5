//! Checks that a block is what its header says, before anybody may believe it. Pure.

use alloy::consensus::Header;
use alloy::rlp::{Decodable, Encodable, Header as Prefix};
use alloy_trie::EMPTY_ROOT_HASH;
use alloy_trie::root::ordered_trie_root_encoded;
use maidenlane_chain::{B256, BlockRef, Bytes, keccak256};

/// A block whose parts agree with its hash.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The block.
    pub block: BlockRef,
    /// Its header, decoded.
    pub header: Header,
    /// Header RLP.
    pub header_raw: Bytes,
    /// Body RLP: `[transactions, uncles, withdrawals?]`.
    pub body: Bytes,
}

/// Checks a block's RLP against its hash, and its body against its header.
///
/// # Errors
/// What does not fit.
pub fn examine(hash: B256, raw: &[u8]) -> Result<Facts, String> {
    let mut items = items(raw)?.into_iter();
    let header_raw = items.next().ok_or("an empty block")?;
    let found = keccak256(header_raw);
    if found != hash {
        return Err(format!("its header has hash {found}"));
    }
    let header = Header::decode(&mut &*header_raw).map_err(|error| format!("header: {error}"))?;
    let mut parts: Vec<&[u8]> = items.collect();
    if parts.len() == 2 && header.number == 0 && header.withdrawals_root == Some(EMPTY_ROOT_HASH) {
        // geth hands a genesis that was just written to its tracer without the empty list that the block has.
        parts.push(&[0xc0]);
    }
    let (transactions, uncles) = match parts.as_slice() {
        [transactions, uncles] | [transactions, uncles, _] => (*transactions, *uncles),
        other => return Err(format!("a body of {} parts; this tap knows 2 and 3", other.len())),
    };
    expect("transactionsRoot", root_of_items(transactions)?, header.transactions_root)?;
    expect("uncles hash", keccak256(uncles), header.ommers_hash)?;
    let withdrawals = parts.get(2).map(|raw| root_of_items(raw)).transpose()?;
    if withdrawals != header.withdrawals_root {
        return Err(format!(
            "withdrawalsRoot is {withdrawals:?}, the header says {:?}",
            header.withdrawals_root
        ));
    }
    let block = BlockRef::new(header.number, hash);
    Ok(Facts { block, header, header_raw: Bytes::copy_from_slice(header_raw), body: list_of(&parts) })
}

/// Checks receipts in their consensus encoding against the header.
///
/// # Errors
/// What does not fit.
pub fn examine_receipts(header: &Header, receipts: &[u8]) -> Result<(), String> {
    expect("receiptsRoot", root_of_items(receipts)?, header.receipts_root)
}

/// Checks that the block continues its parent, both in hashes and in state.
///
/// # Errors
/// What does not fit.
pub fn examine_roots(facts: &Facts, parent: (B256, B256), state: (B256, B256)) -> Result<(), String> {
    expect("parent hash", facts.header.parent_hash, parent.0)?;
    expect("state root before", state.0, parent.1)?;
    expect("state root", state.1, facts.header.state_root)
}

/// The hashes of the transactions in a body.
///
/// # Errors
/// When the body is not RLP.
pub fn transaction_hashes(body: &[u8]) -> Result<Vec<B256>, String> {
    let transactions = items(body)?.first().copied().ok_or("an empty body")?;
    items(transactions)?.into_iter().map(|item| Ok(keccak256(envelope(item)?))).collect()
}

/// Receipts as one RLP list, from each receipt's own encoding.
#[must_use]
pub fn list_of_receipts(receipts: &[Bytes]) -> Bytes {
    let encoded: Vec<Vec<u8>> = receipts
        .iter()
        .map(|receipt| match receipt.first() {
            Some(first) if *first >= 0xc0 => receipt.to_vec(),
            _ => {
                let mut out = Vec::new();
                receipt.as_ref().encode(&mut out);
                out
            }
        })
        .collect();
    list_of(&encoded)
}

fn expect(what: &str, found: B256, wanted: B256) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what} is {found}, expected {wanted}")) }
}

/// The trie root over a list: legacy items as they are, typed ones without their string prefix.
fn root_of_items(list: &[u8]) -> Result<B256, String> {
    let values = items(list)?.into_iter().map(envelope).collect::<Result<Vec<_>, _>>()?;
    Ok(ordered_trie_root_encoded(&values))
}

fn envelope(item: &[u8]) -> Result<&[u8], String> {
    match item.first() {
        Some(first) if *first >= 0xc0 => Ok(item),
        _ => Prefix::decode_bytes(&mut &*item, false).map_err(|error| error.to_string()),
    }
}

/// The items of one RLP list, each with its prefix. Nothing may follow the list.
fn items(mut raw: &[u8]) -> Result<Vec<&[u8]>, String> {
    let mut rest = Prefix::decode_bytes(&mut raw, true).map_err(|error| error.to_string())?;
    if !raw.is_empty() {
        return Err("bytes after the list".to_owned());
    }
    let mut items = Vec::new();
    while !rest.is_empty() {
        let mut after = rest;
        let prefix = Prefix::decode(&mut after).map_err(|error| error.to_string())?;
        let len = rest.len() - after.len() + prefix.payload_length;
        let (item, tail) = rest.split_at_checked(len).ok_or("a list is cut short")?;
        items.push(item);
        rest = tail;
    }
    Ok(items)
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
