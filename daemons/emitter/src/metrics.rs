//! Metrics of the emitter.

use crate::verdict::Class;
use maidenlane_service::Metrics;
use maidenlane_service::prometheus_client::metrics::counter::Counter;
use maidenlane_service::prometheus_client::metrics::family::Family;
use maidenlane_service::prometheus_client::metrics::gauge::Gauge;
use maidenlane_service::prometheus_client::metrics::histogram::Histogram;
use std::time::Duration;

type Labels = Vec<(&'static str, String)>;

/// Bounds of the buckets of times, in seconds.
const BUCKETS: [f64; 14] =
    [0.000_5, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Metrics of the emitter.
#[derive(Clone, Debug)]
pub struct Gauges {
    /// Answers, by node and class.
    answers: Family<Labels, Counter>,
    /// Outcomes told, by fate.
    outcomes: Family<Labels, Counter>,
    /// Transactions received, by route.
    routed: Family<Labels, Counter>,
    /// Requests that wait, by node.
    waiting: Family<Labels, Gauge>,
    /// Entries that were deleted before any emitter read them.
    pub deleted: Counter,
    /// Nodes of the right chain.
    right: Family<Labels, Gauge>,
    first_accept: Histogram,
    /// Transactions on their way that no block has decided.
    pub pending: Gauge,
    /// Bytes of them.
    pub pending_bytes: Gauge,
    /// Entries that hold the positions.
    pub open: Gauge,
    /// True while the feed tells what is.
    pub fresh: Gauge,
}

impl Gauges {
    /// Metrics, registered.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        let gauges = Self {
            answers: Family::default(),
            outcomes: Family::default(),
            routed: Family::default(),
            waiting: Family::default(),
            deleted: Counter::default(),
            right: Family::default(),
            first_accept: Histogram::new(BUCKETS),
            pending: Gauge::default(),
            pending_bytes: Gauge::default(),
            open: Gauge::default(),
            fresh: Gauge::default(),
        };
        let all = gauges.clone();
        metrics.register(|to| {
            to.register("answers", "Answers of nodes, by class", all.answers);
            to.register("outcomes", "Outcomes told, by fate", all.outcomes);
            to.register("routed", "Transactions received, by route", all.routed);
            let help = "Transactions that retention deleted before any emitter read them";
            to.register("deleted_unread", help, all.deleted);
            to.register("upstream_waiting", "Requests that wait for a node or its answer", all.waiting);
            to.register("upstream_right", "1 for a node that told the right chain", all.right);
            let help = "Time from a transaction's entry to the first node that has it";
            to.register("first_accept_seconds", help, all.first_accept);
            to.register("pending", "Transactions on their way that no block has decided", all.pending);
            to.register("pending_bytes", "Bytes of them", all.pending_bytes);
            to.register("open_entries", "Entries that hold the committed positions", all.open);
            to.register("feed_fresh", "1 while the feed tells what the chain is", all.fresh);
        });
        gauges
    }

    /// Counts a node's answer.
    pub fn answered(&self, upstream: &str, class: Class) {
        let labels = vec![("upstream", upstream.to_owned()), ("class", class.word().to_owned())];
        self.answers.get_or_create(&labels).inc();
    }

    /// Counts an outcome.
    pub fn told(&self, fate: &str) {
        self.outcomes.get_or_create(&vec![("fate", fate.to_owned())]).inc();
    }

    /// Counts a transaction on its route.
    pub fn routed(&self, route: &str) {
        self.routed.get_or_create(&vec![("route", route.to_owned())]).inc();
    }

    /// Notes how a node stands.
    pub fn stands(&self, upstream: &str, waiting: usize, right: bool) {
        let labels = vec![("upstream", upstream.to_owned())];
        self.waiting.get_or_create(&labels).set(signed(waiting));
        self.right.get_or_create(&labels).set(i64::from(right));
    }

    /// Notes the time to the first node that has a transaction.
    pub fn accepted_after(&self, took: Duration) {
        self.first_accept.observe(took.as_secs_f64());
    }
}

/// A count as gauges have it.
#[must_use]
pub fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
