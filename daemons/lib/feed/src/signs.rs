//! Ages of the feed's signs of life, by what this machine knows rather than by what the tap's clock says.
//!
//! # Correctness
//! A heartbeat carries the tap's time. Two clocks differ by any amount and either may be set at any moment, so that time
//! alone neither proves life nor silence. What needs no clock of others is order: an entry that lies behind the feed's
//! end, as it was asked for at some moment, was appended after that moment; one before the end was appended before it.
//! Both moments are of this machine's monotonic clock, and the end is asked for about once a second. The tap's time
//! counts only in between:
//!
//! - older than the moments allow: the tap's clock is behind, and the sign is as old as they allow at most;
//! - newer than they allow: the tap's clock is ahead, and nothing better than the oldest possible age is known. Where
//!   there is none, as of entries that were there before the first look, the sign does not count at all: a living tap
//!   sends the next one in a moment;
//! - in between: right, as far as anybody can tell. A clock that is ahead can lend life to a sign from before the first
//!   look, once, for less than the silence that is allowed.
//!
//! What the moments bound is the append. The tap vouches for the second before it, and gives up an append that takes
//! longer than its log's timeout.

use std::collections::VecDeque;
use std::time::Duration;

/// Interval of looks at the feed's end.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Interval after a look that failed: it may have taken seconds, in which nothing is read.
const FAILED_LOOK_EVERY: Duration = Duration::from_secs(10);
/// Most looks that are kept; a longer catch-up has longer intervals.
const LOOKS_MAX: usize = 64;
/// Lead of the tap's clock that is put down to ordinary clocks.
const LEAD_MAX: Duration = Duration::from_secs(1);

/// The feed's end at some moment.
#[derive(Clone, Copy, Debug)]
struct Look {
    end: u64,
    at: Duration,
}

/// Looks at the feed's end. All moments are times since one start.
#[derive(Debug, Default)]
pub struct Ends {
    /// Oldest first; ends grow.
    looks: VecDeque<Look>,
    next_look: Duration,
}

impl Ends {
    /// True if the end should be asked for.
    #[must_use]
    pub fn is_due(&self, now: Duration) -> bool {
        now >= self.next_look
    }

    /// Notes the end, as asked for at `now`; `None` if that failed.
    pub fn note(&mut self, end: Option<u64>, now: Duration) {
        let Some(end) = end else {
            self.next_look = now.saturating_add(FAILED_LOOK_EVERY);
            return;
        };
        self.next_look = now.saturating_add(LOOK_EVERY);
        // Nothing came since: the later look says more about what is to come. The first stays.
        let count = self.looks.len();
        match self.looks.back_mut() {
            Some(last) if last.end == end && count > 1 => last.at = now,
            _ if count < LOOKS_MAX => self.looks.push_back(Look { end, at: now }),
            _ => {}
        }
    }

    /// Age of the entry at `offset`, which was just read and claims to be of `claimed` ago by the tap's clock, or `Err`
    /// of the time by which it claims to be yet to come. `None` where its age cannot be told. Entries come in order.
    pub fn age(
        &mut self,
        offset: u64,
        claimed: Result<Duration, Duration>,
        now: Duration,
    ) -> Option<Duration> {
        // Of looks before the entry the latest is the best.
        while self.looks.get(1).is_some_and(|second| second.end <= offset) {
            self.looks.pop_front();
        }
        let since = |look: &Look| now.saturating_sub(look.at);
        let oldest = self.looks.front().filter(|first| first.end <= offset).map(since);
        let newest = self.looks.iter().find(|look| look.end > offset).map_or(Duration::ZERO, since);
        let lead = match claimed {
            Ok(age) if age >= newest => return Some(oldest.map_or(age, |oldest| age.min(oldest))),
            Ok(age) => newest.saturating_sub(age),
            Err(ahead) => newest.saturating_add(ahead),
        };
        if lead <= LEAD_MAX { Some(newest) } else { oldest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Looks at `(end, second)`, then the age in seconds of the entry at `offset` that is read at second `now` and
    /// claims to be `claimed` seconds old, negative if it is yet to come.
    #[track_caller]
    fn check(looks: &[(u64, u64)], (offset, claimed, now): (u64, i64, u64), expect: Option<u64>) {
        let mut ends = Ends::default();
        for (end, at) in looks {
            ends.note(Some(*end), s(*at));
        }
        let claim = s(claimed.unsigned_abs());
        let claimed = if claimed < 0 { Err(claim) } else { Ok(claim) };
        assert_eq!(ends.age(offset, claimed, s(now)), expect.map(s));
    }

    #[test]
    fn a_tap_s_clock_counts_only_within_what_is_known_without_it() {
        // Followed live: the end was looked at a second ago, and the entry lies behind it.
        let live = &[(10, 0), (100, 99)];
        check(live, (100, 0, 100), Some(0));
        check(live, (100, 15, 100), Some(1));
        check(live, (100, 3_600, 100), Some(1));
        check(live, (100, -1, 100), Some(0));
        check(live, (100, -15, 100), Some(1));
        // There before the first look.
        let found = &[(100, 50)];
        check(found, (50, 60, 100), Some(60));
        check(found, (50, 50, 100), Some(50));
        check(found, (50, 20, 100), None);
        check(found, (50, -600, 100), None);
        // Came while much was being applied.
        let busy = &[(10, 0), (50, 40), (90, 80)];
        check(busy, (60, 30, 100), Some(30));
        check(busy, (60, 3_600, 100), Some(60));
        check(busy, (60, 1, 100), Some(60));
        check(busy, (60, -600, 100), Some(60));
        check(&[], (60, 5, 100), Some(5));
    }

    #[test]
    fn looks_are_bounded_and_given_up_as_entries_come() {
        let mut ends = Ends::default();
        for second in 0..1_000 {
            assert!(ends.is_due(s(second)));
            ends.note(Some(second), s(second));
            assert!(!ends.is_due(s(second)));
        }
        assert_eq!(ends.looks.len(), LOOKS_MAX);
        assert_eq!(ends.age(2_000, Ok(s(5_000)), s(1_000)), Some(s(1_000 - (LOOKS_MAX as u64 - 1))));
        assert_eq!(ends.looks.len(), 1);
        ends.note(None, s(1_000));
        assert!(!ends.is_due(s(1_009)) && ends.is_due(s(1_010)));
    }

    #[test]
    fn a_silent_feed_is_looked_at_anew() {
        let mut ends = Ends::default();
        for second in 0..100 {
            ends.note(Some(7), s(second));
        }
        assert_eq!(ends.looks.len(), 2);
        assert_eq!(ends.age(7, Err(s(15)), s(100)), Some(s(1)));
        assert_eq!(ends.age(6, Err(s(15)), s(100)), None);
    }
}
