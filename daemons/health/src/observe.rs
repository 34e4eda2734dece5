//! Observations: all that one round brought of one target.

use maidenlane_chain::{B256, BlockRef};
use std::time::Duration;

/// Moment of an observation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Time since the start, by the monotonic clock.
    pub at: Duration,
    /// Unix time in milliseconds, by the clock of this machine: it may be wrong, and be set at any moment.
    pub wall_ms: u64,
}

/// Observation of one round.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Time that the answers took.
    pub took: Duration,
    /// The answers, or why there are none.
    pub seen: Result<Seen, String>,
}

/// A head, and what its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// The block.
    pub block: BlockRef,
    /// Unix time of the block in seconds; feeds do not tell it.
    pub time_s: Option<u64>,
}

/// State that was read at a block that all were asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Hash of the block.
    pub block: B256,
    /// Balances there, in the order of the accounts that were asked for.
    pub balances: Vec<B256>,
    /// True if a proof against the root in the block's header says the same; `None` where none was asked for or served.
    pub proven: Option<bool>,
}

/// Own word of a daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// Fit.
    Yes,
    /// Not fit, and why.
    No(String),
    /// On its way out.
    Stopping,
}

/// Room on the disk that a daemon's own files are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Percentage that is free.
    pub free_percent: u64,
    /// Time until nothing is left, at the present rate; `None` while nothing is taken.
    pub left: Option<Duration>,
}

/// Answers of one round. What a target was not asked, or did not say, is `None` and says nothing.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Chain id.
    pub chain_id: Option<u64>,
    /// True while it catches up.
    pub syncing: Option<bool>,
    /// Head.
    pub latest: Option<Tip>,
    /// Number of the safe block.
    pub safe: Option<u64>,
    /// Number of the finalized block.
    pub finalized: Option<u64>,
    /// Number of peers.
    pub peers: Option<u64>,
    /// Hashes at the heights that were asked for.
    pub hashes: Vec<(u64, B256)>,
    /// Outcome of a read of state at its own head.
    pub state: Option<Result<(), String>>,
    /// State at the common block.
    pub content: Option<Content>,
    /// Word of the daemon itself.
    pub ready: Option<Ready>,
    /// Milliseconds by which its clock is ahead of this machine's.
    pub clock_ahead_ms: Option<i64>,
    /// Next fork that it does not implement, and the seconds that are left.
    pub unknown_fork: Option<(String, i64)>,
    /// Time since the last sign of life of a feed.
    pub silent: Option<Duration>,
    /// Reason why a replica reads nothing from its feed, or that it does.
    pub obstacle: Option<Result<(), String>>,
    /// Seconds until the log leaves the newest verified snapshot behind, where a replica says that it is due.
    pub snapshot_due: Option<Option<u64>>,
    /// Room on its disk.
    pub room: Option<Room>,
    /// Unix time in seconds until which its certificate is good.
    pub certificate_until_s: Option<i64>,
}

/// Questions that the targets' next rounds have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// Heights whose hashes are compared.
    pub heights: Vec<u64>,
    /// Block whose state is compared.
    pub content: Option<B256>,
    /// True if what is told of that state needs a proof.
    pub prove: bool,
}
