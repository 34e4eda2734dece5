//! Node sets, the trie nodes that a block changed: entries of the topic `<prefix>.<chain>.<feed>.proofs`.
//!
//! Not records of the feed: a set has no stamp and no sequence. It is named by its block and its digest, which the
//! block's ADVANCE carries, so it does no harm if a set stands twice or comes from a writer that was displaced.

mod gather;

use crate::avro::{DecodeError, Reader, Writer};
use crate::parts::RECORD_MAX_BYTES;
use crate::record::Part;
use crate::{decode, encode, packed, schema};
use maidenlane_chain::{B256, BlockRef, Bytes};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub use gather::Gatherer;

/// Bytes of a set in every part but the last: compressed, they fit an entry whatever they are.
pub const SLICE_BYTES: usize = 880_000;
/// Number of nibbles of a whole key.
const PATH_MAX: usize = 64;
/// Minimum length of a node but a root: any other node of less than 32 bytes stands inside its parent.
const NODE_MIN_BYTES: usize = 32;
/// Minimum length of a row: its two markers, its path and one node.
const ROW_MIN_BYTES: u64 = 6;

/// One node of a trie, before and after a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// keccak256 of the address whose storage trie it is; `None`: the account trie.
    pub owner: Option<B256>,
    /// Path below the root: nibbles, one per byte, at most 64.
    pub path: Bytes,
    /// RLP of the node before the block; `None`: no node had this path.
    pub before: Option<Bytes>,
    /// RLP of the node after the block.
    pub after: Option<Bytes>,
}

/// The nodes that a block changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSet {
    /// The block.
    pub block: BlockRef,
    /// Hash of the parent.
    pub parent: B256,
    /// Nodes, sorted by owner and path, the account trie first; none twice, none that is as it was.
    pub nodes: Vec<NodeRow>,
}

/// Entry of the topic: a slice of a set, compressed. Its key in the log is the block's hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePart {
    /// The block.
    pub block: BlockRef,
    /// SHA-256 of the whole set.
    pub digest: B256,
    /// Slice with its index, and the number of slices; `whole_len` is the length of the whole set.
    pub part: Part,
}

impl NodeRow {
    /// Checks the invariants of every row of a set.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let node =
            |node: &Bytes| if self.path.is_empty() { !node.is_empty() } else { node.len() >= NODE_MIN_BYTES };
        if self.path.len() > PATH_MAX || self.path.iter().any(|nibble| *nibble > 0xf) {
            return Err("path of a node");
        }
        if !self.before.iter().chain(&self.after).all(node) {
            return Err("node");
        }
        if self.before == self.after { Err("node that is as it was") } else { Ok(()) }
    }

    /// Sort key.
    pub(crate) fn key(&self) -> (Option<B256>, &[u8]) {
        (self.owner, &self.path)
    }

    fn write(out: &mut Writer, row: &Self) {
        out.option(row.owner.as_ref(), |out, owner| out.fixed(owner.as_slice()));
        out.bytes(&row.path);
        out.option(row.before.as_ref(), |out, node| out.bytes(node));
        out.option(row.after.as_ref(), |out, node| out.bytes(node));
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let row = Self {
            owner: input.option("owner", Reader::hash)?,
            path: input.bytes("path")?,
            before: input.option("before", Reader::bytes)?,
            after: input.option("after", Reader::bytes)?,
        };
        row.check().map_err(|what| DecodeError::Invalid { what })?;
        Ok(row)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({ "owner": self.owner, "path": self.path, "before": self.before, "after": self.after })
    }
}

