//! Events of a back-fill, and their log lines.

use crate::source::Address;
use maidenlane_service::tracer::{Describe, Line};
use std::time::Duration;
use tracing::Level;

/// Part of a block that no source has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Header and body.
    Body,
    /// Receipts.
    Receipts,
}

/// An event of a back-fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Blocks are being brought.
    Begun {
        /// Oldest block that is there.
        floor: u64,
        /// Block down to which they are brought.
        from: u64,
    },
    /// A source is of no use.
    Failed {
        /// The source.
        source: Address,
        /// Why, with its causes.
        reason: String,
        /// Time after which it is tried again.
        again: Duration,
    },
    /// No source has the next block, or the one that has it failed.
    Lacks {
        /// Number of the block.
        block: u64,
        /// Part that is lacking.
        part: Part,
        /// Time after which all are asked again.
        again: Duration,
    },
    /// All blocks are there.
    Whole {
        /// Oldest block that is there.
        floor: u64,
    },
}

impl Part {
    /// Name of the part.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Body => "block",
            Self::Receipts => "receipts of block",
        }
    }
}

impl Describe for Event {
    fn line(&self) -> Option<Line> {
        let (level, message) = match self {
            Self::Begun { floor, from } => {
                (Level::INFO, format!("bringing blocks below {floor}, down to {from}"))
            }
            Self::Failed { source, reason, again } => {
                (Level::WARN, format!("{source}: {reason}; trying again in {} s", again.as_secs()))
            }
            Self::Lacks { block, part, again } => {
                let part = part.name();
                (
                    Level::WARN,
                    format!("no source has the {part} {block}; asking again in {} s", again.as_secs()),
                )
            }
            Self::Whole { floor } => (Level::INFO, format!("blocks are whole from {floor} on")),
        };
        Some(Line { level, message })
    }
}
