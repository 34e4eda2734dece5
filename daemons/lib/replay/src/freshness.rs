//! Freshness of a shown head, and the freshness that it must have to be served.

use maidenlane_state::StateView;
use std::sync::Arc;
use std::time::Duration;

/// Limits of freshness. Beyond any of them the replica is stale and refuses to answer for the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// Blocks behind the master's head.
    pub lag_blocks_max: u64,
    /// Time without a sign of life from the feed.
    pub silence_max: Duration,
    /// Age of the head; `None` for chains that may halt.
    pub head_age_max: Option<Duration>,
}

/// Fitness to serve state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fitness {
    /// Reason, for people, why it is stale; `None` when following.
    pub stale: Option<String>,
    /// Number of our head.
    pub head: u64,
    /// Number of the master's head, as last stated by the feed.
    pub expected: u64,
    /// Milliseconds since the feed's last sign of life.
    pub silent_ms: u64,
}

/// The chain that the replica serves, and its newest view.
pub trait Live: Send + Sync + 'static {
    /// The newest head's view.
    fn view(&self) -> Arc<dyn StateView>;
    /// Present fitness; lock-free.
    fn fitness(&self) -> Fitness;
    /// Receiver of a new value after every head change.
    fn changes(&self) -> tokio::sync::watch::Receiver<u64>;
}
