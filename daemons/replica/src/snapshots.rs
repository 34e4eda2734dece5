//! Snapshots: a replica without a block begins with one, one that the log has left behind goes on with one, and one that
//! serves makes them when it is asked.
//!
//! | file | idea |
//! |---|---|
//! | `begin` | a state directory that is empty or left behind, filled from the first source that has something for it |
//! | `gap` | the cure of a replica that the log has left behind, by name |
//! | `guard` | a warning before the log drops what the newest verified snapshot needs |
//! | [`control`] | the socket over which a running replica is asked for a snapshot |

pub(crate) mod begin;
pub mod control;
pub(crate) mod gap;
pub(crate) mod guard;

use maidenlane_snapshot::Source;
use std::num::NonZeroU64;

/// Validated settings of snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Repositories to begin from, in order.
    pub sources: Vec<Source>,
    /// Repository that takes snapshots of this replica.
    pub target: Option<Source>,
    /// Bytes to read and send per second; `None` for as many as there are.
    pub bytes_per_s: Option<NonZeroU64>,
    /// Share of the log's records, in percent, below which a new snapshot is due.
    pub due_below_percent: u64,
}
