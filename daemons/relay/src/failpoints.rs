//! Failpoints: every named point at which a test can kill or hold the relay.

/// Before orders are appended.
pub const BEFORE_APPEND: &str = "relay.before_append";
/// After orders were acknowledged by the log, before their clients are answered.
pub const AFTER_APPEND: &str = "relay.after_append";
/// After a new order was read back, before it is in the book.
pub const BEFORE_TAKE: &str = "relay.before_take";
/// Before an order or a cancel is sent to a builder.
pub const BEFORE_SEND: &str = "relay.before_send";
/// After a builder answered, before that is told.
pub const AFTER_SEND: &str = "relay.after_send";

/// All failpoints, for the harness.
pub const ALL: [&str; 5] = [BEFORE_APPEND, AFTER_APPEND, BEFORE_TAKE, BEFORE_SEND, AFTER_SEND];
