//! Outlines of records: as much as it takes to know the head after them.
//!
//! # Why
//! Which entries of a log count is decided by their stamps, and a feed's head by a few bytes in front of each record: a
//! reader that needs no more need not decode megabytes of bodies and rows.

use crate::avro::{DecodeError, Reader};
use crate::decode::{Kind, begin, block, finality, open};
use crate::record::{Final, Open};
use maidenlane_chain::{B256, BlockRef, Bytes};

/// A record without bodies, receipts and rows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are documented at the types of the records")]
pub enum Outline {
    Open(Open),
    /// Base of a feed: GENESIS or START.
    Base {
        block: BlockRef,
        header: Bytes,
    },
    Advance {
        block: BlockRef,
        parent: B256,
        header: Bytes,
    },
    Undo {
        block: BlockRef,
        parent: B256,
    },
    Final(Final),
    Heartbeat,
}

impl Outline {
    /// Head of the feed after the record, if it moves the head.
    #[must_use]
    pub const fn head(&self) -> Option<BlockRef> {
        match self {
            Self::Base { block, .. } | Self::Advance { block, .. } => Some(*block),
            Self::Undo { block, parent } => Some(BlockRef::new(block.number.saturating_sub(1), *parent)),
            Self::Open(_) | Self::Final(_) | Self::Heartbeat => None,
        }
    }
}

/// Reads one whole record up to its changes: the bytes behind that are not looked at.
///
/// # Errors
/// When it is of no known schema, too short, or a part of a record.
pub fn outline(bytes: &[u8]) -> Result<Outline, DecodeError> {
    let input = &mut Reader(bytes);
    let (heading, schema) = begin(input)?;
    Ok(match heading.kind {
        Kind::Open => Outline::Open(open(input, schema)?),
        Kind::Genesis | Kind::Start => {
            Outline::Base { block: block(input, "block")?, header: input.bytes("header")? }
        }
        Kind::Advance => Outline::Advance {
            block: block(input, "block")?,
            parent: input.hash("parent")?,
            header: input.bytes("header")?,
        },
        Kind::Undo => Outline::Undo { block: block(input, "block")?, parent: input.hash("parent")? },
        Kind::Final => Outline::Final(finality(input)?),
        Kind::Heartbeat => Outline::Heartbeat,
        Kind::Part => return Err(DecodeError::Parts { what: "a part stands where a record is due" }),
    })
}
