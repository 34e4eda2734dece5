//! A feed into a store: reads records, applies them one batch at a time, and shows each new head to whoever answers from
//! it. Knows nothing of who asks.
//!
//! | module | idea |
//! |---|---|
//! | [`run`] | the loop of a daemon that replays: settings in, heads out |
//! | `open` | the log, opened and checked |
//! | `report`, `metrics` | the loop's account of itself |
//! | [`apply`] | pure: what a record means to a store |
//! | [`follow`] | the one loop: read, decide, write, show |
//! | [`resume`] | where to go on after a restart |
//! | [`catch_up`] | progress on the way to the feed's end |
//! | [`heads`] | the newest head as readers see it |
//! | [`freshness`] | how fresh that is, and how fresh it must be |
//! | [`liveness`] | what the feed last said of its master |
//! | `memo` | what was read of one head's state, decoded |
//! | [`verify`] | for the command line: state root and dump of a stopped replica |

pub mod apply;
pub mod catch_up;
pub mod error;
pub mod events;
pub mod failpoints;
pub mod follow;
pub mod freshness;
pub mod heads;
pub mod liveness;
mod memo;
mod metrics;
mod open;
mod report;
pub mod resume;
pub mod run;
pub mod verify;

pub use error::Error;
pub use freshness::{Fitness, Fresh, Live};

/// The database's directory within a replica's state directory.
#[must_use]
pub fn store_path(state_dir: &std::path::Path) -> std::path::PathBuf {
    state_dir.join("db")
}
