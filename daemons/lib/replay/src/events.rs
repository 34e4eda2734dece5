//! Events of a replica, and their log lines.

use maidenlane_chain::{BlockRef, UnknownFork};
use maidenlane_service::tracer::{Describe, Line};
use tracing::Level;

/// An event of a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The database is open.
    Opened {
        /// Head of the database.
        head: Option<BlockRef>,
    },
    /// A writer of the feed was accepted.
    Epoch {
        /// Epoch of the writer.
        epoch: u64,
    },
    /// A head is shown to clients.
    Shown {
        /// The head.
        head: BlockRef,
        /// Records since the one before.
        records: u64,
    },
    /// A block left the chain.
    Undone {
        /// The block.
        block: BlockRef,
    },
    /// The log no longer holds what was applied; the head was found again by its hash.
    Relocated {
        /// Head before.
        from: BlockRef,
        /// Head after.
        to: BlockRef,
    },
    /// Trie nodes were kept and are to be kept no more.
    NodesDropped,
    /// The chain config names a fork that this build does not implement, and it is near.
    UnknownFork(UnknownFork),
    /// The replica is fit to serve from now on.
    Following,
    /// The replica is not fit to serve.
    Stale {
        /// Why.
        reason: String,
    },
    /// The log is away; it is tried again.
    LogAway {
        /// Why.
        reason: String,
    },
    /// The disk of the database takes no writes; it is tried again.
    DiskRefuses {
        /// Why.
        reason: String,
    },
}

impl Describe for Event {
    fn line(&self) -> Option<Line> {
        let (level, message) = match self {
            Self::Opened { head: Some(head) } => (Level::INFO, format!("database opened at block {head}")),
            Self::Opened { head: None } => (Level::INFO, "empty database opened".to_owned()),
            Self::Epoch { epoch } => (Level::INFO, format!("following epoch {epoch} of the feed")),
            Self::Shown { head, records } => {
                (Level::DEBUG, format!("head is {head} after {records} records"))
            }
            Self::Undone { block } => (Level::INFO, format!("undid block {block}")),
            Self::Relocated { from, to } => {
                (Level::WARN, format!("the log was cut: went back from block {from} to {to}"))
            }
            Self::NodesDropped => {
                (Level::WARN, "`proofs` is None now: the trie nodes are deleted".to_owned())
            }
            Self::UnknownFork(fork) => (Level::WARN, fork.to_string()),
            Self::Following => (Level::INFO, "fit to serve".to_owned()),
            Self::Stale { reason } => (Level::WARN, format!("stale: {reason}")),
            Self::DiskRefuses { reason } => (
                Level::WARN,
                format!("the disk takes no writes, serving what is written until it does: {reason}"),
            ),
            Self::LogAway { reason } => (Level::WARN, format!("log is away, trying again: {reason}")),
        };
        Some(Line { level, message })
    }
}
