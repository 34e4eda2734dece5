//! Account of a simulation.
//!
//! Sums are exact: what the fee recipient gains may be negative, and is never cut off.

use alloy::primitives::{I256, Log, U256};
use maidenlane_chain::{B256, Bytes};
use std::fmt;

/// A transaction that stays.
#[derive(Clone, PartialEq, Eq)]
pub struct Ran {
    /// Index in the bundle.
    pub index: usize,
    /// True if it did not fail.
    pub is_success: bool,
    /// Gas that it used.
    pub gas_used: u64,
    /// Gas of its blobs.
    pub blob_gas: u64,
    /// Tips to the fee recipient.
    pub fees: U256,
    /// Gain of the fee recipient, tips included.
    pub gain: I256,
    /// Logs.
    pub logs: Vec<Log>,
    /// Returned data, or those of a revert.
    pub output: Bytes,
    /// Reason of a failure.
    pub problem: Option<String>,
}

/// Reason for which a bundle ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The transaction failed when it ran.
    Failed,
    /// No block can hold it there.
    Invalid,
    /// Transactions of its sender come before it, and have not come yet.
    Waits,
    /// Nothing is left of the bundle.
    Empty,
}

/// Early end of a bundle.
#[derive(Clone, PartialEq, Eq)]
pub struct Stop {
    /// Index of the transaction at which it ended.
    pub index: usize,
    /// Hash of that transaction.
    pub hash: B256,
    /// Reason.
    pub why: Why,
    /// Reason in words.
    pub problem: String,
    /// Data of a revert.
    pub output: Bytes,
}

/// Account of a simulation.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Transactions that stay, in their order.
    pub ran: Vec<Ran>,
    /// Indexes of those that were left out.
    pub dropped: Vec<usize>,
    /// Early end, if it had one; what ran before that is above all the same.
    pub stop: Option<Stop>,
}

impl Outcome {
    /// Gas of all that stay.
    #[must_use]
    pub fn gas_used(&self) -> u64 {
        self.ran.iter().map(|ran| ran.gas_used).fold(0, u64::saturating_add)
    }

    /// Gas of their blobs.
    #[must_use]
    pub fn blob_gas(&self) -> u64 {
        self.ran.iter().map(|ran| ran.blob_gas).fold(0, u64::saturating_add)
    }

    /// Tips of all that stay.
    #[must_use]
    pub fn fees(&self) -> U256 {
        self.ran.iter().map(|ran| ran.fees).sum()
    }

    /// Gain of the fee recipient.
    #[must_use]
    pub fn gain(&self) -> I256 {
        self.ran.iter().map(|ran| ran.gain).sum()
    }
}

/// Part of a gain that is no tip: what transactions sent to the fee recipient, or took from it.
#[must_use]
pub fn sent(gain: I256, fees: U256) -> I256 {
    gain - I256::from_raw(fees)
}

/// Gain for each unit of gas, rounded down as all the family does; zero for no gas.
#[must_use]
pub fn price(gain: I256, gas_used: u64) -> I256 {
    match I256::try_from(gas_used) {
        Ok(gas) if gas_used > 0 => gain.div_euclid(gas),
        _ => I256::ZERO,
    }
}

/// Nothing of what transactions did.
impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = self.stop.as_ref().map(|stop| stop.why);
        f.debug_struct("Outcome").field("ran", &self.ran.len()).field("why", &why).finish_non_exhaustive()
    }
}

/// Nothing of what it did.
impl fmt::Debug for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ran").field("index", &self.index).finish_non_exhaustive()
    }
}

/// Neither the transaction nor its words.
impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop").field("index", &self.index).field("why", &self.why).finish_non_exhaustive()
    }
}
