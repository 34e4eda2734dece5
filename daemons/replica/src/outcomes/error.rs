//! Failures of reading the topics.

/// Failure of a turn.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Log(#[from] maidenlane_log::Error),
    #[error(transparent)]
    Store(#[from] maidenlane_store::Error),
    #[error("the topic of outcomes is unfit: {}", .0.join("; "))]
    Unfit(Vec<String>),
}
