//! How fresh a shown head is, and how fresh it must be to be served.

use maidenlane_state::StateView;
use std::sync::Arc;
use std::time::Duration;

/// Beyond any of these the replica is stale and refuses to answer for the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// Blocks behind the master's head.
    pub lag_blocks_max: u64,
    /// Time without a sign of life from the feed.
    pub silence_max: Duration,
    /// Age of the head; `None` for chains that may halt.
    pub head_age_max: Option<Duration>,
}

/// Whether state may be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fitness {
    /// `None` when following; else the reason, for people.
    pub stale: Option<String>,
    /// Our head.
    pub head: u64,
    /// The master's head as last stated by the feed.
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
    /// Sees a new value after every head change.
    fn changes(&self) -> tokio::sync::watch::Receiver<u64>;
}
