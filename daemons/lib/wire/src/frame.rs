//! Frames that the hook inside geth writes to the spool.
//!
//! `len: u32le | crc32c: u32le | version: u8 | kind: u8 | payload`, where `len` counts from the version to the end
//! and the checksum covers the same bytes. The payload is one RLP list; see `FORMAT.md`.

mod payload;
mod write;

use crate::proofs::NodeRow;
use crate::rows::Rows;
use maidenlane_chain::{Address, B256, Bytes};

pub use write::encode;

/// Version of all frames, but for the one below.
const VERSION: u8 = 1;
/// Version of a BLOCK frame with senders.
const WITH_SENDERS: u8 = 2;
/// Kind of BLOCK frames.
const BLOCK: u8 = 3;
/// Maximum length of a frame: a bound for a reader's allocations, far above any block.
pub const FRAME_MAX_BYTES: usize = 1 << 30;
/// Bytes in front of a frame's payload.
pub const OVERHEAD_BYTES: usize = 10;
/// Bytes of length and checksum.
const PREFIX_BYTES: usize = 8;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are described in FORMAT.md")]
pub enum Frame {
    /// Start of geth; also the first frame of every segment.
    Init { chain_config: String, client_version: String },
    /// Block 0 and its allocation.
    Genesis { block: Bytes, alloc: Vec<Allocation> },
    /// Block that was executed; without senders where an older hook wrote it.
    Block { hash: B256, block: Bytes, senders: Option<Vec<Address>> },
    /// Receipts of the block: consensus RLP list.
    Receipts { hash: B256, receipts: Bytes },
    /// State changes of the block.
    State(State),
    /// Trie nodes it changed: sorted by owner and path, none twice, none that is as it was.
    Trie { hash: B256, nodes: Vec<NodeRow> },
    /// End of a block: all its frames were written.
    End { hash: B256, parent: B256, number: u64 },
    /// Failure: a block turned out invalid.
    Failed { hash: B256, number: u64, error: String },
    /// Hole: something is missing here, with the reason.
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
    /// Height.
    pub number: u64,
    /// State root before.
    pub origin_root: B256,
    /// State root after.
    pub root: B256,
    /// Rows, with keys normalised to keccak256.
    pub rows: Rows,
}

/// A frame whose length, checksum and version are right, and whose payload was not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked<'a> {
    /// Kind.
    pub kind: u8,
    /// RLP list.
    pub payload: &'a [u8],
}

/// Heading of a frame: as much as it takes to index it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are described in FORMAT.md")]
pub enum Heading {
    Init { chain_config: String, client_version: String },
    Genesis,
    Block { hash: B256 },
    Receipts { hash: B256 },
    State { hash: B256, origin_root: B256, root: B256 },
    Trie { hash: B256 },
    End { hash: B256, parent: B256, number: u64 },
    Failed,
    Hole,
}

/// Error of bytes that are no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "fields are named in the texts")]
pub enum FrameError {
    /// The bytes end before the frame does: a torn tail if nothing follows.
    #[error("frame is incomplete")]
    Incomplete,
    /// The checksum does not match.
    #[error("frame checksum is {found:08x}, expected {expected:08x}")]
    Checksum { expected: u32, found: u32 },
    /// The length is impossible.
    #[error("frame length {len} is impossible")]
    Length { len: u32 },
    /// The frame was written by another version of the hook.
    #[error("frame version {version} is unknown: a newer hook wrote it")]
    Version { version: u8 },
    /// The payload is not what its kind promises.
    #[error("{kind} frame is malformed: {what}")]
    Malformed { kind: &'static str, what: String },
}

impl Checked<'_> {
    /// Decodes the frame.
    ///
    /// # Errors
    /// [`FrameError::Malformed`].
    pub fn decode(&self) -> Result<Frame, FrameError> {
        payload::read(self.kind, self.payload)
    }

    /// Decodes the frame without its content.
    ///
    /// # Errors
    /// [`FrameError::Malformed`], as far as it is looked at.
    pub fn heading(&self) -> Result<Heading, FrameError> {
        payload::heading(self.kind, self.payload)
    }
}

/// Reads the frame at the front of `bytes`; returns it and its length.
///
/// # Errors
/// [`FrameError::Incomplete`] when more bytes may follow, any other when these are not a frame.
pub fn read(bytes: &[u8]) -> Result<(Frame, usize), FrameError> {
    let (checked, consumed) = check(bytes)?;
    Ok((checked.decode()?, consumed))
}

/// Checks the frame at the front of `bytes`; returns it undecoded and its length.
///
/// # Errors
/// As [`read`].
pub fn check(bytes: &[u8]) -> Result<(Checked<'_>, usize), FrameError> {
    let (content, consumed) = content(bytes)?;
    match content {
        [VERSION, kind, payload @ ..] | [WITH_SENDERS, kind @ BLOCK, payload @ ..] => {
            Ok((Checked { kind: *kind, payload }, consumed))
        }
        [version, ..] => Err(FrameError::Version { version: *version }),
        [] => Err(FrameError::Length { len: 0 }),
    }
}

/// Checked bytes of the frame at the front, from its version on, and the frame's length.
fn content(bytes: &[u8]) -> Result<(&[u8], usize), FrameError> {
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
    Ok((content, PREFIX_BYTES + size))
}

/// True if `rest`, the bytes behind the last good frame of a closed segment, is a torn tail: no sound frame begins
/// anywhere in it. Otherwise something in the middle was damaged, if only a length that now points past the end.
#[must_use]
pub fn is_torn_tail(rest: &[u8]) -> bool {
    // Version and kind first, so that only what looks like a frame has its checksum taken.
    let sound = |from: usize| {
        rest.get(from..).is_some_and(|bytes| {
            let looks = bytes.get(PREFIX_BYTES..OVERHEAD_BYTES);
            matches!(looks, Some([VERSION, 1..=9] | [WITH_SENDERS, BLOCK])) && content(bytes).is_ok()
        })
    };
    !(0..rest.len()).any(sound)
}

fn split_u32(bytes: &[u8]) -> Result<(u32, &[u8]), FrameError> {
    let (head, rest) = bytes.split_first_chunk::<4>().ok_or(FrameError::Incomplete)?;
    Ok((u32::from_le_bytes(*head), rest))
}

/// Wraps a payload as the hook does: for tests and tools that make spools.
#[must_use]
pub fn wrap(kind: u8, payload: &[u8]) -> Vec<u8> {
    wrapped(VERSION, kind, payload)
}

fn wrapped(version: u8, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut content = vec![version, kind];
    content.extend_from_slice(payload);
    let len = u32::try_from(content.len()).unwrap_or(u32::MAX);
    let mut frame = len.to_le_bytes().to_vec();
    frame.extend_from_slice(&crc32c::crc32c(&content).to_le_bytes());
    frame.extend_from_slice(&content);
    frame
}

#[cfg(test)]
pub(crate) mod tests;
