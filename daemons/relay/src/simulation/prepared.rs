//! Bundles, as the EVM takes them: transactions decoded and their signers found, once for all runs.

use crate::refusal::Refusal;
use maidenlane_chain::transaction::signer;
use maidenlane_chain::{Address, B256, Bytes};
use maidenlane_ethjson::raw;
use maidenlane_evm::budget::Budget;
use maidenlane_evm::replay::tx_env;
use maidenlane_evm::{Failure, cost, recover};
use maidenlane_wire::Bundle;
use revm::context::TxEnv;
use revm::primitives::TxKind;
use std::fmt;

/// Leave of a transaction to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// None: the bundle fails with it.
    None,
    /// To stay reverted.
    Revert,
    /// To be left out.
    Drop,
}

/// A transaction of a bundle.
#[derive(Clone)]
pub struct Step {
    /// Hash.
    pub hash: B256,
    /// The transaction.
    pub tx: TxEnv,
    /// Leave to fail.
    pub leave: Leave,
}

impl Step {
    /// Receiver; `None` for a creation.
    #[must_use]
    pub const fn to(&self) -> Option<&Address> {
        match &self.tx.kind {
            TxKind::Call(to) => Some(to),
            TxKind::Create => None,
        }
    }

    /// Tip for each unit of gas at a base fee.
    #[must_use]
    pub fn tip(&self, base_fee: u64) -> u128 {
        let most = self.tx.gas_price.saturating_sub(u128::from(base_fee));
        self.tx.gas_priority_fee.map_or(most, |tip| tip.min(most))
    }
}

/// Reason for which a bundle cannot be prepared.
#[derive(Debug)]
pub enum Unprepared {
    /// A transaction that is none.
    Refused(Refusal),
    /// No time is left.
    Failed(Failure),
}

/// A bundle.
#[derive(Clone)]
pub struct Prepared {
    /// Transactions, in their order.
    pub steps: Vec<Step>,
}

/// Nothing of its transactions.
impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("transactions", &self.steps.len()).finish_non_exhaustive()
    }
}

impl Prepared {
    /// Transactions, each with its leave to fail.
    ///
    /// # Errors
    /// When one is none, or finding their signers takes too long.
    pub fn new(
        txs: &[Bytes],
        leave: impl Fn(usize, &B256) -> Leave,
        budget: &mut Budget,
    ) -> Result<Self, Unprepared> {
        let mut steps = Vec::with_capacity(txs.len());
        for (index, raw) in txs.iter().enumerate() {
            budget
                .charge(cost::RECOVERY.saturating_add(cost::json(raw.len())))
                .map_err(Unprepared::Failed)?;
            let wrong = |problem: String| Unprepared::Refused(Refusal::Transaction { index, problem });
            let sent = raw::decode(raw.clone()).map_err(|error| wrong(error.message.into_owned()))?;
            let from =
                signer(&sent.tx).ok_or_else(|| wrong("invalid sender: wrong v, r, s values".to_owned()))?;
            let mut tx = tx_env(&sent.tx, from);
            recover(&mut tx, budget).map_err(Unprepared::Failed)?;
            let hash = *sent.tx.tx_hash();
            steps.push(Step { hash, tx, leave: leave(index, &hash) });
        }
        Ok(Self { steps })
    }

    /// The transactions of an order.
    ///
    /// # Errors
    /// As [`Prepared::new`].
    pub fn of(bundle: &Bundle, budget: &mut Budget) -> Result<Self, Unprepared> {
        let leave = |_: usize, hash: &B256| match hash {
            hash if bundle.dropping.contains(hash) => Leave::Drop,
            hash if bundle.reverting.contains(hash) => Leave::Revert,
            _ => Leave::None,
        };
        Self::new(&bundle.txs, leave, budget)
    }
}
