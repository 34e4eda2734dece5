//! Checks of one target: one round's answers, held against limits and against what others say.

use crate::limits::Limits;
use crate::observe::{Now, Observation, Ready, Room, Seen, Tip};
use crate::verdict::{Check, Finding, Verdict};
use crate::votes::Truth;
use maidenlane_chain::B256;
use std::collections::VecDeque;
use std::time::Duration;

/// Depth, in multiples of the limit of lag, from which a lead over a majority is no lead.
const AHEAD_LAGS: u64 = 10;
/// Percentage of rounds without an answer at which a target is no longer merely slow.
const ERRORS_DOWN_PERCENT: u32 = 50;
/// Rounds of one outage that count for its errors. While it lasts `answer` fails; a target that is back must not be held for as
/// long again as it was away.
const OUTAGE_ROUNDS: usize = 3;

/// Time by which a head may be ahead of the clock, or as much as it may be old, if that is more.
const FUTURE: Duration = Duration::from_secs(60);

/// Outcomes of checks: what each found, or that it passed.
pub type Outcomes = Vec<(Check, Option<Finding>)>;

/// Facts that all targets share.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of block 0, where the settings or a majority name one.
    pub genesis: Option<B256>,
    /// Heads of the sources, the highest first.
    pub heads: Vec<u64>,
    /// Number that a majority of sources has reached.
    pub tip: Option<u64>,
    /// Hashes at the heights that are compared.
    pub hashes: Vec<(u64, Truth<B256>)>,
    /// Number of the lowest finalized block.
    pub finalized: Option<u64>,
    /// Balances at the block whose state is compared.
    pub content: Option<(B256, Truth<Vec<B256>>)>,
    /// Milliseconds by which the clocks of a majority are ahead of ours.
    pub clock_ahead_ms: Option<i64>,
    /// Unix time in milliseconds, as a majority has it.
    pub wall_ms: u64,
}

/// Memory of one target's past rounds.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Times of the newest rounds; `None` for those without an answer.
    rounds: VecDeque<Option<Duration>>,
    safe: u64,
    finalized: u64,
}

impl Memory {
    fn note(&mut self, observation: &Observation, facts: &Facts) {
        let lost_in_a_row = self.rounds.iter().rev().take_while(|round| round.is_none()).count();
        let has_answer = observation.seen.is_ok();
        if has_answer || lost_in_a_row < OUTAGE_ROUNDS {
            if self.rounds.len() >= Limits::WINDOW {
                self.rounds.pop_front();
            }
            self.rounds.push_back(has_answer.then_some(observation.took));
        }
        // What nobody has reached is a mistake, and would have to be reached for ever after.
        let known = |number: &u64| facts.tip.is_some_and(|tip| *number <= tip);
        if let Ok(seen) = &observation.seen {
            self.safe = self.safe.max(seen.safe.filter(known).unwrap_or(0));
            self.finalized = self.finalized.max(seen.finalized.filter(known).unwrap_or(0));
        }
    }

    /// Median time of an answer, once there are enough of them.
    #[must_use]
    pub fn median(&self) -> Option<Duration> {
        let mut times: Vec<Duration> = self.rounds.iter().flatten().copied().collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().filter(|_| times.len() >= Limits::SAMPLES_MIN)
    }

    /// Percentage of [`Limits::WINDOW`] rounds that had no answer, once there are some: after a start three lost ones would be
    /// a great share of those that were.
    #[must_use]
    pub fn errors_percent(&self) -> Option<u32> {
        let (all, lost) = (self.rounds.len(), self.rounds.iter().filter(|round| round.is_none()).count());
        u32::try_from(lost * 100 / Limits::WINDOW).ok().filter(|_| all >= Limits::SAMPLES_MIN)
    }
}

/// Outcomes of one round.
pub fn outcomes(observation: &Observation, memory: &mut Memory, facts: &Facts, limits: &Limits) -> Outcomes {
    let backward = observation.seen.as_ref().ok().and_then(|seen| finality(seen, memory));
    memory.note(observation, facts);
    let mut found = Outcomes::new();
    found.extend(memory.errors_percent().map(|percent| (Check::Errors, errors(percent, limits))));
    let latency = |median: Duration| {
        let text = || {
            Finding::degraded(
                format!("half of the answers take more than {} ms", median.as_millis()),
                millis(limits.latency),
            )
        };
        (Check::Latency, (median > limits.latency).then(text))
    };
    found.extend(memory.median().map(latency));
    match &observation.seen {
        Err(reason) => found.push((Check::Answer, Some(Finding::down(reason, "an answer in time")))),
        Ok(seen) => {
            found.push((Check::Answer, None));
            let own = own(seen, facts, limits);
            let foreign = own.iter().any(|(check, finding)| *check == Check::Chain && finding.is_some());
            found.extend(own);
            // Of another chain, everything else is different as well.
            if !foreign {
                found.extend(backward);
                found.extend(compared(seen, facts, limits));
            }
        }
    }
    found
}

