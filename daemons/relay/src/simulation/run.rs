//! Run of a bundle, transaction by transaction, on the state before the block that it is to go into.

use super::outcome::{Outcome, Ran, Stop, Why};
use super::prepared::{Leave, Prepared, Step};
use super::tried::{Cache, Tried, key};
use alloy::consensus::Header;
use alloy::eips::eip4844::DATA_GAS_PER_BLOB;
use alloy::primitives::{I256, U256};
use maidenlane_chain::{Address, B256, Bytes, Rules};
use maidenlane_ethjson::errors;
use maidenlane_evm::budget::Budget;
use maidenlane_evm::codes::Codes;
use maidenlane_evm::replay::Replay;
use maidenlane_evm::{Failure, fault};
use maidenlane_state::{At, StateView};
use revm::context::result::{ExecutionResult, InvalidTransaction, ResultAndState};
use revm::database_interface::DatabaseRef as _;
use std::sync::Arc;

/// The block that bundles are simulated in, with the state at its beginning. Each of them runs on a clone.
pub struct Made<'a> {
    begun: Replay<'a>,
    header: &'a Header,
    blobs_max: u64,
    /// Beginning of the keys of what ran in it.
    key: B256,
    cache: Option<&'a Cache>,
}

impl<'a> Made<'a> {
    /// The block of this header, on the state `at` a block of the view.
    ///
    /// # Errors
    /// When the state cannot be read, or no time is left.
    pub fn begin(
        header: &'a Header,
        rules: &Rules,
        view: &'a dyn StateView,
        (at, hashes_below): (At, u64),
        codes: &'a Codes,
        budget: &mut Budget,
    ) -> Result<Self, Failure> {
        let begun = Replay::ahead(header, rules, view, (at, hashes_below), codes, budget)?;
        let blobs_max = rules.blobs(header.timestamp).map_or(0, |blobs| blobs.max_blob_count);
        Ok(Self { begun, header, blobs_max, key: header.hash_slow(), cache: None })
    }

    /// The same block, with what runs in it kept for others.
    #[must_use]
    pub const fn noted(mut self, cache: &'a Cache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Runs a bundle.
    ///
    /// # Errors
    /// When the state cannot be read, or no time is left.
    pub fn run(&self, bundle: &Prepared, budget: &mut Budget) -> Result<Outcome, Failure> {
        let mut run = Run {
            block: self,
            state: self.begun.clone(),
            gas_left: self.header.gas_limit,
            blobs_left: self.blobs_max,
            key: self.key,
        };
        let mut outcome = Outcome::default();
        for (index, step) in bundle.steps.iter().enumerate() {
            match run.step(index, step, budget)? {
                Stepped::Stays(ran) => outcome.ran.push(ran),
                Stepped::LeftOut => outcome.dropped.push(index),
                Stepped::Ends(stop) => {
                    outcome.stop = Some(stop);
                    return Ok(outcome);
                }
            }
        }
        if let (true, Some(first)) = (outcome.ran.is_empty(), bundle.steps.first()) {
            let problem = "every transaction was left out".to_owned();
            let (hash, output) = (first.hash, Bytes::new());
            outcome.stop = Some(Stop { index: 0, hash, why: Why::Empty, problem, output });
        }
        Ok(outcome)
    }
}

/// Consequence of a transaction.
enum Stepped {
    Stays(Ran),
    LeftOut,
    Ends(Stop),
}

struct Run<'m, 'a> {
    block: &'m Made<'a>,
    state: Replay<'a>,
    gas_left: u64,
    blobs_left: u64,
    key: B256,
}

impl Run<'_, '_> {
    fn step(&mut self, index: usize, step: &Step, budget: &mut Budget) -> Result<Stepped, Failure> {
        let stop =
            |why, problem, output| Stepped::Ends(Stop { index, hash: step.hash, why, problem, output });
        let tried = match self.tried(index, step, budget)? {
            Ok(tried) => tried,
            Err(_) if step.leave == Leave::Drop => return Ok(Stepped::LeftOut),
            Err((why, problem)) => return Ok(stop(why, problem, Bytes::new())),
        };
        let ran = &tried.ran;
        match (ran.is_success, step.leave) {
            (false, Leave::Drop) => return Ok(Stepped::LeftOut),
            (false, Leave::None) => {
                return Ok(stop(Why::Failed, ran.problem.clone().unwrap_or_default(), ran.output.clone()));
            }
            _ => {}
        }
        let ran = Ran { index, ..ran.clone() };
        self.gas_left = self.gas_left.saturating_sub(ran.gas_used);
        self.blobs_left = self.blobs_left.saturating_sub(blobs(step));
        self.key = key(&self.key, &step.hash);
        self.state.keep(match Arc::try_unwrap(tried) {
            Ok(tried) => tried.done,
            Err(tried) => tried.done.clone(),
        });
        Ok(Stepped::Stays(ran))
    }

