//! Random but repeatable moments.

use std::time::Duration;

/// A xorshift generator: a failing run is repeated by its seed.
pub(crate) struct Moment(u64);

impl Moment {
    /// Begins with `seed`, which must not be 0.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// Lets up to `bound` pass: the time at which a kill falls is the input of these tests, not a wait for anything.
    pub(crate) fn pass(&mut self, bound: Duration) {
        let micros = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        std::thread::sleep(Duration::from_micros(self.below(micros.max(1))));
    }
}
