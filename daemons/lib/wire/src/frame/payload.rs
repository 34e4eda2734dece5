//! RLP payloads of frames, by kind.
//!
//! # Correctness
//! The rows of a feed promise: sorted by key, no key twice, nothing that stays as it was, code under its own hash.
//! The hook writes them so; here it is made sure of, because replicas keep the rows that they are sent.

use super::{Allocation, BLOCK, Frame, FrameError, Heading, State};
use crate::proofs::NodeRow;
use crate::rows::{AccountRow, CodeRow, Rows, SlotRow, StorageRows};
use alloy::rlp::{Decodable, Error, Header};
use maidenlane_chain::{Address, B256, Bytes, keccak256};

/// Function that reads what it wants from the front of a list.
type Read<T> = fn(&mut &[u8]) -> alloy::rlp::Result<T>;

pub(super) fn read(kind: u8, payload: &[u8]) -> Result<Frame, FrameError> {
    let read: Read<Frame> = match kind {
        1 => init,
        2 => genesis,
        BLOCK => block,
        4 => |list| Ok(Frame::Receipts { hash: item(list)?, receipts: raw(list)? }),
        5 => |list| state(list).map(Frame::State),
        6 => |list| Ok(Frame::Trie { hash: item(list)?, nodes: nodes(list)? }),
        7 => |list| Ok(Frame::End { hash: item(list)?, parent: item(list)?, number: item(list)? }),
        8 => |list| Ok(Frame::Failed { hash: item(list)?, number: item(list)?, error: text(list)? }),
        _ => hole,
    };
    let (frame, rest) = front(kind, payload, read)?;
    if rest.is_empty() { Ok(frame) } else { Err(malformed(name(kind)?, "trailing bytes")) }
}

pub(super) fn heading(kind: u8, payload: &[u8]) -> Result<Heading, FrameError> {
    let read: Read<Heading> = match kind {
        1 => |list| Ok(Heading::Init { chain_config: text(list)?, client_version: text(list)? }),
        2 => |_| Ok(Heading::Genesis),
        BLOCK => |list| Ok(Heading::Block { hash: item(list)? }),
        4 => |list| Ok(Heading::Receipts { hash: item(list)? }),
        5 => |list| {
            let (hash, _number) = (item(list)?, item::<u64>(list)?);
            Ok(Heading::State { hash, origin_root: item(list)?, root: item(list)? })
        },
        6 => |list| Ok(Heading::Trie { hash: item(list)? }),
        7 => |list| Ok(Heading::End { hash: item(list)?, parent: item(list)?, number: item(list)? }),
        8 => |_| Ok(Heading::Failed),
        _ => |_| Ok(Heading::Hole),
    };
    Ok(front(kind, payload, read)?.0)
}

/// Reads from the payload's list, and returns the rest of it.
fn front<T>(kind: u8, payload: &[u8], read: Read<T>) -> Result<(T, &[u8]), FrameError> {
    let name = name(kind)?;
    let mut rest = payload;
    let mut list = Header::decode_bytes(&mut rest, true).map_err(|error| malformed(name, error))?;
    if !rest.is_empty() {
        return Err(malformed(name, "trailing bytes"));
    }
    let value = read(&mut list).map_err(|error| malformed(name, error))?;
    Ok((value, list))
}

fn name(kind: u8) -> Result<&'static str, FrameError> {
    Ok(match kind {
        1 => "INIT",
        2 => "GENESIS",
        BLOCK => "BLOCK",
        4 => "RECEIPTS",
        5 => "STATE",
        6 => "TRIE",
        7 => "END",
        8 => "FAILED",
        9 => "HOLE",
        other => return Err(malformed("unknown", format!("kind {other}"))),
    })
}

fn malformed(kind: &'static str, what: impl std::fmt::Display) -> FrameError {
    FrameError::Malformed { kind, what: what.to_string() }
}

fn item<T: Decodable>(list: &mut &[u8]) -> alloy::rlp::Result<T> {
    T::decode(list)
}

fn text(list: &mut &[u8]) -> alloy::rlp::Result<String> {
    String::decode(list)
}

/// Takes the next item with its RLP header.
fn raw(list: &mut &[u8]) -> alloy::rlp::Result<Bytes> {
    let start = *list;
    let mut rest = start;
    let header = Header::decode(&mut rest)?;
    let total = (start.len() - rest.len()).checked_add(header.payload_length).ok_or(Error::Overflow)?;
    let (taken, after) = start.split_at_checked(total).ok_or(Error::InputTooShort)?;
    *list = after;
    Ok(Bytes::copy_from_slice(taken))
}

/// Reads a list by reading its items until it is used up.
fn many<T>(
    list: &mut &[u8],
    mut read: impl FnMut(&mut &[u8]) -> alloy::rlp::Result<T>,
) -> alloy::rlp::Result<Vec<T>> {
    let mut items = Header::decode_bytes(list, true)?;
    let mut all = Vec::new();
    while !items.is_empty() {
        all.push(read(&mut items)?);
    }
    Ok(all)
}

/// Reads a list as [`many`], of items that are lists themselves, each of which must be used up.
fn lists<T>(
    list: &mut &[u8],
    mut read: impl FnMut(&mut &[u8]) -> alloy::rlp::Result<T>,
) -> alloy::rlp::Result<Vec<T>> {
    many(list, |items| {
        let mut inner = Header::decode_bytes(items, true)?;
        let value = read(&mut inner)?;
        if inner.is_empty() { Ok(value) } else { Err(Error::UnexpectedLength) }
    })
}

