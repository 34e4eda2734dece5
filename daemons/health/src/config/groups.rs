//! Settings of groups, and of the limits that their targets have in common.

use super::sources::Sources;
use super::targets::{Feeds, TargetRaw, target};
use crate::board::Group;
use crate::limits::Limits;
use crate::probe;
use crate::steady::Terms;
use crate::zone::SERVICE;
use hickory_proto::rr::Name;
use maidenlane_config::{Checker, StaticType, shapes};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Most targets of all groups together.
const TARGETS_MAX: usize = 256;
/// Stands for a block time that is refused: limits that follow from it are not to blame.
const USUAL_BLOCK_TIME: Duration = Duration::from_secs(12);

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

/// Validates the groups: names differ, also from those of all targets, and each source has one vote.
pub(super) fn groups(
    raw: Vec<GroupRaw>,
    block_time: Option<Duration>,
    (feeds, zone): (&Feeds<'_>, Option<&Name>),
    checker: &mut Checker,
) -> Option<(Vec<Group>, Vec<probe::Settings>)> {
    let count: usize = raw.iter().map(|group| group.targets.len()).sum();
    if count == 0 || count > TARGETS_MAX {
        checker.wrong("groups", format_args!("expected 1 to {TARGETS_MAX} targets, found {count}"));
        return None;
    }
    let mut names = Names { taken: BTreeMap::new(), zone };
    let (mut groups, mut targets, mut sources) = (Vec::new(), Vec::new(), Sources::new(feeds));
    for (index, raw) in raw.into_iter().enumerate() {
        checker.inside(&format!("groups[{index}]"), |checker| {
            names.take(&raw.name, checker);
            groups.push(group(&raw, block_time.unwrap_or(USUAL_BLOCK_TIME), checker));
            let timeout = Duration::from_millis(raw.timeout_ms);
            for (place, one) in raw.targets.into_iter().enumerate() {
                checker.inside(&format!("targets[{place}]"), |checker| {
                    names.take(&one.name, checker);
                    let feed = one.feed.clone();
                    let target = target(one, index, timeout, feeds, checker);
                    sources.add(format!("groups[{index}].targets[{place}]"), target.as_ref(), feed);
                    targets.push(target);
                });
            }
        });
    }
    sources.check(checker);
    Some((groups.into_iter().collect::<Option<_>>()?, targets.into_iter().collect::<Option<_>>()?))
}

/// Names that are taken. In a zone they have no case, and limits of their own.
struct Names<'a> {
    taken: BTreeMap<String, String>,
    zone: Option<&'a Name>,
}

impl Names<'_> {
    fn take(&mut self, name: &str, checker: &mut Checker) {
        let key = if self.zone.is_some() { name.to_ascii_lowercase() } else { name.to_owned() };
        match self.taken.insert(key, name.to_owned()) {
            Some(other) if other == name => {
                checker.wrong("name", format_args!("`{name}` is the name of another group or target"));
            }
            Some(other) => {
                let text = "DNS knows no case: rename one, or leave `dns` out";
                checker
                    .wrong("name", format_args!("`{name}` and `{other}` are one name to resolvers, {text}"));
            }
            None => {}
        }
        if self.zone.is_some_and(|zone| !fits(zone, name)) {
            let text = "a label of a name has at most 63 bytes, all of it 255; shorten it";
            checker.wrong("name", format_args!("`{name}` cannot stand in the zone of `dns`: {text}"));
        }
    }
}

/// True if a zone can have all records of that name.
fn fits(zone: &Name, name: &str) -> bool {
    let service = SERVICE.iter().rev();
    let whole = zone.prepend_label(name).ok();
    service.fold(whole, |at, label| at?.prepend_label(*label).ok()).is_some()
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
    let count = raw.targets.len();
    if count == 0 {
        checker.wrong("targets", "expected at least one target: a group of none serves nobody");
    } else if floor.is_some_and(|floor: usize| floor > count) {
        checker.wrong(
            "floor",
            format_args!("expected at most {count}, the number of its targets, found {}", raw.floor),
        );
    }
    if raw.timeout_ms > raw.interval_ms {
        checker.doubt(
            "timeout_ms",
            format_args!(
                "longer than interval_ms: rounds of a target that does not answer come every {} ms only, and it goes out that \
                 much later",
                raw.timeout_ms
            ),
        );
    }
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
