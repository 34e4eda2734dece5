//! Beats of relays that share a log: who lives, and how far each has read.
//!
//! No entries of a log as they are: [`Sealed`](crate::Sealed) ones hold them, in the topic of fates. Who reads the log sees neither how
//! many relays there are nor what they have read.

use crate::avro::{DecodeError, Reader, Writer};
use crate::record::Id;
use crate::schema;
use maidenlane_chain::Bytes;
use serde_json::{Value, json};

/// Partitions of which a beat may speak: a bound for a reader's memory.
const PARTITIONS_MAX: usize = 1_024;

/// Beat of a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayBeat {
    /// Relay.
    pub relay: Id,
    /// For each partition of the topic of orders the first offset that it has not acted on.
    pub read: Vec<u64>,
    /// True if it stops, and sends nothing more.
    pub ends: bool,
    /// Unix time in milliseconds.
    pub at_ms: u64,
}

impl RelayBeat {
    /// True for bytes that say that they are one.
    #[must_use]
    pub fn is_one(bytes: &[u8]) -> bool {
        Reader(bytes).fingerprint() == Ok(schema::RELAY_BEAT)
    }

    /// Bytes to be sealed: Avro single-object encoding, as of records.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::entry(schema::RELAY_BEAT, 64 + 10 * self.read.len());
        out.fixed(&self.relay);
        out.array(&self.read, |out, offset| out.long(*offset));
        out.boolean(self.ends);
        out.long(self.at_ms);
        out.0
    }

    /// Reads what was sealed.
    ///
    /// # Errors
    /// When the bytes are not exactly one beat of a known schema.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let input = &mut Reader(bytes);
        match input.fingerprint()? {
            schema::RELAY_BEAT => {}
            fingerprint => return Err(DecodeError::UnknownSchema { fingerprint }),
        }
        let beat = Self {
            relay: input.array_of("relay")?,
            read: input.array("read", 1, |input| input.long("read"))?,
            ends: input.boolean("ends")?,
            at_ms: input.long("atMs")?,
        };
        input.end()?;
        if beat.read.len() > PARTITIONS_MAX {
            return Err(DecodeError::Invalid { what: "read" });
        }
        Ok(beat)
    }

    /// JSON for people who may see it: names as in the schema, bytes as hex.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "record": "RelayBeat",
            "relay": Bytes::copy_from_slice(&self.relay),
            "read": self.read,
            "ends": self.ends,
            "atMs": self.at_ms,
        })
    }
}
