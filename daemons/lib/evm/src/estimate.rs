//! Gas estimation: geth's search for the least gas that a call needs, which stops when it is near enough.

use super::budget::Budget;
use super::database::ReadFault;
use super::{Call, Failure, execute};
use revm::context::result::{ExecutionResult, HaltReason, InvalidTransaction};
use revm::database_interface::Database;
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Bytes, TxKind, U256};

/// Base gas of a transaction.
const TX_GAS: u64 = 21_000;
/// Gas limit of a transaction in a block from Osaka on (EIP-7825).
const TX_GAS_MAX: u64 = 1 << 24;
/// Gas that a call with value gives along for free.
const CALL_STIPEND: u64 = 2_300;
/// Gas of one blob.
const BLOB_GAS: u64 = 131_072;
/// Maximum number of tries. No search takes as many: it doubles what is too little at most 64 times, and then halves
/// what is left as often.
const TRIES_MAX: u32 = 130;

/// Reason why there is no estimate.
#[derive(Debug)]
pub enum Denied {
    /// The sender cannot pay for the value.
    Value,
    /// The sender cannot pay for the blobs.
    Blobs,
    /// The call is not valid, however much gas there is; tried with this much.
    Invalid(InvalidTransaction, u64),
    /// The call reverts with the most gas.
    Reverts(Bytes),
    /// The call fails with the most gas, but not for want of it.
    Halts(HaltReason),
    /// The most gas, which is this much, is not enough.
    Exceeds(u64),
}

/// Bounds of an estimate.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The gas that was asked for, 0 for none.
    pub asked: u64,
    /// Maximum gas of any call.
    pub cap: u64,
    /// Accepted error of the answer, which may be too high by so many thousandths.
    pub error_permille: u32,
}

/// Result of one try.
enum Try {
    Done(ExecutionResult),
    /// The gas does not even cover the costs before the first instruction.
    TooLow,
    Invalid(InvalidTransaction),
}

struct Search<'d, DB> {
    call: &'d Call,
    db: &'d mut DB,
    budget: &'d mut Budget,
}

impl<DB: Database<Error = ReadFault>> Search<'_, DB> {
    fn run(&mut self, gas: u64) -> Result<Try, Failure> {
        let mut call = self.call.clone();
        call.tx.gas_limit = gas;
        match execute(call, &mut *self.db, self.budget) {
            Ok(result) => Ok(Try::Done(result)),
            Err(Failure::Invalid(InvalidTransaction::CallGasCostMoreThanGasLimit { .. })) => Ok(Try::TooLow),
            Err(Failure::Invalid(invalid)) => Ok(Try::Invalid(invalid)),
            Err(failure) => Err(failure),
        }
    }

    /// True if this much gas is enough.
    fn succeeds(&mut self, gas: u64) -> Result<Result<bool, Denied>, Failure> {
        Ok(match self.run(gas)? {
            Try::Done(result) => Ok(result.is_success()),
            Try::TooLow => Ok(false),
            Try::Invalid(invalid) => Err(Denied::Invalid(invalid, gas)),
        })
    }

    /// The most gas that may be tried, by block, request and what the sender can pay.
    fn highest(&mut self, bounds: Bounds) -> Result<Result<u64, Denied>, Failure> {
        let (call, tx) = (self.call, &self.call.tx);
        let mut most = if bounds.asked >= TX_GAS { bounds.asked } else { call.block.gas_limit };
        if call.spec.is_enabled_in(SpecId::OSAKA) && !call.spec.is_enabled_in(SpecId::AMSTERDAM) {
            most = most.min(TX_GAS_MAX);
        }
        if tx.gas_price > 0 {
            let info = self.db.basic(tx.caller).map_err(Failure::Read)?.unwrap_or_default();
            if tx.value >= info.balance {
                return Ok(Err(Denied::Value));
            }
            let mut available = info.balance.saturating_sub(tx.value);
            if call.spec.is_enabled_in(SpecId::CANCUN) && !tx.blob_hashes.is_empty() {
                let blobs = U256::from(tx.blob_hashes.len()).saturating_mul(U256::from(BLOB_GAS));
                let blobs = blobs.saturating_mul(U256::from(tx.max_fee_per_blob_gas));
                if blobs >= available {
                    return Ok(Err(Denied::Blobs));
                }
                available = available.saturating_sub(blobs);
            }
            let payable = available.checked_div(U256::from(tx.gas_price)).unwrap_or(U256::MAX);
            most = most.min(u64::try_from(payable).unwrap_or(u64::MAX));
        }
        Ok(Ok(most.min(bounds.cap)))
    }

    /// True if the call is a mere transfer, which needs no search.
    fn is_transfer(&mut self) -> Result<bool, Failure> {
        let tx = &self.call.tx;
        let TxKind::Call(to) = tx.kind else { return Ok(false) };
        if !tx.data.is_empty() {
            return Ok(false);
        }
        let info = self.db.basic(to).map_err(Failure::Read)?;
        Ok(info.is_none_or(|info| info.is_empty_code_hash()))
    }
}

/// Estimates the gas of a call. The inner error is about the call.
pub fn estimate<DB: Database<Error = ReadFault>>(
    call: &Call,
    db: &mut DB,
    bounds: Bounds,
    budget: &mut Budget,
) -> Result<Result<u64, Denied>, Failure> {
    let mut search = Search { call, db, budget };
    let mut high = match search.highest(bounds)? {
        Ok(high) => high,
        Err(denied) => return Ok(Err(denied)),
    };
    if search.is_transfer()? && matches!(search.succeeds(TX_GAS)?, Ok(true)) {
        return Ok(Ok(TX_GAS));
    }
    let (gas, used) = match search.run(high)? {
        Try::Done(ExecutionResult::Success { gas, .. }) => (gas, gas.tx_gas_used()),
        Try::Done(ExecutionResult::Revert { output, .. }) => return Ok(Err(Denied::Reverts(output))),
        Try::TooLow | Try::Done(ExecutionResult::Halt { reason: HaltReason::OutOfGas(_), .. }) => {
            return Ok(Err(Denied::Exceeds(high)));
        }
        Try::Done(ExecutionResult::Halt { reason, .. }) => return Ok(Err(Denied::Halts(reason))),
        Try::Invalid(invalid) => return Ok(Err(Denied::Invalid(invalid, high))),
    };
    // What it used is nearly always too little: at times by one only.
    let mut low = used.saturating_sub(1);
    // Very often enough: what it held at its highest, and what calls inside must leave to their callers.
    let peak = gas.total_gas_spent().max(gas.floor_gas()).saturating_add(CALL_STIPEND);
    let mut next = Some(peak.saturating_mul(64) / 63).filter(|guess| *guess < high);
    for _ in 0..TRIES_MAX {
        if let Some(gas) = next {
            match search.succeeds(gas)? {
                Ok(true) => high = gas,
                Ok(false) => low = gas,
                Err(denied) => return Ok(Err(denied)),
            }
        }
        if low.saturating_add(1) >= high || near(low, high, bounds.error_permille) {
            return Ok(Ok(high));
        }
        // Most need little more than they used, so the search leans to the low side.
        let middle = low.saturating_add((high - low) / 2);
        next = Some(middle.min(low.saturating_mul(2)).max(low.saturating_add(1)));
    }
    Ok(Ok(high))
}

/// True if the answer is as good as it needs to be.
fn near(low: u64, high: u64, permille: u32) -> bool {
    u128::from(high - low) * 1_000 < u128::from(high) * u128::from(permille)
}
