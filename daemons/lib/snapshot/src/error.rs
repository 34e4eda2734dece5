//! Errors of snapshots: what is wrong, with which one, and what to do.

use crate::manifest::{Id, Unusable};
use maidenlane_chain::BlockRef;
use maidenlane_replay::{place, verify};
use maidenlane_service::files::FileError;
use maidenlane_service::{Exit, Failure};
use object_store::path::Path as Key;
use std::path::{Path, PathBuf};

/// A snapshot that cannot be made, kept or used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// The disk refused.
    #[error(transparent)]
    Io(#[from] FileError),
    /// Failure of the database.
    #[error(transparent)]
    Store(#[from] maidenlane_store::Error),
    /// A state directory in which nothing can be put.
    #[error(transparent)]
    Place(#[from] place::Error),
    /// The repository refused, or is away.
    #[error("{verb} `{key}` in {repository}")]
    Repository {
        verb: &'static str,
        key: String,
        repository: String,
        #[source]
        source: Box<object_store::Error>,
    },
    /// A repository that is not there.
    #[error("{} is no directory: correct the path, or make it", .0.display())]
    NoRepository(PathBuf),
    /// A database without a block.
    #[error("there is no block in {}, and so nothing to keep", .0.display())]
    Empty(PathBuf),
    /// A file in a database that no build of ours writes.
    #[error("{} is no file of a database: move it away", .0.display())]
    Stranger(PathBuf),
    /// A file that changed while it was sent, which none does that is not damaged.
    #[error("{} is not what it was when its digest was taken: the disk is failing, look at its log", .0.display())]
    Changed(PathBuf),
    /// Another snapshot of the same replica.
    #[error("another snapshot of {} is being made", .0.display())]
    Busy(PathBuf),
    /// Another verification in the same scratch directory.
    #[error("another verification runs in {}: wait for it, or name another --scratch", .0.display())]
    Verifying(PathBuf),
    /// A manifest that has no JSON.
    #[error("write the manifest")]
    Encode(#[source] serde_json::Error),
    /// A manifest that cannot be used.
    #[error("snapshot {id} in {repository}")]
    Unusable {
        id: Id,
        repository: String,
        #[source]
        source: Unusable,
    },
    /// Something else than a manifest where manifests are.
    #[error("`{key}` in {repository} is none of ours, so it is not known what it needs: move it away")]
    Foreign { key: String, repository: String },
    /// A snapshot that is not there.
    #[error("there is no snapshot {id} in {repository}: `maidenlane snapshot list` has their names")]
    NoSnapshot { id: Id, repository: String },
    /// A repository without a snapshot that could be restored.
    #[error(
        "there is no verified snapshot in {repository}: `maidenlane snapshot verify` one, or name one with --snapshot"
    )]
    NoneVerified { repository: String },
    /// A snapshot that does not suit the settings.
    #[error("snapshot {id} in {repository} {refusal}")]
    Unfit { id: Id, repository: String, refusal: String },
    /// A file of a snapshot that is not there.
    #[error("{file} of snapshot {id} is not in {repository} as `{key}`: take another snapshot")]
    Missing { file: String, id: Id, key: String, repository: String },
    /// A file of a snapshot that has other bytes.
    #[error(
        "{file} of snapshot {id} is damaged in {repository} as `{key}`: `maidenlane snapshot verify` removes it, and the next snapshot brings it again"
    )]
    Damaged { file: String, id: Id, key: String, repository: String },
    /// A database that is not what its manifest says.
    #[error(
        "snapshot {id} has block {found:?}, its manifest says {expected}: delete the snapshot, and take another"
    )]
    Differs { id: Id, found: Option<BlockRef>, expected: BlockRef },
    /// A state that is not that of its block.
    #[error("snapshot {id} cannot be verified: delete it, and take another")]
    State {
        id: Id,
        #[source]
        source: Box<verify::Error>,
    },
    /// A snapshot that somebody keeps.
    #[error("snapshot {0} is pinned: `maidenlane snapshot pin --off` it first")]
    Pinned(Id),
    /// The collection that others wait for does not end.
    #[error("a collection runs in {repository} for too long: try again later")]
    Collecting { repository: String },
    /// A credential that the service was not given.
    #[error("{0}")]
    Credential(String),
    /// A file without a certificate.
    #[error("{} has no certificate in PEM", .0.display())]
    Pem(PathBuf),
    /// The machine gives no thread.
    #[error("start a thread that moves files")]
    Thread(#[source] std::io::Error),
    /// The daemon stops.
    #[error("stopped")]
    Stopped,
}

pub(crate) fn io(verb: &'static str, path: &Path, source: std::io::Error) -> Error {
    FileError::at(verb, path)(source).into()
}

impl Error {
    /// True if another snapshot may be better: this one is damaged, gone, or of another build.
    #[must_use]
    pub const fn is_of_snapshot(&self) -> bool {
        matches!(
            self,
            Self::Unusable { .. }
                | Self::NoSnapshot { .. }
                | Self::Missing { .. }
                | Self::Damaged { .. }
                | Self::Differs { .. }
                | Self::State { .. }
        )
    }

    /// Key of the object that is not what its name says, if that is what is wrong.
    pub(crate) fn damaged_object(&self) -> Option<Key> {
        match self {
            Self::Damaged { key, .. } => Some(Key::from(key.as_str())),
            _ => None,
        }
    }

    /// Exit code of it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Place(error) => error.exit(),
            Self::Store(maidenlane_store::Error::InUse { .. }) => Exit::Settings,
            Self::Store(source) if !source.is_disk() => Exit::Data,
            Self::Io(error) => error.exit(),
            Self::NoSnapshot { .. } => Exit::Settings,
            Self::Stranger(_) | Self::Changed(_) => Exit::Data,
            error if error.is_of_snapshot() => Exit::Data,
            Self::Store(_)
            | Self::Repository { .. }
            | Self::Busy(_)
            | Self::Verifying(_)
            | Self::Collecting { .. }
            | Self::Encode(_)
            | Self::Thread(_)
            | Self::Stopped => Exit::GaveUp,
            _ => Exit::Settings,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.exit(), error)
    }
}
