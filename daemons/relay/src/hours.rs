//! Sums over the last day, the last week and all time, to an hour. Pure.

use alloy::primitives::U256;
use std::collections::BTreeMap;

/// Milliseconds of an hour.
pub const HOUR_MS: u64 = 3_600_000;
const DAY_H: u64 = 24;
const WEEK_H: u64 = 7 * DAY_H;

/// Sums of one thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Since the start.
    pub all: U256,
    /// Of the last seven days, to an hour.
    pub week: U256,
    /// Of the last day, to an hour.
    pub day: U256,
}

/// Amounts by the hour in which they came, of a week at most, and all together.
#[derive(Debug, Default)]
pub struct Hours {
    all: U256,
    hours: BTreeMap<u64, U256>,
}

impl Hours {
    /// Adds an amount, in this hour since 1970.
    pub fn add(&mut self, amount: U256, hour: u64) {
        self.all = self.all.saturating_add(amount);
        self.hours.retain(|before, _| before.saturating_add(WEEK_H) > hour);
        let sum = self.hours.entry(hour).or_default();
        *sum = sum.saturating_add(amount);
    }

    /// Takes back what was added in that hour.
    pub fn take_back(&mut self, amount: U256, hour: u64) {
        self.all = self.all.saturating_sub(amount);
        if let Some(sum) = self.hours.get_mut(&hour) {
            *sum = sum.saturating_sub(amount);
        }
    }

    /// Sums at this time, in milliseconds since 1970.
    #[must_use]
    pub fn sums(&self, now_ms: u64) -> Sums {
        let within = |hours: u64| {
            let first = (now_ms / HOUR_MS).saturating_add(1).saturating_sub(hours);
            self.hours.range(first..).fold(U256::ZERO, |sum, (_, amount)| sum.saturating_add(*amount))
        };
        Sums { all: self.all, week: within(WEEK_H), day: within(DAY_H) }
    }
}
