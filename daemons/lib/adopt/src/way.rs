//! How a node keeps its state, and how that is to be had.

use serde::{Deserialize, Serialize};

/// How geth keeps state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Trie nodes by hash.
    Hash,
    /// Trie nodes by path.
    Path,
}

/// How the state is to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// The state of geth's disk, by `geth db export`.
    Export,
    /// The state of geth's head, by `geth snapshot dump`.
    Dump,
}

impl Way {
    /// Copies that it takes.
    #[must_use]
    pub const fn copies(self) -> u64 {
        match self {
            Self::Export => 2,
            Self::Dump => 1,
        }
    }

    /// Names of the files that it makes.
    #[must_use]
    pub const fn files(self) -> &'static [&'static str] {
        match self {
            Self::Export => &["snapshot", "code"],
            Self::Dump => &["dump"],
        }
    }
}