    /// The run of a transaction that a block can hold here, from before or now; or why it cannot.
    fn tried(
        &mut self,
        index: usize,
        step: &Step,
        budget: &mut Budget,
    ) -> Result<Result<Arc<Tried>, (Why, String)>, Failure> {
        let key = key(&self.key, &step.hash);
        if let Some(tried) = self.block.cache.and_then(|cache| cache.get(&key)) {
            budget.look()?;
            return Ok(Ok(tried));
        }
        if step.tx.gas_limit > self.gas_left {
            return Ok(Err((Why::Invalid, "gas limit reached".to_owned())));
        }
        if blobs(step) > self.blobs_left {
            return Ok(Err((Why::Invalid, "max data blobs reached".to_owned())));
        }
        let recipient = self.block.header.beneficiary;
        let before = self.balance(recipient)?;
        let done = match self.state.attempt(step.tx.clone(), budget) {
            Ok(done) => done,
            Err(Failure::Invalid(invalid)) => {
                let waits = matches!(invalid, InvalidTransaction::NonceTooHigh { .. });
                let why = if waits { Why::Waits } else { Why::Invalid };
                return Ok(Err((why, invalid_text(&invalid, &step.tx.caller))));
            }
            Err(failure) => return Err(failure),
        };
        let ran = self.account(index, step, &done, before);
        let tried = Arc::new(Tried { ran, done });
        if let Some(cache) = self.block.cache {
            cache.keep(key, &tried);
        }
        Ok(Ok(tried))
    }

    fn balance(&mut self, address: Address) -> Result<U256, Failure> {
        let info = self.state.state().basic_ref(address).map_err(Failure::Read)?;
        Ok(info.map_or(U256::ZERO, |info| info.balance))
    }

    fn account(&self, index: usize, step: &Step, done: &ResultAndState, before: U256) -> Ran {
        let header = self.block.header;
        let after = match done.state.get(&header.beneficiary) {
            // Made and destroyed in one transaction: what it was paid is gone with it.
            Some(account) if account.is_selfdestructed() => U256::ZERO,
            Some(account) => account.info.balance,
            None => before,
        };
        let gas_used = done.result.tx_gas_used();
        let tip = step.tip(header.base_fee_per_gas.unwrap_or_default());
        let (problem, output) = match &done.result {
            ExecutionResult::Success { output, .. } => (None, output.data().clone()),
            ExecutionResult::Revert { output, .. } => (Some(fault::REVERTED.to_owned()), output.clone()),
            ExecutionResult::Halt { reason, .. } => (Some(errors::halted(reason)), Bytes::new()),
        };
        let is_success = done.result.is_success();
        Ran {
            index,
            is_success,
            gas_used,
            blob_gas: blobs(step).saturating_mul(DATA_GAS_PER_BLOB),
            fees: U256::from(tip) * U256::from(gas_used),
            // Both are far below half of what a word holds, so that their difference is exact.
            gain: I256::from_raw(after.wrapping_sub(before)),
            logs: if is_success { done.result.logs().to_vec() } else { Vec::new() },
            output,
            problem,
        }
    }
}

fn blobs(step: &Step) -> u64 {
    u64::try_from(step.tx.blob_hashes.len()).unwrap_or(u64::MAX)
}

/// Text of an invalid transaction, with nonces as geth tells them.
fn invalid_text(invalid: &InvalidTransaction, from: &Address) -> String {
    match invalid {
        InvalidTransaction::NonceTooHigh { tx, state } => {
            format!("nonce too high: address {from}, tx: {tx} state: {state}")
        }
        InvalidTransaction::NonceTooLow { tx, state } => {
            format!("nonce too low: address {from}, tx: {tx} state: {state}")
        }
        other => errors::invalid(other),
    }
}

#[cfg(test)]
mod tests;
