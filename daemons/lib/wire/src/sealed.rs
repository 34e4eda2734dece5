//! Entries that only relays can read: the form of the topics `<prefix>.<chain>.bundles` and `<prefix>.<chain>.bundle-fates`.
//!
//! Here is the envelope alone. How it is sealed, and with what, is a relay's business; `FORMAT.md` says it for others.
//!
//! Whoever reads the log must learn nothing but that there are orders: names in clear are keyed hashes, since an open hash
//! would confirm a guess, and a signer's address as the entry's key would tell who trades.

use crate::avro::{DecodeError, Reader, Writer};
use crate::schema;
use maidenlane_chain::{B256, Bytes};
use serde_json::{Value, json};

/// Bytes of what is sealed in every part but the last: with seal and header they fit an entry.
pub const PART_BYTES: usize = 880_000;
/// Maximum length of what is sealed: a bound for a reader's allocations.
pub const WHOLE_MAX_BYTES: u64 = 16 << 20;

/// Kind of what is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SealedKind {
    /// A bundle, a private transaction or a cancel.
    Order,
    /// A fate.
    Fate,
}

/// Header of an entry: all that stands in clear, and that the seal vouches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedHeader {
    /// Id of the key that opens it.
    pub key: [u8; 8],
    /// Kind of what is sealed.
    pub kind: SealedKind,
    /// Keyed hash of its content id.
    pub content: B256,
    /// Random number of the seal, which also tells the parts of one whole from those of all others.
    pub nonce: [u8; 24],
    /// Index of the part, from 0.
    pub index: u32,
    /// Number of parts, at least 1.
    pub count: u32,
    /// Length in bytes of the whole.
    pub whole_len: u64,
}

/// Entry of the topics of relays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Header.
    pub header: SealedHeader,
    /// The part, sealed.
    pub data: Bytes,
}

impl SealedHeader {
    /// Bytes that the seal vouches for, besides the topic and the chain.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        self.write(&mut out);
        out.0
    }

    fn write(&self, out: &mut Writer) {
        out.fixed(&self.key);
        out.long(self.kind as u64);
        out.fixed(self.content.as_slice());
        out.fixed(&self.nonce);
        out.long(self.index.into());
        out.long(self.count.into());
        out.long(self.whole_len);
    }
}

impl Sealed {
    /// Bytes of the entry: Avro single-object encoding, as of records.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::entry(schema::SEALED, 128 + self.data.len());
        self.header.write(&mut out);
        out.bytes(&self.data);
        out.0
    }

    /// Reads one entry of the topics.
    ///
    /// # Errors
    /// When the bytes are not exactly one sealed entry of a known schema.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let input = &mut Reader(bytes);
        match input.fingerprint()? {
            schema::SEALED => {}
            fingerprint => return Err(DecodeError::UnknownSchema { fingerprint }),
        }
        let header = SealedHeader {
            key: input.array_of("key")?,
            kind: match input.long("kind")? {
                0 => SealedKind::Order,
                1 => SealedKind::Fate,
                _ => return Err(DecodeError::Invalid { what: "kind" }),
            },
            content: input.hash("content")?,
            nonce: input.array_of("nonce")?,
            index: input.int("index")?,
            count: input.int("count")?,
            whole_len: input.long("wholeLen")?,
        };
        let data = input.bytes("data")?;
        input.end()?;
        if header.index >= header.count || header.whole_len > WHOLE_MAX_BYTES {
            return Err(DecodeError::Invalid { what: "part" });
        }
        Ok(Self { header, data })
    }

    /// JSON for people: names as in the schema, bytes as hex.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let SealedHeader { key, kind, content, nonce, index, count, whole_len } = self.header;
        json!({
            "record": "Sealed",
            "key": Bytes::copy_from_slice(&key),
            "kind": format!("{kind:?}"),
            "content": content,
            "nonce": Bytes::copy_from_slice(&nonce),
            "index": index,
            "count": count,
            "wholeLen": whole_len,
            "data": self.data,
        })
    }
}
