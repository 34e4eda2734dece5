//! Errors that stop the tap or make it try again, and the exit code each deserves.

use maidenlane_chain::{B256, BlockRef};
use maidenlane_service::{Exit, Failure};
use std::path::PathBuf;

/// An error of the tap.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// Failure between the tap and its master.
    #[error("master")]
    Master(#[from] crate::ipc::Error),
    /// Failure between the tap and the log.
    #[error("log")]
    Log(#[from] maidenlane_log::Error),
    /// The master serves another chain than the settings name.
    #[error(
        "the master has chain id {found_id} and genesis {found}, the settings say {wanted_id} and {wanted}; correct `ipc` or `chain`"
    )]
    WrongChain {
        /// Chain id of the settings.
        wanted_id: u64,
        /// Genesis hash of the settings or the feed.
        wanted: B256,
        /// Chain id of the master.
        found_id: u64,
        /// Genesis hash of the master.
        found: B256,
    },
    /// A spool segment is damaged before its end. geth may have it open, and would go on writing to a removed file.
    #[error(
        "spool segment {path} is corrupt at byte {offset}: {what}; stop geth, remove the segment, start geth and run `{REPAIR}`"
    )]
    SpoolCorrupt {
        path: PathBuf,
        /// Where the bad frame begins.
        offset: u64,
        what: String,
    },
    /// A spool segment holds sound frames of a newer hook.
    #[error(
        "spool segment {path} has frames of version {version} at byte {offset}, which a newer hook wrote; nothing is damaged: upgrade this tap"
    )]
    SpoolNewer { path: PathBuf, offset: u64, version: u8 },
    /// A file of the spool cannot be read or deleted.
    #[error("spool: {what} {path}")]
    Spool {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The spool says nothing about itself: no INIT frame, so no master with our hook has run.
    #[error("the spool {0} holds no INIT frame; start geth with `--vmtrace maidenlane` and this spool")]
    NoInit(PathBuf),
    /// A new feed would not begin at genesis.
    #[error(
        "the spool {} does not go back to genesis: block {base} is the newest that was executed without the hook or whose frames are gone, and a feed from there serves only replicas that stand at it; let geth import the chain from genesis with the hook (`--vmtrace maidenlane`) into this spool, or set `begin` to `Begin.Spool`",
        spool.display()
    )]
    NotFromGenesis { spool: PathBuf, base: BlockRef },
    /// A canonical block was executed without leaving frames.
    #[error("block {0} is canonical but not in the spool: a hole; run `{REPAIR}`")]
    Hole(BlockRef),
    /// The settings ask for trie nodes, and the hook was not set to write them.
    #[error(
        "block {block} was executed without trie nodes, which `proofs = True` is to publish: set `\"trie\": true` in geth's `--vmtrace.jsonconfig`, start geth again and run `{REPAIR}`, or set `proofs` to False"
    )]
    NoNodes { block: BlockRef },
    /// Frames of a block that do not fit its header, its parent or the master's proofs. As for a damaged
    /// segment, only frames that are gone are written again.
    #[error(
        "the frames of block {block} in {segment} are wrong: {what}; stop geth, remove the segment, start geth and run `{REPAIR}`"
    )]
    BadFrames { block: BlockRef, segment: PathBuf, what: String },
    /// A block of the master or the feed that does not decode.
    #[error("block {block}: {what}; a newer tap may know it, and otherwise the master's database is damaged")]
    BadBlock { block: BlockRef, what: String },
    /// The master moved to a branch that leaves the chain below the feed's first block.
    #[error("the master's head {0} is not on a chain with the feed's first block; begin a new feed")]
    BelowBase(BlockRef),
    /// The feed holds something that no tap writes.
    #[error("the feed is broken at offset {offset}: {what}; begin a new feed")]
    BrokenFeed { offset: u64, what: String },
    /// The log ends before what was read of it.
    #[error(
        "the log was cut: it was read up to offset {read} and ends at {end}; the next start goes on there"
    )]
    Cut {
        /// One after the newest entry read.
        read: u64,
        /// Where the log ends now.
        end: u64,
    },
    /// A record that no consumer would take.
    #[error("a record cannot be published: {what}")]
    Unpublishable { what: String },
    /// Another tap writes this feed.
    #[error("displaced: epoch {epoch} of the feed belongs to another tap; run one tap per feed")]
    Displaced { epoch: u64 },
    /// The topic would lose data.
    #[error("topic {topic} is not fit for a feed: {}", .problems.join("; "))]
    Unfit { topic: String, problems: Vec<String> },
    /// A dependency stayed away for too long.
    #[error("gave up after {waited_ms} ms")]
    GaveUp {
        /// How long it was tried.
        waited_ms: u64,
        #[source]
        source: Box<Error>,
    },
}

/// Command that closes a hole; FILE as the tap itself was given it.
const REPAIR: &str = "maidenlane tap repair --config FILE";

impl Error {
    /// True if trying again may help: the master or the log is away, or the spool's disk fails.
    #[must_use]
    pub fn passes(&self) -> bool {
        use maidenlane_log::Error::{Forbidden, Io};
        match self {
            Self::Master(_) => true,
            Self::Spool { source, .. } => !maidenlane_log::is_misplaced(source.kind()),
            // It was there at the start: an operator may be at work, a broker that stops or starts may not know its rights.
            Self::Log(error) => error.may_come() || matches!(error, Forbidden { .. } | Io { .. }),
            _ => false,
        }
    }

    const fn exit(&self) -> Exit {
        match self {
            Self::WrongChain { .. }
            | Self::SpoolCorrupt { .. }
            | Self::SpoolNewer { .. }
            | Self::Hole(_)
            | Self::BadFrames { .. }
            | Self::BadBlock { .. }
            | Self::BelowBase(_)
            | Self::BrokenFeed { .. }
            | Self::Unpublishable { .. }
            | Self::Log(maidenlane_log::Error::Corrupt { .. }) => Exit::Data,
            Self::Displaced { .. }
            | Self::NotFromGenesis { .. }
            | Self::NoNodes { .. }
            | Self::Unfit { .. }
            | Self::Log(
                maidenlane_log::Error::NoTopic { .. }
                | maidenlane_log::Error::Forbidden { .. }
                | maidenlane_log::Error::TooLarge { .. }
                | maidenlane_log::Error::Refused { .. },
            ) => Exit::Settings,
            // Also for a log that was cut: a start finds where it ends.
            Self::Master(_)
            | Self::Log(_)
            | Self::Cut { .. }
            | Self::Spool { .. }
            | Self::NoInit(_)
            | Self::GaveUp { .. } => Exit::GaveUp,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.exit(), error)
    }
}
