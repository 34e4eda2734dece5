//! Breaker of one server: after several faults in a row it is left alone for a while. Pure.
//!
//! # Why verdicts do not count
//! A node that refuses transactions works. Where refusals open a breaker, one sender of bad transactions takes the node away
//! from all others. Nor does a limit count: a node that asks for fewer requests gets fewer, and none meanwhile.

/// Faults in a row that open it.
const FAULTS_MAX: u32 = 5;
/// Time for which it stays open, doubled with each fault after that, up to the longest.
const OPEN_MS: u64 = 500;
const OPEN_MAX_MS: u64 = 15_000;
/// Time for which a server that says that it is asked too often is left alone, likewise; at most half as long.
const LIMITED_MS: u64 = 250;

/// Faults of a server of late.
#[derive(Debug)]
pub struct Breaker {
    faults: u32,
    limits: u32,
    shut_until_ms: u64,
    open_max_ms: u64,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::within(OPEN_MAX_MS)
    }
}

/// Result of a request, as far as it tells of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// An answer, of whatever kind.
    Answer,
    /// No answer, or one that cannot be true.
    Fault,
    /// Too many requests.
    Limit,
}

impl Breaker {
    /// A breaker that tries again after so long at the latest: less where what is asked has a deadline of seconds.
    #[must_use]
    pub const fn within(open_max_ms: u64) -> Self {
        Self { faults: 0, limits: 0, shut_until_ms: 0, open_max_ms }
    }

    /// True if the server may be asked. When its time is over one request in a while tries it.
    pub fn allows(&mut self, now_ms: u64) -> bool {
        if now_ms < self.shut_until_ms {
            return false;
        }
        if self.is_open() {
            self.shut_until_ms = now_ms.saturating_add(OPEN_MS);
        }
        true
    }

    /// Notes a result.
    pub fn note(&mut self, seen: Seen, now_ms: u64) {
        let wait = |least: u64, times: u32, most: u64| least.saturating_mul(1 << times.min(10)).min(most);
        match seen {
            Seen::Answer => *self = Self::within(self.open_max_ms),
            Seen::Fault => {
                self.faults = self.faults.saturating_add(1);
                if let Some(beyond) = self.faults.checked_sub(FAULTS_MAX) {
                    self.shut_until_ms = now_ms.saturating_add(wait(OPEN_MS, beyond, self.open_max_ms));
                }
            }
            Seen::Limit => {
                let until = now_ms.saturating_add(wait(LIMITED_MS, self.limits, self.open_max_ms / 2));
                (self.limits, self.faults) = (self.limits.saturating_add(1), 0);
                self.shut_until_ms = until;
            }
        }
    }

    /// Time at which it may be asked again, as [`Breaker::allows`] counts.
    #[must_use]
    pub const fn shut_until_ms(&self) -> u64 {
        self.shut_until_ms
    }

    /// True after so many faults that the server is left alone.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.faults >= FAULTS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::{Breaker, FAULTS_MAX, OPEN_MAX_MS, OPEN_MS, Seen};

    #[test]
    fn faults_open_it_and_an_answer_closes_it() {
        let mut breaker = Breaker::default();
        for fault in 0..FAULTS_MAX {
            assert!(breaker.allows(0) && !breaker.is_open(), "{fault}");
            breaker.note(Seen::Fault, 0);
        }
        assert!(breaker.is_open() && !breaker.allows(OPEN_MS - 1));
        assert!(breaker.allows(OPEN_MS) && !breaker.allows(OPEN_MS), "one tries");
        for _ in 0..40 {
            breaker.note(Seen::Fault, 1_000);
        }
        assert!(!breaker.allows(OPEN_MAX_MS + 999) && breaker.allows(OPEN_MAX_MS + 1_000), "bounded");
        breaker.note(Seen::Answer, 0);
        assert!(!breaker.is_open() && breaker.allows(0));
    }

    #[test]
    fn answers_between_faults_keep_it_closed() {
        let mut breaker = Breaker::default();
        for _ in 0..100 {
            (1..FAULTS_MAX).for_each(|_| breaker.note(Seen::Fault, 0));
            breaker.note(Seen::Answer, 0);
        }
        assert!(breaker.allows(0));
    }

    #[test]
    fn what_has_a_deadline_is_tried_again_sooner() {
        let mut breaker = Breaker::within(600);
        (0..40).for_each(|_| breaker.note(Seen::Fault, 0));
        assert!(!breaker.allows(599) && breaker.allows(600));
        breaker.note(Seen::Answer, 0);
        (0..40).for_each(|_| breaker.note(Seen::Fault, 0));
        assert_eq!(breaker.shut_until_ms(), 600, "after an answer, too");
    }

    #[test]
    fn limits_are_kept_and_are_no_faults() {
        let mut breaker = Breaker::default();
        breaker.note(Seen::Limit, 0);
        assert!(!breaker.allows(249) && breaker.allows(250));
        breaker.note(Seen::Limit, 250);
        assert!(!breaker.allows(749) && breaker.allows(750), "longer the second time");
        assert!(!breaker.is_open());
    }
}