/// True if nothing that a target says speaks against itself, so that its word counts about others.
#[must_use]
pub fn votes(seen: &Seen, memory: &Memory, facts: &Facts, limits: &Limits) -> bool {
    let of_itself = [chain(seen, facts), state(seen), head_age(seen, facts, limits), finality(seen, memory)];
    let is_down = |(_, finding): (Check, Option<Finding>)| {
        finding.is_some_and(|finding| finding.verdict == Verdict::Down)
    };
    !of_itself.into_iter().flatten().any(is_down)
}

fn chain(seen: &Seen, facts: &Facts) -> Option<(Check, Option<Finding>)> {
    let id = seen.chain_id?;
    let other = || Finding::down(format!("chain id {id}"), facts.chain_id.to_string()).at_once();
    let genesis = seen.hashes.iter().find(|(number, _)| *number == 0).map(|(_, hash)| *hash);
    let foreign = match (genesis, facts.genesis) {
        (Some(told), Some(right)) if told != right => {
            Some(Finding::down(format!("genesis {told}"), right.to_string()).at_once())
        }
        _ => None,
    };
    Some((Check::Chain, if id == facts.chain_id { foreign } else { Some(other()) }))
}

fn state(seen: &Seen) -> Option<(Check, Option<Finding>)> {
    let failed = seen.state.as_ref()?.as_ref().err();
    Some((Check::State, failed.map(|reason| Finding::down(reason, "a read of its state"))))
}

fn errors(percent: u32, limits: &Limits) -> Option<Finding> {
    let text = (format!("{percent} % of the rounds got no answer"), format!("{} %", limits.errors_percent));
    match percent {
        percent if percent >= ERRORS_DOWN_PERCENT => Some(Finding::down(text.0, text.1)),
        percent if percent > limits.errors_percent => Some(Finding::degraded(text.0, text.1)),
        _ => None,
    }
}

/// Checks that need nobody else's word.
fn own(seen: &Seen, facts: &Facts, limits: &Limits) -> Outcomes {
    let mut found = Outcomes::new();
    found.extend(chain(seen, facts));
    found.extend(
        seen.ready.as_ref().map(|ready| (Check::Draining, (*ready == Ready::Stopping).then(stopping))),
    );
    match &seen.ready {
        Some(Ready::No(reason)) => found.push((Check::Ready, Some(Finding::down(reason, "its own word")))),
        Some(Ready::Yes) => found.push((Check::Ready, None)),
        _ => {}
    }
    let syncing = |syncing: bool| syncing.then(|| Finding::down("it is catching up", ""));
    found.extend(seen.syncing.map(|is| (Check::Syncing, syncing(is))));
    let few = |peers: u64| {
        (peers < limits.peers_min)
            .then(|| Finding::degraded(format!("{peers} peers"), format!("at least {}", limits.peers_min)))
    };
    found.extend(seen.peers.map(|peers| (Check::Peers, few(peers))));
    found.extend(state(seen));
    let silence = seen.silent.map(|silent| silence(silent, limits));
    let obstacle = seen
        .obstacle
        .as_ref()
        .map(|read| read.as_ref().err().map(|why| Finding::degraded(why, "a log that can be read")));
    found.extend(silence.or(obstacle).map(|finding| (Check::Silence, finding)));
    let due = |left: Option<u64>| {
        left.map(|left_s| {
            Finding::degraded(
                format!("the newest verified snapshot leaves the log in {left_s} s"),
                "half of what the log holds",
            )
        })
    };
    found.extend(seen.snapshot_due.map(|left| (Check::Retention, due(left))));
    found.extend(seen.room.map(|room| (Check::Disk, disk(room, limits))));
    found.extend(
        seen.certificate_until_s.map(|until_s| (Check::Certificate, certificate(until_s, facts, limits))),
    );
    found.extend(seen.clock_ahead_ms.map(|ahead| (Check::Clock, clock(ahead, facts, limits))));
    found.extend(seen.ready.as_ref().map(|_| (Check::NextFork, next_fork(seen))));
    found.extend(head_age(seen, facts, limits));
    found
}

