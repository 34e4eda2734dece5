//! Settings of groups, and of the limits that their targets have in common.

use super::targets::{Feeds, TargetRaw, target};
use crate::board::Group;
use crate::limits::Limits;
use crate::probe;
use crate::steady::Terms;
use maidenlane_config::{Checker, StaticType, shapes};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// Most targets of all groups together.
const TARGETS_MAX: usize = 256;

/// Group of targets that serve the same clients.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub struct GroupRaw {
    /// Name in paths and metrics; no target may have the same.
    pub name: String,
    /// Targets.
    pub targets: Vec<TargetRaw>,
    /// Interval of the rounds.
    pub interval_ms: u64,
    /// Time for the answers of a round.
    pub timeout_ms: u64,
    /// Rounds in a row that a check must fail in, to count.
    pub fall: u64,
    /// Rounds in a row that it must pass in, to be well again.
    pub rise: u64,
    /// Shortest time that a failure counts.
    pub dwell_ms: u64,
    /// Targets that stay in the pool although they are down, unless they are on a wrong chain or fork.
    pub floor: u64,
    /// Share of requests in percent that a degraded target gets.
    pub degraded_percent: u64,
    /// Limits of the checks.
    pub limits: LimitsRaw,
}

/// Limits of checks; those that are `None` follow from the time between two blocks.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct LimitsRaw {
    /// Blocks behind the tip.
    pub lagBlocks: Option<u64>,
    /// Age of the head.
    pub headAge_ms: Option<u64>,
    /// True for chains that may halt: no head is too old.
    pub mayHalt: bool,
    /// Depth of a common height at which another hash is a fork.
    pub forkAfterBlocks: Option<u64>,
    /// Median time of an answer.
    pub latency_ms: u64,
    /// Percentage of rounds without an answer.
    pub errors_percent: u64,
    /// Least number of peers of a node.
    pub peersMin: u64,
    /// Difference of clocks.
    pub clock_ms: u64,
    /// Time without a sign of life from a feed.
    pub maxSilence_ms: u64,
    /// Least percentage of its disk that is free.
    pub diskFree_percent: u64,
    /// Least hours for which its disk lasts at the present rate.
    pub diskLeft_h: u64,
    /// Least days for which its certificate is good.
    pub certificateLeft_d: u64,
}

/// Validates the groups: names differ, also from those of all targets.
pub(super) fn groups(
    raw: Vec<GroupRaw>,
    block_time: Duration,
    feeds: &Feeds<'_>,
    checker: &mut Checker,
) -> Option<(Vec<Group>, Vec<probe::Settings>)> {
    let count: usize = raw.iter().map(|group| group.targets.len()).sum();
    if count == 0 || count > TARGETS_MAX {
        checker.wrong("groups", format_args!("expected 1 to {TARGETS_MAX} targets, found {count}"));
        return None;
    }
    let mut names = BTreeSet::new();
    let (mut groups, mut targets) = (Vec::new(), Vec::new());
    for (index, raw) in raw.into_iter().enumerate() {
        checker.inside(&format!("groups[{index}]"), |checker| {
            unique(&raw.name, &mut names, checker);
            groups.push(group(&raw, block_time, checker));
            let timeout = Duration::from_millis(raw.timeout_ms);
            for (place, one) in raw.targets.into_iter().enumerate() {
                checker.inside(&format!("targets[{place}]"), |checker| {
                    unique(&one.name, &mut names, checker);
                    targets.push(target(one, index, timeout, feeds, checker));
                });
            }
        });
    }
    Some((groups.into_iter().collect::<Option<_>>()?, targets.into_iter().collect::<Option<_>>()?))
}

fn unique(name: &str, names: &mut BTreeSet<String>, checker: &mut Checker) {
    if !names.insert(name.to_owned()) {
        checker.wrong("name", format_args!("`{name}` is the name of another group or target"));
    }
}

fn group(raw: &GroupRaw, block_time: Duration, checker: &mut Checker) -> Option<Group> {
    let name = shapes::word("name", &raw.name, checker);
    let interval = shapes::millis("interval_ms", raw.interval_ms, 100..=600_000, checker);
    let timeout = shapes::millis("timeout_ms", raw.timeout_ms, 50..=60_000, checker);
    let fall = checker.within::<u32>("fall", raw.fall, 1..=100);
    let rise = checker.within::<u32>("rise", raw.rise, 1..=1_000);
    if rise < fall {
        checker.wrong(
            "rise",
            "must not be less than fall: a target that came back could be let in before its faults count",
        );
    }
    let dwell = shapes::millis("dwell_ms", raw.dwell_ms, 0..=3_600_000, checker);
    let floor = checker.within("floor", raw.floor, 0..=256);
    let degraded_percent = checker.within("degraded_percent", raw.degraded_percent, 1..=100);
    let limits = checker.inside("limits", |checker| limits(&raw.limits, block_time, checker));
    if raw.limits.latency_ms >= raw.timeout_ms {
        checker.wrong("limits.latency_ms", "must be less than timeout_ms: a slower answer is none");
    }
    Some(Group {
        name: name?,
        limits: limits?,
        terms: Terms { fall: fall?, rise: rise?, dwell: dwell? },
        interval: interval?,
        timeout: timeout?,
        floor: floor?,
        degraded_percent: degraded_percent?,
    })
}

fn limits(raw: &LimitsRaw, block_time: Duration, checker: &mut Checker) -> Option<Limits> {
    let derived = Limits::of(block_time);
    let lag = checker.within("lagBlocks", raw.lagBlocks.unwrap_or(derived.lag_blocks), 1..=1_000_000);
    let head_age = match (raw.mayHalt, raw.headAge_ms) {
        (true, _) => Some(None),
        (false, Some(age_ms)) => shapes::millis("headAge_ms", age_ms, 1_000..=86_400_000, checker).map(Some),
        (false, None) => Some(derived.head_age),
    };
    let fork_after = raw.forkAfterBlocks.unwrap_or(derived.fork_after_blocks);
    let fork_after = checker.within("forkAfterBlocks", fork_after, 1..=64);
    let latency = shapes::millis("latency_ms", raw.latency_ms, 1..=60_000, checker);
    let errors = checker.within("errors_percent", raw.errors_percent, 1..=100);
    let peers = checker.within("peersMin", raw.peersMin, 0..=10_000);
    // What servers tell of their time has a resolution of a second.
    let clock = shapes::millis("clock_ms", raw.clock_ms, 2_000..=3_600_000, checker);
    let silence = shapes::millis("maxSilence_ms", raw.maxSilence_ms, 1_000..=3_600_000, checker);
    let disk = checker.within("diskFree_percent", raw.diskFree_percent, 0..=99);
    let disk_left = checker.within::<u64>("diskLeft_h", raw.diskLeft_h, 0..=8_760);
    let certificate = checker.within::<u64>("certificateLeft_d", raw.certificateLeft_d, 0..=365);
    Some(Limits {
        lag_blocks: lag?,
        head_age: head_age?,
        fork_after_blocks: fork_after?,
        latency: latency?,
        errors_percent: errors?,
        peers_min: peers?,
        clock: clock?,
        silence: silence?,
        disk_percent: disk?,
        certificate_left: Duration::from_secs(certificate? * 86_400),
        disk_left: Duration::from_secs(disk_left? * 3_600),
    })
}
