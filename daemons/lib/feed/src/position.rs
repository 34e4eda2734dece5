//! Position of a reader in a feed.

use maidenlane_wire::Id;
use serde::{Deserialize, Serialize};

/// Position behind the record that was read last: enough to go on, and to notice that the log no longer holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The feed's uuid.
    pub feed: Id,
    /// Epoch of the OPEN that counts.
    pub epoch: u64,
    /// Writer of that OPEN.
    pub writer: Id,
    /// Sequence number of the record (of the last of its parts).
    pub seq: u64,
    /// Offset of the log entry (of the last part).
    pub offset: u64,
    /// crc32c of the log entry: shows whether the log still holds it.
    pub crc32c: u32,
    /// True if the record was in the middle of a head change: this head must not be shown.
    pub more: bool,
}
