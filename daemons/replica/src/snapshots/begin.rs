//! The beginning of a replica without a block: the newest verified snapshot of the first source that has one for it.

use super::Settings;
use maidenlane_service::{Failure, Health, Shutdown, with_causes};
use maidenlane_snapshot::{Demands, Error, Pace, Restore, progress::Progress, restore};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Interval of signs of life.
const PULSE: Duration = Duration::from_secs(1);
/// Time that the service manager gives a start from each of them on.
const START_WAIT: Duration = Duration::from_secs(90);

/// Fills the state directory, if it holds no block and there is a snapshot. Without one the feed has to do.
///
/// # Errors
/// When no source has a snapshot for these settings, and one of them should have: its reason.
pub(crate) fn begin(
    settings: &Settings,
    state_dir: &Path,
    demands: Demands,
    health: &Health,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    if settings.sources.is_empty() || !restore::is_due(state_dir)? {
        return Ok(());
    }
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
    let pace = Pace::new(settings.bytes_per_s, shutdown.clone()).with_pulse(Box::new(pulse));
    let report = |progress: Progress| {
        let line = format!("bootstrapping: restoring a snapshot: {progress}");
        health.set_status_line(&line);
        health.set_unready(line);
    };
    let passed_over = |reason: &Error| tracing::warn!("passed over: {}", with_causes(reason));
    let mut refused = None;
    for source in &settings.sources {
        let restored = source.open().and_then(|repository| {
            tracing::info!("looks for a snapshot in {}", repository.name());
            let (pace, report, passed_over) = (&pace, &report, &passed_over);
            restore(
                &Restore { repository: &repository, id: None, demands, pace, report, passed_over },
                state_dir,
            )
        });
        match restored {
            Ok((id, manifest)) => {
                tracing::info!("restored snapshot {id}, block {}", manifest.head);
                return Ok(());
            }
            Err(Error::Stopped) => return Ok(()),
            Err(none @ Error::NoneVerified { .. }) => tracing::warn!("{none}"),
            Err(error) => {
                tracing::warn!("{}", with_causes(&error));
                refused.get_or_insert(error);
            }
        }
    }
    refused.map_or(Ok(()), |error| Err(error.into()))
}
