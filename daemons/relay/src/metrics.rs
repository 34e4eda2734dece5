//! Metrics of the relay. Labels are methods and reasons, never anything of an order.

use crate::queue::Done;
use maidenlane_service::Metrics;
use maidenlane_service::prometheus_client::metrics::counter::Counter;
use maidenlane_service::prometheus_client::metrics::family::Family;
use maidenlane_service::prometheus_client::metrics::gauge::Gauge;
use maidenlane_service::prometheus_client::metrics::histogram::Histogram;
use std::time::Duration;

type Labels = Vec<(&'static str, String)>;

/// Bounds of the buckets of times, in seconds.
const BUCKETS: [f64; 12] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// Metrics of the relay.
#[derive(Clone, Debug)]
pub struct Gauges {
    /// Calls answered with a result, by method.
    answered: Family<Labels, Counter>,
    /// Calls answered with an error, by method and reason.
    refused: Family<Labels, Counter>,
    took: Histogram,
    orders: Gauge,
    order_bytes: Gauge,
    /// Requests to builders, by builder and end.
    deliveries: Family<Labels, Counter>,
    delivery: Histogram,
    waiting: Family<Labels, Gauge>,
    /// Simulations of orders, by end.
    simulations: Family<Labels, Counter>,
    simulation: Histogram,
    simulation_gas: Counter,
    simulations_waiting: Gauge,
}

/// End of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Simulated {
    /// The bundle is whole.
    Whole,
    /// The bundle failed.
    Failed,
    /// The bundle waits for a nonce.
    Waits,
    /// The time was over.
    Late,
    /// The account has used up its gas.
    NoGas,
}

impl Gauges {
    /// Metrics, registered.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        let gauges = Self {
            answered: Family::default(),
            refused: Family::default(),
            took: Histogram::new(BUCKETS),
            orders: Gauge::default(),
            order_bytes: Gauge::default(),
            deliveries: Family::default(),
            delivery: Histogram::new(BUCKETS),
            waiting: Family::default(),
            simulations: Family::default(),
            simulation: Histogram::new(BUCKETS),
            simulation_gas: Counter::default(),
            simulations_waiting: Gauge::default(),
        };
        let all = gauges.clone();
        metrics.register(|to| {
            to.register("answered", "Calls answered with a result, by method", all.answered);
            to.register("refused", "Calls answered with an error, by method and code", all.refused);
            let help = "Time from an order to its answer: durable, and read back";
            to.register("order_answer_seconds", help, all.took);
            to.register("orders", "Orders that are known", all.orders);
            let help = "Requests to builders, by builder and end; late are orders that a builder neither took nor refused in time";
            to.register("deliveries", help, all.deliveries);
            to.register("delivery_seconds", "Time of a request to a builder", all.delivery);
            to.register("waiting", "Orders and cancels that wait for a builder, or are on their way", all.waiting);
            let help = "Simulations of orders, by end";
            to.register("simulations", help, all.simulations);
            to.register("simulation_seconds", "Time of one that came to an end", all.simulation);
            to.register("simulation_gas", "Gas of those", all.simulation_gas);
            to.register("simulations_waiting", "Orders that wait to be simulated", all.simulations_waiting);
            to.register("order_bytes", "Bytes of transactions that a block may still hold", all.order_bytes);
        });
        gauges
    }

    /// Counts a call of a method that there is.
    pub fn called(&self, method: &'static str, code: Option<i32>, took: Duration) {
        let method = ("method", method.to_owned());
        match code {
            None => {
                if method.1.contains("_send") || method.1.contains("_cancel") {
                    self.took.observe(took.as_secs_f64());
                }
                self.answered.get_or_create(&vec![method]).inc();
            }
            Some(code) => {
                self.refused.get_or_create(&vec![method, ("code", code.to_string())]).inc();
            }
        }
    }

    /// Counts a request to a builder.
    pub fn delivered(&self, builder: &str, done: Done, took: Duration) {
        let end = match done {
            Done::Taken => "taken",
            Done::Dry => "dry",
            Done::Refused => "refused",
            Done::Failed | Done::Withdrawn => "failed",
        };
        self.delivery.observe(took.as_secs_f64());
        self.deliveries.get_or_create(&labels(builder, end)).inc();
    }

    /// Counts orders whose last block came before a builder said a word on them.
    pub fn late(&self, builder: &str, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.deliveries.get_or_create(&labels(builder, "late")).inc_by(count);
    }

    /// Notes how much waits for a builder.
    pub fn queued(&self, builder: &str, count: usize) {
        let waiting = self.waiting.get_or_create(&vec![("builder", builder.to_owned())]).clone();
        waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Counts a simulation of an order.
    pub fn simulated(&self, end: Simulated) {
        let end = match end {
            Simulated::Whole => "whole",
            Simulated::Failed => "failed",
            Simulated::Waits => "waits",
            Simulated::Late => "late",
            Simulated::NoGas => "noGas",
        };
        self.simulations.get_or_create(&vec![("end", end.to_owned())]).inc();
    }

    /// Notes the time and the gas of one.
    pub fn simulation_took(&self, took: Duration, gas: u64) {
        self.simulation.observe(took.as_secs_f64());
        self.simulation_gas.inc_by(gas);
    }

    /// Notes how many orders wait to be simulated.
    pub fn simulations_wait(&self, count: usize) {
        self.simulations_waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Notes how many orders there are, and the bytes of their transactions.
    pub fn holds(&self, count: usize, bytes: usize) {
        let signed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.orders.set(signed(count));
        self.order_bytes.set(signed(bytes));
    }
}

fn labels(builder: &str, end: &str) -> Labels {
    vec![("builder", builder.to_owned()), ("end", end.to_owned())]
}
