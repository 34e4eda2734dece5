//! Frames: what the hook inside geth writes to the spool.
//!
//! `len: u32le | crc32c: u32le | version: u8 | kind: u8 | payload`, where `len` counts from the version to the end
//! and the checksum covers the same bytes. The payload is one RLP list; see `FORMAT.md`.

use crate::rows::{AccountRow, CodeRow, Rows, SlotRow, StorageRows};
use alloy::rlp::{Decodable, Header};
use maidenlane_chain::{Address, B256, Bytes, keccak256};

/// The version this build reads and writes.
pub const VERSION: u8 = 1;
/// No frame is longer: a bound for what a reader allocates, far above any block.
pub const FRAME_MAX_BYTES: usize = 1 << 30;
/// Bytes in front of a frame's payload.
pub const OVERHEAD_BYTES: usize = 10;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are described in FORMAT.md")]
pub enum Frame {
    /// A start of geth, and of every segment.
    Init { chain_config: String, client_version: String },
    /// Block 0 and its allocation.
    Genesis { block: Bytes, alloc: Vec<Allocation> },
    /// An executed block.
    Block { hash: B256, block: Bytes },
    /// Its receipts: consensus RLP list.
    Receipts { hash: B256, receipts: Bytes },
    /// What it changed.
    State(State),
    /// Trie nodes it changed, undecoded.
    Trie { hash: B256, nodes: Bytes },
    /// All frames of the block were written.
    End { hash: B256, parent: B256, number: u64 },
    /// A block turned out invalid.
    Failed { hash: B256, number: u64, error: String },
    /// Something is missing here, and why.
    Hole { hash: Option<B256>, number: u64, reason: String },
}

/// One account of the genesis allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// Plain address.
    pub address: Address,
    /// Nonce.
    pub nonce: u64,
    /// Balance, big-endian without leading zeros.
    pub balance: Bytes,
    /// Code.
    pub code: Bytes,
    /// Plain slots and their values (big-endian without leading zeros), sorted.
    pub storage: Vec<(B256, Bytes)>,
}

/// A block's state changes as the hook saw them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The block.
    pub hash: B256,
    /// Its number.
    pub number: u64,
    /// State root before.
    pub origin_root: B256,
    /// State root after.
    pub root: B256,
    /// Rows, with keys normalised to keccak256.
    pub rows: Rows,
}

/// Why bytes are not a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The bytes end before the frame does: a torn tail if nothing follows.
    #[error("frame is incomplete")]
    Incomplete,
    /// The checksum does not match.
    #[error("frame checksum is {found:08x}, expected {expected:08x}")]
    Checksum {
        /// As stored.
        expected: u32,
        /// As computed.
        found: u32,
    },
    /// The length is impossible.
    #[error("frame length {len} is impossible")]
    Length {
        /// As stored.
        len: u32,
    },
    /// Written by another version of the hook.
    #[error("frame version {version} is unknown; hook and tap must be of one release")]
    Version {
        /// As stored.
        version: u8,
    },
    /// The payload is not what its kind promises.
    #[error("{kind} frame is malformed: {what}")]
    Malformed {
        /// Frame kind.
        kind: &'static str,
        /// What is wrong.
        what: String,
    },
}

/// Reads the frame at the front of `bytes`; returns it and its length.
///
/// # Errors
/// [`FrameError::Incomplete`] when more bytes may follow, any other when these are not a frame.
pub fn read(bytes: &[u8]) -> Result<(Frame, usize), FrameError> {
    let (len, rest) = split_u32(bytes)?;
    let (expected, rest) = split_u32(rest)?;
    let size = usize::try_from(len).unwrap_or(usize::MAX);
    if !(2..=FRAME_MAX_BYTES).contains(&size) {
        return Err(FrameError::Length { len });
    }
    let content = rest.get(..size).ok_or(FrameError::Incomplete)?;
    let found = crc32c::crc32c(content);
    if found != expected {
        return Err(FrameError::Checksum { expected, found });
    }
    match content {
        [VERSION, kind, payload @ ..] => Ok((payload_of(*kind, payload)?, 8 + size)),
        [version, ..] => Err(FrameError::Version { version: *version }),
        [] => Err(FrameError::Length { len }),
    }
}

fn split_u32(bytes: &[u8]) -> Result<(u32, &[u8]), FrameError> {
    let (head, rest) = bytes.split_first_chunk::<4>().ok_or(FrameError::Incomplete)?;
    Ok((u32::from_le_bytes(*head), rest))
}

type ReadPayload = fn(&mut &[u8]) -> alloy::rlp::Result<Frame>;

