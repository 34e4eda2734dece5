//! Fates of private orders: what sealed entries of the topic `<prefix>.<chain>.bundle-fates` hold.
//!
//! At-least-once, as [outcomes](crate::outcome) are, and for the same reason with rounds: of several fates with the same id
//! the first counts.

use crate::avro::{DecodeError, Reader, Writer};
use crate::bundle::ContentId;
use crate::encode::block;
use crate::outcome::REASON_MAX_BYTES;
use crate::record::Id;
use crate::{decode, schema};
use maidenlane_chain::{Address, B256, BlockRef, Bytes};
use serde_json::{Value, json};
use std::fmt;

/// A change of an order's fate.
#[derive(Clone, PartialEq, Eq)]
pub struct BundleFate {
    /// Content id of the order.
    pub content: ContentId,
    /// Address whose key signed the order.
    pub signer: Address,
    /// Relay that tells it.
    pub relay: Id,
    /// Number from 0, one more each time that a reorganisation took a fate back.
    pub round: u64,
    /// Change of the fate.
    pub fate: Delivery,
    /// Unix time in milliseconds at which this was written.
    pub at_ms: u64,
}

/// Fate of a private order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are those of the schema, and documented there")]
pub enum Delivery {
    /// A builder took it.
    Sent { builder: String },
    /// A builder does not take it.
    Refused { builder: String, reason: String },
    /// The signer took it back.
    Cancelled,
    /// The signer put another in its place.
    Replaced { by: ContentId },
    /// A block holds it.
    Landed { block: BlockRef },
    /// The last block that could hold it does not.
    Missed { block: BlockRef },
    /// The block that held it, or its last one, is no longer on the chain.
    Uncled { block: BlockRef },
    /// The block that holds it, or its last one, is final.
    Final { block: BlockRef },
    /// The time was over before any block could hold it.
    Expired,
}

/// Id of a fate: of several with the same one the first counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleFateId {
    content: ContentId,
    round: u64,
    fate: u64,
    builder: Option<String>,
    block: Option<B256>,
}

/// Fields of the schema that a fate fills.
#[derive(Default)]
struct Fields<'a> {
    builder: Option<&'a str>,
    reason: Option<&'a str>,
    block: Option<&'a BlockRef>,
    by: Option<&'a ContentId>,
}

impl Delivery {
    /// Symbol of the schema.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sent { .. } => "Sent",
            Self::Refused { .. } => "Refused",
            Self::Cancelled => "Cancelled",
            Self::Replaced { .. } => "Replaced",
            Self::Landed { .. } => "Landed",
            Self::Missed { .. } => "Missed",
            Self::Uncled { .. } => "Uncled",
            Self::Final { .. } => "Final",
            Self::Expired => "Expired",
        }
    }

    /// Place of the symbol in the schema.
    const fn index(&self) -> u64 {
        match self {
            Self::Sent { .. } => 0,
            Self::Refused { .. } => 1,
            Self::Cancelled => 2,
            Self::Replaced { .. } => 3,
            Self::Landed { .. } => 4,
            Self::Missed { .. } => 5,
            Self::Uncled { .. } => 6,
            Self::Final { .. } => 7,
            Self::Expired => 8,
        }
    }

    fn fields(&self) -> Fields<'_> {
        let none = Fields::default();
        match self {
            Self::Cancelled | Self::Expired => none,
            Self::Sent { builder } => Fields { builder: Some(builder), ..none },
            Self::Refused { builder, reason } => {
                Fields { builder: Some(builder), reason: Some(reason), ..none }
            }
            Self::Replaced { by } => Fields { by: Some(by), ..none },
            Self::Landed { block }
            | Self::Missed { block }
            | Self::Uncled { block }
            | Self::Final { block } => Fields { block: Some(block), ..none },
        }
    }
}

impl BundleFate {
    /// Id of the fate.
    #[must_use]
    pub fn id(&self) -> BundleFateId {
        let Fields { builder, block, .. } = self.fate.fields();
        let (builder, block) = (builder.map(str::to_owned), block.map(|block| block.hash));
        let (content, round, fate) = (self.content, self.round, self.fate.index());
        BundleFateId { content, round, fate, builder, block }
    }

    /// Bytes to be sealed: Avro single-object encoding, as of records.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let fields = self.fate.fields();
        let text = |out: &mut Writer, text: &&str| out.bytes(text.as_bytes());
        let mut out = Writer::entry(schema::BUNDLE_FATE, 200 + fields.reason.map_or(0, str::len));
        out.fixed(self.content.reveal().as_slice());
        out.fixed(self.signer.as_slice());
        out.fixed(&self.relay);
        out.long(self.round);
        out.long(self.fate.index());
        out.option(fields.builder.as_ref(), text);
        out.option(fields.reason.as_ref(), text);
        out.option(fields.block, block);
        out.option(fields.by, |out, id| out.fixed(id.reveal().as_slice()));
        out.long(self.at_ms);
        out.0
    }

    /// Reads what was sealed.
    ///
    /// # Errors
    /// When the bytes are not exactly one fate of a known schema, or lack what it says.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let input = &mut Reader(bytes);
        match input.fingerprint()? {
            schema::BUNDLE_FATE => {}
            fingerprint => return Err(DecodeError::UnknownSchema { fingerprint }),
        }
        let fate = Self {
            content: ContentId::new(input.hash("content")?),
            signer: input.address("signer")?,
            relay: input.array_of("relay")?,
            round: input.long("round")?,
            fate: delivery(input)?,
            at_ms: input.long("atMs")?,
        };
        input.end()?;
        Ok(fate)
    }

    /// JSON for people who may see it: names as in the schema, bytes as hex.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let Fields { builder, reason, block, by } = self.fate.fields();
        json!({
            "record": "BundleFate",
            "content": self.content.reveal(),
            "signer": self.signer,
            "relay": Bytes::copy_from_slice(&self.relay),
            "round": self.round,
            "fate": self.fate.name(),
            "builder": builder,
            "reason": reason,
            "block": block.map(|block| json!({ "number": block.number, "hash": block.hash })),
            "by": by.map(|id| id.reveal()),
            "atMs": self.at_ms,
        })
    }
}

/// Neither the order nor its signer.
impl fmt::Debug for BundleFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BundleFate").field("fate", &self.fate.name()).finish_non_exhaustive()
    }
}

fn delivery(input: &mut Reader<'_>) -> Result<Delivery, DecodeError> {
    let lacks = |what| DecodeError::Invalid { what };
    let index = input.long("fate")?;
    let builder = input.option("builder", Reader::string)?;
    let reason = input.option("reason", Reader::string)?;
    if reason.as_ref().is_some_and(|reason| reason.len() > REASON_MAX_BYTES) {
        return Err(lacks("reason"));
    }
    let block = input.option("block", decode::block)?;
    let by = input.option("by", Reader::hash)?.map(ContentId::new);
    let builder = || builder.ok_or(lacks("builder"));
    let block = || block.ok_or(lacks("block"));
    Ok(match index {
        0 => Delivery::Sent { builder: builder()? },
        1 => Delivery::Refused { builder: builder()?, reason: reason.ok_or(lacks("reason"))? },
        2 => Delivery::Cancelled,
        3 => Delivery::Replaced { by: by.ok_or(lacks("by"))? },
        4 => Delivery::Landed { block: block()? },
        5 => Delivery::Missed { block: block()? },
        6 => Delivery::Uncled { block: block()? },
        7 => Delivery::Final { block: block()? },
        8 => Delivery::Expired,
        _ => return Err(lacks("fate")),
    })
}
