//! Verdicts, and the reasons behind them.

use crate::foreign::cut;
use std::fmt;
use std::time::Duration;

/// Fitness of a target. Ordered from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Serves as it should.
    Healthy,
    /// Serves, but others should be asked first.
    Degraded,
    /// Leaves on purpose: what it was asked is answered, and it gets nothing new.
    Draining,
    /// Must not serve.
    Down,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Healthy, Self::Degraded, Self::Draining, Self::Down];

    /// Word in answers, metrics and the record of incidents.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Draining => "draining",
            Self::Down => "down",
        }
    }

    /// Verdict of that word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.word() == word)
    }

    /// True if balancers may send requests.
    #[must_use]
    pub const fn serves(self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Check of a target. Each has a counter of its own, so that one that flaps does not hide another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// Nothing is known yet.
    Starting,
    /// Somebody took it out by hand.
    Cordon,
    /// Word of the daemon that it stops.
    Draining,
    /// Answer in time.
    Answer,
    /// Chain id and genesis.
    Chain,
    /// Same hash as others at a height that all have.
    Fork,
    /// Sources tell different hashes, and none has a majority.
    Sources,
    /// Same state as others at the same block.
    Content,
    /// The word of the daemon itself.
    Ready,
    /// Progress of one that is catching up.
    Syncing,
    /// Age of its head.
    HeadAge,
    /// Blocks behind the tip.
    Lag,
    /// Blocks ahead of the tip.
    Ahead,
    /// `finalized` ≤ `safe` ≤ `latest`, and none of the first two moves back.
    Finality,
    /// Peers, where it has any.
    Peers,
    /// A read of state at its head.
    State,
    /// Share of rounds without an answer.
    Errors,
    /// Time that an answer takes.
    Latency,
    /// Clock of the target.
    Clock,
    /// The chain's next fork.
    NextFork,
    /// Time since the last sign of life, of a feed.
    Silence,
    /// Snapshots against what the log still holds.
    Retention,
    /// Room on the disk of its files.
    Disk,
    /// Certificate of its listener.
    Certificate,
    /// Kept in so that somebody serves at all.
    Floor,
}

impl Check {
    /// Word in answers and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Cordon => "cordon",
            Self::Draining => "draining",
            Self::Answer => "answer",
            Self::Chain => "chain",
            Self::Fork => "fork",
            Self::Sources => "sources",
            Self::Content => "content",
            Self::Ready => "ready",
            Self::Syncing => "syncing",
            Self::HeadAge => "headAge",
            Self::Lag => "lag",
            Self::Ahead => "ahead",
            Self::Finality => "finality",
            Self::Peers => "peers",
            Self::State => "state",
            Self::Errors => "errors",
            Self::Latency => "latency",
            Self::Clock => "clock",
            Self::NextFork => "nextFork",
            Self::Silence => "silence",
            Self::Retention => "retention",
            Self::Disk => "disk",
            Self::Certificate => "certificate",
            Self::Floor => "floor",
        }
    }

    /// True if no floor keeps a target in the pool that fails this: its answers would be wrong, or it has none.
    #[must_use]
    pub const fn bars(self) -> bool {
        matches!(self, Self::Starting | Self::Chain | Self::Fork | Self::Content | Self::Syncing)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Longest text of an observation: what a target says of itself is told to everybody, twice a second.
const OBSERVED_CHARS_MAX: usize = 300;

/// Finding of one check in one round: what was seen, and what would have been right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Verdict that it would lead to.
    pub verdict: Verdict,
    /// True if no second look is needed.
    pub at_once: bool,
    /// Observation, for people.
    pub observed: String,
    /// Limit that it breaks.
    pub limit: String,
}

impl Finding {
    /// A finding that takes its target out once it has lasted.
    pub fn down(observed: impl Into<String>, limit: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Down,
            at_once: false,
            observed: cut(&observed.into(), OBSERVED_CHARS_MAX),
            limit: limit.into(),
        }
    }

    /// A finding that others should be preferred for.
    pub fn degraded(observed: impl Into<String>, limit: impl Into<String>) -> Self {
        Self { verdict: Verdict::Degraded, ..Self::down(observed, limit) }
    }

    /// The same finding, which needs no second look.
    #[must_use]
    pub fn at_once(self) -> Self {
        Self { at_once: true, ..self }
    }
}

/// Reason for a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Check that failed.
    pub check: Check,
    /// Verdict that it leads to.
    pub verdict: Verdict,
    /// Observation, for people.
    pub observed: String,
    /// Limit that it breaks.
    pub limit: String,
    /// Moment of the first failure of those that led here, as time since the start.
    pub since: Duration,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { check, observed, limit, .. } = self;
        if limit.is_empty() {
            write!(f, "{check}: {observed}")
        } else {
            write!(f, "{check}: {observed} (limit: {limit})")
        }
    }
}
