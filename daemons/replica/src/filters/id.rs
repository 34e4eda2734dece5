//! A filter's id: the SHA-256 of its description, which is in the topic under a MAC. 32 bytes, because some clients
//! keep an id as a number of 256 bits; for their sake none begins with a zero digit, which they would lose.
//!
//! A description is `version(1) kind(1) owner(8) created_ms(8) number(8) hash(32) nonce(16) criteria(..) mac(16)`,
//! integers big-endian; in version 1 there is no owner. The MAC also covers the topic's name, so that one key may serve several deployments.

use super::cursors::Ms;
use hmac::{Hmac, Mac as _};
use maidenlane_chain::{B256, BlockRef};
use sha2::{Digest as _, Sha256};

const VERSION: u8 = 2;
/// Version without owners, which are read as one.
const WITHOUT_OWNER: u8 = 1;
pub(crate) const NONCE_BYTES: usize = 16;
const MAC_BYTES: usize = 16;
const FIXED_BYTES: usize = 1 + 1 + 8 + 8 + 8 + 32 + NONCE_BYTES;

/// SHA-256 of a filter's description.
pub(crate) type Id = B256;

/// Tag of a filter's owner, which says nothing to those without the key.
pub(crate) type OwnerTag = u64;

/// Kind of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Blocks,
    PendingTransactions,
    /// Logs by these criteria: the client's JSON.
    Logs(String),
}

/// Description of a filter: all that is fixed when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) kind: Kind,
    pub(crate) owner: OwnerTag,
    pub(crate) created: Ms,
    pub(crate) start: BlockRef,
    pub(crate) nonce: [u8; NONCE_BYTES],
}

/// Signer of descriptions, the same on all replicas that share filters.
pub(crate) struct Signer {
    /// Signing key of at least 32 bytes, as is checked when it is read.
    pub(crate) secret: Vec<u8>,
    /// Topic name, which the MAC covers: one key may serve several chains.
    pub(crate) realm: String,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Signer").field("realm", &self.realm).finish_non_exhaustive()
    }
}

impl Kind {
    fn parts(&self) -> (u8, &[u8]) {
        match self {
            Self::Blocks => (0, &[]),
            Self::PendingTransactions => (1, &[]),
            Self::Logs(criteria) => (2, criteria.as_bytes()),
        }
    }

    fn read(kind: u8, criteria: &[u8]) -> Option<Self> {
        match (kind, criteria) {
            (0, []) => Some(Self::Blocks),
            (1, []) => Some(Self::PendingTransactions),
            (2, text) => Some(Self::Logs(str::from_utf8(text).ok()?.to_owned())),
            _ => None,
        }
    }
}

impl Description {
    /// Encodes and signs the description for the topic, and derives the filter's id; `None` where that begins with a
    /// zero: take another nonce.
    pub(crate) fn write(&self, signer: &Signer) -> Option<(Id, Vec<u8>)> {
        let (kind, criteria) = self.kind.parts();
        let mut bytes = Vec::with_capacity(FIXED_BYTES + criteria.len() + MAC_BYTES);
        bytes.extend_from_slice(&[VERSION, kind]);
        bytes.extend_from_slice(&self.owner.to_be_bytes());
        bytes.extend_from_slice(&self.created.to_be_bytes());
        bytes.extend_from_slice(&self.start.number.to_be_bytes());
        bytes.extend_from_slice(self.start.hash.as_slice());
        bytes.extend_from_slice(&self.nonce);
        bytes.extend_from_slice(criteria);
        let mac = signer.mac(&bytes)?.finalize().into_bytes();
        bytes.extend_from_slice(mac.get(..MAC_BYTES)?);
        Some((hash(&bytes), bytes)).filter(|(id, _)| id.first().is_some_and(|first| *first >= 0x10))
    }

    /// Decodes a description and checks its MAC; `None` when no replica of this deployment made it: to the client a
    /// filter that does not exist.
    pub(crate) fn read(bytes: &[u8], signer: &Signer) -> Option<Self> {
        let (signed, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
        signer.mac(signed)?.verify_truncated_left(mac).ok()?;
        let (&[version, kind], rest) = signed.split_first_chunk::<2>()?;
        let (owner, rest) = match version {
            VERSION => rest.split_first_chunk::<8>()?,
            WITHOUT_OWNER => (&[0; 8], rest),
            _ => return None,
        };
        let (created, rest) = rest.split_first_chunk::<8>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (hash, rest) = rest.split_first_chunk::<32>()?;
        let (nonce, criteria) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let start = BlockRef::new(u64::from_be_bytes(*number), B256::from(*hash));
        let (kind, owner) = (Kind::read(kind, criteria)?, u64::from_be_bytes(*owner));
        Some(Self { kind, owner, created: u64::from_be_bytes(*created), start, nonce: *nonce })
    }
}

/// SHA-256.
pub(crate) fn hash(bytes: &[u8]) -> B256 {
    B256::from(<[u8; 32]>::from(Sha256::digest(bytes)))
}

impl Signer {
    /// Tag of an owner, by name.
    pub(crate) fn owner(&self, name: &str) -> OwnerTag {
        let tag = self.mac(name.as_bytes()).map(|mac| mac.finalize().into_bytes());
        tag.and_then(|tag| tag.first_chunk().copied()).map_or(0, u64::from_be_bytes)
    }

    fn mac(&self, signed: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).ok()?;
        mac.update(b"maidenlane filter");
        mac.update(self.realm.as_bytes());
        mac.update(signed);
        Some(mac)
    }
}

#[cfg(test)]
mod tests;
