//! Failpoints: named points at which tests kill an adoption.

/// A copy is made, and the journal does not say so.
pub const AFTER_COPY: &str = "adopt.after_copy";
/// The state's copy is in the journal.
pub const COPIED: &str = "adopt.copied";
/// The other copy has lost its journal, and no block is executed.
pub const BEFORE_EXECUTION: &str = "adopt.before_execution";
/// Blocks are executed, and the journal does not say so.
pub const AFTER_EXECUTION: &str = "adopt.after_execution";
/// The journal says so, and geth may not start yet.
pub const EXECUTED: &str = "adopt.executed";
/// geth may start, and nothing is exported.
pub const RELEASED: &str = "adopt.released";
/// A file is exported, and has its name.
pub const AFTER_FILE: &str = "adopt.after_file";
/// All is exported, and the copy is still there.
pub const EXPORTED: &str = "adopt.exported";

/// All failpoints.
pub const ALL: [&str; 8] =
    [AFTER_COPY, COPIED, BEFORE_EXECUTION, AFTER_EXECUTION, EXECUTED, RELEASED, AFTER_FILE, EXPORTED];
