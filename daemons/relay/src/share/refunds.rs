//! Profit of a tree in a simulation, and what of it goes to whom.
//!
//! # Rules
//! Those of the reference tests of MEV-Share. What a tree may refund is the gain of its parts that get no refund themselves. Of
//! that the costs of paying it out are taken first, `PAYOUT_GAS` at the base fee for each payee, then the percentage, rounded
//! down; where the costs are more, the tree has no profit. A tree within a tree pays before the one around it counts.

use super::tree::{Part, Tree};
use crate::simulation::outcome::Outcome;
use alloy::primitives::{I256, U256};
use maidenlane_chain::Address;

/// Gas of paying one payee.
const PAYOUT_GAS: u64 = 30_000;

/// A refund that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Gain that it is a part of.
    pub of: I256,
    /// Percentage.
    pub percent: u64,
    /// Payees with their percentages of it.
    pub payees: Vec<(Address, u64)>,
    /// Amount of all payees together, the costs of paying taken off.
    pub amount: I256,
}

/// Profit of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profit {
    /// Gain that is left when all is refunded.
    pub profit: I256,
    /// Gain that the outermost tree may refund.
    pub refundable: I256,
    /// Refunds, those of inner trees first.
    pub refunds: Vec<Refund>,
}

/// A tree whose refund costs more than it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bundle simulation returned negative profit")]
pub struct Negative;

/// Profit of a tree whose transactions, signed by these, did this.
///
/// # Errors
/// A refund costs more than there is.
pub fn profit(
    tree: &Tree,
    signers: &[Address],
    outcome: &Outcome,
    base_fee: u64,
) -> Result<Profit, Negative> {
    let gains = (0..signers.len()).map(|index| {
        let ran = outcome.ran.iter().find(|ran| ran.index == index);
        ran.map_or(I256::ZERO, |ran| ran.gain)
    });
    let gains: Vec<I256> = gains.collect();
    let mut walk = Walk { signers, gains: &gains, next: 0, base_fee, refunds: Vec::new() };
    let (profit, refundable) = walk.tree(tree)?;
    Ok(Profit { profit, refundable, refunds: walk.refunds })
}

struct Walk<'a> {
    signers: &'a [Address],
    gains: &'a [I256],
    /// Index of the next transaction.
    next: usize,
    base_fee: u64,
    refunds: Vec<Refund>,
}

impl Walk<'_> {
    /// Profit of a tree, and what it may refund.
    fn tree(&mut self, tree: &Tree) -> Result<(I256, I256), Negative> {
        let percent_of =
            |index: usize| tree.refunds.iter().find(|(part, _)| *part == index).map(|(_, percent)| *percent);
        let (mut profit, mut refundable, mut due) = (I256::ZERO, I256::ZERO, Vec::new());
        for (index, part) in tree.parts.iter().enumerate() {
            let first = self.signers.get(self.next).copied().unwrap_or_default();
            let gain = match part {
                Part::Transaction(..) => {
                    let gain = self.gains.get(self.next).copied().unwrap_or_default();
                    self.next += 1;
                    gain
                }
                Part::Tree(inner) => self.tree(inner)?.0,
            };
            profit += gain;
            match percent_of(index) {
                Some(percent) => due.push((percent, payees(part, first))),
                None => refundable += gain,
            }
        }
        for (percent, payees) in due {
            let count = U256::from(payees.len());
            let cost = I256::from_raw(U256::from(self.base_fee) * U256::from(PAYOUT_GAS) * count);
            let left = refundable - cost;
            if left.is_negative() {
                return Err(Negative);
            }
            let amount = I256::from_raw(left.into_raw() * U256::from(percent) / U256::from(100));
            profit = profit - amount - cost;
            self.refunds.push(Refund { of: refundable, percent, payees, amount });
        }
        Ok((profit, refundable))
    }
}

/// Payees of a part whose first transaction this address signed: as it says itself, or as its first part does.
fn payees(part: &Part, first: Address) -> Vec<(Address, u64)> {
    match part {
        Part::Tree(tree) if !tree.payees.is_empty() => tree.payees.clone(),
        Part::Tree(Tree { parts, .. }) => parts.first().map_or_else(Vec::new, |part| payees(part, first)),
        Part::Transaction(..) => vec![(first, 100)],
    }
}

#[cfg(test)]
mod tests;
