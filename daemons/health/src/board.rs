//! The board: every target's state, from observations and time to verdicts. Pure: it asks nobody and reads no clock.

mod cluster;
mod target;

pub use target::{Group, Target};

use crate::checks::{self, Facts};
use crate::observe::{Asks, Now, Observation};
use crate::verdict::{Check, Reason, Verdict};
use crate::view::{Cordon, View};
use crate::votes::{self, Truth, Voice};
use maidenlane_chain::B256;
use maidenlane_service::clock::millis;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use target::State;

/// Difference between two readings of this machine's clock that is no drift: somebody set it.
const STEP: Duration = Duration::from_secs(2);
/// Difference between two readings of others' clocks that says nothing: answers take their time, and some clocks tell whole seconds.
const JITTER_MS: u64 = 500;
/// Time for which state is compared with proofs, once targets differed in one: at the next block they would have to be asked
/// twice again, and whoever is right would be suspected meanwhile.
const PROVE_FOR: Duration = Duration::from_secs(300);
/// Depth below the tip from which a target is not compared any more: its lag says enough, and others would have to be asked
/// about the same old blocks.
const COMPARED_BLOCKS: u64 = 64;

/// Plan: what is watched.
#[derive(Clone, Debug)]
pub struct Plan {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of block 0; `None` takes what a majority says.
    pub genesis: Option<B256>,
    /// Time between two blocks.
    pub block_time: Duration,
    /// Groups.
    pub groups: Vec<Group>,
    /// Targets.
    pub targets: Vec<Target>,
}

/// Change of a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Number of the target.
    pub target: usize,
    /// Verdict before; `None` where this is the first.
    pub from: Option<Verdict>,
    /// Verdict now.
    pub to: Verdict,
    /// Reasons.
    pub why: Vec<Reason>,
}

/// The board.
#[derive(Debug)]
pub struct Board {
    plan: Plan,
    /// Number of sources that there are, whether they answer or not.
    sources: usize,
    states: Vec<State>,
    /// Unix time of the start in milliseconds, as the clocks of the others have it, or else this machine's at the start.
    start_ms: Option<u64>,
    /// Milliseconds by which somebody set the clock since.
    stepped_ms: i64,
    facts: Facts,
    asks: Asks,
    /// Moment until which state is compared with proofs.
    prove_until: Duration,
}