fn init(list: &mut &[u8]) -> alloy::rlp::Result<Frame> {
    Ok(Frame::Init { chain_config: text(list)?, client_version: text(list)? })
}

fn block(list: &mut &[u8]) -> alloy::rlp::Result<Frame> {
    let (hash, block) = (item(list)?, raw(list)?);
    let senders = (!list.is_empty()).then(|| many(list, item)).transpose()?;
    Ok(Frame::Block { hash, block, senders })
}

fn genesis(list: &mut &[u8]) -> alloy::rlp::Result<Frame> {
    let block = raw(list)?;
    let alloc = lists(list, |list| {
        Ok(Allocation {
            address: item(list)?,
            nonce: item(list)?,
            balance: item(list)?,
            code: item(list)?,
            storage: lists(list, |list| Ok((item(list)?, item(list)?)))?,
        })
    })?;
    Ok(Frame::Genesis { block, alloc })
}

fn hole(list: &mut &[u8]) -> alloy::rlp::Result<Frame> {
    let hash: Bytes = item(list)?;
    let hash = (!hash.is_empty())
        .then(|| B256::try_from(hash.as_ref()))
        .transpose()
        .map_err(|_| Error::UnexpectedLength)?;
    Ok(Frame::Hole { hash, number: item(list)?, reason: text(list)? })
}

fn state(list: &mut &[u8]) -> alloy::rlp::Result<State> {
    let (hash, number, origin_root, root) = (item(list)?, item(list)?, item(list)?, item(list)?);
    let hashed: bool = item(list)?;
    let mut accounts = lists(list, |list| {
        Ok(AccountRow { address: item(list)?, before: present(list)?, after: present(list)? })
    })?;
    accounts.retain(|row| row.before != row.after);
    sort_unique(&mut accounts, |row| row.address)?;
    let mut storage = lists(list, |list| {
        let address = item(list)?;
        let mut slots = lists(list, |list| slot(list, hashed))?;
        slots.retain(|row| row.before != row.after);
        sort_unique(&mut slots, |row| row.key)?;
        Ok(StorageRows { address, slots })
    })?;
    storage.retain(|account| !account.slots.is_empty());
    sort_unique(&mut storage, |account| account.address)?;
    // Several accounts may get the same code.
    let mut codes = lists(list, code)?.into_iter().flatten().collect::<Vec<_>>();
    codes.sort_unstable_by_key(|row| row.hash);
    codes.dedup();
    Ok(State { hash, number, origin_root, root, rows: Rows { accounts, storage, codes } })
}

fn sort_unique<T, K: Ord>(rows: &mut [T], key: impl Fn(&T) -> K) -> alloy::rlp::Result<()> {
    rows.sort_unstable_by_key(&key);
    let twice = rows.windows(2).any(|pair| matches!(pair, [a, b] if key(a) == key(b)));
    if twice { Err(Error::Custom("a key stands twice")) } else { Ok(()) }
}

/// Reads a value; an empty string means "absent".
fn present(list: &mut &[u8]) -> alloy::rlp::Result<Option<Bytes>> {
    let value: Bytes = item(list)?;
    Ok((!value.is_empty()).then_some(value))
}

/// Reads a slot. Plain slots (Cancun on) are hashed here, so that every key in a feed is keccak256 of the slot.
fn slot(list: &mut &[u8], hashed: bool) -> alloy::rlp::Result<SlotRow> {
    let key: B256 = item(list)?;
    let (key, plain) = if hashed { (key, None) } else { (keccak256(key), Some(key)) };
    Ok(SlotRow { key, plain, before: present(list)?, after: present(list)? })
}

/// Reads nodes: `[[owner, [[path, before, after]...]]...]`; geth's owner of the account trie is the zero hash.
fn nodes(list: &mut &[u8]) -> alloy::rlp::Result<Vec<NodeRow>> {
    let mut rows = lists(list, |list| {
        let owner: B256 = item(list)?;
        let owner = (!owner.is_zero()).then_some(owner);
        lists(list, |list| {
            Ok(NodeRow { owner, path: item(list)?, before: present(list)?, after: present(list)? })
        })
    })?
    .concat();
    rows.retain(|row| row.before != row.after);
    rows.iter().try_for_each(NodeRow::check).map_err(Error::Custom)?;
    rows.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
    let twice = rows.windows(2).any(|pair| matches!(pair, [a, b] if a.key() == b.key()));
    if twice { Err(Error::Custom("a node stands twice")) } else { Ok(rows) }
}

/// Reads a code: `[address, [hash, code]?, [hash, code]?]`, of which the code after counts.
fn code(list: &mut &[u8]) -> alloy::rlp::Result<Option<CodeRow>> {
    let _address: Address = item(list)?;
    let _before = raw(list)?;
    let mut after = Header::decode_bytes(list, true)?;
    if after.is_empty() {
        return Ok(None);
    }
    let (hash, code): (B256, Bytes) = (item(&mut after)?, item(&mut after)?);
    if !after.is_empty() {
        return Err(Error::UnexpectedLength);
    }
    if !code.is_empty() && keccak256(&code) != hash {
        return Err(Error::Custom("code is not what its hash says"));
    }
    Ok((!code.is_empty()).then_some(CodeRow { hash, code }))
}
