//! Views: all that balancers, people and Prometheus are told, as of one moment. Made by the board, read by everybody else
//! without a lock and without a question to any target.

use crate::observe::{Asks, Now, Tip};
use crate::verdict::{Check, Reason, Verdict};
use std::sync::Arc;
use std::time::Duration;

/// View of everything.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Moment of the newest observation in it.
    pub now: Now,
    /// Targets, in the order of the settings.
    pub targets: Vec<Arc<TargetView>>,
    /// Groups, likewise.
    pub groups: Vec<GroupView>,
    /// Faults of the whole, which change no target's verdict.
    pub warnings: Vec<Warning>,
    /// Number that a majority of sources has reached.
    pub tip: Option<u64>,
    /// Questions for the next rounds.
    pub asks: Asks,
}

/// View of one target.
#[derive(Clone, Debug)]
pub struct TargetView {
    /// Name.
    pub name: String,
    /// Name of its group.
    pub group: String,
    /// Source that it speaks for.
    pub source: Option<String>,
    /// Verdict.
    pub verdict: Verdict,
    /// Moment of the verdict, as time since the start.
    pub since: Duration,
    /// Reasons, the worst first.
    pub reasons: Vec<Reason>,
    /// Cordon, if somebody put one.
    pub cordon: Option<Cordon>,
    /// Head, as it was told last.
    pub head: Option<Tip>,
    /// Number of its finalized block.
    pub finalized: Option<u64>,
    /// Blocks behind the tip, of the last rounds, the newest last.
    pub lags: Vec<u64>,
    /// Median time of an answer.
    pub latency: Option<Duration>,
    /// Number of peers.
    pub peers: Option<u64>,
    /// Moment of the last observation, as time since the start.
    pub observed: Option<Duration>,
    /// Time for which that counts.
    pub fresh_for: Duration,
    /// Share of requests in percent that balancers should send.
    pub weight_percent: u32,
    /// Address for clients.
    pub serves: Option<std::net::SocketAddr>,
}

impl TargetView {
    /// Age of the head, in seconds; `None` where its time is not known.
    #[must_use]
    pub fn head_age_s(&self, now: Now) -> Option<u64> {
        Some((now.wall_ms / 1_000).saturating_sub(self.head?.time_s?))
    }

    /// True while nothing is known of it but that it is starting.
    #[must_use]
    pub fn is_starting(&self) -> bool {
        !self.verdict.serves() && self.reasons.iter().all(|reason| reason.check == Check::Starting)
    }

    /// Time since the last observation, if that is too long ago for the verdict to be worth anything at a moment.
    #[must_use]
    pub fn unwatched(&self, at: Duration) -> Option<Duration> {
        let since = at.saturating_sub(self.observed.unwrap_or_default());
        (self.observed.is_none() || since > self.fresh_for).then_some(since)
    }

    /// The reasons as one line.
    #[must_use]
    pub fn why(&self) -> String {
        self.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}

/// View of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupView {
    /// Name.
    pub name: String,
    /// Best verdict of its targets.
    pub verdict: Verdict,
    /// Targets that serve.
    pub serving: usize,
    /// Targets that are kept in because of the floor.
    pub held: usize,
    /// All of them.
    pub targets: usize,
    /// The floor.
    pub floor: usize,
}

/// Fault of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Word for metrics: `redundancy`.
    pub name: &'static str,
    /// Group, or nothing where all are meant.
    pub group: String,
    /// Text for people.
    pub text: String,
}

/// Cordon of a target.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cordon {
    /// Why.
    pub reason: String,
    /// Unix time in milliseconds.
    pub since_ms: u64,
    /// True if open connections may go on.
    pub drain: bool,
}

impl View {
    /// View of a target.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<&Arc<TargetView>> {
        self.targets.iter().find(|target| target.name == name)
    }

    /// View of a group.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<&GroupView> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// Targets of a group that clients should be sent to now: the healthy ones, or those that are degraded where no
    /// healthy one is left.
    pub fn pool<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Arc<TargetView>> {
        let of = move || self.targets.iter().filter(move |target| target.group == group);
        let best = if of().any(|target| target.verdict == Verdict::Healthy) {
            Verdict::Healthy
        } else {
            Verdict::Degraded
        };
        of().filter(move |target| target.verdict == best)
    }

    /// True once enough is known of every target for a verdict.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let starts = |reason: &Reason| reason.check == Check::Starting;
        !self.targets.iter().any(|target| target.reasons.iter().any(starts))
    }

    /// True if balancers may go by it at a moment: whole, and of every target no older than counts. A process that stood still
    /// wakes up with verdicts from before.
    #[must_use]
    pub fn holds(&self, at: Duration) -> bool {
        self.is_whole() && self.targets.iter().all(|target| target.unwatched(at).is_none())
    }

    /// One line for `systemctl status`.
    #[must_use]
    pub fn line(&self) -> String {
        let serving = self.targets.iter().filter(|target| target.verdict.serves()).count();
        let mut line = format!("{serving} of {} serve", self.targets.len());
        if let Some(tip) = self.tip {
            line += &format!(", tip {tip}");
        }
        let worst = self
            .targets
            .iter()
            .filter(|target| target.verdict != Verdict::Healthy)
            .max_by_key(|target| target.verdict);
        if let Some(worst) = worst {
            line += &format!(" | {} {}: {}", worst.name, worst.verdict, worst.why());
        }
        line
    }
}

/// Verdicts of a group's targets under its floor: who stays in, of those that would go.
///
/// # Why
/// A floor of 0 gives no answer rather than a stale one. Any other keeps so many in, of those whose answers may be old but not
/// wrong: the newest heads first.
#[must_use]
pub fn held(targets: &[(Verdict, &[Reason], Option<u64>)], floor: usize) -> Vec<usize> {
    let serving = targets.iter().filter(|(verdict, ..)| verdict.serves()).count();
    let barred = |reasons: &[Reason]| {
        reasons.iter().any(|reason| reason.check.bars() && reason.verdict == Verdict::Down)
    };
    let mut open: Vec<_> = targets
        .iter()
        .enumerate()
        .filter(|(_, (verdict, reasons, _))| *verdict == Verdict::Down && !barred(reasons))
        .collect();
    open.sort_by_key(|(index, (_, reasons, head))| {
        let silent = reasons.iter().any(|reason| reason.check == Check::Answer);
        (silent, std::cmp::Reverse(*head), *index)
    });
    open.into_iter().take(floor.saturating_sub(serving)).map(|(index, _)| index).collect()
}
