//! Where a head's lag goes: to the log, and from there to the client. The tap's own log tells when it was done with a block; all
//! clocks are this machine's.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{failure::Outcome, measure::runs::quantile, scenario::Net};

const DAY_S: f64 = 86_400.0;

/// A head as the client saw it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lag {
    pub(super) number: u64,
    /// Second of the day at which geth announced it.
    pub(super) announced_s: f64,
    /// Milliseconds until the replica had answered with it.
    pub(super) ms: f64,
}

/// The present second of the day, in UTC.
pub(super) fn second_of_day() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_secs_f64() % DAY_S
}

/// Has the tap say when it was done with a block.
pub(super) fn tell(net: &mut Net) -> Outcome<()> {
    net.tap().edit(|text| text.replace("\"info\"", "\"info,maidenlane_service::tracer=debug\""))
}

/// Medians of the stages, in milliseconds.
pub(super) fn describe(net: &mut Net, lags: &[Lag]) -> Outcome<String> {
    let published = times(&net.tap().log_tail(usize::MAX), "published 1 to ");
    let median = |stage: &dyn Fn(&Lag, f64) -> f64| {
        let of_each = lags.iter().filter_map(|lag| {
            let to_log_ms = (published.get(&lag.number)? - lag.announced_s) * 1_000.0;
            Some(stage(lag, to_log_ms))
        });
        let mut all: Vec<f64> = of_each.collect();
        all.sort_by(f64::total_cmp);
        quantile(&all, 0.5)
    };
    Ok(format!(
        "to the log {:.1}, from there to the client {:.1} ms",
        median(&|_, to_log_ms| to_log_ms),
        median(&|lag, to_log_ms| lag.ms - to_log_ms),
    ))
}

/// Second of the day of each line with these words and a block's number behind them.
fn times(log: &str, words: &str) -> BTreeMap<u64, f64> {
    let time = |line: &str| {
        let (number, stamp) = (line.split_once(words)?.1, line.split_once('T')?.1);
        let number: u64 = number.split_once(' ')?.0.parse().ok()?;
        let mut parts = stamp.split_once('Z')?.0.splitn(3, ':');
        let mut next = || parts.next()?.parse::<f64>().ok();
        Some((number, next()? * 3_600.0 + next()? * 60.0 + next()?))
    };
    log.lines().filter_map(time).collect()
}

#[cfg(test)]
mod tests {
    use super::times;

    #[test]
    fn lines_of_blocks_are_read_and_others_are_not() {
        let log = "2026-11-30T01:02:03.500000Z DEBUG published 1 to 12 (0xab)\n\
                   2026-11-30T01:02:04.250000Z DEBUG published 2 to 14 (0xab)\nno time published 1 to 3 (0x)";
        let found = times(log, "published 1 to ");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [(12, 3_723.5)]);
    }
}
