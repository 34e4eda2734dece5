//! Failpoints: every named point at which a test can kill or hold the relay.

/// Before orders are appended.
pub const BEFORE_APPEND: &str = "relay.before_append";
/// After orders were acknowledged by the log, before their clients are answered.
pub const AFTER_APPEND: &str = "relay.after_append";
/// After a new order was read back, before it is in the book.
pub const BEFORE_TAKE: &str = "relay.before_take";

/// All failpoints, for the harness.
pub const ALL: [&str; 3] = [BEFORE_APPEND, AFTER_APPEND, BEFORE_TAKE];
