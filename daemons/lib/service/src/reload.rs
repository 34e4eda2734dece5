//! Reload on SIGHUP: changes of an edited settings file in a running daemon, all of it or nothing.

use crate::admin::Metrics;
use crate::current::Current;
use crate::health::Health;
use crate::telemetry::Filter;
use maidenlane_config::shapes;
use maidenlane_config::{Change, Loaded, Settings, Version};
use prometheus_client::metrics::gauge::Gauge;
use serde_json::json;
use std::path::PathBuf;

/// Settings of a running daemon, and the file they come from.
pub(crate) struct Reload<S> {
    file: PathBuf,
    shared: fn(&S) -> &shapes::Daemon,
    /// Settings as of the start of the process.
    started: Version,
    /// Settings in use.
    running: Version,
    generation: i64,
    current: Current<S>,
    filter: Filter,
    health: Health,
    gauges: Gauges,
}

struct Gauges {
    generation: Gauge,
    success: Gauge,
    restart: Gauge,
}

impl<S: Settings + Send + Sync + 'static> Reload<S> {
    pub(crate) fn new(
        file: PathBuf,
        shared: fn(&S) -> &shapes::Daemon,
        version: Version,
        current: Current<S>,
        filter: Filter,
        health: Health,
        metrics: &Metrics,
    ) -> Self {
        let gauges = metrics.register(|registry| {
            let mut gauge = |name: &str, help: &str| {
                let gauge = Gauge::default();
                registry.register(name, help, gauge.clone());
                gauge
            };
            Gauges {
                generation: gauge("config_generation", "Settings in use, counted from 1 at the start"),
                success: gauge("config_reload_success", "Whether the last reload was accepted"),
                restart: gauge("config_restart_needed", "Edited fields that wait for a restart"),
            }
        });
        gauges.success.set(1);
        let started = version.clone();
        let reload =
            Self { file, shared, started, running: version, generation: 1, current, filter, health, gauges };
        reload.tell(&[], None);
        tracing::info!("settings {}, sha256 {}", reload.file.display(), reload.running.sha256::<S>());
        reload
    }

    /// Reloads the file as it is now: takes over all fields that can be. If anything is wrong with it, none.
    pub(crate) fn now(&mut self) {
        let (newest, merged) = match self.read() {
            Ok(read) => read,
            Err(reason) => return self.reject(&reason),
        };
        let (applied, waiting) =
            (self.running.changes::<S>(&merged.version), merged.version.changes::<S>(&newest));
        if let Err(reason) = self.filter.set(&(self.shared)(&merged.settings).log_filter) {
            return self.reject(&reason);
        }
        self.current.set(merged.settings);
        self.running = merged.version;
        if !applied.is_empty() {
            self.generation += 1;
        }
        for change in &applied {
            tracing::info!("settings: {}: {} -> {}", change.path, change.from, change.to);
        }
        for change in &waiting {
            tracing::warn!("settings: {change}");
        }
        let (generation, hash) = (self.generation, self.running.sha256::<S>());
        let restart = match waiting.iter().map(|change| change.path.as_str()).collect::<Vec<_>>().join(", ") {
            paths if paths.is_empty() => paths,
            paths => format!("; restart needed for {paths}"),
        };
        tracing::info!(
            "reloaded: {} fields changed, generation {generation}, sha256 {hash}{restart}",
            applied.len()
        );
        self.gauges.success.set(1);
        self.tell(&waiting, None);
    }

    fn read(&self) -> Result<(Version, Loaded<S>), String> {
        let newest = maidenlane_config::load::<S>(&self.file).map_err(|error| error.to_string())?.version;
        let merged = Loaded::merged(&self.started, &newest).map_err(|problems| {
            let listed = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  ");
            format!("the fields that reload do not go with those that were there at the start:\n  {listed}")
        })?;
        Ok((newest, merged))
    }

    fn reject(&self, reason: &str) {
        let generation = self.generation;
        tracing::error!("reload rejected, generation {generation} still runs: {reason}");
        self.gauges.success.set(0);
        self.tell(&[], Some(reason));
    }

    /// Reports the reload in metrics, `/status` and the status line.
    fn tell(&self, waiting: &[Change], rejected: Option<&str>) {
        self.gauges.generation.set(self.generation);
        self.gauges.restart.set(i64::try_from(waiting.len()).unwrap_or(i64::MAX));
        let paths: Vec<&str> = waiting.iter().map(|change| change.path.as_str()).collect();
        self.health.set_section(
            "settings",
            json!({
                "file": self.file,
                "generation": self.generation,
                "sha256": self.running.sha256::<S>(),
                "restartNeeded": paths,
                "reloadRejected": rejected,
            }),
        );
        let first = |reason: &str| reason.lines().nth(1).unwrap_or(reason).trim().to_owned();
        self.health.set_note(match rejected {
            Some(reason) => {
                Some(format!("reload rejected: {}; settings {} still run", first(reason), self.generation))
            }
            None if !paths.is_empty() => Some(format!("restart needed for {}", paths.join(", "))),
            None => (self.generation > 1).then(|| format!("settings {}", self.generation)),
        });
    }
}
