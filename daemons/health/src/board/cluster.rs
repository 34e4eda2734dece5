//! All targets together: who is heard, what they are asked in common, and the faults that no single one has.

use super::target::State;
use super::{Board, COMPARED_BLOCKS, Group, Plan};
use crate::observe::{Asks, Seen};
use crate::verdict::{Check, Verdict};
use crate::view::{GroupView, TargetView, Warning};
use crate::votes::Voice;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

impl Board {
    /// Targets whose last answers count, with these.
    fn heard(&self, at: Duration) -> impl Iterator<Item = (&super::Target, &State, &Seen)> {
        self.plan.targets.iter().zip(&self.states).filter_map(move |(target, state)| {
            let group = self.plan.groups.get(target.group)?;
            let (seen_at, seen) = state.seen.as_ref()?;
            let fresh = at.saturating_sub(*seen_at) <= group.fresh_for();
            (fresh && state.is_heard).then_some((target, state, seen))
        })
    }

    /// Voices of all that are heard.
    pub(super) fn voices(&self, at: Duration) -> Vec<Voice<'_>> {
        let heard =
            self.heard(at).filter(|(_, _, seen)| seen.chain_id.is_none_or(|id| id == self.plan.chain_id));
        heard
            .map(|(target, state, seen)| Voice {
                source: target.source.as_deref().unwrap_or_default(),
                trusted: target.trusted,
                executes: target.executes,
                head: seen
                    .latest
                    .filter(|_| target.source.is_some() && state.is_current && state.votes)
                    .map(|tip| tip.block.number),
                hashes: if state.votes { &seen.hashes } else { &[] },
                content: seen.content.as_ref().filter(|_| state.votes),
                clock_ahead_ms: seen.clock_ahead_ms,
            })
            .collect()
    }

    /// Number of the lowest finalized block of those that are near the tip.
    pub(super) fn finalized(&self, tip: Option<u64>, at: Duration) -> Option<u64> {
        self.near(tip, at).filter_map(|seen| seen.finalized).min()
    }

    fn near(&self, tip: Option<u64>, at: Duration) -> impl Iterator<Item = &Seen> {
        let is_near = move |seen: &Seen| {
            let head = seen.latest.map(|tip| tip.block.number);
            tip.zip(head).is_some_and(|(tip, head)| head.saturating_add(COMPARED_BLOCKS) >= tip)
        };
        self.heard(at)
            .filter(|(target, state, _)| target.source.is_some() && state.votes)
            .map(|(_, _, seen)| seen)
            .filter(move |seen| is_near(seen))
    }

    /// Questions that make answers comparable: the genesis, a height that all have and that is deep enough for no ordinary
    /// reorganisation to reach, the one before it, and the common finalized block.
    ///
    /// # Why
    /// Targets are asked at different moments. Where blocks come faster than rounds the height keeps still for some rounds, and
    /// the one before is asked as well, so that any two have one in common.
    pub(super) fn questions(&self, tip: Option<u64>, finalized: Option<u64>, at: Duration) -> Asks {
        let depth = self.plan.groups.iter().map(|group| group.limits.fork_after_blocks).max().unwrap_or(0);
        let interval = self.plan.groups.iter().map(|group| group.interval).max().unwrap_or_default();
        let block_ms = self.plan.block_time.as_millis().max(1);
        let step = u64::try_from((interval * 3).as_millis().div_ceil(block_ms)).unwrap_or(1).max(1);
        let lowest = self.near(tip, at).filter_map(|seen| seen.latest).map(|tip| tip.block.number).min();
        let common = lowest.map(|lowest| lowest.saturating_sub(depth) / step * step);
        let mut heights = BTreeSet::from([0]);
        if let Some(common) = common {
            heights.extend([common, common.saturating_sub(step)]);
        }
        heights.extend(finalized);
        Asks { heights: heights.into_iter().collect(), content: None, prove: false }
    }
}

/// Views of the groups.
pub(super) fn groups(groups: &[Group], targets: &[Arc<TargetView>]) -> Vec<GroupView> {
    let view = |group: &Group| {
        let of = || targets.iter().filter(|target| target.group == group.name);
        let is_held =
            |target: &&Arc<TargetView>| target.reasons.iter().any(|reason| reason.check == Check::Floor);
        GroupView {
            name: group.name.clone(),
            verdict: of().map(|target| target.verdict).min().unwrap_or(Verdict::Down),
            serving: of().filter(|target| target.verdict.serves()).count(),
            held: of().filter(is_held).count(),
            targets: of().count(),
            floor: group.floor,
        }
    };
    groups.iter().map(view).collect()
}

/// Faults of the whole. None of them changes a verdict: a machine with one replica would leave its own balancer.
pub(super) fn warnings(plan: &Plan, targets: &[Arc<TargetView>], groups: &[GroupView]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut warn =
        |name, group: &str, text: String| warnings.push(Warning { name, group: group.to_owned(), text });
    let chain = |group: &GroupView| {
        plan.targets.iter().any(|target| {
            target.source.is_some() && plan.groups.get(target.group).is_some_and(|of| of.name == group.name)
        })
    };
    for group in groups {
        if group.targets == 1 && chain(group) {
            warn("redundancy", &group.name, "no redundancy: it has a single target".to_owned());
        }
        if group.held > 0 {
            warn("floor", &group.name, format!("{} are kept in that should not serve", group.held));
        }
        if group.serving == 0 {
            warn("none", &group.name, "nobody serves".to_owned());
        }
    }
    let sources: BTreeSet<_> = plan.targets.iter().filter_map(|target| target.source.as_ref()).collect();
    if sources.len() == 2 {
        warn("majority", "", "two sources have no majority: name a third, or one that is trusted".to_owned());
    }
    let split =
        targets.iter().filter(|target| target.reasons.iter().any(|reason| reason.check == Check::Sources));
    let split: Vec<_> = split.map(|target| target.name.as_str()).collect();
    if !split.is_empty() {
        warn("sources", "", format!("sources disagree: {}", split.join(", ")));
    }
    warnings
}

/// Faults of this machine's clock.
pub(super) fn clock(ahead_ms: Option<i64>, stepped_ms: i64, limit: Duration) -> Option<Warning> {
    let text = match ahead_ms {
        Some(ahead_ms) if u128::from(ahead_ms.unsigned_abs()) > limit.as_millis() => {
            let side = if ahead_ms > 0 { "behind" } else { "ahead of" };
            format!(
                "this machine's clock is {} s {side} those of the targets",
                ahead_ms.unsigned_abs() / 1_000
            )
        }
        None if stepped_ms != 0 => {
            format!(
                "this machine's clock was set by {} s since the start: what follows from it is as of before",
                stepped_ms / 1_000
            )
        }
        _ => return None,
    };
    Some(Warning { name: "clock", group: String::new(), text })
}
