//! State of one target on the board.

use crate::checks::{Memory, Outcomes};
use crate::limits::Limits;
use crate::observe::{Observation, Seen};
use crate::steady::{Steady, Terms};
use crate::verdict::{Check, Reason, Verdict};
use crate::view::{Cordon, TargetView};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// Rounds whose lag is kept, for people.
const LAGS: usize = 60;
/// Rounds with answers after which a target without a comparable block is taken as it is, if it is not above all others: a chain
/// begins somewhere.
const ROUNDS_MAX: u32 = 3;

/// Group of targets with the same limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Limits of its checks.
    pub limits: Limits,
    /// Terms of their steadiness.
    pub terms: Terms,
    /// Interval of the rounds.
    pub interval: Duration,
    /// Time for the answers of a round.
    pub timeout: Duration,
    /// Targets that stay in the pool whatever their age.
    pub floor: usize,
    /// Share of requests in percent that a degraded target gets.
    pub degraded_percent: u32,
}

impl Group {
    /// Time for which what was seen in a round counts.
    pub(super) fn fresh_for(&self) -> Duration {
        self.interval * 3 + self.timeout
    }
}

/// A target, as far as verdicts need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Name.
    pub name: String,
    /// Number of its group.
    pub group: usize,
    /// Source that it speaks for; `None` if it says nothing of the chain.
    pub source: Option<String>,
    /// True if it is right where votes decide nothing.
    pub trusted: bool,
    /// True if it executes blocks itself, and follows nobody's feed.
    pub executes: bool,
    /// Address for clients.
    pub serves: Option<SocketAddr>,
}

/// State of one target.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) memory: Memory,
    pub(super) steady: Steady,
    /// True if what it says of the chain counts.
    pub(super) is_heard: bool,
    /// True if its head counts for the tip.
    pub(super) is_current: bool,
    /// True if its last answers found nothing wrong with themselves: hashes of others are held against what it says.
    pub(super) votes: bool,
    pub(super) cordon: Option<(Cordon, Duration)>,
    /// Answers of the last round that had any, and its moment.
    pub(super) seen: Option<(Duration, Seen)>,
    /// Moment of the last round.
    observed: Option<Duration>,
    /// True until it has told a block that can be compared. What all have in common is known after the first answers only, and
    /// a fork that a checker finds one round after it let it in was served.
    unknown: bool,
    /// Rounds with answers.
    rounds: u32,
    lags: VecDeque<u64>,
    verdict: Verdict,
    /// True once that is more than "starting".
    is_known: bool,
    since: Duration,
    reasons: Vec<Reason>,
}

fn starting() -> Reason {
    let (observed, limit) = ("not looked at closely yet".to_owned(), String::new());
    Reason { check: Check::Starting, verdict: Verdict::Down, observed, limit, since: Duration::ZERO }
}

impl State {
    /// State before the first round; of a target that tells a chain, or none.
    pub(super) fn new(of_chain: bool) -> Self {
        Self {
            memory: Memory::default(),
            steady: Steady::default(),
            is_heard: true,
            is_current: true,
            votes: true,
            cordon: None,
            seen: None,
            observed: None,
            unknown: of_chain,
            rounds: 0,
            lags: VecDeque::new(),
            verdict: Verdict::Down,
            is_known: false,
            since: Duration::ZERO,
            reasons: vec![starting()],
        }
    }

    /// Notes the answers of a round. Of blocks above its own head a target knows nothing, whatever it says.
    pub(super) fn note(&mut self, observation: &Observation, at: Duration) {
        self.observed = Some(at);
        if let Ok(seen) = &observation.seen {
            self.rounds = self.rounds.saturating_add(1);
            let mut seen = seen.clone();
            let head = seen.latest.map_or(0, |latest| latest.block.number);
            seen.hashes.retain(|(number, _)| *number <= head);
            self.seen = Some((at, seen));
        }
    }

    /// Ends its start, once a block of it could be compared, or `tip` and the limit of lag say that there may be none.
    pub(super) fn settle(&mut self, tip: Option<u64>, lag_blocks: u64) {
        let Some((_, seen)) = &self.seen else { return };
        let compared = self.votes && seen.hashes.iter().any(|(number, _)| *number > 0);
        let most = tip.map_or(u64::MAX, |tip| tip.saturating_add(lag_blocks));
        let near = seen.latest.is_none_or(|latest| latest.block.number <= most);
        self.unknown &= !(compared || self.rounds >= ROUNDS_MAX && near);
    }

