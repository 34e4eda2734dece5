//! Transactions on their way to the nodes: entries of the topic `<prefix>.<chain>.transactions`.
//!
//! Not records of a feed: any replica appends, so they have no stamp and no sequence. The log's order is the order in
//! which they were taken, per sender, whose address is the entry's key.

use crate::avro::{DecodeError, Reader, Writer};
use crate::schema;
use maidenlane_chain::{Address, B256, Bytes};
use serde_json::{Value, json};

/// Size of the largest entry, with the sender's address as its key: the least that a topic may be made with.
pub const ENTRY_MAX_BYTES: usize = 1_000_000;

/// A transaction that was checked and taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// keccak256 of its consensus form.
    pub hash: B256,
    /// Address of the signer.
    pub sender: Address,
    /// Form in which nodes pass it on: typed envelope, blobs with commitments and proofs.
    pub raw: Bytes,
    /// Unix time in milliseconds at which it was taken.
    pub taken_ms: u64,
}

impl Transaction {
    /// Bytes of the entry: Avro single-object encoding, as of records.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::entry(schema::TRANSACTION, self.raw.len() + 80);
        out.fixed(self.hash.as_slice());
        out.fixed(self.sender.as_slice());
        out.bytes(&self.raw);
        out.long(self.taken_ms);
        out.0
    }

    /// Reads one entry of the topic.
    ///
    /// # Errors
    /// When the bytes are not exactly one transaction of a known schema.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let input = &mut Reader(bytes);
        match input.fingerprint()? {
            schema::TRANSACTION => {}
            fingerprint => return Err(DecodeError::UnknownSchema { fingerprint }),
        }
        let transaction = Self {
            hash: input.hash("hash")?,
            sender: input.address("sender")?,
            raw: input.bytes("raw")?,
            taken_ms: input.long("takenMs")?,
        };
        input.end()?;
        Ok(transaction)
    }

    /// JSON for people: names as in the schema, bytes as hex.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "record": "Transaction",
            "hash": self.hash,
            "sender": self.sender,
            "raw": self.raw,
            "takenMs": self.taken_ms,
        })
    }
}
