//! Errors of the command, and the exit codes they mean.

use std::{io, path::PathBuf};

use maidenlane_replay::verify;
use maidenlane_service::{Exit, Failure};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("write the output")]
    Output(#[source] io::Error),
    #[error(transparent)]
    Log(#[from] maidenlane_log::Error),
    #[error(transparent)]
    Settings(#[from] maidenlane_config::Error),
    #[error(transparent)]
    Daemon(#[from] Failure),
    #[error(transparent)]
    Replica(verify::Error),
    #[error(transparent)]
    Snapshot(#[from] maidenlane_snapshot::Error),
    #[error("the {daemon} answers: {reason}")]
    Asked { daemon: &'static str, exit: u8, reason: String },
    #[error("{what} {}", path.display())]
    Install {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("build geth: {0}")]
    Build(String),
    #[error("{0}")]
    Undecodable(String),
    #[error("{0}")]
    Usage(String),
}

impl Error {
    /// An error of the tap's library, with the exit code that the tap gives it.
    pub(crate) fn tap(error: impl Into<Failure>) -> Self {
        Self::Daemon(error.into())
    }

    /// Data that is not what it was is told apart from wrong usage and from an unreachable dependency.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Replica(
                verify::Error::Store(maidenlane_store::Error::InUse { .. }) | verify::Error::Empty(_),
            )
            | Self::Log(
                maidenlane_log::Error::NoTopic { .. }
                | maidenlane_log::Error::Forbidden { .. }
                | maidenlane_log::Error::Refused { .. },
            )
            | Self::Settings(_)
            | Self::Read { .. }
            | Self::Usage(_) => Exit::Settings,
            Self::Log(maidenlane_log::Error::Corrupt { .. }) | Self::Undecodable(_) | Self::Replica(_) => {
                Exit::Data
            }
            Self::Daemon(failure) => failure.exit,
            Self::Snapshot(error) => error.exit(),
            Self::Asked { exit, .. } => Exit::of_number(*exit),
            Self::Log(_) | Self::Output(_) | Self::Install { .. } | Self::Build(_) => Exit::GaveUp,
        }
    }
}

impl From<verify::Error> for Error {
    fn from(error: verify::Error) -> Self {
        match error {
            verify::Error::Output(closed) => Self::Output(closed),
            other => Self::Replica(other),
        }
    }
}
