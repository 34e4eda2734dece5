//! Records of a feed: one master's linear, canonical history.

use crate::rows::Rows;
use maidenlane_chain::{Address, B256, BlockRef, Bytes};

/// A random 128-bit name: of a feed, or of one start of a writer.
pub type Id = [u8; 16];

/// Header of every record: its writer, and its place in that writer's sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The feed's uuid, given at its first OPEN.
    pub feed: Id,
    /// Number of the epoch, which grows by one with every OPEN that wins.
    pub epoch: u64,
    /// Random name of the writer's start; the first OPEN of an epoch wins.
    pub writer: Id,
    /// Sequence number, dense within the epoch; 0 is the OPEN.
    pub seq: u64,
    /// Number of the finalized block as the writer knew it.
    pub finalized: u64,
    /// True if more records of the same head change follow: no head may be published after this one.
    pub more: bool,
}

/// OPEN: a writer begins an epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of block 0.
    pub genesis: B256,
    /// geth's chain config as JSON.
    pub chain_config: String,
    /// The master's `web3_clientVersion`.
    pub client_version: String,
    /// The master's `net_version`; `None` in the first schema, which did not have it.
    pub network_id: Option<u64>,
}

/// GENESIS: block 0 with its whole state (every row has `before = None`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// Number (0) and hash.
    pub block: BlockRef,
    /// Header RLP.
    pub header: Bytes,
    /// Body RLP: `[transactions, uncles, withdrawals?]`.
    pub body: Bytes,
    /// The allocation.
    pub rows: Rows,
}

/// START: the base of a feed that does not begin at genesis. A consumer whose head is another block cannot begin here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The block the feed stands on.
    pub block: BlockRef,
    /// RLP of the header.
    pub header: Bytes,
    /// Up to 256 ancestor headers (RLP), newest first, for BLOCKHASH.
    pub ancestors: Vec<Bytes>,
}

/// ADVANCE: the head moves to a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advance {
    /// The new head.
    pub block: BlockRef,
    /// Hash of the parent, the head before.
    pub parent: B256,
    /// Header RLP.
    pub header: Bytes,
    /// Body RLP: `[transactions, uncles, withdrawals?]`, transactions as in the block's RLP.
    pub body: Bytes,
    /// Consensus receipts: an RLP list; typed receipts as byte strings `type || payload`.
    pub receipts: Bytes,
    /// State rows.
    pub rows: Rows,
    /// SHA-256 over the block's trie node set on the `proofs` topic, when there is one.
    pub proofs: Option<B256>,
    /// Senders of the transactions, in order; `None` in the first schema, which did not have them.
    pub senders: Option<Vec<Address>>,
}

/// UNDO: the head moves back to its parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undo {
    /// The block that leaves the chain.
    pub block: BlockRef,
    /// The new head's hash (number is one less).
    pub parent: B256,
    /// Header RLP of the undone block.
    pub header: Bytes,
    /// Hashes of its transactions, in order.
    pub transactions: Vec<B256>,
    /// Consensus receipts of the block.
    pub receipts: Bytes,
    /// Rows of the block with before and after swapped: applying `after` takes the block back.
    pub rows: Rows,
}

/// FINAL: safe and finalized block, as of the consensus layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Final {
    /// Newest safe block, if any.
    pub safe: Option<BlockRef>,
    /// Newest finalized block, if any.
    pub finalized: Option<BlockRef>,
}

/// HEARTBEAT: the master answered within the last second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The head as published on this feed.
    pub published: BlockRef,
    /// The master's own head as just read over IPC.
    pub master: BlockRef,
    /// True if the master is catching up with its own published history, which is no sign of liveness.
    pub resuming: bool,
    /// Unix time of the master's answer in milliseconds.
    pub master_seen_ms: u64,
}

/// PART: a slice of a record that is too large for one log entry: part `index` of `count` of the zstd-compressed
/// single-object encoding. Each part has a `seq` of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Index of the part, from 0.
    pub index: u32,
    /// Number of parts, at least 1.
    pub count: u32,
    /// Length in bytes of the whole record before compression.
    pub whole_len: u64,
    /// The slice.
    pub data: Bytes,
}

/// Content of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is documented at its type")]
pub enum Record {
    Open(Open),
    Genesis(Genesis),
    Start(Start),
    Advance(Advance),
    Undo(Undo),
    Final(Final),
    Heartbeat(Heartbeat),
    Part(Part),
}

/// A record with its stamp: one entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// Stamp: writer and place.
    pub stamp: Stamp,
    /// Content.
    pub record: Record,
}
