//! Failpoints: every named point at which a test can kill or hold the emitter.

/// After entries were read, before anything is sent.
pub const AFTER_READ: &str = "emitter.after_read";
/// After a node answered, before anything follows from it.
pub const AFTER_ANSWER: &str = "emitter.after_answer";
/// Before outcomes are appended.
pub const BEFORE_APPEND: &str = "emitter.before_append";
/// After outcomes were acknowledged, before a position is committed.
pub const AFTER_APPEND: &str = "emitter.after_append";
/// After a position was committed.
pub const AFTER_COMMIT: &str = "emitter.after_commit";
/// After a share was given, before what is on its way there is read.
pub const BEFORE_REBUILD: &str = "emitter.before_rebuild";

/// All failpoints, for the harness.
pub const ALL: [&str; 6] =
    [AFTER_READ, AFTER_ANSWER, BEFORE_APPEND, AFTER_APPEND, AFTER_COMMIT, BEFORE_REBUILD];
