//! Sealing of what goes into the log, and opening of what comes out of it: XChaCha20-Poly1305, part by part.
//!
//! The disk of the log is not the relay's alone, and the brokers are others' machines. Whoever reads there sees how many
//! orders there are and how large, and whoever writes there can delete and repeat entries, but neither make nor change one,
//! nor move it to another topic or chain: the seal vouches for both and for the whole header.
//!
//! # Why parts are sealed one by one
//! So that a reader holds no more than what is whole or begun, and knows of each part at once whether it is genuine. A
//! part's place among the others is in its header, and the nonce, random and of 24 bytes, tells one whole from all others: a part of
//! one cannot be put into another.

use crate::keyring::{KeyId, Keyring};
use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead as _, Payload};
use maidenlane_wire::sealed::{PART_BYTES, WHOLE_MAX_BYTES};
use maidenlane_wire::{ContentId, DecodeError, Sealed, SealedHeader, SealedKind};
use std::collections::VecDeque;

/// Wholes that lack parts, of which more are not held: their writers were killed while they appended.
const OPEN_MAX: usize = 16;

/// Place that a seal is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name of the topic.
    pub topic: String,
    /// EIP-155 chain id.
    pub chain_id: u64,
}

/// Failure to seal or to open.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Larger than any order may be.
    #[error("seal {bytes} bytes, more than the {WHOLE_MAX_BYTES} that an order may have")]
    TooLarge {
        /// Bytes of the whole.
        bytes: usize,
    },
    /// Sealed with a key that is not here.
    #[error(
        "open an entry that was sealed with key {id}, which the keyring lacks; add it, or wait until the topic no longer \
         keeps what it sealed"
    )]
    UnknownKey {
        /// Id of the key.
        id: KeyId,
    },
    /// Not what a relay sealed for this place.
    #[error("open an entry: it was changed, or was sealed for another topic or chain; see what writes there")]
    Forged,
    /// Not an entry of this topic.
    #[error("read a sealed entry")]
    Entry(#[from] DecodeError),
    /// Parts that do not fit together.
    #[error("join the parts of an entry: {what}")]
    Parts {
        /// Rule that is broken.
        what: &'static str,
    },
    /// The cipher failed, which it does for sizes alone.
    #[error("seal an entry: the cipher refused")]
    Cipher,
}

/// Entries of one whole, in the order in which they are appended, together.
///
/// # Errors
/// When it is too large.
pub fn seal(
    keys: &Keyring,
    place: &Place,
    (kind, content): (SealedKind, ContentId),
    whole: &[u8],
    nonce: [u8; 24],
) -> Result<Vec<Vec<u8>>, Error> {
    let too_large = || Error::TooLarge { bytes: whole.len() };
    let whole_len = u64::try_from(whole.len()).ok().filter(|bytes| *bytes <= WHOLE_MAX_BYTES);
    let whole_len = whole_len.ok_or_else(too_large)?;
    let (id, key) = keys.newest().ok_or(Error::Cipher)?;
    let count = u32::try_from(whole.len().div_ceil(PART_BYTES).max(1)).map_err(|_| too_large())?;
    // An empty whole is one part as well.
    let parts = whole.chunks(PART_BYTES).chain(whole.is_empty().then_some(&[][..]));
    let content = keys.content(content);
    let entry = |(index, part): (u32, &[u8])| {
        let header = SealedHeader { key: id.0, kind, content, nonce, index, count, whole_len };
        let aad = place.aad(&header);
        let sealed = key.encrypt(&part_nonce(&header), Payload { msg: part, aad: &aad });
        let data = sealed.map_err(|_| Error::Cipher)?.into();
        Ok(Sealed { header, data }.encode())
    };
    (0..).zip(parts).map(entry).collect()
}

/// Whole that was sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// Kind.
    pub kind: SealedKind,
    /// Nonce of the seal.
    pub nonce: [u8; 24],
    /// Bytes.
    pub whole: Vec<u8>,
}

/// Nothing of the content.
impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Opener of the entries of one partition.
///
/// Relays share a partition, so that parts of different wholes may stand between each other.
#[derive(Debug)]
pub struct Opener {
    keys: Keyring,
    place: Place,
    open: VecDeque<Open>,
}

/// Whole that lacks parts.
struct Open {
    header: SealedHeader,
    next: u32,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} parts", self.next, self.header.count)
    }
}

impl Opener {
    /// Opener of what was sealed for a place.
    #[must_use]
    pub const fn new(keys: Keyring, place: Place) -> Self {
        Self { keys, place, open: VecDeque::new() }
    }

    /// Takes an entry; returns what was sealed, once all parts of it are there.
    ///
    /// # Errors
    /// When it was not sealed by a relay for this place, or by one whose key is not here.
    pub fn take(&mut self, entry: &[u8]) -> Result<Option<Opened>, Error> {
        let Sealed { header, data } = Sealed::decode(entry)?;
        let id = KeyId(header.key);
        let key = self.keys.find(id).ok_or(Error::UnknownKey { id })?;
        let aad = self.place.aad(&header);
        let part = key.decrypt(&part_nonce(&header), Payload { msg: &data, aad: &aad });
        self.join(header, part.map_err(|_| Error::Forged)?)
    }

    fn join(&mut self, header: SealedHeader, part: Vec<u8>) -> Result<Option<Opened>, Error> {
        let at = self.open.iter().position(|open| open.header.nonce == header.nonce);
        let mut open = match at.and_then(|at| self.open.remove(at)) {
            // A writer that does not know whether it was heard appends all parts again.
            _ if header.index == 0 => Open { header, next: 0, bytes: Vec::new() },
            Some(open) => open,
            // Its first parts are no longer kept, or were never heard of.
            None => return Ok(None),
        };
        if header.index < open.next {
            self.open.push_back(open);
            return Ok(None);
        }
        if header != (SealedHeader { index: header.index, ..open.header }) || header.index != open.next {
            return Err(Error::Parts { what: "one is missing, or of another whole" });
        }
        let len = u64::try_from(open.bytes.len().saturating_add(part.len())).unwrap_or(u64::MAX);
        if len > header.whole_len {
            return Err(Error::Parts { what: "they are longer than the whole" });
        }
        open.bytes.extend_from_slice(&part);
        open.next = open.next.saturating_add(1);
        if open.next == header.count {
            if len < header.whole_len {
                return Err(Error::Parts { what: "they are shorter than the whole" });
            }
            return Ok(Some(Opened { kind: header.kind, nonce: header.nonce, whole: open.bytes }));
        }
        if self.open.len() == OPEN_MAX {
            self.open.pop_front();
        }
        self.open.push_back(open);
        Ok(None)
    }
}

impl Place {
    /// Associated data: all that an entry says in clear, and where it stands.
    fn aad(&self, header: &SealedHeader) -> Vec<u8> {
        let mut aad = self.topic.as_bytes().to_vec();
        aad.push(0);
        aad.extend(self.chain_id.to_be_bytes());
        aad.extend(header.encode());
        aad
    }
}

/// Nonce of a part: that of the whole, with the index in its last four bytes.
fn part_nonce(header: &SealedHeader) -> XNonce {
    let mut nonce = header.nonce;
    nonce.iter_mut().rev().zip(header.index.to_le_bytes()).for_each(|(byte, index)| *byte ^= index);
    XNonce::from(nonce)
}

#[cfg(test)]
mod tests;
