//! Filters that need no session: messages between the replicas of a chain in the topic `<prefix>.<chain>.filters`.
//!
//! Not records of a feed: any replica appends, and the log's order decides.

use crate::avro::{DecodeError, Reader, Writer};
use crate::encode::block;
use crate::{decode, schema};
use maidenlane_chain::{B256, BlockRef, Bytes};
use serde_json::{Value, json};

/// Entry of the topic of filters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is documented at its type")]
pub enum Filter {
    Moved(FilterMoved),
    Criteria(FilterCriteria),
}

/// Move of a filter: a poll was answered, or it was uninstalled. Of several entries with the same step the first
/// counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterMoved {
    /// Id of the filter.
    pub filter: B256,
    /// Time at which it was made: Unix time in milliseconds.
    pub created_ms: u64,
    /// Number of the move, from 1, one more with every entry that counts.
    pub step: u64,
    /// Block at which the filter stood.
    pub base: BlockRef,
    /// Block at which it stands now; `None`: it is uninstalled.
    pub next: Option<BlockRef>,
    /// Time at which the entry was written: Unix time in milliseconds.
    pub at_ms: u64,
}

/// Criteria of a filter. Its id is the SHA-256 of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterCriteria {
    /// Criteria as the replica that made the filter describes them: bytes that only replicas read.
    pub criteria: Bytes,
    /// Time at which the entry was written: Unix time in milliseconds.
    pub at_ms: u64,
}

impl Filter {
    /// Bytes of the entry: Avro single-object encoding, as of records.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Moved(moved) => {
                let mut out = Writer::entry(schema::FILTER_MOVED, 150);
                out.fixed(moved.filter.as_slice());
                out.long(moved.created_ms);
                out.long(moved.step);
                block(&mut out, &moved.base);
                out.option(moved.next.as_ref(), block);
                out.long(moved.at_ms);
                out.0
            }
            Self::Criteria(criteria) => {
                let mut out = Writer::entry(schema::FILTER_CRITERIA, criteria.criteria.len() + 30);
                out.bytes(&criteria.criteria);
                out.long(criteria.at_ms);
                out.0
            }
        }
    }

    /// Reads one entry of the topic.
    ///
    /// # Errors
    /// When the bytes are not exactly one of its kinds.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let input = &mut Reader(bytes);
        let filter = match input.fingerprint()? {
            schema::FILTER_MOVED => Self::Moved(FilterMoved {
                filter: input.hash("filter")?,
                created_ms: input.long("createdMs")?,
                step: input.long("step")?,
                base: decode::block(input, "base")?,
                next: input.option("next", decode::block)?,
                at_ms: input.long("atMs")?,
            }),
            schema::FILTER_CRITERIA => Self::Criteria(FilterCriteria {
                criteria: input.bytes("criteria")?,
                at_ms: input.long("atMs")?,
            }),
            fingerprint => return Err(DecodeError::UnknownSchema { fingerprint }),
        };
        input.end()?;
        Ok(filter)
    }

    /// JSON for people: names as in the schema, bytes as hex.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let at = |at: &BlockRef| json!({ "number": at.number, "hash": at.hash });
        match self {
            Self::Moved(moved) => json!({
                "record": "FilterMoved",
                "filter": moved.filter,
                "createdMs": moved.created_ms,
                "step": moved.step,
                "base": at(&moved.base),
                "next": moved.next.as_ref().map(at),
                "atMs": moved.at_ms,
            }),
            Self::Criteria(criteria) => json!({
                "record": "FilterCriteria",
                "criteria": criteria.criteria,
                "atMs": criteria.at_ms,
            }),
        }
    }
}
