//! Guard of retention: warns while there is time that the newest verified snapshot comes near the oldest record of the
//! log. Once the log has dropped the record behind it, nobody can begin with it any more.

use super::Settings;
use crate::config;
use maidenlane_log::Backend;
use maidenlane_service::prometheus_client::metrics::gauge::Gauge;
use maidenlane_service::{Failure, Health, Metrics, Shutdown, TaskGroup, with_causes};
use maidenlane_snapshot::{Demands, Id};
use maidenlane_store::{Position, Store};
use serde_json::json;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Interval of looks at log and repositories.
const EVERY: Duration = Duration::from_secs(30);
/// Interval at which the thread looks for a shutdown.
const NAP: Duration = Duration::from_millis(100);

/// Offsets that a log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    earliest: u64,
    end: u64,
}

/// Distance of a snapshot from the oldest record of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Margin {
    /// Records that the log may still drop; none left, and the snapshot is of no use any more.
    records: u64,
    /// Records that it holds.
    held: u64,
    /// Time in which that many records come, and so go; none while none come.
    left_s: Option<u64>,
    /// True if it is time for another snapshot.
    alarm: bool,
}

/// Margin of the newest verified snapshot, whose last record is at `offset`. `records_per_1000_s` is the log's growth: what
/// retention drops, it drops as fast. Below `due_percent` of what the log holds, it is time for another one.
fn margin(offset: Option<u64>, extent: Extent, records_per_1000_s: u64, due_percent: u64) -> Margin {
    let held = extent.end.saturating_sub(extent.earliest);
    let records = offset.map_or(0, |offset| offset.saturating_add(1).saturating_sub(extent.earliest));
    let left_s = records.saturating_mul(1_000).checked_div(records_per_1000_s);
    // A log that has dropped nothing yet holds all that anybody needs.
    let alarm = extent.earliest > 0 && u128::from(records) * 100 < u128::from(held) * u128::from(due_percent);
    Margin { records, held, left_s, alarm }
}

/// Parts of a guard.
struct Guard {
    settings: Settings,
    demands: Demands,
    topic: String,
    log: Backend,
    store: Arc<OnceLock<Arc<Store>>>,
    health: Health,
    left: Gauge,
    alarm: Gauge,
    /// First look, from which the growth is reckoned.
    first: Option<(Instant, u64)>,
    /// Newest verified snapshot so far, which is read once.
    known: Option<(Id, Position)>,
}

/// Starts the guard, if the settings name a repository.
///
/// # Errors
/// When the machine gives no thread.
pub(crate) fn start(
    replica: &config::Settings,
    log: Backend,
    store: Arc<OnceLock<Arc<Store>>>,
    tasks: &TaskGroup,
    health: &Health,
    metrics: &Metrics,
) -> Result<(), Failure> {
    let settings = &replica.snapshots;
    if settings.target.is_none() && settings.sources.is_empty() {
        return Ok(());
    }
    let (left, alarm) = (Gauge::default(), Gauge::default());
    metrics.register(|registry| {
        registry.register(
            "snapshot_left_seconds",
            "Time until the log drops what the newest verified snapshot needs; -1 if that cannot be told",
            left.clone(),
        );
        registry.register(
            "snapshot_due",
            "1 if the newest verified snapshot comes near the oldest record of the log",
            alarm.clone(),
        );
    });
    let guard = Guard {
        settings: settings.clone(),
        demands: replica.demands(),
        topic: replica.topic.clone(),
        log,
        store,
        health: health.clone(),
        left,
        alarm,
        first: None,
        known: None,
    };
    let shutdown = tasks.shutdown().clone();
    tasks.spawn_thread("snapshot guard", move || {
        guard.run(&shutdown);
        Ok(())
    })
}

impl Guard {
    fn run(mut self, shutdown: &Shutdown) {
        let mut next = Instant::now();
        while !shutdown.is_triggered() {
            if Instant::now() >= next
                && let Some(store) = self.store.get().cloned()
            {
                next = Instant::now() + EVERY;
                if let Err(reason) = self.look(&store) {
                    tracing::warn!("snapshots cannot be looked at: {reason}");
                }
            }
            std::thread::sleep(NAP);
        }
    }

