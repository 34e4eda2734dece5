//! Why a replica ends, and with which exit code.

use crate::apply::Refusal;
use crate::live::ShowError;
use crate::store;
use maidenlane_service::{Exit, Failure};

/// A fatal error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The log.
    #[error(transparent)]
    Log(#[from] maidenlane_log::Error),
    /// The log's topic would lose data.
    #[error("topic {topic} is unfit: {}", problems.join("; "))]
    Unfit {
        /// The topic.
        topic: String,
        /// One sentence each.
        problems: Vec<String>,
    },
    /// A record that cannot be read.
    #[error("log entry {offset} cannot be read")]
    Record {
        /// Its offset.
        offset: u64,
        /// Why.
        #[source]
        source: maidenlane_wire::DecodeError,
    },
    /// A record that does not fit.
    #[error("log entry {offset} is refused")]
    Refused {
        /// Its offset.
        offset: u64,
        /// Why.
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
        /// How long.
        waited_s: u64,
        /// The last answer.
        #[source]
        source: maidenlane_log::Error,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match &error {
            Error::Unfit { .. } | Error::Store(store::Error::InUse { .. }) => Exit::Settings,
            Error::Log(maidenlane_log::Error::NoTopic { .. }) | Error::Away { .. } => Exit::GaveUp,
            Error::Log(maidenlane_log::Error::Io { .. }) => Exit::TaskDied,
            _ => Exit::Data,
        };
        Self::new(exit, error)
    }
}
