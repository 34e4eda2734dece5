//! Forks that this build does not implement: the next one, and when to warn of it, early enough for an upgrade.

use crate::forks::{At, Forks};
use std::fmt;

const DAY_S: u64 = 86_400;
/// Time before a fork at which warnings begin.
const AHEAD_S: u64 = 30 * DAY_S;

/// A fork that this build does not implement, and that rules a chain's head or will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFork {
    /// Name in the chain config, without `Time` or `Block`.
    pub name: String,
    /// Unix time of its first block; of one by block number the head's, once it rules that.
    pub time_s: u64,
    /// Seconds until then; 0 once it rules the head.
    pub seconds_left: u64,
}

impl fmt::Display for UnknownFork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, seconds_left, .. } = self;
        let (days, hours) = (seconds_left / DAY_S, seconds_left / 3_600 % 24);
        let (when, cure) = match seconds_left {
            0 => ("is in force".to_owned(), "now"),
            _ => (format!("comes in {days} d {hours} h"), "before"),
        };
        write!(f, "fork {name} {when} and this build does not implement it: upgrade {cure}")
    }
}

impl UnknownFork {
    /// The next unknown fork of a chain whose head has this number and time, as seen at `now_s`; all times are Unix
    /// seconds. Forks to come by block number are not among them: nothing says that they are near.
    #[must_use]
    pub fn next(forks: &Forks, number: u64, time_s: u64, now_s: u64) -> Option<Self> {
        if let Some(fork) = forks.unknown_at(number, time_s) {
            let time_s = if let At::Time(from) = fork.at { from } else { time_s };
            return Some(Self { name: fork.name.clone(), time_s, seconds_left: 0 });
        }
        let (fork, after_s) = forks.unknown_after(time_s)?;
        let time_s = time_s.saturating_add(after_s);
        Some(Self { name: fork.name.clone(), time_s, seconds_left: time_s.saturating_sub(now_s) })
    }
}

/// Decides when to warn: from 30 days before a fork on, at once and then daily.
#[derive(Debug, Default)]
pub struct ForkWatch {
    warned_s: Option<u64>,
}

impl ForkWatch {
    /// True if a warning of `fork` is due at `now_s`, a Unix time; it counts as given then.
    pub fn is_due(&mut self, fork: &UnknownFork, now_s: u64) -> bool {
        let is_due = fork.seconds_left <= AHEAD_S
            && self.warned_s.is_none_or(|warned| now_s.saturating_sub(warned) >= DAY_S);
        if is_due {
            self.warned_s = Some(now_s);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::{DAY_S, ForkWatch, UnknownFork};
    use crate::Forks;

    const NOW_S: u64 = 1_800_000_000;

    /// Checks the warnings at times `at_s` after now on a chain with one more fork, `after_s` from now, and the seconds
    /// `left` at the last.
    fn check((fork, after_s): (&str, u64), at_s: &[u64], warnings: &[&str], left: Option<u64>) {
        let config = format!(r#"{{"chainId": 7, "londonBlock": 0, "{fork}Time": {}}}"#, NOW_S + after_s);
        let (forks, mut watch) = (Forks::parse(&config).unwrap(), ForkWatch::default());
        let (mut warned, mut last) = (Vec::new(), None);
        for at in at_s {
            last = UnknownFork::next(&forks, 1, NOW_S, NOW_S + at);
            warned.extend(last.iter().filter(|fork| watch.is_due(fork, NOW_S + at)).map(ToString::to_string));
        }
        assert_eq!(warned, warnings);
        assert_eq!(last.map(|fork| fork.seconds_left), left);
    }

    #[test]
    fn an_unknown_fork_is_warned_of_daily_from_thirty_days_on() {
        let [in_ten, in_nine] = ["10 d 0 h", "9 d 0 h"].map(|left| {
            format!("fork amsterdam comes in {left} and this build does not implement it: upgrade before")
        });
        let ahead = ("amsterdam", 10 * DAY_S);
        check(ahead, &[0, 1, DAY_S - 1], &[&in_ten], Some(9 * DAY_S + 1));
        check(ahead, &[0, 1, DAY_S, DAY_S + 5], &[&in_ten, &in_nine], Some(9 * DAY_S - 5));
        check(("amsterdam", 31 * DAY_S), &[0, DAY_S - 1], &[], Some(30 * DAY_S + 1));
        check(("osaka", 10 * DAY_S), &[0], &[], None);
    }

    #[test]
    fn a_fork_in_force_is_warned_of_as_one() {
        let line = "fork amsterdam is in force and this build does not implement it: upgrade now";
        check(("amsterdam", 0), &[0, 5], &[line], Some(0));
    }
}
