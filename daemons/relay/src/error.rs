//! Errors that end a relay, and their exit codes.

use crate::{keyring, post, seal};
use maidenlane_service::{Exit, Failure, GaveUp};

/// A fatal error.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// Failure of the log.
    #[error("log")]
    Log(#[from] maidenlane_log::Error),
    /// The log was away for too long.
    #[error(transparent)]
    Away(#[from] GaveUp),
    /// An entry that this relay cannot read and may not pass over.
    #[error("entry {offset} of partition {partition} of {topic}")]
    Entry {
        topic: String,
        partition: u32,
        offset: u64,
        #[source]
        source: seal::Error,
    },
    /// The keyring cannot be read.
    #[error("read the keyring {place}: {problem}")]
    NoKeyring { place: String, problem: String },
    /// A builder cannot be sent to.
    #[error(transparent)]
    Builder(#[from] post::Unusable),
    /// The keyring is none.
    #[error("keyring {place}")]
    Keyring {
        place: String,
        #[source]
        source: keyring::Unusable,
    },
}

impl Error {
    const fn exit(&self) -> Exit {
        use maidenlane_log::Error::{Corrupt, Forbidden, NoTopic, Refused, TooLarge};
        match self {
            Self::Entry { source: seal::Error::UnknownKey { .. }, .. }
            | Self::NoKeyring { .. }
            | Self::Keyring { .. }
            | Self::Builder(_)
            | Self::Log(NoTopic { .. } | Forbidden { .. } | TooLarge { .. } | Refused { .. }) => {
                Exit::Settings
            }
            Self::Entry { .. } | Self::Log(Corrupt { .. }) => Exit::Data,
            Self::Log(_) | Self::Away(_) => Exit::GaveUp,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.exit(), error)
    }
}
