//! Gauges of a daemon that replays a feed.

use maidenlane_service::Metrics;
use maidenlane_service::prometheus_client::metrics::gauge::Gauge;

/// Gauges of heads and floor, of the filling of senders and of the next unknown fork.
#[derive(Default)]
pub(crate) struct Gauges {
    pub(crate) head: Gauge,
    pub(crate) expected: Gauge,
    pub(crate) floor: Gauge,
    pub(crate) senders_missing: Gauge,
    pub(crate) unknown_fork: Gauge,
}

impl Gauges {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let gauges = Self::default();
        metrics.register(|registry| {
            let mut register = |name, help, gauge: &Gauge| registry.register(name, help, gauge.clone());
            register("head_number", "Newest applied block", &gauges.head);
            register("expected_number", "The master's head as the feed states it", &gauges.expected);
            register("floor_number", "Oldest block whose body and receipts are answered", &gauges.floor);
            register(
                "senders_missing_blocks",
                "Blocks whose senders are still to be recovered behind the head",
                &gauges.senders_missing,
            );
            register(
                "unknown_fork_time_seconds",
                "Unix time of the next fork that this build does not implement; 0 without one",
                &gauges.unknown_fork,
            );
        });
        gauges
    }
}
