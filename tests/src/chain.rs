//! The chain of a scenario.

use std::path::PathBuf;

/// Source of the blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chain {
    /// `geth --dev` makes one a second.
    Developer,
    /// `genesis.json`, `chain.rlp` and `headfcu.json` in this directory.
    Import(PathBuf),
    /// The same, imported and run by a geth without the hook.
    Stock(PathBuf, Scheme),
    /// A real geth's answers out of `tests/vectors`: needs no Go.
    Recorded,
}

/// How a geth keeps its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Trie nodes by hash.
    Hash,
    /// Trie nodes by path.
    Path,
}