fn payload_of(kind: u8, payload: &[u8]) -> Result<Frame, FrameError> {
    let (name, read): (_, ReadPayload) = match kind {
        1 => ("INIT", init),
        2 => ("GENESIS", genesis),
        3 => ("BLOCK", |list| Ok(Frame::Block { hash: item(list)?, block: raw(list)? })),
        4 => ("RECEIPTS", |list| Ok(Frame::Receipts { hash: item(list)?, receipts: raw(list)? })),
        5 => ("STATE", |list| state(list).map(Frame::State)),
        6 => ("TRIE", |list| Ok(Frame::Trie { hash: item(list)?, nodes: raw(list)? })),
        7 => ("END", |list| Ok(Frame::End { hash: item(list)?, parent: item(list)?, number: item(list)? })),
        8 => ("FAILED", |list| {
            Ok(Frame::Failed { hash: item(list)?, number: item(list)?, error: text(list)? })
        }),
        9 => ("HOLE", hole),
        other => return Err(malformed("unknown", format!("kind {other}"))),
    };
    let mut rest = payload;
    let mut list = Header::decode_bytes(&mut rest, true).map_err(|error| malformed(name, error))?;
    let frame = read(&mut list).map_err(|error| malformed(name, error))?;
    if list.is_empty() && rest.is_empty() { Ok(frame) } else { Err(malformed(name, "trailing bytes")) }
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

/// The next item with its RLP header.
fn raw(list: &mut &[u8]) -> alloy::rlp::Result<Bytes> {
    let start = *list;
    let mut rest = start;
    let header = Header::decode(&mut rest)?;
    let total =
        (start.len() - rest.len()).checked_add(header.payload_length).ok_or(alloy::rlp::Error::Overflow)?;
    let (taken, after) = start.split_at_checked(total).ok_or(alloy::rlp::Error::InputTooShort)?;
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

/// As [`many`] for items that are lists themselves, each of which must be used up.
fn lists<T>(
    list: &mut &[u8],
    mut read: impl FnMut(&mut &[u8]) -> alloy::rlp::Result<T>,
) -> alloy::rlp::Result<Vec<T>> {
    many(list, |items| {
        let mut inner = Header::decode_bytes(items, true)?;
        let value = read(&mut inner)?;
        if inner.is_empty() { Ok(value) } else { Err(alloy::rlp::Error::UnexpectedLength) }
    })
}

fn init(list: &mut &[u8]) -> alloy::rlp::Result<Frame> {
    Ok(Frame::Init { chain_config: text(list)?, client_version: text(list)? })
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
        .map_err(|_| alloy::rlp::Error::UnexpectedLength)?;
    Ok(Frame::Hole { hash, number: item(list)?, reason: text(list)? })
}

fn state(list: &mut &[u8]) -> alloy::rlp::Result<State> {
    let (hash, number, origin_root, root) = (item(list)?, item(list)?, item(list)?, item(list)?);
    let hashed: bool = item(list)?;
    let accounts = lists(list, |list| {
        Ok(AccountRow { address: item(list)?, before: present(list)?, after: present(list)? })
    })?;
    let storage = lists(list, |list| {
        let address = item(list)?;
        let mut slots = lists(list, |list| slot(list, hashed))?;
        slots.sort_unstable_by_key(|row| row.key);
        Ok(StorageRows { address, slots })
    })?;
    let mut codes = lists(list, code)?.into_iter().flatten().collect::<Vec<_>>();
    codes.sort_unstable_by_key(|row| row.hash);
    codes.dedup();
    Ok(State { hash, number, origin_root, root, rows: Rows { accounts, storage, codes } })
}

/// An empty string means "absent".
fn present(list: &mut &[u8]) -> alloy::rlp::Result<Option<Bytes>> {
    let value: Bytes = item(list)?;
    Ok((!value.is_empty()).then_some(value))
}

/// Plain slots (Cancun on) are hashed here, so that every key in a feed is keccak256 of the slot.
fn slot(list: &mut &[u8], hashed: bool) -> alloy::rlp::Result<SlotRow> {
    let key: B256 = item(list)?;
    let (key, plain) = if hashed { (key, None) } else { (keccak256(key), Some(key)) };
    Ok(SlotRow { key, plain, before: present(list)?, after: present(list)? })
}

/// `[address, [hash, code]?, [hash, code]?]`: what counts is the code after.
fn code(list: &mut &[u8]) -> alloy::rlp::Result<Option<CodeRow>> {
    let _address: Address = item(list)?;
    let _before = raw(list)?;
    let mut after = Header::decode_bytes(list, true)?;
    if after.is_empty() {
        return Ok(None);
    }
    let (hash, code): (B256, Bytes) = (item(&mut after)?, item(&mut after)?);
    Ok((!code.is_empty()).then_some(CodeRow { hash, code }))
}

/// Wraps a payload as the hook does: for tests and tools that make spools.
#[must_use]
pub fn wrap(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut content = vec![VERSION, kind];
    content.extend_from_slice(payload);
    let len = u32::try_from(content.len()).unwrap_or(u32::MAX);
    let mut frame = len.to_le_bytes().to_vec();
    frame.extend_from_slice(&crc32c::crc32c(&content).to_le_bytes());
    frame.extend_from_slice(&content);
    frame
}
