//! Metrics of the relay. Labels are methods and reasons, never anything of an order.

use crate::orders::Orders;
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
        };
        let all = gauges.clone();
        metrics.register(|to| {
            to.register("answered", "Calls answered with a result, by method", all.answered);
            to.register("refused", "Calls answered with an error, by method and code", all.refused);
            let help = "Time from an order to its answer: durable, and read back";
            to.register("order_answer_seconds", help, all.took);
            to.register("orders", "Orders that are known", all.orders);
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

    /// Notes how many orders there are.
    pub fn holds(&self, orders: &Orders) {
        let (count, bytes) = orders.book().size();
        let signed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.orders.set(signed(count));
        self.order_bytes.set(signed(bytes));
    }
}
