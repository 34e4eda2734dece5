//! Fates of transactions: entries of the topic `<prefix>.<chain>.outcomes`.
//!
//! Not records of a feed: emitters and replicas append, and the sender's address is the entry's key, as in the topic of
//! transactions, so that one partition of the one topic speaks of the same transactions as that partition of the other.
//!
//! # Why rounds
//! The topic is at-least-once: after a crash a fate is told again. So an outcome has an id, and readers drop what they
//! have seen. Without a number for how often a fate was taken back, a transaction that a reorganisation took out of a
//! block and another put into the same block again would be told as out of it for good.

use crate::avro::{DecodeError, Reader, Writer};
use crate::encode::block;
use crate::{decode, schema};
use maidenlane_chain::{Address, B256, BlockRef, Bytes};
use serde_json::{Value, json};

/// Length of the longest reason: what is longer is cut by whoever writes it.
pub const REASON_MAX_BYTES: usize = 1_024;

/// The reason, cut to what an entry may hold.
#[must_use]
pub fn short_reason(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(REASON_MAX_BYTES));
    reason
}

/// A change of a transaction's fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// keccak256 of the transaction's consensus form.
    pub hash: B256,
    /// Address of the signer.
    pub sender: Address,
    /// Number from 0, one more each time that a fate was taken back: by a reorganisation, or because the transaction was
    /// sent again after a verdict.
    pub round: u64,
    /// Change of the transaction's fate.
    pub fate: Fate,
    /// The transaction as a block would hold it, of one that is rejected.
    pub raw: Option<Bytes>,
    /// Unix time in milliseconds at which this was written.
    pub at_ms: u64,
}

/// Fate of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are those of the schema, and documented there")]
pub enum Fate {
    /// An emitter has it, found it sound, and delivers it.
    Received,
    /// A node has answered.
    Sent { upstream: String, class: String, reason: Option<String> },
    /// At least one node has it in its pool.
    Accepted,
    /// No node takes it: the verdict that counts.
    Rejected { class: String, reason: String },
    /// Another one with its nonce is in a block.
    Replaced { by: B256, block: BlockRef },
    /// Out of a pool, for a reason that can be proved.
    Dropped { reason: String, by: Option<B256> },
    /// A block holds it.
    Mined { block: BlockRef },
    /// The block that held it, or the one that replaced it, is no longer on the chain.
    ReorgedOut { block: BlockRef },
    /// The block that holds it, or the one that replaced it, is final.
    Final { block: BlockRef },
    /// Sent no longer: the time for that is over, though a pool may hold it.
    Expired,
}

/// Id of an outcome: of several with the same one the first counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutcomeId {
    hash: B256,
    round: u64,
    fate: u64,
    upstream: Option<String>,
    class: Option<String>,
    block: Option<B256>,
}

/// Fields of the schema that a fate fills.
#[derive(Default)]
struct Fields<'a> {
    upstream: Option<&'a str>,
    class: Option<&'a str>,
    reason: Option<&'a str>,
    block: Option<&'a BlockRef>,
    by: Option<&'a B256>,
}

impl Fate {
    /// Symbol of the schema.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Received => "Received",
            Self::Sent { .. } => "Sent",
            Self::Accepted => "Accepted",
            Self::Rejected { .. } => "Rejected",
            Self::Replaced { .. } => "Replaced",
            Self::Dropped { .. } => "Dropped",
            Self::Mined { .. } => "Mined",
            Self::ReorgedOut { .. } => "ReorgedOut",
            Self::Final { .. } => "Final",
            Self::Expired => "Expired",
        }
    }

    /// Place of the symbol in the schema.
    const fn index(&self) -> u64 {
        match self {
            Self::Received => 0,
            Self::Sent { .. } => 1,
            Self::Accepted => 2,
            Self::Rejected { .. } => 3,
            Self::Replaced { .. } => 4,
            Self::Dropped { .. } => 5,
            Self::Mined { .. } => 6,
            Self::ReorgedOut { .. } => 7,
            Self::Final { .. } => 8,
            Self::Expired => 9,
        }
    }

    fn fields(&self) -> Fields<'_> {
        let none = Fields::default();
        match self {
            Self::Received | Self::Accepted | Self::Expired => none,
            Self::Sent { upstream, class, reason } => {
                Fields { upstream: Some(upstream), class: Some(class), reason: reason.as_deref(), ..none }
            }
            Self::Rejected { class, reason } => Fields { class: Some(class), reason: Some(reason), ..none },
            Self::Replaced { by, block } => Fields { by: Some(by), block: Some(block), ..none },
            Self::Dropped { reason, by } => Fields { reason: Some(reason), by: by.as_ref(), ..none },
            Self::Mined { block } | Self::ReorgedOut { block } | Self::Final { block } => {
                Fields { block: Some(block), ..none }
            }
        }
    }
}

