//! The master's pool of transactions: entries of the topic `<prefix>.<chain>.<feed>.pool`.
//!
//! Not records of a feed: they have no place among its blocks. Only the tap that owns the feed's epoch writes them.
//!
//! # Why a set
//! An entry says that a transaction is in the pool, or no longer. What of it can go into the next block and what waits for
//! a nonce follows from a set of transactions and the nonces of a state, as in geth itself: a reader that has both
//! answers for its own head, whatever the tap has seen meanwhile. `Pending` and `Promoted` tell what geth announced.

use crate::avro::{DecodeError, Reader, Writer};
use crate::encode::block;
use crate::{decode, schema};
use maidenlane_chain::{Address, B256, BlockRef, Bytes};
use serde_json::{Value, json};

/// Size of the largest entry: geth takes transactions of 128 KiB, blobs not counted.
pub const ENTRY_MAX_BYTES: usize = 200_000;

/// A change of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolChange {
    /// Epoch of the feed whose writer wrote this.
    pub epoch: u64,
    /// Number within the epoch, without gaps as long as every append is acknowledged.
    pub seq: u64,
    /// Content of the change.
    pub step: PoolStep,
    /// Unix time in milliseconds at which this was written.
    pub at_ms: u64,
}

/// Content of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are those of the schema, and documented there")]
pub enum PoolStep {
    /// All that is in the pool follows.
    Begin,
    /// A transaction is in the pool, `queued` if geth has not announced it as executable.
    Added { pooled: Pooled, queued: bool },
    /// A queued transaction was announced as executable.
    Promoted { hash: B256 },
    /// A block holds it.
    Mined { hash: B256, block: BlockRef },
    /// Another one of the same sender with the same nonce has taken its place in the pool.
    Replaced { hash: B256, by: B256 },
    /// Out of the pool, for a reason that is proved, or an unknown one.
    Dropped { hash: B256, reason: Option<String> },
    /// All that is in the pool has been told.
    Complete,
    /// Nothing has changed: the pool is still watched.
    Alive,
}

/// Transaction of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pooled {
    /// keccak256 of its consensus form.
    pub hash: B256,
    /// Address of the signer.
    pub sender: Address,
    /// Form in which a block would hold it: typed envelope, without blobs.
    pub raw: Bytes,
}

/// Fields of the schema that a step fills.
#[derive(Default)]
struct Fields<'a> {
    hash: Option<&'a B256>,
    sender: Option<&'a Address>,
    raw: Option<&'a Bytes>,
    by: Option<&'a B256>,
    reason: Option<&'a str>,
    block: Option<&'a BlockRef>,
}

impl PoolStep {
    /// Symbol of the schema, and its place there.
    const fn symbol(&self) -> (u64, &'static str) {
        match self {
            Self::Begin => (0, "Begin"),
            Self::Added { queued: false, .. } => (1, "Pending"),
            Self::Added { queued: true, .. } => (2, "Queued"),
            Self::Promoted { .. } => (3, "Promoted"),
            Self::Mined { .. } => (4, "Mined"),
            Self::Replaced { .. } => (5, "Replaced"),
            Self::Dropped { .. } => (6, "Dropped"),
            Self::Complete => (7, "Complete"),
            Self::Alive => (8, "Alive"),
        }
    }

    fn fields(&self) -> Fields<'_> {
        let none = Fields::default();
        match self {
            Self::Begin | Self::Complete | Self::Alive => none,
            Self::Added { pooled: Pooled { hash, sender, raw }, .. } => {
                Fields { hash: Some(hash), sender: Some(sender), raw: Some(raw), ..none }
            }
            Self::Promoted { hash } => Fields { hash: Some(hash), ..none },
            Self::Mined { hash, block } => Fields { hash: Some(hash), block: Some(block), ..none },
            Self::Replaced { hash, by } => Fields { hash: Some(hash), by: Some(by), ..none },
            Self::Dropped { hash, reason } => Fields { hash: Some(hash), reason: reason.as_deref(), ..none },
        }
    }
}

impl PoolChange {
    /// Bytes of the entry: Avro single-object encoding, as of records.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Fields { hash, sender, raw, by, reason, block: at } = self.step.fields();
        let mut out = Writer::entry(schema::POOL_CHANGE, 120 + raw.map_or(0, |raw| raw.len()));
        out.long(self.epoch);
        out.long(self.seq);
        out.long(self.step.symbol().0);
        out.option(hash, |out, hash| out.fixed(hash.as_slice()));
        out.option(sender, |out, sender| out.fixed(sender.as_slice()));
        out.option(raw, |out, raw| out.bytes(raw));
        out.option(by, |out, by| out.fixed(by.as_slice()));
        out.option(reason.as_ref(), |out, reason| out.bytes(reason.as_bytes()));
        out.option(at, block);
        out.long(self.at_ms);
        out.0
    }

    /// Reads one entry of the topic.
    ///
    /// # Errors
    /// When the bytes are not exactly one change of a known schema, or lack what its step says.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let input = &mut Reader(bytes);
        match input.fingerprint()? {
            schema::POOL_CHANGE => {}
            fingerprint => return Err(DecodeError::UnknownSchema { fingerprint }),
        }
        let (epoch, seq) = (input.long("epoch")?, input.long("seq")?);
        let step = step(input)?;
        let at_ms = input.long("atMs")?;
        input.end()?;
        Ok(Self { epoch, seq, step, at_ms })
    }

    /// JSON for people: names as in the schema, bytes as hex.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let Fields { hash, sender, raw, by, reason, block } = self.step.fields();
        json!({
            "record": "PoolChange",
            "epoch": self.epoch,
            "seq": self.seq,
            "step": self.step.symbol().1,
            "hash": hash,
            "sender": sender,
            "raw": raw,
            "by": by,
            "reason": reason,
            "block": block.map(|block| json!({ "number": block.number, "hash": block.hash })),
            "atMs": self.at_ms,
        })
    }
}

fn step(input: &mut Reader<'_>) -> Result<PoolStep, DecodeError> {
    let index = input.long("step")?;
    let hash = input.option("hash", Reader::hash)?;
    let sender = input.option("sender", Reader::address)?;
    let raw = input.option("raw", Reader::bytes)?;
    let by = input.option("by", Reader::hash)?;
    let reason = input.option("reason", Reader::string)?;
    let block = input.option("block", decode::block)?;
    let lacks = |what| DecodeError::Invalid { what };
    let hash = || hash.ok_or(lacks("hash"));
    Ok(match index {
        0 => PoolStep::Begin,
        1 | 2 => PoolStep::Added {
            pooled: Pooled {
                hash: hash()?,
                sender: sender.ok_or(lacks("sender"))?,
                raw: raw.ok_or(lacks("raw"))?,
            },
            queued: index == 2,
        },
        3 => PoolStep::Promoted { hash: hash()? },
        4 => PoolStep::Mined { hash: hash()?, block: block.ok_or(lacks("block"))? },
        5 => PoolStep::Replaced { hash: hash()?, by: by.ok_or(lacks("by"))? },
        6 => PoolStep::Dropped { hash: hash()?, reason },
        7 => PoolStep::Complete,
        8 => PoolStep::Alive,
        _ => return Err(lacks("step")),
    })
}
