//! Retention: the depth of the past that is kept.

/// Depth of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Past {
    /// Number of blocks below the head.
    Blocks(u64),
    /// All blocks from where the database begins.
    All,
}

/// Retention of a store, by kind of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Number of blocks that can be undone: the deepest reorg.
    pub undo_blocks: u64,
    /// Depth of past state.
    pub history: Past,
    /// Depth of past trie nodes; `None` keeps no nodes at all.
    pub proofs: Option<Past>,
}

impl Past {
    /// The oldest block that is kept below this head.
    #[must_use]
    pub const fn floor(self, head: u64) -> u64 {
        match self {
            Self::All => 0,
            Self::Blocks(blocks) => head.saturating_sub(blocks),
        }
    }
}

impl Keep {
    /// Number of blocks that can be undone: none whose trie nodes before are gone.
    #[must_use]
    pub(super) fn undo_blocks(&self) -> u64 {
        match self.proofs {
            Some(Past::Blocks(blocks)) => self.undo_blocks.min(blocks),
            Some(Past::All) | None => self.undo_blocks,
        }
    }
}
