//! The threads beside the requests: one appends, one tells of refusals, one checks the consumer group's lag.

use super::refusals::Refusals;
use super::{Consumers, Counts, Settings, Submissions};
use maidenlane_log::{Backend, TopicNeeds, kafka};
use maidenlane_service::{Failure, Health, Metrics, Shutdown, TaskGroup};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Timeout of one request to a log that may be away: a shutdown waits for it.
const LOOK_WAIT: Duration = Duration::from_secs(3);
/// Interval between attempts while the log is away.
const LOOK_AWAY: Duration = Duration::from_secs(5);
/// Interval at which the shutdown is polled.
const NAP: Duration = Duration::from_millis(100);

type Gauge = maidenlane_service::prometheus_client::metrics::gauge::Gauge;

/// Requirements for the topic of transactions, to be held against it by [`Backend::check`].
#[must_use]
pub const fn needs(settings: &Settings) -> TopicNeeds {
    TopicNeeds {
        partitions: None,
        entry_bytes: maidenlane_wire::transaction::ENTRY_MAX_BYTES,
        retention_min_age: settings.retention,
        retention_min_bytes: TopicNeeds::NEVER_BY_SIZE,
    }
}

/// Starts the threads. The appending one ends with the last clone of the returned handle.
///
/// # Errors
/// When the operating system refuses a thread.
pub fn start(
    settings: &Settings,
    log: Backend,
    tasks: &TaskGroup,
    health: &Health,
    metrics: &Metrics,
) -> Result<Submissions, Failure> {
    let consumers = Arc::new(Consumers::new(settings.clone()));
    let counts = Counts::new(settings.bounds);
    let on_their_way = counts.on_their_way();
    let (mut submissions, appender) =
        Submissions::new(log.clone(), settings.topic.clone(), Arc::clone(&consumers), counts);
    let (refusals, teller) = Refusals::new(log.clone(), settings.outcomes_topic.clone());
    submissions.refusals = refusals;
    let shutdown = tasks.shutdown().clone();
    tasks.spawn_thread("refusals", move || {
        teller.run(&shutdown);
        Ok(())
    })?;
    let shutdown = tasks.shutdown().clone();
    tasks.spawn_thread("transactions", move || {
        appender.run();
        shutdown.wait();
        Ok(())
    })?;
    let watch = Watch {
        consumers,
        log: brief(log),
        health: health.clone(),
        waiting: Gauge::default(),
        shutdown: tasks.shutdown().clone(),
        away: false,
    };
    metrics.register(|registry| {
        let help = "Age of the oldest transaction that its group has not consumed; 0 = none";
        registry.register("transactions_unconsumed_seconds", help, watch.waiting.clone());
        let help = "Transactions on their way, whichever replica took them, as they count for their senders";
        registry.register("transactions_on_their_way", help, on_their_way);
    });
    tasks.spawn_thread("transactions-watch", move || {
        watch.run();
        Ok(())
    })?;
    Ok(submissions)
}

/// Log with a timeout that is no longer than a daemon may take to stop.
pub(crate) fn brief(mut log: Backend) -> Backend {
    if let Backend::Kafka(kafka::Options { timeout, .. }) = &mut log {
        *timeout = LOOK_WAIT;
    }
    log
}

struct Watch {
    consumers: Arc<Consumers>,
    log: Backend,
    health: Health,
    waiting: Gauge,
    shutdown: Shutdown,
    /// True when the log did not answer the last check.
    away: bool,
}

impl Watch {
    fn run(mut self) {
        while !self.shutdown.is_triggered() {
            let looked = self.consumers.look(&self.log);
            if let (Err(error), false) = (&looked, self.away) {
                tracing::warn!(%error, "whether transactions are consumed is unknown");
            }
            self.away = looked.is_err();
            let next = looked.unwrap_or(LOOK_AWAY);
            self.tell();
            let until = Instant::now() + next;
            while Instant::now() < until && !self.shutdown.is_triggered() {
                std::thread::sleep(NAP);
            }
        }
    }

    fn tell(&self) {
        let age = self.consumers.oldest_age();
        self.waiting.set(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
        let value = serde_json::json!({
            "taken": self.consumers.fit().is_ok(),
            "reason": self.consumers.fit().err(),
            "oldestUnconsumed_s": age.as_secs(),
        });
        self.health.set_section("transactions", value);
    }
}
