//! The beginning of a replica that has no block, or that the log has left behind: the newest verified snapshot of the
//! first source that has one for it.

use super::gap::{LeftBehind, reach};
use crate::config::Settings;
use maidenlane_log::Backend;
use maidenlane_service::{Exit, Failure, Health, Shutdown, with_causes};
use maidenlane_snapshot::restore::{self, Need};
use maidenlane_snapshot::{Demands, Error, Id, Manifest, Pace, Restore, progress::Progress};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Interval of signs of life.
const PULSE: Duration = Duration::from_secs(1);
/// Time that the service manager gives a start from each of them on.
const START_WAIT: Duration = Duration::from_secs(90);

/// Fills the state directory from a source, if it holds no block, or a database that the log has left behind. Without a
/// snapshot, an empty one begins with the feed.
///
/// # Errors
/// When a source that should have a snapshot for these settings has none, or nothing cures a gap.
pub(crate) fn begin(
    settings: &Settings,
    log: Backend,
    health: &Health,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let state_dir = &settings.daemon.state_dir;
    if settings.snapshots.sources.is_empty() {
        return Ok(());
    }
    let reach = reach(settings, log);
    let Some(need) = restore::need(state_dir, reach.as_ref())? else { return Ok(()) };
    if let Need::Gap(gap) = &need {
        tracing::warn!("the log has left this replica behind, a snapshot has to replace its database: {gap}");
    }
    let demands = Demands { reach, ..settings.demands() };
    let taken = take(settings, demands, matches!(need, Need::Gap(_)), state_dir, health, shutdown);
    match (taken, need) {
        (Ok(Some((id, manifest))), _) => {
            tracing::info!("restored snapshot {id}, block {}", manifest.head);
            Ok(())
        }
        (Err(Error::Stopped), _) | (Ok(None), Need::Beginning) => Ok(()),
        (Ok(None), Need::Gap(gap)) => Err(Failure::new(Exit::Data, LeftBehind::NoSnapshot(gap))),
        // A source that is away may have it.
        (Err(error), Need::Gap(_)) if !error.is_of_snapshot() && !matches!(error, Error::Unfit { .. }) => {
            Err(error.into())
        }
        (Err(error), Need::Gap(_)) => Err(Failure::new(Exit::Data, LeftBehind::Unfit(error))),
        (Err(error), Need::Beginning) => Err(error.into()),
    }
}

/// Takes the first snapshot that is of use, in the order of the sources; `None` if all are without a verified one.
fn take(
    settings: &Settings,
    demands: Demands,
    replaces: bool,
    state_dir: &Path,
    health: &Health,
    shutdown: &Shutdown,
) -> Result<Option<(Id, Manifest)>, Error> {
    let told = Mutex::new(None::<Instant>);
    let health_too = health.clone();
    let pulse = move || {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= PULSE) {
            health_too.progress();
            health_too.extend_timeout(START_WAIT);
            *told = Some(Instant::now());
        }
    };
    let pace = Pace::new(settings.snapshots.bytes_per_s, shutdown.clone()).with_pulse(Box::new(pulse));
    let report = |progress: Progress| {
        let line = format!("bootstrapping: restoring a snapshot: {progress}");
        health.set_status_line(&line);
        health.set_unready(line);
    };
    let passed_over = |reason: &Error| tracing::warn!("passed over: {}", with_causes(reason));
    let mut refused = None;
    for source in &settings.snapshots.sources {
        let restored = source.open().and_then(|repository| {
            tracing::info!("looks for a snapshot in {}", repository.name());
            let (pace, report, passed_over) = (&pace, &report, &passed_over);
            restore::restore(
                &Restore { repository: &repository, id: None, demands, replaces, pace, report, passed_over },
                state_dir,
            )
        });
        match restored {
            Ok(restored) => return Ok(Some(restored)),
            Err(Error::Stopped) => return Err(Error::Stopped),
            Err(none @ Error::NoneVerified { .. }) => tracing::warn!("{none}"),
            Err(error) => {
                tracing::warn!("{}", with_causes(&error));
                refused.get_or_insert(error);
            }
        }
    }
    refused.map_or(Ok(None), Err)
}
