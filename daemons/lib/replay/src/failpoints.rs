//! Failpoints: named points at which tests kill or hold a replica.

/// Entries were read from the log and not yet looked at.
pub const AFTER_READ: &str = "replica.after_read";
/// A batch is complete and not yet written.
pub const BEFORE_WRITE: &str = "replica.before_write";
/// A batch is written and its head not yet shown.
pub const AFTER_WRITE: &str = "replica.after_write";
/// A block was taken back in a batch that is not yet written.
pub const AFTER_UNDO: &str = "replica.after_undo";
/// Senders that the feed did not tell are recovered and not yet written.
pub const BEFORE_FILL: &str = "replica.before_fill";

/// A piece of the past is there and not yet written.
pub const BEFORE_PAST: &str = "replica.before_past";
/// A piece of the past is written, and nobody sees it.
pub const AFTER_PAST: &str = "replica.after_past";
/// Whole blocks are written below the floor, and it is not yet lowered.
pub const BEFORE_FLOOR: &str = "replica.before_floor";
/// The floor is lowered, and no head shows it.
pub const AFTER_FLOOR: &str = "replica.after_floor";

/// All failpoints.
pub const ALL: [&str; 9] = [
    AFTER_READ,
    BEFORE_WRITE,
    AFTER_WRITE,
    AFTER_UNDO,
    BEFORE_FILL,
    BEFORE_PAST,
    AFTER_PAST,
    BEFORE_FLOOR,
    AFTER_FLOOR,
];
