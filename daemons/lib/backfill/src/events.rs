//! Events of a back-fill, and their log lines.

use crate::source::Address;
use maidenlane_service::tracer::{Describe, Line};
use std::fmt;
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
    /// A source is of no use, and others are.
    Failed(Failed),
    /// A source that failed is of use.
    Recovered(Address),
    /// No source has the next block, or those that have it failed.
    Lacks {
        /// Number of the block.
        block: u64,
        /// Part that is lacking.
        part: Part,
        /// Sources that have failed since the last event.
        failed: Vec<Failed>,
        /// Time after which all are asked again.
        again: Duration,
    },
    /// All blocks are there.
    Whole {
        /// Oldest block that is there.
        floor: u64,
    },
}

/// A source that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The source.
    pub source: Address,
    /// Why, with its causes.
    pub reason: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.reason)
    }
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
            Self::Failed(failed) => {
                (Level::WARN, format!("{failed}; asking others, and it from time to time"))
            }
            Self::Recovered(source) => (Level::INFO, format!("{source}: answers again")),
            Self::Lacks { block, part, failed, again } => {
                let failed: String = failed.iter().map(|failed| format!(" ({failed})")).collect();
                let (part, seconds) = (part.name(), again.as_secs().max(1));
                let message =
                    format!("no source has the {part} {block}{failed}; asking again in {seconds} s");
                (Level::WARN, message)
            }
            Self::Whole { floor } => (Level::INFO, format!("blocks are whole from {floor} on")),
        };
        Some(Line { level, message })
    }
}
