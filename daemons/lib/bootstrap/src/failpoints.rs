//! Failpoints: named points at which tests kill an import.

/// A round is read, checked and written, and not yet in the journal.
pub const BEFORE_JOURNAL: &str = "import.before_journal";
/// A round is in the journal.
pub const AFTER_JOURNAL: &str = "import.after_journal";
/// All rows are read, and none is in the database.
pub const BEFORE_TAKE_OVER: &str = "import.before_take_over";
/// A table is in the database.
pub const AFTER_TABLE: &str = "import.after_table";
/// The database is whole, and not where a replica looks for it.
pub const BEFORE_PLACE: &str = "import.before_place";
/// The database is in its place, and what the import needed is still there.
pub const AFTER_PLACE: &str = "import.after_place";

/// All failpoints.
pub const ALL: [&str; 6] =
    [BEFORE_JOURNAL, AFTER_JOURNAL, BEFORE_TAKE_OVER, AFTER_TABLE, BEFORE_PLACE, AFTER_PLACE];
