//! Failpoints: every named point at which a test can kill or hold the tap.

/// Before the spool is looked at for new frames.
pub const BEFORE_SPOOL_READ: &str = "tap.before_spool_read";
/// After new frames were indexed.
pub const AFTER_SPOOL_READ: &str = "tap.after_spool_read";
/// Before OPEN is appended.
pub const BEFORE_OPEN: &str = "tap.before_open";
/// After OPEN was acknowledged, before the log is read through it.
pub const AFTER_OPEN: &str = "tap.after_open";
/// Before records are appended.
pub const BEFORE_APPEND: &str = "tap.before_append";
/// After records were acknowledged, before they are read back.
pub const AFTER_ACKNOWLEDGE: &str = "tap.after_acknowledge";
/// After trie nodes were acknowledged, before the ADVANCE that names them is appended.
pub const BETWEEN_NODES_AND_ADVANCE: &str = "tap.between_nodes_and_advance";
/// Between the records of one head change: the appends of a change with undos are split here.
pub const BETWEEN_UNDO_AND_ADVANCE: &str = "tap.between_undo_and_advance";
/// Before the feed's tail is read.
pub const BEFORE_TAIL_READ: &str = "tap.before_tail_read";
/// After the feed's tail was read.
pub const AFTER_TAIL_READ: &str = "tap.after_tail_read";
/// Before a spool segment is deleted.
pub const BEFORE_SPOOL_DELETE: &str = "tap.before_spool_delete";

/// All failpoints, for the harness.
pub const ALL: [&str; 11] = [
    BEFORE_SPOOL_READ,
    AFTER_SPOOL_READ,
    BEFORE_OPEN,
    AFTER_OPEN,
    BEFORE_APPEND,
    AFTER_ACKNOWLEDGE,
    BETWEEN_NODES_AND_ADVANCE,
    BETWEEN_UNDO_AND_ADVANCE,
    BEFORE_TAIL_READ,
    AFTER_TAIL_READ,
    BEFORE_SPOOL_DELETE,
];