    /// Notes its lag, for people.
    pub(super) fn lag(&mut self, tip: Option<u64>) {
        let head = self.seen.as_ref().and_then(|(_, seen)| seen.latest);
        if let (Some(tip), Some(head)) = (tip, head) {
            if self.lags.len() >= LAGS {
                self.lags.pop_front();
            }
            self.lags.push_back(tip.saturating_sub(head.block.number));
        }
    }

    /// Verdict, reasons and head, whatever the floor.
    pub(super) fn raw(&self) -> (Verdict, Vec<Reason>, Option<u64>) {
        let mut reasons = if self.observed.is_some() { self.steady.reasons() } else { Vec::new() };
        let serves = reasons.iter().all(|reason| reason.verdict.serves());
        if self.observed.is_none() || (self.unknown && serves) {
            reasons.insert(0, starting());
        }
        if let Some((cordon, since)) = &self.cordon {
            let observed = cordon.reason.clone();
            let cordoned = Reason {
                check: Check::Cordon,
                verdict: Verdict::Draining,
                observed,
                limit: String::new(),
                since: *since,
            };
            reasons.insert(0, cordoned);
        }
        let worst = match self.cordon {
            Some(_) => Verdict::Draining,
            None => reasons.iter().map(|reason| reason.verdict).max().unwrap_or(Verdict::Healthy),
        };
        let head = self.seen.as_ref().and_then(|(_, seen)| Some(seen.latest?.block.number));
        (worst, reasons, head)
    }

    /// Decides, with the floor that holds it in the pool if one does; tells a change, and the first verdict that says anything.
    pub(super) fn decide(
        &mut self,
        verdict: Verdict,
        mut reasons: Vec<Reason>,
        floor: Option<usize>,
        at: Duration,
    ) -> Option<(Option<Verdict>, Verdict, Vec<Reason>)> {
        let mut verdict = verdict;
        if let Some(floor) = floor {
            verdict = Verdict::Degraded;
            let observed = "kept in, or too few would serve".to_owned();
            reasons.push(Reason {
                check: Check::Floor,
                verdict,
                observed,
                limit: floor.to_string(),
                since: at,
            });
        }
        self.reasons = reasons;
        let was_known = self.is_known;
        self.is_known |=
            verdict.serves() || self.reasons.iter().any(|reason| reason.check != Check::Starting);
        if verdict == self.verdict && was_known == self.is_known {
            return None;
        }
        let from = std::mem::replace(&mut self.verdict, verdict);
        self.since = at;
        Some((was_known.then_some(from), verdict, self.reasons.clone()))
    }

    /// Takes the outcomes of a round.
    pub(super) fn take(&mut self, found: Outcomes, terms: &Terms, at: Duration) {
        const DEAF: [Check; 2] = [Check::Answer, Check::Chain];
        const BEHIND: [Check; 4] = [Check::Syncing, Check::HeadAge, Check::Silence, Check::State];
        self.steady.take(found, terms, at);
        let passes = |check| !self.steady.fails(check);
        (self.is_heard, self.is_current) = (DEAF.into_iter().all(passes), BEHIND.into_iter().all(passes));
    }

    /// View for all who ask.
    pub(super) fn view(&self, target: &Target, group: &Group) -> TargetView {
        let seen = self.seen.as_ref().map(|(_, seen)| seen);
        let weight_percent = match self.verdict {
            Verdict::Healthy => 100,
            Verdict::Degraded => group.degraded_percent,
            Verdict::Draining | Verdict::Down => 0,
        };
        TargetView {
            name: target.name.clone(),
            group: group.name.clone(),
            source: target.source.clone(),
            verdict: self.verdict,
            since: self.since,
            reasons: self.reasons.clone(),
            cordon: self.cordon.as_ref().map(|(cordon, _)| cordon.clone()),
            head: seen.and_then(|seen| seen.latest),
            finalized: seen.and_then(|seen| seen.finalized),
            lags: self.lags.iter().copied().collect(),
            latency: self.memory.median(),
            peers: seen.and_then(|seen| seen.peers),
            observed: self.observed,
            fresh_for: group.fresh_for(),
            weight_percent,
            serves: target.serves,
        }
    }
}
