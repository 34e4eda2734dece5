//! Errors of an adoption: what is wrong, and what to do.

use crate::facts::Objection;
use maidenlane_chain::{B256, BlockRef};
use maidenlane_service::files::FileError;
use maidenlane_service::{Exit, Failure};
use std::path::{Path, PathBuf};

/// An adoption that cannot go on.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// The disk refused.
    #[error(transparent)]
    Io(#[from] FileError),
    /// Something else than a data directory.
    #[error("{} is no data directory of geth: it has no {missing}", path.display())]
    NoDataDir { path: PathBuf, missing: &'static str },
    /// A node that runs.
    #[error("geth, or one of its commands, runs on {}: stop it (`systemctl stop geth`) and repeat; what a killed adoption has left ends by itself", .0.display())]
    Running(PathBuf),
    /// Something in the way.
    #[error("this node cannot be adopted as it is:{}", lines(.0))]
    Objections(Vec<Objection>),
    /// A geth that has no hook.
    #[error("{} is no geth with the hook ({said}): `maidenlane geth build --out DIR` makes one", path.display())]
    NoHook { path: PathBuf, said: String },
    /// A command of geth that failed.
    #[error("`geth {what}` failed ({status}); all that it said is in {}, at the end:\n{said}", log.display())]
    Command { what: String, status: String, log: PathBuf, said: String },
    /// A command of geth whose output is another than expected.
    #[error("`geth {what}` printed no {field}: is this a geth from 1.17.0 to 1.17.10?")]
    Unreadable { what: &'static str, field: &'static str },
    /// A geth that does not know the state of the head.
    #[error(
        "this geth does not take over what the node held in memory, and would rewind from block {0}: the node was killed, or \
         is of another version. Start it as it was, with the version of this geth, let it follow the chain, stop it cleanly \
         and repeat"
    )]
    Rewinds(u64),
    /// A state older than the blocks that were looked at.
    #[error(
        "none of the {blocks} blocks up to {head} has the state {root} that is on the disk: use --dump, which takes that of the head"
    )]
    NoBase { blocks: u64, head: u64, root: B256 },
    /// A feed whose end is not among the blocks that were looked at.
    #[error(
        "the feed ends at block {feed_head}, which is not among the {blocks} blocks up to {head}: begin a new one, without --feed-head"
    )]
    FeedOld { feed_head: u64, head: u64, blocks: u64 },
    /// A copy that did not go back.
    #[error("a copy was to go back to block {to}, and is at {found}; what geth said is in {}", log.display())]
    NotRewound { to: BlockRef, found: u64, log: PathBuf },
    /// Blocks that were not executed to the end.
    #[error("the blocks were executed up to {found} only, not to {head}; what geth said is in {}", log.display())]
    NotExecuted { head: u64, found: u64, log: PathBuf },
    /// Frames that the hook refused to write.
    #[error(
        "the hook wrote no frames of block {block} to {}: it wants `minFree_MB` of room there, 1,024 unless told otherwise; \
         what it said is in geth.log of the work directory", spool.display()
    )]
    NoFrames { spool: PathBuf, block: B256 },
    /// A file of blocks that geth wrote.
    #[error("{} is no file of blocks: {why}", path.display())]
    Blocks { path: PathBuf, why: String },
    /// Directories in one another.
    #[error("{} is in {}, which is {what}: name a --work directory beside geth's data, and a spool apart from both", inner.display(), outer.display())]
    Nested { inner: PathBuf, outer: PathBuf, what: &'static str },
    /// Another adoption of the same directory.
    #[error("another adoption runs in {}", .0.display())]
    Busy(PathBuf),
    /// A work directory of another node.
    #[error("{} is of the adoption of {}: name another --work, or remove it", work.display(), begun.display())]
    Other { work: PathBuf, begun: PathBuf },
    /// A work directory with something else in it.
    #[error("{} holds something else than an adoption: name an empty --work", .0.display())]
    Foreign(PathBuf),
    /// A node that does not answer, or refuses.
    #[error(transparent)]
    Node(#[from] maidenlane_bootstrap::Error),
}

fn lines(objections: &[Objection]) -> String {
    objections.iter().map(|objection| format!("\n  - {objection}")).collect()
}

pub(crate) fn io(verb: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    move |source| FileError::at(verb, path)(source).into()
}

impl Error {
    /// True if the node has to do something before it can be adopted.
    pub(crate) const fn is_of_node(&self) -> bool {
        matches!(self, Self::Objections(_) | Self::Rewinds(_) | Self::NoBase { .. } | Self::FeedOld { .. })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error {
            Error::Node(error) => return error.into(),
            Error::Io(ref error) => error.exit(),
            Error::Command { .. }
            | Error::NotRewound { .. }
            | Error::NotExecuted { .. }
            | Error::NoFrames { .. } => Exit::GaveUp,
            _ => Exit::Settings,
        };
        Self::new(exit, error)
    }
}

#[cfg(test)]
mod tests {
    use super::io;
    use maidenlane_service::{Exit, Failure};
    use std::io::ErrorKind;
    use std::path::Path;

    #[test]
    fn a_wrong_path_is_told_from_a_disk_that_refuses() {
        for (kind, exit) in
            [(ErrorKind::PermissionDenied, Exit::Settings), (ErrorKind::StorageFull, Exit::GaveUp)]
        {
            let failure = Failure::from(io("create", Path::new("/work"))(kind.into()));
            assert_eq!(failure.exit, exit);
            assert!(failure.to_string().starts_with("create /work: "), "{failure}");
        }
    }
}