impl Outcome {
    /// Id of the outcome.
    #[must_use]
    pub fn id(&self) -> OutcomeId {
        let Fields { upstream, class, block, .. } = self.fate.fields();
        // A node's second verdict is another one; the verdict on the whole is one, whoever finds it.
        let class = class.filter(|_| upstream.is_some()).map(str::to_owned);
        let (upstream, block) = (upstream.map(str::to_owned), block.map(|block| block.hash));
        OutcomeId { hash: self.hash, round: self.round, fate: self.fate.index(), upstream, class, block }
    }

    /// Bytes of the entry: Avro single-object encoding, as of records.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let fields = self.fate.fields();
        let text = |out: &mut Writer, text: &&str| out.bytes(text.as_bytes());
        let raw_bytes = self.raw.as_ref().map_or(0, |raw| raw.len());
        let reason_bytes = fields.reason.map_or(0, str::len);
        let mut out = Writer::entry(schema::OUTCOME, 250 + reason_bytes + raw_bytes);
        out.fixed(self.hash.as_slice());
        out.fixed(self.sender.as_slice());
        out.long(self.round);
        out.long(self.fate.index());
        out.option(fields.upstream.as_ref(), text);
        out.option(fields.class.as_ref(), text);
        out.option(fields.reason.as_ref(), text);
        out.option(fields.block, block);
        out.option(fields.by, |out, hash| out.fixed(hash.as_slice()));
        out.option(self.raw.as_ref(), |out, raw| out.bytes(raw));
        out.long(self.at_ms);
        out.0
    }

    /// Reads one entry of the topic.
    ///
    /// # Errors
    /// When the bytes are not exactly one outcome of a known schema, or lack what its fate says.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let input = &mut Reader(bytes);
        match input.fingerprint()? {
            schema::OUTCOME => {}
            fingerprint => return Err(DecodeError::UnknownSchema { fingerprint }),
        }
        let (hash, sender, round) = (input.hash("hash")?, input.address("sender")?, input.long("round")?);
        let fate = fate(input)?;
        let raw = input.option("raw", Reader::bytes)?;
        let at_ms = input.long("atMs")?;
        input.end()?;
        Ok(Self { hash, sender, round, fate, raw, at_ms })
    }

    /// JSON for people: names as in the schema, bytes as hex.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let Fields { upstream, class, reason, block, by } = self.fate.fields();
        json!({
            "record": "Outcome",
            "hash": self.hash,
            "sender": self.sender,
            "round": self.round,
            "fate": self.fate.name(),
            "upstream": upstream,
            "class": class,
            "reason": reason,
            "block": block.map(|block| json!({ "number": block.number, "hash": block.hash })),
            "by": by,
            "raw": self.raw,
            "atMs": self.at_ms,
        })
    }
}

fn fate(input: &mut Reader<'_>) -> Result<Fate, DecodeError> {
    let index = input.long("fate")?;
    let upstream = input.option("upstream", Reader::string)?;
    let class = input.option("class", Reader::string)?;
    let reason = input.option("reason", Reader::string)?;
    let block = input.option("block", decode::block)?;
    let by = input.option("by", Reader::hash)?;
    let lacks = |what| DecodeError::Invalid { what };
    let block = || block.ok_or(lacks("block"));
    Ok(match index {
        0 => Fate::Received,
        1 => Fate::Sent {
            upstream: upstream.ok_or(lacks("upstream"))?,
            class: class.ok_or(lacks("class"))?,
            reason,
        },
        2 => Fate::Accepted,
        3 => Fate::Rejected { class: class.ok_or(lacks("class"))?, reason: reason.ok_or(lacks("reason"))? },
        4 => Fate::Replaced { by: by.ok_or(lacks("by"))?, block: block()? },
        5 => Fate::Dropped { reason: reason.ok_or(lacks("reason"))?, by },
        6 => Fate::Mined { block: block()? },
        7 => Fate::ReorgedOut { block: block()? },
        8 => Fate::Final { block: block()? },
        9 => Fate::Expired,
        _ => return Err(lacks("fate")),
    })
}
