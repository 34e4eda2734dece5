//! Availability, from measured failures: how long it runs until it fails, and how long a failure lasts.
//!
//! # What counts
//! Time in which nobody watched is unknown: neither up nor down. A drain or a cordon is neither failure nor repair, up to the moment
//! at which the subject serves again, so that a restart that was announced is none. Of the rest, a failure is the way from
//! serving to not serving.

use crate::verdict::Verdict;
use std::time::Duration;

/// Point of a subject's history: the verdict from then on, or `None` while nobody watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Unix time in milliseconds.
    pub at_ms: u64,
    /// Verdict.
    pub verdict: Option<Verdict>,
}

/// Measurement over a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Time in which it served.
    pub up: Duration,
    /// Time in which it should have.
    pub down: Duration,
    /// Time in which it was not to serve.
    pub planned: Duration,
    /// Time in which nobody watched.
    pub unknown: Duration,
    /// Failures.
    pub failures: u32,
}

/// Mean time, or the least that it can be where nothing has failed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mean {
    /// Measured.
    Is(Duration),
    /// Nothing has failed in this time.
    AtLeast(Duration),
}

impl Measured {
    /// Mean time between failures.
    #[must_use]
    pub fn mtbf(&self) -> Mean {
        match self.failures {
            0 => Mean::AtLeast(self.up),
            failures => Mean::Is(self.up / failures),
        }
    }

    /// Mean time to repair; `None` without a failure.
    #[must_use]
    pub fn mttr(&self) -> Option<Duration> {
        self.down.checked_div(self.failures)
    }

    /// Availability of one: the share of the time in which it served, of that in which it should have. `None` where it was
    /// never watched.
    #[must_use]
    pub fn availability(&self) -> Option<f64> {
        let all = (self.up + self.down).as_secs_f64();
        (all > 0.0).then(|| self.up.as_secs_f64() / all)
    }
}

/// Availability of `clusters` that share nothing: a = 1 - (1 - mtbf / (mttr + mtbf))^N. One is enough.
#[must_use]
pub fn formula(mtbf: Duration, mttr: Duration, clusters: u32) -> f64 {
    let (mtbf, mttr) = (mtbf.as_secs_f64(), mttr.as_secs_f64());
    // The same as 1 - mtbf / (mttr + mtbf), without the loss of digits.
    let unavailable = if mttr > 0.0 { mttr / (mttr + mtbf) } else { 0.0 };
    1.0 - unavailable.powf(f64::from(clusters))
}

/// Measures a history, oldest first, from one moment to another.
#[must_use]
pub fn measure(history: impl IntoIterator<Item = Point>, from_ms: u64, to_ms: u64) -> Measured {
    let mut measured = Measured::default();
    let (mut at_ms, mut state) = (from_ms, State::Unknown);
    for point in history.into_iter().take_while(|point| point.at_ms < to_ms) {
        let next_ms = point.at_ms.max(at_ms);
        measured.add(state, next_ms - at_ms);
        at_ms = next_ms;
        let next = state.then(point.verdict);
        measured.failures += u32::from(state == State::Up && next == State::Down && point.at_ms >= from_ms);
        state = next;
    }
    measured.add(state, to_ms.saturating_sub(at_ms));
    measured
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    Down,
    Planned,
    Unknown,
}

impl State {
    fn then(self, verdict: Option<Verdict>) -> Self {
        match verdict {
            None => Self::Unknown,
            Some(verdict) if verdict.serves() => Self::Up,
            Some(Verdict::Draining) => Self::Planned,
            // What was drained is on its way back until it serves; what was not watched may have failed at any time.
            Some(_) if self == Self::Planned => Self::Planned,
            Some(_) => Self::Down,
        }
    }
}

impl Measured {
    fn add(&mut self, state: State, ms: u64) {
        let of = match state {
            State::Up => &mut self.up,
            State::Down => &mut self.down,
            State::Planned => &mut self.planned,
            State::Unknown => &mut self.unknown,
        };
        *of += Duration::from_millis(ms);
    }
}

#[cfg(test)]
mod tests {
    use super::{Mean, Measured, Point, formula, measure};
    use crate::verdict::Verdict;
    use std::time::Duration;

    const HOUR: Duration = Duration::from_secs(3_600);
    const DAY: Duration = Duration::from_secs(86_400);

    /// A history of `h`ealthy, d`e`graded, `d`own, dr`a`ining and `?` for unwatched, an hour each.
    fn history(text: &str) -> Vec<Point> {
        let verdict = |letter| match letter {
            'h' => Some(Verdict::Healthy),
            'e' => Some(Verdict::Degraded),
            'd' => Some(Verdict::Down),
            'a' => Some(Verdict::Draining),
            _ => None,
        };
        (0..)
            .zip(text.chars())
            .map(|(hour, letter)| Point { at_ms: hour * 3_600_000, verdict: verdict(letter) })
            .collect()
    }

    fn check(text: &str, [up, down, planned, unknown]: [u32; 4], failures: u32) -> Measured {
        let measured = measure(history(text), 0, u64::try_from(text.len()).unwrap() * 3_600_000);
        let expect = Measured {
            up: HOUR * up,
            down: HOUR * down,
            planned: HOUR * planned,
            unknown: HOUR * unknown,
            failures,
        };
        assert_eq!(measured, expect, "{text}");
        measured
    }

    #[test]
    fn only_what_failed_is_a_failure() {
        check("hhehh", [5, 0, 0, 0], 0);
        check("hhddhhhdhh", [7, 3, 0, 0], 2);
        check("hhaahh", [4, 0, 2, 0], 0);
        check("hhaddhh", [4, 0, 3, 0], 0);
        check("hh??hh", [4, 0, 0, 2], 0);
        // Found down, and nobody knows since when: time, and no failure.
        check("hh?dhh", [4, 1, 0, 1], 0);
        check("", [0, 0, 0, 0], 0);
    }

    #[test]
    fn a_time_before_the_first_word_is_unknown() {
        let measured = measure(history("hhd"), 3_600_000, 10_800_000);
        assert_eq!((measured.up, measured.down, measured.failures), (HOUR, HOUR, 1));
        let later = measure([Point { at_ms: 7_200_000, verdict: Some(Verdict::Healthy) }], 0, 10_800_000);
        assert_eq!((later.unknown, later.up), (HOUR * 2, HOUR));
    }

    #[test]
    fn without_a_failure_the_mean_is_a_bound() {
        let measured = check("hhhh", [4, 0, 0, 0], 0);
        assert_eq!((measured.mtbf(), measured.mttr()), (Mean::AtLeast(HOUR * 4), None));
        assert_eq!(measured.availability(), Some(1.0));
        let measured = check("hhddhhhdhh", [7, 3, 0, 0], 2);
        assert_eq!(measured.mtbf(), Mean::Is(HOUR * 7 / 2));
        assert_eq!(measured.mttr(), Some(HOUR * 3 / 2));
        assert_eq!(Measured::default().availability(), None);
    }

    #[test]
    fn two_clusters_that_are_repaired_in_45_minutes() {
        // A failure a month each, repaired from a snapshot in three quarters of an hour.
        let (mtbf, mttr) = (DAY * 30, HOUR * 3 / 4);
        let (one, two) = (formula(mtbf, mttr, 1), formula(mtbf, mttr, 2));
        assert!((one - 0.998_959_417).abs() < 1e-9, "{one}");
        assert!((two - 0.999_998_917).abs() < 1e-9, "{two}");
        assert_eq!(formula(mtbf, Duration::ZERO, 1), 1.0);
        assert_eq!(formula(Duration::ZERO, mttr, 3), 0.0);
    }
}