    /// Looks at log and repositories, and tells the margin.
    fn look(&mut self, store: &Store) -> Result<(), String> {
        let Some(ours) = store.facts().position else { return Ok(()) };
        let mut consumer = self.log.consumer(&self.topic, 0).map_err(|error| with_causes(&error))?;
        let extent = Extent {
            earliest: consumer.earliest().map_err(|error| with_causes(&error))?.0,
            end: consumer.end().map_err(|error| with_causes(&error))?.0,
        };
        let newest = self.newest(ours).map_err(|error| with_causes(&error))?;
        let (begun, first_end) = *self.first.get_or_insert((Instant::now(), extent.end));
        let grown = extent.end.saturating_sub(first_end);
        let growth = grown.saturating_mul(1_000).checked_div(begun.elapsed().as_secs()).unwrap_or(0);
        let margin = margin(
            newest.as_ref().map(|(_, position)| position.offset),
            extent,
            growth,
            self.settings.due_below_percent,
        );
        self.tell(newest.map(|(id, _)| id), margin);
        Ok(())
    }

    fn tell(&self, id: Option<Id>, margin: Margin) {
        let Margin { records, held, left_s, alarm } = margin;
        self.left.set(left_s.and_then(|left| i64::try_from(left).ok()).unwrap_or(-1));
        self.alarm.set(alarm.into());
        self.health.set_section(
            "snapshots",
            json!({
                "newestVerified": id.map(|id| id.to_string()),
                "recordsLeft": records,
                "recordsHeld": held,
                "secondsLeft": left_s,
                "due": alarm,
            }),
        );
        let told = alarm.then(|| {
            let time = left_s.map_or_else(String::new, |left| format!(", in {} h", left / 3_600));
            format!(
                "snapshot due: the log drops what the newest verified one needs after {records} records{time}"
            )
        });
        self.health.set_alarm(told);
    }

    /// The newest verified snapshot of all repositories that is of this feed and suits the settings.
    fn newest(&mut self, ours: Position) -> Result<Option<(Id, Position)>, maidenlane_snapshot::Error> {
        let mut newest = None::<(Id, Position)>;
        for source in self.settings.sources.iter().chain(&self.settings.target) {
            let repository = source.open()?;
            for id in repository.ids()?.into_iter().rev() {
                if !repository.is_verified(&id)? {
                    continue;
                }
                let position = match &self.known {
                    Some((known, position)) if *known == id => Some(*position),
                    _ => {
                        let manifest = repository.snapshot(&id)?.manifest;
                        manifest.position.filter(|_| self.demands.suit(&manifest))
                    }
                };
                // Offsets of another feed say nothing.
                let Some(position) = position.filter(|position| position.feed == ours.feed) else { continue };
                if newest.as_ref().is_none_or(|(_, best)| best.offset < position.offset) {
                    newest = Some((id, position));
                }
                break;
            }
        }
        self.known.clone_from(&newest);
        Ok(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::{Extent, Margin, margin};

    fn check(
        offset: Option<u64>,
        (earliest, end): (u64, u64),
        growth: u64,
        expect: (u64, Option<u64>, bool),
    ) {
        let Margin { records, left_s, alarm, .. } = margin(offset, Extent { earliest, end }, growth, 50);
        assert_eq!((records, left_s, alarm), expect, "{offset:?} of {earliest}..{end}");
    }

    #[test]
    fn a_snapshot_in_the_older_half_of_the_log_is_due() {
        check(Some(1_600), (1_000, 2_000), 100, (601, Some(6_010), false));
        check(Some(1_499), (1_000, 2_000), 100, (500, Some(5_000), false));
        check(Some(1_498), (1_000, 2_000), 100, (499, Some(4_990), true));
        // The record behind it is the oldest one that there is, or gone.
        check(Some(999), (1_000, 2_000), 100, (0, Some(0), true));
        check(Some(10), (1_000, 2_000), 100, (0, Some(0), true));
        check(None, (1_000, 2_000), 100, (0, Some(0), true));
    }

    #[test]
    fn a_snapshot_is_due_as_early_as_the_settings_say() {
        let extent = Extent { earliest: 1_000, end: 2_000 };
        let due = |percent| margin(Some(1_699), extent, 0, percent).alarm;
        assert_eq!([50, 70, 71, 99].map(due), [false, false, true, true]);
    }

    #[test]
    fn a_log_that_drops_nothing_needs_none() {
        check(None, (0, 2_000), 100, (0, Some(0), false));
        check(Some(5), (0, 2_000), 0, (6, None, false));
        check(Some(1_900), (1_000, 2_000), 0, (901, None, false));
    }
}