fn stopping() -> Finding {
    Finding { verdict: Verdict::Draining, ..Finding::down("it stops", "").at_once() }
}

fn silence(silent: Duration, limits: &Limits) -> Option<Finding> {
    let text =
        || Finding::down(format!("no sign of life for {} ms", silent.as_millis()), millis(limits.silence));
    (silent > limits.silence).then(text)
}

fn disk(room: Room, limits: &Limits) -> Option<Finding> {
    if room.free_percent < limits.disk_percent {
        let observed = format!("{} % of its disk are free", room.free_percent);
        return Some(Finding::degraded(observed, format!("{} %", limits.disk_percent)));
    }
    let hours = |time: Duration| format!("{} h", time.as_secs() / 3_600);
    let left = room.left.filter(|left| *left < limits.disk_left)?;
    let observed = format!("at the present rate its disk is full in {}", hours(left));
    Some(Finding::degraded(observed, hours(limits.disk_left)))
}

fn certificate(until_s: i64, facts: &Facts, limits: &Limits) -> Option<Finding> {
    let left_s = until_s.saturating_sub_unsigned(facts.wall_ms / 1_000);
    let days = |seconds: u64| format!("{} days", seconds / 86_400);
    let short = u64::try_from(left_s).map_or(true, |left_s| left_s < limits.certificate_left.as_secs());
    let finding = || {
        let observed = format!("its certificate expires in {}", days(u64::try_from(left_s).unwrap_or(0)));
        Finding::degraded(observed, days(limits.certificate_left.as_secs()))
    };
    short.then(finding)
}

fn clock(ahead_ms: i64, facts: &Facts, limits: &Limits) -> Option<Finding> {
    let off_ms = ahead_ms.saturating_sub(facts.clock_ahead_ms.unwrap_or(0));
    if u128::from(off_ms.unsigned_abs()) <= limits.clock.as_millis() {
        return None;
    }
    let side = if off_ms > 0 { "ahead of" } else { "behind" };
    let whose = if facts.clock_ahead_ms.is_some() { "those of the others" } else { "that of this machine" };
    let seconds = off_ms.unsigned_abs() / 1_000;
    Some(Finding::degraded(format!("its clock is {seconds} s {side} {whose}"), millis(limits.clock)))
}

fn next_fork(seen: &Seen) -> Option<Finding> {
    let (name, left_s) = seen.unknown_fork.as_ref()?;
    Some(match left_s {
        ..=0 => Finding::down(
            format!("the fork {name} is active, whose rules it does not know"),
            "a version that does",
        ),
        left_s => Finding::degraded(
            format!("the fork {name}, whose rules it does not know, is {left_s} s away"),
            "a version that does",
        ),
    })
}

fn head_age(seen: &Seen, facts: &Facts, limits: &Limits) -> Option<(Check, Option<Finding>)> {
    let time = Duration::from_secs(seen.latest?.time_s?);
    // Where two clocks differ and no third decides, nobody is too old or too new by only one of them.
    let ahead_ms = seen.clock_ahead_ms.filter(|_| facts.clock_ahead_ms.is_none()).unwrap_or(0);
    let now = |ahead_ms| Duration::from_millis(facts.wall_ms.saturating_add_signed(ahead_ms));
    let early = limits.head_age.unwrap_or_default().max(FUTURE);
    let in_future = time.saturating_sub(now(ahead_ms.max(0)));
    if in_future > early {
        let observed = format!("its head is from a time {} s ahead", in_future.as_secs());
        return Some((Check::HeadAge, Some(Finding::down(observed, millis(early)))));
    }
    let (most, age) = (limits.head_age?, now(ahead_ms.min(0)).saturating_sub(time));
    let old =
        || Finding::down(format!("its head is {} s old{}", age.as_secs(), untold(seen, facts)), millis(most));
    Some((Check::HeadAge, (age > most).then(old)))
}

/// Cause of an old head, where it can be told: an execution client takes blocks only when a consensus client names them,
/// and one that knows of newer ones syncs.
fn untold(seen: &Seen, facts: &Facts) -> &'static str {
    let is_node = seen.ready.is_none() && seen.syncing == Some(false);
    let newer = seen.latest.is_some_and(|latest| facts.tip.is_some_and(|tip| latest.block.number < tip));
    if is_node && newer { ", and it does not sync: its consensus client is silent" } else { "" }
}

