//! Errors that end an emitter, and their exit codes.

use maidenlane_feed::scan;
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
    /// The feed breaks its protocol.
    #[error("the feed cannot be read")]
    Feed(#[source] scan::Error),
    /// A block cannot be read.
    #[error(transparent)]
    Block(crate::chain::Unreadable),
    /// An entry of a newer version, which nobody may pass over.
    #[error("entry {offset} of partition {partition} of {topic} cannot be read")]
    Newer {
        topic: String,
        partition: u32,
        offset: u64,
        #[source]
        source: maidenlane_wire::DecodeError,
    },
    /// A topic would lose transactions or their fates.
    #[error("topic {topic} is unfit: {}", problems.join("; "))]
    Unfit { topic: String, problems: Vec<String> },
}

impl Error {
    const fn exit(&self) -> Exit {
        use maidenlane_log::Error::{Corrupt, Forbidden, NoTopic, Refused, TooLarge};
        match self {
            Self::Feed(_) | Self::Block(_) | Self::Newer { .. } | Self::Log(Corrupt { .. }) => Exit::Data,
            Self::Unfit { .. }
            | Self::Log(NoTopic { .. } | Forbidden { .. } | TooLarge { .. } | Refused { .. }) => {
                Exit::Settings
            }
            Self::Log(_) | Self::Away(_) => Exit::GaveUp,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.exit(), error)
    }
}
