//! Limits of a target: by the time between two blocks, where the settings name none.

use std::time::Duration;

/// Limits of the checks of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Blocks behind the tip.
    pub lag_blocks: u64,
    /// Age of the head; `None` for chains that may halt.
    pub head_age: Option<Duration>,
    /// Depth of a common height at which another hash is a fork.
    pub fork_after_blocks: u64,
    /// Median time of an answer.
    pub latency: Duration,
    /// Percentage of rounds without an answer, of the last [`Limits::WINDOW`].
    pub errors_percent: u32,
    /// Least number of peers of a node; 0 for nodes that have none.
    pub peers_min: u64,
    /// Difference of clocks.
    pub clock: Duration,
    /// Time without a sign of life from a feed.
    pub silence: Duration,
    /// Least percentage of its disk that is free.
    pub disk_percent: u64,
    /// Least time for which its disk lasts.
    pub disk_left: Duration,
    /// Least time for which its certificate is good.
    pub certificate_left: Duration,
}

impl Limits {
    /// Rounds that errors and latency are counted over.
    pub const WINDOW: usize = 30;
    /// Rounds below which neither says anything.
    pub const SAMPLES_MIN: usize = 10;

    /// Limits for a chain with a block every `block_time`.
    ///
    /// # Why
    /// Lag is two blocks where blocks are slow, as the first systems of this kind had it; where they are fast, the rounds
    /// of two targets, up to a second apart, and the way of a block take several of them, so that it is three seconds' worth. Ages
    /// below ten seconds would measure the resolution of timestamps, which is a second.
    #[must_use]
    pub fn of(block_time: Duration) -> Self {
        let block_ms = block_time.as_millis().max(1);
        let three_s = u64::try_from(3_000_u128.div_ceil(block_ms)).unwrap_or(u64::MAX);
        Self {
            lag_blocks: three_s.max(2),
            head_age: Some((block_time * 10).max(Duration::from_secs(10))),
            fork_after_blocks: three_s.max(3),
            latency: Duration::from_millis(250),
            errors_percent: 20,
            peers_min: 1,
            clock: Duration::from_secs(5),
            silence: Duration::from_secs(15),
            disk_percent: 10,
            disk_left: Duration::from_secs(86_400),
            certificate_left: Duration::from_secs(14 * 86_400),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;
    use std::time::Duration;

    #[test]
    fn the_block_time_alone_makes_sensible_limits() {
        for (block_ms, lag, age_s, fork) in [(12_000, 2, 120, 3), (2_000, 2, 20, 3), (250, 12, 10, 12)] {
            let limits = Limits::of(Duration::from_millis(block_ms));
            let expect = (lag, Some(Duration::from_secs(age_s)), fork);
            assert_eq!(
                (limits.lag_blocks, limits.head_age, limits.fork_after_blocks),
                expect,
                "{block_ms} ms"
            );
        }
    }
}