impl Board {
    /// A board on which nothing is known: all targets are down, because they are starting.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let states = plan.targets.iter().map(|target| State::new(target.source.is_some())).collect();
        let sources: BTreeSet<_> = plan.targets.iter().filter_map(|target| target.source.as_ref()).collect();
        let sources = sources.len();
        let facts = Facts { chain_id: plan.chain_id, genesis: plan.genesis, ..Facts::default() };
        Self {
            plan,
            sources,
            states,
            start_ms: None,
            stepped_ms: 0,
            facts,
            // A newcomer of another chain is found in its first round.
            asks: Asks { heights: vec![0], ..Asks::default() },
            prove_until: Duration::ZERO,
        }
    }

    /// Takes an observation of one target, and tells which verdicts changed.
    pub fn observe(&mut self, index: usize, observation: Observation, now: Now) -> Vec<Change> {
        let (Some(target), Some(state)) = (self.plan.targets.get(index), self.states.get_mut(index)) else {
            return Vec::new();
        };
        let number = target.group;
        state.note(&observation, now.at);
        self.agree(now);
        self.admit(index, number, now);
        let (Some(state), Some(group)) = (self.states.get_mut(index), self.plan.groups.get(number)) else {
            return Vec::new();
        };
        state.settle(self.facts.tip, group.limits.lag_blocks);
        let found = checks::outcomes(&observation, &mut state.memory, &self.facts, &group.limits);
        state.take(found, &group.terms, now.at);
        state.lag(self.facts.tip);
        self.judge(now)
    }

    /// Gives a target its vote, or takes it away, by its last answers alone: one that contradicts itself, whose state cannot be
    /// read, or whose head is none of today's says nothing about others, not even in the round in which that is found.
    fn admit(&mut self, index: usize, group: usize, now: Now) {
        let (Some(state), Some(group)) = (self.states.get_mut(index), self.plan.groups.get(group)) else {
            return;
        };
        let seen = state.seen.as_ref().map(|(_, seen)| seen);
        let votes = seen.is_none_or(|seen| checks::votes(seen, &state.memory, &self.facts, &group.limits));
        if std::mem::replace(&mut state.votes, votes) != votes {
            self.agree(now);
        }
    }

    /// Puts a cordon, or takes it away, and tells which verdicts changed.
    pub fn cordon(&mut self, index: usize, cordon: Option<Cordon>, now: Now) -> Vec<Change> {
        if let Some(state) = self.states.get_mut(index) {
            state.cordon = cordon.map(|cordon| (cordon, now.at));
        }
        self.judge(now)
    }

    /// Cordons, by the names of their targets.
    #[must_use]
    pub fn cordons(&self) -> BTreeMap<String, Cordon> {
        let each = self.plan.targets.iter().zip(&self.states);
        each.filter_map(|(target, state)| Some((target.name.clone(), state.cordon.clone()?.0))).collect()
    }

    /// Number of the target of that name.
    #[must_use]
    pub fn index(&self, name: &str) -> Option<usize> {
        self.plan.targets.iter().position(|target| target.name == name)
    }

    /// Works out what the targets have in common.
    fn agree(&mut self, now: Now) {
        let (facts, asks) = {
            let voices = self.voices(now.at);
            let clock_ms = i64::try_from(self.clock().as_millis()).unwrap_or(i64::MAX);
            let ahead = votes::clock(&voices, clock_ms);
            let heads = votes::heads(&voices);
            let tip = votes::tip(&heads);
            let finalized = self.finalized(tip, now.at);
            let asks = self.questions(tip, finalized, now.at);
            // All that any of them told, and not what they are asked now: that comes in the next round.
            let hash = |height| (height, votes::hash(&voices, height, self.sources));
            let hashes: Vec<_> = heights(&voices).into_iter().map(hash).collect();
            let content = self.asks.content.map(|block| (block, votes::balances(&voices, block)));
            let genesis = hashes.iter().find_map(|(height, truth)| match truth {
                Truth::Is(hash) if *height == 0 => Some(*hash),
                _ => None,
            });
            let genesis = self.plan.genesis.or(genesis);
            let chain_id = self.plan.chain_id;
            let facts = Facts {
                chain_id,
                genesis,
                heads,
                tip,
                hashes,
                finalized,
                content,
                clock_ahead_ms: ahead,
                wall_ms: 0,
            };
            (facts, asks)
        };
        let wall_ms = self.wall_ms(now, facts.clock_ahead_ms);
        if matches!(facts.content, Some((_, Truth::Split)))
            || self.states.iter().any(|state| state.steady.fails(Check::Content))
        {
            self.prove_until = now.at + PROVE_FOR;
        }
        self.asks =
            Asks { content: common(&facts).or(self.asks.content), prove: now.at < self.prove_until, ..asks };
        self.facts = Facts { wall_ms, ..facts };
    }

    /// Unix time as the clocks of the others have it, or where they say nothing, as this machine's clock had it at the start:
    /// nobody's verdict changes because somebody set it.
    fn wall_ms(&mut self, now: Now, ahead_ms: Option<i64>) -> u64 {
        let at_ms = millis(now.at);
        let corrected_ms = checks::corrected(now, ahead_ms);
        let read_ms = corrected_ms.saturating_sub(at_ms);
        let start_ms = match self.start_ms {
            Some(start_ms) if ahead_ms.is_none() || start_ms.abs_diff(read_ms) <= JITTER_MS => start_ms,
            _ => read_ms,
        };
        self.start_ms = Some(start_ms);
        let steady_ms = start_ms.saturating_add(at_ms);
        let step_ms =
            i64::try_from(now.wall_ms).unwrap_or(0).saturating_sub(i64::try_from(steady_ms).unwrap_or(0));
        self.stepped_ms = if u128::from(step_ms.unsigned_abs()) > STEP.as_millis() { step_ms } else { 0 };
        steady_ms
    }

    /// Unix time in milliseconds as views and the record have it: steady, whoever sets this machine's clock.
    #[must_use]
    pub fn unix_ms(&self, now: Now) -> u64 {
        self.start_ms.map_or(now.wall_ms, |start_ms| start_ms.saturating_add(millis(now.at)))
    }

    /// Tightest limit of clocks.
    fn clock(&self) -> Duration {
        self.plan.groups.iter().map(|group| group.limits.clock).min().unwrap_or_default()
    }

    /// Verdicts as of now; tells which of them changed.
    fn judge(&mut self, now: Now) -> Vec<Change> {
        let mut changes = Vec::new();
        for (number, group) in self.plan.groups.iter().enumerate() {
            let of: Vec<usize> = (0..self.states.len())
                .filter(|index| self.plan.targets.get(*index).is_some_and(|target| target.group == number))
                .collect();
            let raw: Vec<_> = of.iter().filter_map(|index| self.states.get(*index)).map(State::raw).collect();
            let seen: Vec<_> =
                raw.iter().map(|(verdict, reasons, head)| (*verdict, reasons.as_slice(), *head)).collect();
            let held = crate::view::held(&seen, group.floor);
            for (place, (index, (verdict, reasons, _))) in of.into_iter().zip(raw).enumerate() {
                let Some(state) = self.states.get_mut(index) else { continue };
                let changed =
                    state.decide(verdict, reasons, held.contains(&place).then_some(group.floor), now.at);
                changes.extend(changed.map(|(from, to, why)| Change { target: index, from, to, why }));
            }
        }
        changes
    }

    /// View for all who ask.
    #[must_use]
    pub fn view(&self, now: Now) -> View {
        let each = self.plan.targets.iter().zip(&self.states);
        let targets: Vec<_> = each
            .filter_map(|(target, state)| {
                let group = self.plan.groups.get(target.group)?;
                Some(Arc::new(state.view(target, group)))
            })
            .collect();
        let groups = cluster::groups(&self.plan.groups, &targets);
        let mut warnings = cluster::warnings(&self.plan, &targets, &groups);
        warnings.extend(cluster::clock(self.facts.clock_ahead_ms, self.stepped_ms, self.clock()));
        let now = Now { wall_ms: self.unix_ms(now), ..now };
        View { now, targets, groups, warnings, tip: self.facts.tip, asks: self.asks.clone() }
    }
}

/// Heights that any of them told, each once: a handful, of hundreds of words.
fn heights(voices: &[Voice<'_>]) -> Vec<u64> {
    let mut told = Vec::new();
    for (height, _) in voices.iter().flat_map(|voice| voice.hashes) {
        if !told.contains(height) {
            told.push(*height);
        }
    }
    told
}

/// Block whose state is compared: the newest whose hash all agree on.
fn common(facts: &Facts) -> Option<B256> {
    let agreed = facts.hashes.iter().filter_map(|(height, truth)| match truth {
        Truth::Is(hash) | Truth::Unopposed(hash) if *height > 0 => Some((*height, *hash)),
        _ => None,
    });
    agreed.max_by_key(|(height, _)| *height).map(|(_, hash)| hash)
}

#[cfg(test)]
mod tests;
