//! Snapshots of a store: made while it serves, kept in a repository, verified, restored.
//!
//! | module | idea |
//! |---|---|
//! | [`manifest`] | what a snapshot is of, and its files: the format |
//! | [`repository`] | objects by their keys, in a directory or a store |
//! | `local` | a directory: links, and rights of a group |
//! | [`source`] | where one is, as settings name it |
//! | [`s3`] | a bucket of an S3-compatible store |
//! | [`create`] | a checkpoint, and what the repository has not of it |
//! | `known` | digests of files that were sent before |
//! | `lease` | uploads and collections side by side |
//! | [`shelf`] | snapshots in a repository, with their marks |
//! | [`fit`] | whether a snapshot suits a replica's settings |
//! | [`restore`](mod@restore) | files into a directory of their own, a database into its place |
//! | [`verify`] | the state root, computed anew |
//! | [`retain`] | pure: what is kept, and what nobody needs then |
//! | [`collect`](mod@collect) | removes that |
//! | `lanes` | some files at a time |
//! | [`pace`] | bytes per second, and the end |
//! | [`progress`] | how far it is |
//! | [`digest`] | names of files |
//! | [`error`] | why it failed, and what to do |
//! | [`failpoints`] | points at which tests kill it |
//!
//! # Why files are named by their digests
//! RocksDB counts its files, and two databases count alike: names say nothing. By its digest, a table is sent once,
//! whichever snapshot or replica has it, and a file that is damaged is not the file that was asked for.

pub mod collect;
pub mod create;
pub mod digest;
pub mod error;
pub mod failpoints;
pub mod fit;
mod known;
mod lanes;
mod lease;
mod local;
pub mod manifest;
pub mod pace;
pub mod progress;
pub mod repository;
pub mod restore;
pub mod retain;
pub mod s3;
pub mod shelf;
pub mod source;
#[cfg(test)]
mod tests;
pub mod verify;

pub use collect::collect;
pub use create::{Made, Workshop};
pub use error::Error;
pub use fit::Demands;
pub use manifest::{Id, Manifest};
pub use pace::Pace;
pub use repository::Repository;
pub use restore::{Restore, restore};
pub use retain::Rules;
pub use shelf::{Snapshot, Verified};
pub use source::Source;
pub use verify::verify_snapshot;