/// Order of the tags, and that the consensus layer's word is not taken back.
fn finality(seen: &Seen, memory: &Memory) -> Option<(Check, Option<Finding>)> {
    let latest = seen.latest?.block.number;
    let (safe, finalized) = (seen.safe.unwrap_or(0), seen.finalized?);
    let text = format!("latest {latest}, safe {safe}, finalized {finalized}");
    let finding = if finalized > latest || safe > latest || (seen.safe.is_some() && finalized > safe) {
        Some(Finding::down(text, "finalized, safe and latest in order"))
    } else if finalized < memory.finalized {
        Some(Finding::down(text, format!("not below {}, which was final", memory.finalized)))
    } else if seen.safe.is_some() && safe < memory.safe {
        Some(Finding::degraded(text, format!("not below {}, which was safe", memory.safe)))
    } else {
        None
    };
    Some((Check::Finality, finding))
}

/// Checks against others.
fn compared(seen: &Seen, facts: &Facts, limits: &Limits) -> Outcomes {
    let mut found = Outcomes::new();
    if let (Some(Tip { block, .. }), Some(tip)) = (seen.latest, facts.tip) {
        let behind = tip.saturating_sub(block.number);
        let lag = || {
            let observed = format!("{behind} blocks behind {tip}{}", untold(seen, facts));
            Finding::down(observed, blocks(limits.lag_blocks))
        };
        found.push((Check::Lag, (behind > limits.lag_blocks).then(lag)));
        let most = limits.lag_blocks.saturating_mul(AHEAD_LAGS);
        let below = facts.heads.iter().filter(|head| head.saturating_add(most) < block.number).count();
        let ahead = || {
            Finding::down(
                format!("its head {} is far above {tip}, where most are", block.number),
                blocks(most),
            )
        };
        found.push((Check::Ahead, (below * 2 > facts.heads.len()).then(ahead)));
    }
    found.extend(forks(seen, facts));
    if let (Some(content), Some((block, truth))) = (&seen.content, &facts.content)
        && content.block == *block
    {
        let finding = match truth {
            Truth::Is(balances) if content.balances != *balances => Some(
                Finding::down("state of a block that differs from what its root proves", "equal state")
                    .at_once(),
            ),
            Truth::Split => Some(Finding::degraded(
                "targets differ in the state of a block, and no proof decides",
                "equal state",
            )),
            _ if content.proven == Some(false) => {
                Some(Finding::down("state that differs from its own proof", "equal state").at_once())
            }
            _ => None,
        };
        found.push((Check::Content, finding));
    }
    found
}

/// Disagreement at heights where there should be none. At or below the finalized block one look is enough; above it two
/// targets may have been asked before and after a reorganisation.
fn forks(seen: &Seen, facts: &Facts) -> Outcomes {
    let (mut compared, mut fork, mut split) = (false, None, None);
    for (number, hash) in seen.hashes.iter().filter(|(number, _)| *number > 0) {
        let truth = facts.hashes.iter().find(|(height, _)| height == number);
        match truth.map(|(_, truth)| truth) {
            Some(Truth::Is(right)) if right == hash => compared = true,
            Some(Truth::Is(right)) => {
                compared = true;
                let finding = Finding::down(format!("block {number} is {hash}"), right.to_string());
                let is_final = facts.finalized.is_some_and(|finalized| *number <= finalized);
                fork = Some(if is_final { finding.at_once() } else { finding });
            }
            Some(Truth::Split) => {
                let text = format!("block {number} is {hash} here, and another elsewhere");
                split = Some(Finding::degraded(text, "a majority of sources"));
            }
            _ => {}
        }
    }
    let mut found = Outcomes::new();
    if compared || fork.is_some() {
        found.push((Check::Fork, fork));
    }
    if compared || split.is_some() {
        found.push((Check::Sources, split));
    }
    found
}

fn blocks(count: u64) -> String {
    format!("{count} blocks")
}

fn millis(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

/// Unix time in milliseconds, as a majority of clocks has it.
#[must_use]
pub fn corrected(now: Now, ahead_ms: Option<i64>) -> u64 {
    now.wall_ms.saturating_add_signed(ahead_ms.unwrap_or(0))
}
