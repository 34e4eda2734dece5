//! Errors of an import: what is wrong, of which account or file, and what to do.

use maidenlane_chain::block::BlockError;
use maidenlane_chain::{B256, BlockRef};
use maidenlane_jsonrpc::client::ClientError;
use maidenlane_replay::place;
use maidenlane_service::files::FileError;
use maidenlane_service::{Exit, Failure};
use maidenlane_state::trie::Disorder;
use std::path::{Path, PathBuf};

/// An import that cannot go on.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// The disk refused.
    #[error(transparent)]
    Io(#[from] FileError),
    /// Failure of the database or of a file that it takes over.
    #[error(transparent)]
    Store(#[from] maidenlane_store::Error),
    /// A file that is not what it is given as, or cannot be read to its end.
    #[error("{} {what}", path.display())]
    File { path: PathBuf, what: String },
    /// Accounts out of order.
    #[error("the accounts are not those of one export, made in one piece")]
    Accounts(#[from] Disorder),
    /// Slots out of order.
    #[error("the slots of account hash {account} are not those of one export, made in one piece")]
    Slots {
        account: B256,
        #[source]
        source: Disorder,
    },
    /// An account that names a storage root and has no slots.
    #[error(
        "account hash {0} has storage, and no slot of it is there: the export ended early, or the node ran meanwhile; export again"
    )]
    NoSlots(B256),
    /// Slots without an account that has storage.
    #[error(
        "there are slots of account hash {0}, which is not there, has no storage, or had its slots before: export again, from a node that is stopped"
    )]
    StraySlots(B256),
    /// An account whose slots have another root than it names.
    #[error(
        "the storage of account hash {account} has root {found}, the account names {expected}: the export ended early, or the node ran meanwhile; export again"
    )]
    StorageRoot { account: B256, expected: B256, found: B256 },
    /// A state of another block.
    #[error(
        "the state has root {found}, block {block} has {expected}: name the block that was exported, or export again"
    )]
    StateRoot { block: BlockRef, expected: B256, found: B256 },
    /// Accounts whose code is in no file.
    #[error(
        "the code {0} of an account is in none of the files: export code again, after the snapshot; a dump must be made without --nocode"
    )]
    NoCode(B256),
    /// A state directory in which nothing can be put.
    #[error(transparent)]
    Place(#[from] place::Error),
    /// A database that has not what was read.
    #[error("the database has {found} accounts, {expected} were read: begin anew with --restart")]
    Rows { expected: u64, found: u64 },
    /// A node that has dropped the block itself.
    #[error("there is no body or are no receipts of block {0}: name a node or archives that have both")]
    NoContent(BlockRef),
    /// Other files or another block than at the start.
    #[error("the import that was begun in {} is of {begun}: name the same, or begin anew with --restart", path.display())]
    Other { path: PathBuf, begun: String },
    /// A journal that cannot be read.
    #[error("{} cannot be read: begin anew with --restart", path.display())]
    Journal {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    /// The machine gives no thread.
    #[error("start a thread that asks the node")]
    Thread(#[source] std::io::Error),
    /// A node that does not answer, or refuses.
    #[error(transparent)]
    Master(Box<ClientError>),
    /// A block that nobody knows.
    #[error("there is no block {0}: name a node or archives that have it")]
    NoBlock(String),
    /// A block that is not what its hash says.
    #[error("block {block} is not what its hash says")]
    Block {
        block: BlockRef,
        #[source]
        source: BlockError,
    },
    /// Archives without block 0, and settings that do not name it.
    #[error("nothing says of which chain the archives are: name `chain.genesis` in the settings")]
    NoGenesis,
    /// Settings name another chain.
    #[error(
        "the node has chain id {found}, the settings say {expected}: correct `chain`, or ask another node"
    )]
    Chain { expected: u64, found: u64 },
    /// Settings name another genesis.
    #[error(
        "the genesis is {found}, the settings say {expected}: correct `chain`, or name another node or other archives"
    )]
    Genesis { expected: B256, found: B256 },
}

pub(crate) fn io(verb: &'static str, path: &Path, source: std::io::Error) -> Error {
    FileError::at(verb, path)(source).into()
}

/// Error of reading a file that is given: its bytes may be at fault, or the disk.
pub(crate) fn read(path: &Path, error: std::io::Error) -> Error {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    if matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof) {
        let what = format!("is no whole gzip file ({error}): export it again");
        return Error::File { path: path.to_owned(), what };
    }
    io("read", path, error)
}

impl Error {
    /// True if what was read is no state that could be served.
    pub(crate) const fn is_of_state(&self) -> bool {
        matches!(
            self,
            Self::Accounts(_)
                | Self::Slots { .. }
                | Self::NoSlots(_)
                | Self::StraySlots(_)
                | Self::StorageRoot { .. }
                | Self::StateRoot { .. }
                | Self::NoCode(_)
                | Self::Rows { .. }
        )
    }
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Self {
        Self::Master(Box::new(error))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match &error {
            error if error.is_of_state() => Exit::Data,
            Error::File { .. } | Error::Block { .. } | Error::Journal { .. } => Exit::Data,
            Error::Store(maidenlane_store::Error::InUse { .. }) => Exit::Settings,
            Error::Store(source) if !source.is_disk() => Exit::Data,
            Error::Place(error) => error.exit(),
            Error::Io(error) => error.exit(),
            Error::Master(error) if error.rpc().is_some() => Exit::Settings,
            Error::Store(_) | Error::Master(_) | Error::Thread(_) => Exit::GaveUp,
            _ => Exit::Settings,
        };
        Self::new(exit, error)
    }
}
