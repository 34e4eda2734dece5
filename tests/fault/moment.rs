//! Moments at which a kill falls.

use std::time::Duration;

use fastrand::Rng;

/// Lets up to `bound` pass: the random time is the input of these tests, not a wait for anything.
pub(crate) fn pass(rng: &mut Rng, bound: Duration) {
    std::thread::sleep(Duration::from_micros(rng.u64(..u64::try_from(bound.as_micros()).unwrap())));
}

/// Lets exactly so much pass: the time that something stands still.
pub(crate) fn stand(duration: Duration) {
    std::thread::sleep(duration);
}
