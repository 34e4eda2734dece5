//! Facts of a store: written with every batch, so that data and position can never part.

use super::gaps::Gaps;
use maidenlane_chain::{B256, BlockRef};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub use maidenlane_feed::Position;

/// Position in the topic of trie nodes: the last entry of the last set that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetPosition {
    /// Offset of the log entry.
    pub offset: u64,
    /// crc32c of the log entry: shows whether the log still holds what was applied.
    pub crc32c: u32,
}

/// Facts about trie nodes in a store that keeps them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proofs {
    /// Oldest block whose state can be proved.
    pub floor: u64,
    /// Position in their topic; `None` before the first set.
    pub position: Option<SetPosition>,
}

/// Facts that a store holds about itself. Cheap to clone: every batch begins with a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Newest applied block; `None` before the first.
    pub head: Option<BlockRef>,
    /// Last applied record.
    pub position: Option<Position>,
    /// Safe block, as the consensus layer said.
    pub safe: Option<BlockRef>,
    /// Finalized block, as the consensus layer said.
    pub finalized: Option<BlockRef>,
    /// EIP-155 chain id, from the first OPEN.
    pub chain_id: u64,
    /// Hash of block 0, from the first OPEN.
    pub genesis: B256,
    /// geth's chain config as JSON, from the newest OPEN.
    pub chain_config: Arc<str>,
    /// The master's name, from the newest OPEN.
    pub client_version: Arc<str>,
    /// The master's network id, from the newest OPEN; `None` where that was of the first schema, or a database is older.
    pub network_id: Option<u64>,
    /// Oldest block whose body and receipts are shown: the feed or an import brought them, or what came below since.
    pub base: u64,
    /// Oldest block whose state can be read.
    pub state_floor: u64,
    /// Trie nodes, complete from the database's beginning on; `None` where they are not kept.
    pub proofs: Option<Proofs>,
    /// Blocks whose senders may not be kept.
    #[serde(default = "Gaps::unknown")]
    pub sender_gaps: Gaps,
}

impl Facts {
    /// Facts as they were written, by this version or an older one.
    pub(super) fn of(json: &[u8]) -> Option<Self> {
        let mut facts: Self = serde_json::from_slice(json).ok()?;
        let above = facts.head.map_or(0, |head| head.number.saturating_add(1));
        facts.sender_gaps.close(&(above..u64::MAX));
        // Block 0 has no transactions.
        facts.sender_gaps.close(&(0..facts.base.max(1)));
        Some(facts)
    }
}
