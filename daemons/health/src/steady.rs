//! Steadiness of checks: how often one must fail before it counts, and how long it must be well before it no longer does.

use crate::verdict::{Check, Finding, Reason};
use std::collections::BTreeMap;
use std::time::Duration;

/// Terms of steadiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Rounds in a row that a check must fail in.
    pub fall: u32,
    /// Rounds in a row that it must pass in, to be well again.
    pub rise: u32,
    /// Shortest time that a failure counts.
    pub dwell: Duration,
}

/// Checks of one target over time.
///
/// # Correctness
/// The first rounds after a start know no past, so that one failure counts in them, and one success: a checker that was
/// started anew must neither let a bad target in nor take all others out.
#[derive(Clone, Debug, Default)]
pub struct Steady {
    checks: BTreeMap<Check, Counter>,
    rounds: u32,
    /// Moment of the last round.
    last: Duration,
}

#[derive(Clone, Debug, Default)]
struct Counter {
    /// The failure that counts.
    reason: Option<Reason>,
    /// Rounds in a row that said otherwise than what counts.
    contrary: u32,
    /// Moment of the first of them.
    since: Duration,
    /// Moment of the last round in which the check could look.
    looked: Duration,
}

impl Steady {
    /// Takes the outcomes of one round: what each check found, or that it passed. A check that could not look says nothing,
    /// and is not here.
    pub fn take(&mut self, outcomes: Vec<(Check, Option<Finding>)>, terms: &Terms, now: Duration) {
        self.rounds = self.rounds.saturating_add(1);
        self.last = now;
        let fall = if self.rounds <= terms.fall { 1 } else { terms.fall };
        for (check, outcome) in outcomes {
            let counter = self.checks.entry(check).or_default();
            counter.looked = now;
            match outcome {
                Some(finding) => counter.fails(check, finding, fall, now),
                None => counter.passes(terms, now),
            }
        }
    }

    /// Failures that count, the worst first, and of equals the oldest. Where a check could not look since, its reason says how
    /// old it is.
    #[must_use]
    pub fn reasons(&self) -> Vec<Reason> {
        let told = |counter: &Counter| {
            let mut reason = counter.reason.clone()?;
            let ago = self.last.saturating_sub(counter.looked);
            if !ago.is_zero() {
                reason.observed = format!("{}, as of {} s ago", reason.observed, ago.as_secs());
            }
            Some(reason)
        };
        let mut reasons: Vec<_> = self.checks.values().filter_map(told).collect();
        reasons.sort_by_key(|reason| (std::cmp::Reverse(reason.verdict), reason.since, reason.check));
        reasons
    }

    /// True if a check fails in the eyes of all.
    #[must_use]
    pub fn fails(&self, check: Check) -> bool {
        self.checks.get(&check).is_some_and(|counter| counter.reason.is_some())
    }
}

impl Counter {
    fn fails(&mut self, check: Check, finding: Finding, fall: u32, now: Duration) {
        let Finding { verdict, at_once, observed, limit } = finding;
        if let Some(reason) = &mut self.reason {
            // No milder word takes it back while it lasts: the check has to pass.
            if verdict >= reason.verdict {
                *reason = Reason { check, verdict, observed, limit, since: reason.since };
            }
            self.contrary = 0;
            return;
        }
        if self.contrary == 0 {
            self.since = now;
        }
        self.contrary = self.contrary.saturating_add(1);
        if at_once || self.contrary >= fall {
            self.reason = Some(Reason { check, verdict, observed, limit, since: self.since });
            self.contrary = 0;
        }
    }

    fn passes(&mut self, terms: &Terms, now: Duration) {
        let Some(reason) = &self.reason else {
            self.contrary = 0;
            return;
        };
        self.contrary = self.contrary.saturating_add(1);
        if self.contrary >= terms.rise && now.saturating_sub(reason.since) >= terms.dwell {
            *self = Self { looked: self.looked, ..Self::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Steady, Terms};
    use crate::verdict::{Check, Finding};
    use std::time::Duration;

    const TERMS: Terms = Terms { fall: 2, rise: 3, dwell: Duration::from_secs(4) };

    /// Rounds at one a second, `x` for a failure, `!` for one that needs no second look, `.` for a success and `?` for no
    /// word; where the check counts as failed, the answer has an `x`, else a dot.
    fn check(rounds: &str, expect: &str) {
        let mut steady = Steady::default();
        let mut told = String::new();
        for (second, round) in (0..).zip(rounds.chars()) {
            let failed = Finding::down("seen", "limit");
            let outcomes = match round {
                'x' => vec![(Check::Lag, Some(failed))],
                '!' => vec![(Check::Lag, Some(failed.at_once()))],
                '.' => vec![(Check::Lag, None)],
                _ => Vec::new(),
            };
            steady.take(outcomes, &TERMS, Duration::from_secs(second));
            told.push(if steady.fails(Check::Lag) { 'x' } else { '.' });
        }
        assert_eq!(told, expect, "{rounds}");
    }

    #[test]
    fn a_check_falls_and_rises_by_its_terms() {
        check("..x.x.x.", "........");
        check("..xx....", "...xxx..");
        check("..!.....", "..xxxx..");
        check("..x?x...", "....xxx.");
        check("..xx.x...", "...xxxxx.");
    }

    #[test]
    fn the_first_rounds_are_believed() {
        check("x.....", "xxxx..");
        check(".x....", ".xxxx.");
        check("......", "......");
    }

    #[test]
    fn reasons_are_told_worst_first() {
        let mut steady = Steady::default();
        let outcomes = vec![
            (Check::Peers, Some(Finding::degraded("0", "1"))),
            (Check::Lag, Some(Finding::down("5 blocks", "2"))),
        ];
        steady.take(outcomes, &TERMS, Duration::ZERO);
        let told: Vec<String> = steady.reasons().iter().map(ToString::to_string).collect();
        assert_eq!(told, ["lag: 5 blocks (limit: 2)", "peers: 0 (limit: 1)"]);
    }
}
