//! Failpoints: named points at which tests kill what makes, restores and collects snapshots.

/// A checkpoint is made, and nothing of it is sent.
pub const AFTER_CHECKPOINT: &str = "snapshot.after_checkpoint";
/// An upload is announced, and nothing of it is sent.
pub const AFTER_LEASE: &str = "snapshot.after_lease";
/// A file is in the repository.
pub const AFTER_SENT: &str = "snapshot.after_sent";
/// All files are in the repository, and no manifest names them.
pub const BEFORE_MANIFEST: &str = "snapshot.before_manifest";
/// The manifest is there, and so are the announcement and the checkpoint.
pub const AFTER_MANIFEST: &str = "snapshot.after_manifest";
/// A file is fetched and checked, and has not its name.
pub const BEFORE_NAMED: &str = "restore.before_named";
/// A file is fetched and checked.
pub const AFTER_FETCHED: &str = "restore.after_fetched";
/// The database is whole, and not where a replica looks for it.
pub const BEFORE_PLACE: &str = "restore.before_place";
/// The database that the snapshot replaces is not where a replica looks for it any more.
pub const SET_ASIDE: &str = "replace.set_aside";
/// The database is in its place, and what was fetched is still there.
pub const AFTER_PLACE: &str = "restore.after_place";
/// Manifests are removed, and the files that nobody needs now are not.
pub const AFTER_MANIFESTS: &str = "collect.after_manifests";
/// Files are removed, and others still wait for the end of the collection.
pub const AFTER_FILES: &str = "collect.after_files";
