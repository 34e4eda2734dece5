//! Transactions that replicas refused at their doors: entries of the topic `<prefix>.<chain>.outcomes`, beside the fates of
//! those that were taken.
//!
//! # Why no fate
//! A refused transaction is on nobody's way, and the same one may be taken a moment later, or be in a block already: a
//! rejection among its fates would end it for every emitter that reads them.

use crate::avro::{DecodeError, Reader, Writer};
use crate::schema;
use maidenlane_chain::{Address, B256, Bytes};
use serde_json::{Value, json};

/// A transaction that a replica did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// keccak256 of the transaction's consensus form.
    pub hash: B256,
    /// Address of the signer.
    pub sender: Address,
    /// Reason in the replica's words.
    pub reason: String,
    /// The transaction as a block would hold it; empty where that is too long for any node.
    pub raw: Bytes,
    /// Name of the caller who sent it, as the replica knew it.
    pub identity: Option<String>,
    /// Number of refusals of the same caller's that were told nobody before this one.
    pub omitted: u64,
    /// Unix time in milliseconds at which this was written.
    pub at_ms: u64,
}

impl Refusal {
    /// Bytes of the entry: Avro single-object encoding, as of records.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::entry(schema::REFUSAL, 150 + self.reason.len() + self.raw.len());
        out.fixed(self.hash.as_slice());
        out.fixed(self.sender.as_slice());
        out.bytes(self.reason.as_bytes());
        out.bytes(&self.raw);
        out.option(self.identity.as_ref(), |out, identity| out.bytes(identity.as_bytes()));
        out.long(self.omitted);
        out.long(self.at_ms);
        out.0
    }

    /// True if an entry of the topic is a refusal, whatever else is in it.
    #[must_use]
    pub fn is_one(bytes: &[u8]) -> bool {
        Reader(bytes).fingerprint() == Ok(schema::REFUSAL)
    }

    /// Reads one entry of the topic.
    ///
    /// # Errors
    /// When the bytes are not exactly one refusal of a known schema.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let input = &mut Reader(bytes);
        match input.fingerprint()? {
            schema::REFUSAL => {}
            fingerprint => return Err(DecodeError::UnknownSchema { fingerprint }),
        }
        let refusal = Self {
            hash: input.hash("hash")?,
            sender: input.address("sender")?,
            reason: input.string("reason")?,
            raw: input.bytes("raw")?,
            identity: input.option("identity", Reader::string)?,
            omitted: input.long("omitted")?,
            at_ms: input.long("atMs")?,
        };
        input.end()?;
        Ok(refusal)
    }

    /// JSON for people: names as in the schema, bytes as hex.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let Self { hash, sender, reason, raw, identity, omitted, at_ms } = self;
        json!({
            "record": "Refusal", "hash": hash, "sender": sender, "reason": reason, "raw": raw, "identity": identity,
            "omitted": omitted, "atMs": at_ms,
        })
    }
}
