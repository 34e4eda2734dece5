//! Metrics of the health daemon.

use crate::verdict::Verdict;
use crate::view::View;
use maidenlane_service::Metrics;
use maidenlane_service::prometheus_client::metrics::counter::Counter;
use maidenlane_service::prometheus_client::metrics::family::Family;
use maidenlane_service::prometheus_client::metrics::gauge::Gauge;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;

type Labels = Vec<(&'static str, String)>;
type Seconds = Family<Labels, Gauge<f64, AtomicU64>>;

/// Metrics of the health daemon.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    verdict: Family<Labels, Gauge>,
    reason: Family<Labels, Gauge>,
    head: Family<Labels, Gauge>,
    lag: Family<Labels, Gauge>,
    head_age: Family<Labels, Gauge>,
    latency: Seconds,
    serving: Family<Labels, Gauge>,
    held: Family<Labels, Gauge>,
    floor: Family<Labels, Gauge>,
    warning: Family<Labels, Gauge>,
    changes: Family<Labels, Counter>,
    /// Reasons and warnings that are shown: those that are no more must go, and the others must be there at every moment.
    shown: [BTreeSet<Labels>; 2],
}

impl Gauges {
    /// Metrics, registered.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        let all = Self::default();
        let gauges = all.clone();
        metrics.register(|to| {
            to.register("verdict", "1 for the verdict of a target, 0 for the others", all.verdict);
            to.register("reason", "1 for each check that a target fails", all.reason);
            to.register("head", "Number of a target's head", all.head);
            to.register("lag_blocks", "Blocks behind the tip", all.lag);
            to.register("head_age_seconds", "Age of a target's head", all.head_age);
            to.register("latency_seconds", "Median time of an answer", all.latency);
            to.register("serving", "Targets of a group that serve", all.serving);
            to.register("held", "Targets of a group that are kept in by its floor", all.held);
            to.register("floor", "Floor of a group", all.floor);
            to.register("warning", "1 for each fault of the whole", all.warning);
            to.register("changes", "Changes of verdicts, by the new one", all.changes);
        });
        gauges
    }

    /// Shows a view.
    pub fn show(&mut self, view: &View) {
        let [mut reasons, mut warnings] = [BTreeSet::new(), BTreeSet::new()];
        for target in &view.targets {
            let of = || vec![("target", target.name.clone()), ("group", target.group.clone())];
            let with = |name, value: &str| [of(), vec![(name, value.to_owned())]].concat();
            for verdict in Verdict::ALL {
                let is = i64::from(target.verdict == verdict);
                self.verdict.get_or_create(&with("verdict", verdict.word())).set(is);
            }
            for reason in &target.reasons {
                reasons.insert(with("reason", reason.check.word()));
            }
            if let Some(tip) = target.head {
                self.head.get_or_create(&of()).set(signed(tip.block.number));
            }
            if let Some(lag) = target.lags.last() {
                self.lag.get_or_create(&of()).set(signed(*lag));
            }
            if let Some(age_s) = target.head_age_s(view.now) {
                self.head_age.get_or_create(&of()).set(signed(age_s));
            }
            if let Some(latency) = target.latency {
                self.latency.get_or_create(&of()).set(latency.as_secs_f64());
            }
        }
        for group in &view.groups {
            let of = vec![("group", group.name.clone())];
            for (gauge, count) in
                [(&self.serving, group.serving), (&self.held, group.held), (&self.floor, group.floor)]
            {
                gauge.get_or_create(&of).set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
        for warning in &view.warnings {
            let of = vec![("warning", warning.name.to_owned()), ("group", warning.group.clone())];
            warnings.insert(of);
        }
        let [reasons_shown, warnings_shown] = &mut self.shown;
        only(&self.reason, reasons_shown, reasons);
        only(&self.warning, warnings_shown, warnings);
    }

    /// Counts a change.
    pub fn changed(&self, target: &str, to: Verdict) {
        let of = vec![("target", target.to_owned()), ("verdict", to.word().to_owned())];
        self.changes.get_or_create(&of).inc();
    }
}

/// Shows these and no others.
fn only(family: &Family<Labels, Gauge>, shown: &mut BTreeSet<Labels>, now: BTreeSet<Labels>) {
    for gone in shown.difference(&now) {
        family.remove(gone);
    }
    for labels in &now {
        family.get_or_create(labels).set(1);
    }
    *shown = now;
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
