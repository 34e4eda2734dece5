//! A filter's id: all that a replica must know that never saw the filter made, under a MAC.
//!
//! `version(1) kind(1) created_ms(8) number(8) hash(32) nonce(16) criteria(..) mac(16)`, integers big-endian, as hex.
//! The MAC also covers the topic's name, so that one key may serve several deployments.

use super::cursors::{Made, Ms};
use hmac::{Hmac, Mac as _};
use maidenlane_chain::{B256, BlockRef};
use sha2::{Digest as _, Sha256};

const VERSION: u8 = 1;
pub(crate) const NONCE_BYTES: usize = 16;
const MAC_BYTES: usize = 16;
/// Longer criteria are in the `filters` topic, and their hash in the id.
pub(crate) const CRITERIA_MAX_BYTES: usize = 1_000;
const FIXED_BYTES: usize = 1 + 1 + 8 + 8 + 32 + NONCE_BYTES;

/// What a filter tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Blocks,
    PendingTransactions,
    /// Logs by these criteria: the client's JSON.
    Logs(String),
    /// Logs by criteria that are too long for an id: the SHA-256 of the JSON.
    LogsByHash(B256),
}

/// A filter as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Id {
    pub(crate) kind: Kind,
    pub(crate) created: Ms,
    pub(crate) start: BlockRef,
    pub(crate) nonce: [u8; NONCE_BYTES],
}

/// What all replicas of a deployment share.
pub(crate) struct Signer {
    /// At least 32 bytes, by the settings' check.
    pub(crate) secret: Vec<u8>,
    /// The topic: one key may serve several chains.
    pub(crate) realm: String,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Signer").field("realm", &self.realm).finish_non_exhaustive()
    }
}

impl Kind {
    /// For logs: the criteria themselves, or their hash when they are long.
    pub(crate) fn logs(criteria: String) -> Self {
        if criteria.len() <= CRITERIA_MAX_BYTES {
            return Self::Logs(criteria);
        }
        Self::LogsByHash(hash(criteria.as_bytes()))
    }

    fn parts(&self) -> (u8, &[u8]) {
        match self {
            Self::Blocks => (0, &[]),
            Self::PendingTransactions => (1, &[]),
            Self::Logs(criteria) => (2, criteria.as_bytes()),
            Self::LogsByHash(hash) => (3, hash.as_slice()),
        }
    }

    fn read(kind: u8, criteria: &[u8]) -> Option<Self> {
        match (kind, criteria) {
            (0, []) => Some(Self::Blocks),
            (1, []) => Some(Self::PendingTransactions),
            (2, text) => Some(Self::Logs(str::from_utf8(text).ok()?.to_owned())),
            (3, hash) => Some(Self::LogsByHash(B256::try_from(hash).ok()?)),
            _ => None,
        }
    }
}

impl Id {
    /// As the client gets it.
    pub(crate) fn write(&self, signer: &Signer) -> Option<String> {
        let (kind, criteria) = self.kind.parts();
        let mut bytes = vec![VERSION, kind];
        bytes.extend_from_slice(&self.created.to_be_bytes());
        bytes.extend_from_slice(&self.start.number.to_be_bytes());
        bytes.extend_from_slice(self.start.hash.as_slice());
        bytes.extend_from_slice(&self.nonce);
        bytes.extend_from_slice(criteria);
        let mac = signer.mac(&bytes)?.finalize().into_bytes();
        bytes.extend_from_slice(mac.get(..MAC_BYTES)?);
        Some(alloy::hex::encode_prefixed(bytes))
    }

    /// `None` when no replica of this deployment made it: to the client a filter that does not exist.
    pub(crate) fn read(text: &str, signer: &Signer) -> Option<Self> {
        let longest = FIXED_BYTES + CRITERIA_MAX_BYTES + MAC_BYTES;
        let digits = text.strip_prefix("0x").filter(|digits| digits.len() <= longest * 2)?;
        let bytes = alloy::hex::decode(digits).ok()?;
        let (signed, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
        signer.mac(signed)?.verify_truncated_left(mac).ok()?;
        let (&[version, kind], rest) = signed.split_first_chunk::<2>()?;
        let (created, rest) = rest.split_first_chunk::<8>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (hash, rest) = rest.split_first_chunk::<32>()?;
        let (nonce, criteria) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let start = BlockRef::new(u64::from_be_bytes(*number), B256::from(*hash));
        let kind = Kind::read(kind, criteria).filter(|_| version == VERSION)?;
        Some(Self { kind, created: u64::from_be_bytes(*created), start, nonce: *nonce })
    }

    /// The filter in the topic's words. The key is of what the MAC covers, not of the text: hex has two cases.
    pub(crate) fn made(&self, signer: &Signer) -> Option<Made> {
        let text = self.write(signer)?;
        Some(Made { filter: hash(text.as_bytes()), start: self.start, created: self.created })
    }
}

/// SHA-256.
pub(crate) fn hash(bytes: &[u8]) -> B256 {
    B256::from(<[u8; 32]>::from(Sha256::digest(bytes)))
}

impl Signer {
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
