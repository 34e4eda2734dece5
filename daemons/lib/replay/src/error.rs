//! Errors that end a replica, and their exit codes.

use crate::apply::Refusal;
use crate::heads::ShowError;
use maidenlane_chain::BlockRef;
use maidenlane_feed::Violation;
use maidenlane_service::{Exit, Failure};
use maidenlane_state::trie::audit::Mismatch;
use maidenlane_state::trie::whole::RootMismatch;
use maidenlane_store as store;

/// A fatal error.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// Failure of the database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Failure of the log.
    #[error(transparent)]
    Log(#[from] maidenlane_log::Error),
    /// The log's topic would lose data.
    #[error("topic {topic} is unfit: {}", problems.join("; "))]
    Unfit { topic: String, problems: Vec<String> },
    /// A record that cannot be read.
    #[error("log entry {offset} cannot be read")]
    Record {
        offset: u64,
        #[source]
        source: maidenlane_wire::DecodeError,
    },
    /// An entry of the topic of trie nodes that cannot be read.
    #[error("entry {offset} of the trie nodes cannot be read")]
    Set {
        offset: u64,
        #[source]
        source: maidenlane_wire::DecodeError,
    },
    /// A block whose rows or trie nodes are not what its header says.
    #[error("block {block} is not what its state root says; restore a snapshot, and look at the master")]
    Audit {
        block: BlockRef,
        /// Mismatch of a row or a node.
        #[source]
        source: Box<Mismatch>,
    },
    /// Block 0 with a state that is not what its header says.
    #[error("the state of block 0 is not what its header says")]
    Genesis(#[source] Box<RootMismatch>),
    /// Trie nodes are wanted from a database that was begun without them.
    #[error(
        "this database keeps no trie nodes and cannot begin to; set `proofs` to None, or bootstrap anew, or restore a snapshot of a replica that has them"
    )]
    NoProofs,
    /// A record that does not fit.
    #[error("log entry {offset} is refused")]
    Refused {
        offset: u64,
        #[source]
        source: Refusal,
    },
    /// The database holds another chain than the settings name.
    #[error("the database is of another chain; correct `chain` or `stateDir`")]
    Foreign(#[source] Refusal),
    /// The log was cut below everything that this database knows.
    #[error("no block of the log is in this database; restore a snapshot or bootstrap anew")]
    Lost,
    /// A head cannot be shown.
    #[error(transparent)]
    Show(#[from] ShowError),
    /// The log stayed away.
    #[error("the log was away for {waited_s} s")]
    Away {
        waited_s: u64,
        #[source]
        source: maidenlane_log::Error,
    },
}

impl From<maidenlane_feed::Error> for Error {
    fn from(error: maidenlane_feed::Error) -> Self {
        match error {
            maidenlane_feed::Error::Log(error) => Self::Log(error),
            maidenlane_feed::Error::Violation { offset, source } => Self::of_entry(offset, source),
        }
    }
}

impl Error {
    /// Error for an entry that breaks the protocol of feeds.
    pub(crate) fn of_entry(offset: u64, violation: Violation) -> Self {
        match Refusal::try_from(violation) {
            Ok(source) => Self::Refused { offset, source },
            Err(source) => Self::Record { offset, source },
        }
    }

    /// True if the log has dropped what comes next, so that only a newer database can go on.
    #[must_use]
    pub const fn is_gap(&self) -> bool {
        matches!(self, Self::Log(maidenlane_log::Error::RetentionGap { .. }))
    }

    /// True if a log that was cut and written anew may look like that.
    #[must_use]
    pub const fn may_be_cut(&self) -> bool {
        use maidenlane_log::Error::BeyondEnd;
        matches!(
            self,
            Self::Log(BeyondEnd { .. }) | Self::Refused { .. } | Self::Record { .. } | Self::Set { .. }
        )
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match &error {
            Error::Unfit { .. }
            | Error::NoProofs
            | Error::Log(maidenlane_log::Error::Forbidden { .. })
            | Error::Store(store::Error::InUse { .. }) => Exit::Settings,
            Error::Log(
                maidenlane_log::Error::NoTopic { .. }
                | maidenlane_log::Error::Io { .. }
                | maidenlane_log::Error::Full { .. },
            )
            | Error::Away { .. } => Exit::GaveUp,
            // Opened anew, a database goes on where it was.
            Error::Store(error) if error.is_disk() => Exit::GaveUp,
            _ => Exit::Data,
        };
        Self::new(exit, error)
    }
}
