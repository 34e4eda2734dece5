//! Settings of simulation.

use maidenlane_config::{Checker, StaticType, shapes};
use serde::Deserialize;
use std::time::Duration;

/// Simulation of orders, and of what `eth_callBundle` asks for.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct SimulationRaw {
    /// Threads for orders, and as many for callers.
    pub threads: u64,
    /// Orders that may wait for a thread, and as many calls.
    pub queue: u64,
    /// Longest time of one bundle.
    pub timeout_ms: u64,
    /// Gas that each account may have simulated, in millions a second.
    pub accountMgas_per_s: u64,
    /// Time between two blocks.
    pub blockTime_s: u64,
    /// Delivery of orders that fail.
    pub failed: FailedRaw,
    /// Analysed code that is kept.
    pub codeCache_MB: u64,
    /// Results of transactions that are kept until the next head.
    pub resultCache_MB: u64,
}

/// Delivery of orders that fail in simulation.
#[derive(Clone, Copy, Debug, Deserialize, StaticType)]
pub enum FailedRaw {
    /// Kept until they succeed on a later head.
    Hold,
    /// Sent as if they had not been simulated.
    Send,
}

/// Validated [`SimulationRaw`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// Threads for orders, and as many for callers.
    pub threads: usize,
    /// Orders that may wait for a thread, and as many calls.
    pub queue: usize,
    /// Longest time of one bundle.
    pub timeout: Duration,
    /// Gas a second of each account.
    pub gas_per_s: u64,
    /// Time between two blocks, in seconds.
    pub block_time_s: u64,
    /// True if orders that fail are held back.
    pub holds: bool,
    /// Bytes of code that is kept.
    pub code_bytes: u64,
    /// Bytes of results that are kept.
    pub result_bytes: usize,
}

/// Validates them.
pub(super) fn simulation(raw: &SimulationRaw, checker: &mut Checker) -> Option<Simulation> {
    let threads = checker.within("threads", raw.threads, 1..=256);
    let queue = checker.within("queue", raw.queue, 1..=1_000_000);
    let timeout = shapes::millis("timeout_ms", raw.timeout_ms, 10..=30_000, checker);
    let gas = checker.within::<u64>("accountMgas_per_s", raw.accountMgas_per_s, 1..=1_000_000);
    let block_time_s = checker.within("blockTime_s", raw.blockTime_s, 1..=3_600);
    let code_bytes = shapes::megabytes("codeCache_MB", raw.codeCache_MB, checker);
    let results = shapes::megabytes("resultCache_MB", raw.resultCache_MB, checker);
    Some(Simulation {
        threads: threads?,
        queue: queue?,
        timeout: timeout?,
        gas_per_s: gas?.saturating_mul(1_000_000),
        block_time_s: block_time_s?,
        holds: matches!(raw.failed, FailedRaw::Hold),
        code_bytes: code_bytes?,
        result_bytes: usize::try_from(results?).unwrap_or(usize::MAX),
    })
}
