//! Ends of a partition, asked of whoever leads it.
//!
//! A broker that was paused goes on as a leader until it hears that another took over, and says where the partition
//! ended when it was paused. Fetches carry the leader's epoch and find that out; queries for the ends do not.

use std::thread;
use std::time::{Duration, Instant};

use crate::Error;

/// Time between two queries while the end lies before what is known to be there.
const AGAIN: Duration = Duration::from_millis(100);

/// Offsets of the earliest entry and of the end, in a partition that is known to have reached `reached`. An end before
/// that is believed, as of a log that was cut, once nothing else was said for `patience`.
///
/// # Errors
/// Those of `ask`.
pub(super) fn settled(
    reached: u64,
    patience: Duration,
    mut ask: impl FnMut() -> Result<(u64, u64), Error>,
) -> Result<(u64, u64), Error> {
    let deadline = Instant::now() + patience;
    loop {
        let (earliest, end) = ask()?;
        if end >= reached || Instant::now() >= deadline {
            return Ok((earliest, end));
        }
        thread::sleep(AGAIN);
    }
}

/// Refuses a position of `topic` that is not in a partition, or no longer.
///
/// # Errors
/// [`Error::RetentionGap`], [`Error::BeyondEnd`], or those of `ask`.
pub(super) fn refuse_outside(
    topic: &str,
    wanted: u64,
    patience: Duration,
    ask: impl FnMut() -> Result<(u64, u64), Error>,
) -> Result<(), Error> {
    let topic = topic.to_owned();
    match settled(wanted, patience, ask)? {
        (earliest, _) if wanted < earliest => Err(Error::RetentionGap { topic, wanted, earliest }),
        (_, end) if wanted > end => Err(Error::BeyondEnd { topic, wanted, end }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ends: &[u64], reached: u64, patience: Duration, expect: u64) {
        let mut ends = ends.iter();
        let mut last = 0;
        let found = settled(reached, patience, || {
            last = ends.next().copied().unwrap_or(last);
            Ok((0, last))
        });
        assert_eq!(found.unwrap(), (0, expect));
    }

    #[test]
    fn an_end_from_before_is_asked_for_again() {
        const LONG: Duration = Duration::from_secs(60);
        check(&[9], 9, LONG, 9);
        check(&[7, 7, 9], 8, LONG, 9);
        // The log was cut.
        check(&[7, 7], 8, Duration::from_millis(150), 7);
    }
}
