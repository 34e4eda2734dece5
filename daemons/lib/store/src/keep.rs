//! How much of the past is kept.

/// How far back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Past {
    /// This many blocks below the head.
    Blocks(u64),
    /// To where the database begins.
    All,
}

/// What a store keeps, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Deepest reorg.
    pub undo_blocks: u64,
    /// Past state.
    pub history: Past,
    /// Past trie nodes; `None` keeps no nodes at all.
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
    /// Nothing can be undone whose nodes before are gone.
    #[must_use]
    pub(super) fn undo_blocks(&self) -> u64 {
        match self.proofs {
            Some(Past::Blocks(blocks)) => self.undo_blocks.min(blocks),
            Some(Past::All) | None => self.undo_blocks,
        }
    }
}
