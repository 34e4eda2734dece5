//! Knowledge of an order's simulation that is kept, without what its transactions returned and logged.

use crate::metrics::Simulated;
use crate::redacted::Redacted;
use crate::simulation::outcome::{Outcome, Ran, Stop, Why};
use crate::simulation::prepared::Prepared;
use alloy::primitives::{I256, U256};
use maidenlane_chain::{BlockRef, Bytes};

/// Bytes of a revert that are kept: a few words of text.
const OUTPUT_BYTES_MAX: usize = 1_024;

/// Fate of a transaction in the simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Stays, and succeeded.
    Succeeds,
    /// Stays, and failed, as it may.
    Fails,
    /// Left out, as it may be.
    Dropped,
    /// The bundle ended with it, or before it.
    NotRun,
}

/// One transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Each {
    /// Fate.
    pub what: What,
    /// Gas that it used.
    pub gas_used: u64,
    /// Gain of the fee recipient.
    pub gain: Redacted<I256>,
}

/// Knowledge of a simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Number of the block that was simulated.
    pub block: u64,
    /// Block before it.
    pub parent: BlockRef,
    /// Unix time in milliseconds.
    pub at_ms: u64,
    /// Gas of all that stay.
    pub gas_used: u64,
    /// Tips of all that stay.
    pub fees: Redacted<U256>,
    /// Early end, with as much of a revert's data as is kept.
    pub stop: Option<Redacted<Stop>>,
    /// All transactions, in their order.
    pub each: Vec<Each>,
}

impl Summary {
    /// Summary of a simulation on `parent`.
    #[must_use]
    pub fn of(block: u64, parent: BlockRef, at_ms: u64, bundle: &Prepared, outcome: &Outcome) -> Self {
        let none = Each { what: What::NotRun, gas_used: 0, gain: Redacted::new(I256::ZERO) };
        let mut each = vec![none; bundle.steps.len()];
        for Ran { index, is_success, gas_used, gain, .. } in &outcome.ran {
            if let Some(one) = each.get_mut(*index) {
                let what = if *is_success { What::Succeeds } else { What::Fails };
                *one = Each { what, gas_used: *gas_used, gain: Redacted::new(*gain) };
            }
        }
        for index in &outcome.dropped {
            if let Some(one) = each.get_mut(*index) {
                one.what = What::Dropped;
            }
        }
        let stop = outcome.stop.clone().map(|mut stop| {
            // A copy: a slice would keep all of it.
            stop.output = Bytes::copy_from_slice(stop.output.get(..OUTPUT_BYTES_MAX).unwrap_or(&stop.output));
            Redacted::new(stop)
        });
        Self {
            block,
            parent,
            at_ms,
            gas_used: outcome.gas_used(),
            fees: Redacted::new(outcome.fees()),
            stop,
            each,
        }
    }

    /// True unless the bundle ended early.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.stop.is_none()
    }

    /// Gain of the fee recipient: nothing where the bundle ended early, as no builder takes a part of it.
    #[must_use]
    pub fn gain(&self) -> I256 {
        if self.is_whole() { self.each.iter().map(|each| *each.gain.reveal()).sum() } else { I256::ZERO }
    }

    /// Class in metrics.
    #[must_use]
    pub const fn metric(&self) -> Simulated {
        match &self.stop {
            None => Simulated::Whole,
            Some(stop) if matches!(stop.reveal().why, Why::Waits) => Simulated::Waits,
            Some(_) => Simulated::Failed,
        }
    }
}
