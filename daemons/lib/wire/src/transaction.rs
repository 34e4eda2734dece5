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
    /// Word by which an emitter chooses a route.
    pub tag: Option<String>,
    /// Name of the caller who sent it, as the replica knew it.
    pub identity: Option<String>,
}

impl Transaction {
    /// Bytes of the entry: Avro single-object encoding, as of records. In the first schema where that can say it all, for
    /// readers that know no other.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let is_first = self.tag.is_none() && self.identity.is_none();
        let schema = if is_first { schema::TRANSACTION } else { schema::TRANSACTION_2 };
        let mut out = Writer::entry(schema, self.raw.len() + 150);
        out.fixed(self.hash.as_slice());
        out.fixed(self.sender.as_slice());
        out.bytes(&self.raw);
        out.long(self.taken_ms);
        if !is_first {
            out.option(self.tag.as_ref(), |out, tag| out.bytes(tag.as_bytes()));
            out.option(self.identity.as_ref(), |out, identity| out.bytes(identity.as_bytes()));
        }
        out.0
    }

    /// Reads one entry of the topic.
    ///
    /// # Errors
    /// When the bytes are not exactly one transaction of a known schema.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let input = &mut Reader(bytes);
        let is_first = match input.fingerprint()? {
            schema::TRANSACTION => true,
            schema::TRANSACTION_2 => false,
            fingerprint => return Err(DecodeError::UnknownSchema { fingerprint }),
        };
        let mut transaction = Self {
            hash: input.hash("hash")?,
            sender: input.address("sender")?,
            raw: input.bytes("raw")?,
            taken_ms: input.long("takenMs")?,
            tag: None,
            identity: None,
        };
        if !is_first {
            transaction.tag = input.option("tag", Reader::string)?;
            transaction.identity = input.option("identity", Reader::string)?;
        }
        input.end()?;
        Ok(transaction)
    }

    /// JSON for people: names as in the schema, bytes as hex.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let Self { hash, sender, raw, taken_ms, tag, identity } = self;
        if tag.is_none() && identity.is_none() {
            return json!({
                "record": "Transaction", "hash": hash, "sender": sender, "raw": raw, "takenMs": taken_ms,
            });
        }
        json!({
            "record": "Transaction", "hash": hash, "sender": sender, "raw": raw, "takenMs": taken_ms, "tag": tag,
            "identity": identity,
        })
    }
}