impl NodeSet {
    /// Bytes of the set: Avro single-object encoding, as of records. Its digest is taken of these.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let nodes =
            self.nodes.iter().flat_map(|row| row.before.iter().chain(&row.after)).map(|node| node.len() + 3);
        let mut out = Writer::entry(schema::NODE_SET, 100 + self.nodes.len() * 50 + nodes.sum::<usize>());
        encode::block(&mut out, &self.block);
        out.fixed(self.parent.as_slice());
        out.array(&self.nodes, NodeRow::write);
        out.0
    }

    /// Reads a whole set.
    ///
    /// # Errors
    /// When the bytes are not exactly one set, or its rows are not what a set promises.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let input = &mut Reader(bytes);
        match input.fingerprint()? {
            schema::NODE_SET => {}
            fingerprint => return Err(DecodeError::UnknownSchema { fingerprint }),
        }
        let (block, parent) = (decode::block(input, "block")?, input.hash("parent")?);
        // In order from row to row: a crowd of equal small rows would take many times the input's memory.
        let mut last = None;
        let nodes = input.array("nodes", ROW_MIN_BYTES, |input| {
            let row = NodeRow::read(input)?;
            let key = Some((row.owner, row.path.clone()));
            if key <= last {
                return Err(DecodeError::Invalid { what: "order of nodes" });
            }
            last = key;
            Ok(row)
        })?;
        input.end()?;
        Ok(Self { block, parent, nodes })
    }

    /// SHA-256 of [`NodeSet::encode`], which the block's ADVANCE carries.
    #[must_use]
    pub fn digest(&self) -> B256 {
        digest(&self.encode())
    }

    /// Digest and entries of the set, in the order in which they are appended.
    ///
    /// # Errors
    /// When it exceeds [`RECORD_MAX_BYTES`].
    pub fn entries(&self) -> Result<(B256, Vec<Vec<u8>>), DecodeError> {
        let whole = self.encode();
        let whole_len = whole.len() as u64;
        if whole_len > RECORD_MAX_BYTES {
            return Err(DecodeError::Parts { what: "the set of nodes exceeds 512 MiB" });
        }
        let (block, digest, count) = (self.block, digest(&whole), count(whole_len)?);
        let slices = whole.chunks(SLICE_BYTES).zip(0..);
        let entries = slices.map(|(slice, index)| {
            let part = Part { index, count, whole_len, data: packed::pack(slice)?.into() };
            Ok(NodePart { block, digest, part }.encode())
        });
        Ok((digest, entries.collect::<Result<_, _>>()?))
    }

    /// JSON for people: names as in the schema, bytes as hex.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "record": "NodeSet",
            "block": { "number": self.block.number, "hash": self.block.hash },
            "parent": self.parent,
            "nodes": self.nodes.iter().map(NodeRow::to_json).collect::<Vec<_>>(),
        })
    }
}

impl NodePart {
    /// Bytes of the entry: Avro single-object encoding, as of records.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::entry(schema::NODE_PART, 128 + self.part.data.len());
        encode::block(&mut out, &self.block);
        out.fixed(self.digest.as_slice());
        encode::part(&mut out, &self.part);
        out.0
    }

    /// Reads one entry of the topic.
    ///
    /// # Errors
    /// When the bytes are not exactly one part of a set.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let input = &mut Reader(bytes);
        match input.fingerprint()? {
            schema::NODE_PART => {}
            fingerprint => return Err(DecodeError::UnknownSchema { fingerprint }),
        }
        let part = Self {
            block: decode::block(input, "block")?,
            digest: input.hash("digest")?,
            part: decode::part(input)?,
        };
        input.end()?;
        Ok(part)
    }

    /// JSON for people: names as in the schema, bytes as hex.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "record": "NodePart",
            "block": { "number": self.block.number, "hash": self.block.hash },
            "digest": self.digest,
            "index": self.part.index,
            "count": self.part.count,
            "wholeLen": self.part.whole_len,
            "data": self.part.data,
        })
    }
}

fn digest(whole: &[u8]) -> B256 {
    B256::from(<[u8; 32]>::from(Sha256::digest(whole)))
}

/// Number of parts of a set of this length.
fn count(whole_len: u64) -> Result<u32, DecodeError> {
    let parts = whole_len.div_ceil(SLICE_BYTES as u64);
    u32::try_from(parts).map_err(|_| DecodeError::Parts { what: "too many parts" })
}

#[cfg(test)]
mod tests;
