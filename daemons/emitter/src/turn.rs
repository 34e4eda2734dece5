//! A step of a life: what surrounds it, and what it may want done.

use crate::answer::Ask;
use crate::route::Routes;
use crate::sound::Sound;
use maidenlane_wire::Outcome;
use std::sync::Arc;

/// A moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds of a clock that nobody sets.
    pub steady_ms: u64,
    /// Unix time in milliseconds, for outcomes alone.
    pub unix_ms: u64,
}

/// Terms of delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Time for which an entry may hold the position while nodes have no room or wait for others of its sender's.
    pub hold_ms: u64,
    /// Time after which a transaction that no block holds is given up.
    pub lifetime_ms: u64,
    /// Blocks after which it is sent again.
    pub again_blocks: u64,
    /// Time after which it is sent again where no blocks come.
    pub again_ms: u64,
}

/// Standing of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not known: the node has not told its chain.
    Unproven,
    /// Of the right chain.
    Right,
    /// Of another chain: the node gets nothing.
    Wrong,
}

/// Request of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask a node something.
    Ask {
        /// The transaction.
        tx: Arc<Sound>,
        /// Index of the node.
        upstream: usize,
        /// Question.
        ask: Ask,
    },
    /// Append an outcome.
    Tell(Outcome),
    /// Read the blocks from this Unix time in seconds on, and tell what they hold.
    Want(u64),
    /// Commit a position, now that all before it is durable.
    Commit {
        /// Partition of the topic of transactions.
        partition: u32,
        /// Offset up to which all is done.
        offset: u64,
    },
}

/// Surroundings of a step.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) now: Now,
    pub(crate) terms: &'a Terms,
    pub(crate) names: &'a [String],
    pub(crate) standings: &'a [Standing],
    pub(crate) routes: &'a Routes,
    /// Number of the feed's head, where it is known.
    pub(crate) head: Option<u64>,
    /// True while the feed tells what is: only then a time that is over says that no block holds a transaction.
    pub(crate) fresh: bool,
    pub(crate) actions: &'a mut Vec<Action>,
}
