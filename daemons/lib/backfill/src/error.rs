//! Errors of sources. None of them ends a replica.

use maidenlane_chain::BlockRef;
use maidenlane_chain::block::BlockError;
use maidenlane_service::files::FileError;
use std::path::{Path, PathBuf};

/// Error of a source, which is of no use meanwhile.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// The disk refused, or there is no such file.
    #[error(transparent)]
    Io(#[from] FileError),
    /// A file that is not what it is given as, or ends early.
    #[error("{} {what}", path.display())]
    File { path: PathBuf, what: String },
    /// A block that is not what its child's header says.
    #[error("block {block} is not what its hash says: replace the source, or name another")]
    Block {
        block: BlockRef,
        #[source]
        source: BlockError,
    },
    /// A node that is away or refuses.
    #[error("ask the node")]
    Node(#[from] maidenlane_bootstrap::Error),
    /// The daemon stops.
    #[error("stop")]
    Stopped,
}

pub(crate) fn io(verb: &'static str, path: &Path, source: std::io::Error) -> Error {
    if source.kind() == std::io::ErrorKind::UnexpectedEof {
        return file(path, "ends early: copy or export it again");
    }
    FileError::at(verb, path)(source).into()
}

pub(crate) fn file(path: &Path, what: impl Into<String>) -> Error {
    Error::File { path: path.to_owned(), what: what.into() }
}
