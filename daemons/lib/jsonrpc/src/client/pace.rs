//! Pace of requests to one server: a bucket of as many as it takes in a second. Pure.
//!
//! # Why not governor
//! It would replace these lines, and brings five crates that nothing else here needs.

/// Most requests per second of one server.
#[derive(Debug)]
pub struct Pace {
    per_s: u32,
    /// Time at which the bucket is full again, in microseconds: each request moves it on by its share of a second.
    full_at_us: u64,
}

impl Pace {
    /// A full bucket.
    #[must_use]
    pub const fn new(per_s: u32) -> Self {
        Self { per_s, full_at_us: 0 }
    }

    /// Takes a place; returns the microseconds until it is due.
    pub fn take(&mut self, now_us: u64) -> u64 {
        let share = 1_000_000 / u64::from(self.per_s.max(1));
        let full_at = self.full_at_us.max(now_us).saturating_add(share);
        self.full_at_us = full_at;
        full_at.saturating_sub(now_us).saturating_sub(1_000_000)
    }

    /// Takes a place that is due.
    ///
    /// # Errors
    /// None is due for so many microseconds.
    pub fn take_due(&mut self, now_us: u64) -> Result<(), u64> {
        let before = self.full_at_us;
        match self.take(now_us) {
            0 => Ok(()),
            wait_us => {
                self.full_at_us = before;
                Err(wait_us)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;

    #[test]
    fn a_second_s_requests_come_at_once_and_the_others_wait() {
        let mut pace = Pace::new(10);
        let waits: Vec<u64> = (0..13).map(|_| pace.take(5_000_000)).collect();
        assert_eq!(waits[..10], [0; 10]);
        assert_eq!(waits[10..], [100_000, 200_000, 300_000]);
        assert_eq!(pace.take(6_500_000), 0, "later there is room again");
    }

    #[test]
    fn who_does_not_wait_takes_nothing() {
        let mut pace = Pace::new(10);
        assert!((0..10).all(|_| pace.take_due(5_000_000) == Ok(())));
        assert_eq!([0, 1].map(|_| pace.take_due(5_000_000)), [Err(100_000); 2]);
        assert_eq!(pace.take_due(5_100_000), Ok(()));
    }
}
