//! Gap between a replica and its log, which has dropped the record that comes next: what cures it, by name.

use crate::config::Settings;
use crate::submission;
use maidenlane_log::Backend;
use maidenlane_replay::{self as replay, reach::Reach};
use maidenlane_service::{Exit, Failure, with_causes};
use maidenlane_snapshot::{Demands, Error, Id, Repository};

/// A replica that the log has left behind.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LeftBehind {
    /// Met while following: the next start looks at the sources.
    #[error(
        "the log has left this replica behind: the next start looks for a snapshot in `snapshots.sources`"
    )]
    NextStart(#[source] replay::Error),
    /// Met without a source.
    #[error("the log has left this replica behind: {cure}")]
    NoSource {
        /// Snapshot that a person has to restore, or what to do without one.
        cure: String,
        /// Record that is gone.
        #[source]
        source: replay::Error,
    },
    /// No source has a verified snapshot.
    #[error(
        "the log has left this replica behind, and no source has a verified snapshot: `maidenlane snapshot verify` one of a replica that follows"
    )]
    NoSnapshot(#[source] maidenlane_log::Error),
    /// The sources' snapshots are of no use: the newest one's reason.
    #[error(
        "the log has left this replica behind, and no verified snapshot is of use: take one of a replica that follows"
    )]
    Unfit(#[source] Error),
}

/// Failure for the end of a follower. One that met a gap is started again where a source may cure it, and is told what
/// would cure it elsewhere.
pub(crate) fn told(error: replay::Error, settings: &Settings, log: Backend) -> Failure {
    if !error.is_gap() {
        return error.into();
    }
    if !settings.snapshots.sources.is_empty() {
        return Failure::new(Exit::GaveUp, LeftBehind::NextStart(error));
    }
    let cure = match &settings.snapshots.target {
        None => "name a repository with a snapshot of a replica that follows as one of `snapshots.sources`"
            .to_owned(),
        Some(target) => {
            match target.open().and_then(|target| Ok((newest(settings, log, &target)?, target))) {
                Ok((Some(id), target)) => {
                    format!(
                        "snapshot {id} in {} cures it, name that as one of `snapshots.sources`",
                        target.name()
                    )
                }
                Ok((None, target)) => format!(
                    "{} has no verified snapshot that is new enough, take one of a replica that follows",
                    target.name()
                ),
                Err(error) => format!("`snapshots.target` cannot be read: {}", with_causes(&error)),
            }
        }
    };
    Failure::new(Exit::Data, LeftBehind::NoSource { cure, source: error })
}

/// Reach of the log; `None` where it cannot be asked: then the follower, which waits for it, says why.
pub(super) fn reach(settings: &Settings, log: Backend) -> Option<Reach> {
    let asked = Reach::of(&submission::brief(log), &settings.topic, settings.proofs_topic.as_deref());
    asked.unwrap_or_else(|error| {
        tracing::debug!("the log's oldest record is not known: {}", with_causes(&error));
        None
    })
}

/// The newest verified snapshot of a repository behind which the log still holds the next record.
fn newest(settings: &Settings, log: Backend, repository: &Repository) -> Result<Option<Id>, Error> {
    let demands = Demands { reach: reach(settings, log), ..settings.demands() };
    for id in repository.ids()?.into_iter().rev() {
        if repository.is_verified(&id)? && demands.suit(&repository.snapshot(&id)?.manifest) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}
