//! Replay of a feed into a store: reads records, applies them one batch at a time, and shows each new head to those
//! that answer from it. Knows nothing of clients.
//!
//! | module | idea |
//! |---|---|
//! | [`run`] | the loop of a daemon that replays: settings in, heads out |
//! | `open` | the log, opened and checked |
//! | `report`, `metrics` | reports of the loop, for status and metrics |
//! | [`apply`] | pure: meaning of a record to a store |
//! | [`follow`] | read, decide, write, show |
//! | [`behind`] | what the follower writes when it is idle |
//! | `filling` | senders that nobody told, recovered behind the head |
//! | `recover` | senders of blocks, on some threads |
//! | [`resume`] | position after a restart |
//! | [`reach`] | whether a log still holds what comes next |
//! | [`catch_up`] | progress on the way to the feed's end |
//! | [`heads`] | the newest head as readers see it |
//! | [`freshness`] | freshness of the head, and the limits of it |
//! | [`liveness`] | the master's head and last sign of life |
//! | `memo` | cache of one head's state, decoded |
//! | [`place`] | where a database is made, and where a replica looks for it |
//! | [`verify`] | for the command line: state root and dump of a stopped replica |

pub mod apply;
pub mod behind;
pub mod catch_up;
pub mod error;
pub mod events;
pub mod failpoints;
mod filling;
pub mod follow;
pub mod freshness;
pub mod heads;
pub mod liveness;
mod memo;
mod metrics;
mod open;
pub mod place;
pub mod reach;
mod recover;
mod report;
pub mod resume;
pub mod run;
pub mod verify;

pub use error::Error;
pub use freshness::{Fitness, Fresh, Live};
pub use recover::recover;

/// The database's directory within a replica's state directory.
#[must_use]
pub fn store_path(state_dir: &std::path::Path) -> std::path::PathBuf {
    state_dir.join("db")
}
