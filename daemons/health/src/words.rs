//! Views in JSON.

use crate::availability::{Mean, Measured};
use crate::history::{History, Incident};
use crate::observe::Now;
use crate::verdict::Reason;
use crate::view::{GroupView, TargetView, View};
use maidenlane_service::clock::millis;
use serde_json::{Value, json};
use std::time::Duration;

/// Days over which availability is told.
pub const DAYS: [u64; 3] = [7, 30, 90];
/// Incidents that are told.
pub const INCIDENTS: usize = 50;

/// Everything but the record.
#[must_use]
pub fn whole(view: &View) -> Value {
    json!({
        "atMs": view.now.wall_ms,
        "tip": view.tip,
        "groups": view.groups.iter().map(group).collect::<Vec<_>>(),
        "targets": view.targets.iter().map(|one| target(one, view.now)).collect::<Vec<_>>(),
        "warnings": warnings(view),
    })
}

/// One target.
#[must_use]
pub fn target(target: &TargetView, now: Now) -> Value {
    json!({
        "name": target.name,
        "group": target.group,
        "source": target.source,
        "verdict": target.verdict.word(),
        "sinceMs": unix(target.since, now),
        "reasons": target.reasons.iter().map(|one| reason(one, now)).collect::<Vec<_>>(),
        "cordon": target.cordon,
        "number": target.head.map(|tip| tip.block.number),
        "hash": target.head.map(|tip| tip.block.hash.to_string()),
        "headAgeSeconds": target.head_age_s(now),
        "finalized": target.finalized,
        "lag": target.lags.last(),
        "lags": target.lags,
        "latencyMs": target.latency.map(|time| time.as_secs_f64() * 1e3),
        "peers": target.peers,
        "observedMs": target.observed.map(|at| unix(at, now)),
        "weightPercent": target.weight_percent,
        "serves": target.serves.map(|address| address.to_string()),
    })
}

fn reason(reason: &Reason, now: Now) -> Value {
    json!({
        "check": reason.check.word(),
        "verdict": reason.verdict.word(),
        "observed": reason.observed,
        "limit": reason.limit,
        "since": unix(reason.since, now),
    })
}

/// One group.
#[must_use]
pub fn group(group: &GroupView) -> Value {
    json!({
        "name": group.name,
        "verdict": group.verdict.word(),
        "serving": group.serving,
        "held": group.held,
        "targets": group.targets,
        "floor": group.floor,
    })
}

/// Targets of a group that clients should be sent to now.
#[must_use]
pub fn servers(view: &View, name: &str) -> Value {
    let server = |target: &std::sync::Arc<TargetView>| {
        let address = target.serves?.to_string();
        Some(json!({"name": target.name, "address": address, "weightPercent": target.weight_percent}))
    };
    view.pool(name).filter_map(server).collect()
}

/// Faults of the whole.
fn warnings(view: &View) -> Vec<Value> {
    let warning =
        |one: &crate::view::Warning| json!({"name": one.name, "group": one.group, "text": one.text});
    view.warnings.iter().map(warning).collect()
}

/// Verdicts alone, for `/status`.
#[must_use]
pub fn summary(view: &View) -> Value {
    let verdict = |target: &std::sync::Arc<TargetView>| (target.name.clone(), target.verdict.word().into());
    Value::Object(view.targets.iter().map(verdict).collect())
}

/// The record of incidents: the newest, and what was measured of each subject.
#[must_use]
pub fn record(record: &History, subjects: &[String], now_ms: u64) -> Value {
    let of = |subject: &String| {
        let measured: serde_json::Map<String, Value> = DAYS
            .into_iter()
            .map(|days| (days.to_string(), measured(&record.measure(subject, days, now_ms))))
            .collect();
        (subject.clone(), Value::Object(measured))
    };
    let incidents: Vec<&Incident> = record.newest(INCIDENTS).collect();
    json!({
        "incidents": incidents,
        "measured": subjects.iter().map(of).collect::<serde_json::Map<_, _>>(),
    })
}

/// A measurement, with what it was made from.
#[must_use]
pub fn measured(of: &Measured) -> Value {
    let (mtbf, bound) = match of.mtbf() {
        Mean::Is(mean) => (mean, false),
        Mean::AtLeast(time) => (time, true),
    };
    json!({
        "availability": of.availability(),
        "mtbfSeconds": mtbf.as_secs(),
        "noFailureYet": bound,
        "mttrSeconds": of.mttr().map(|time| time.as_secs()),
        "failures": of.failures,
        "upSeconds": of.up.as_secs(),
        "downSeconds": of.down.as_secs(),
        "plannedSeconds": of.planned.as_secs(),
        "unknownSeconds": of.unknown.as_secs(),
    })
}

/// Unix time in milliseconds of a moment. Counted from the start, so that it is the same in every view.
fn unix(at: Duration, now: Now) -> u64 {
    let start_ms = now.wall_ms.saturating_sub(millis(now.at));
    start_ms.saturating_add(millis(at))
}
