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
    /// Not at all: the node goes on with a feed that is there, whose replicas have theirs.
    TakeOver {
        /// Number of the newest block of that feed.
        feed_head: u64,
    },
}

impl Way {
    /// Copies that it takes.
    #[must_use]
    pub const fn copies(self) -> u64 {
        match self {
            Self::Export | Self::TakeOver { .. } => 2,
            Self::Dump => 1,
        }
    }

    /// Names of the files that it makes.
    #[must_use]
    pub const fn files(self) -> &'static [&'static str] {
        match self {
            Self::Export => &["snapshot", "code"],
            Self::Dump => &["dump"],
            Self::TakeOver { .. } => &[],
        }
    }

    /// Newest block of the feed with which the node goes on.
    #[must_use]
    pub const fn feed_head(self) -> Option<u64> {
        match self {
            Self::TakeOver { feed_head } => Some(feed_head),
            Self::Export | Self::Dump => None,
        }
    }
}
