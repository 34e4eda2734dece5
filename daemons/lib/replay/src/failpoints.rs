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

/// All failpoints.
pub const ALL: [&str; 5] = [AFTER_READ, BEFORE_WRITE, AFTER_WRITE, AFTER_UNDO, BEFORE_FILL];
