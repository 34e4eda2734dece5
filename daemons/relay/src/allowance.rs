//! Gas that accounts may have simulated: so much a second each, and ten seconds' worth at once. Pure.
//!
//! # Why it is charged afterwards
//! What a transaction may use says little of what it uses. So whoever has anything left may ask, and what was used is owed: at
//! most one bundle's more, for each that is on its way.

use crate::redacted::Redacted;
use std::collections::HashMap;

/// Seconds of the rate that may be used at once.
const BURST_S: u64 = 10;

/// Gas of accounts: of an identity, or else of a signer.
#[derive(Debug)]
pub struct Allowance {
    gas_per_s: u64,
    most: usize,
    accounts: HashMap<Redacted<String>, Left>,
}

#[derive(Clone, Copy, Debug)]
struct Left {
    gas: i128,
    at_ms: u64,
}

impl Allowance {
    /// Allowance of so much gas a second for each of at most so many accounts at a time.
    #[must_use]
    pub fn new(gas_per_s: u64, most: usize) -> Self {
        Self { gas_per_s, most, accounts: HashMap::new() }
    }

    const fn burst(&self) -> i128 {
        // Both are far below what the type holds.
        self.gas_per_s as i128 * BURST_S as i128
    }

    fn left(&self, account: &Redacted<String>, now_ms: u64) -> i128 {
        let Some(left) = self.accounts.get(account) else { return self.burst() };
        let since = now_ms.saturating_sub(left.at_ms);
        let more = i128::from(self.gas_per_s).saturating_mul(i128::from(since)) / 1_000;
        left.gas.saturating_add(more).min(self.burst())
    }

    /// True if an account may have something simulated. Times are a steady clock's, in milliseconds.
    #[must_use]
    pub fn has_some(&self, account: &Redacted<String>, now_ms: u64) -> bool {
        let is_known = self.accounts.contains_key(account) || self.accounts.len() < self.most;
        is_known && self.left(account, now_ms) > 0
    }

    /// Charges an account.
    pub fn spend(&mut self, account: &Redacted<String>, gas: u64, now_ms: u64) {
        let left = self.left(account, now_ms).saturating_sub(i128::from(gas));
        self.accounts.insert(account.clone(), Left { gas: left, at_ms: now_ms });
        if self.accounts.len() >= self.most {
            // Who has all is as good as unknown.
            let full: Vec<_> = self
                .accounts
                .keys()
                .filter(|known| self.left(known, now_ms) >= self.burst())
                .cloned()
                .collect();
            for known in full {
                self.accounts.remove(&known);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Allowance;
    use crate::redacted::Redacted;

    fn account(name: &str) -> Redacted<String> {
        Redacted::new(name.to_owned())
    }

    #[test]
    fn what_is_owed_is_waited_for() {
        let mut allowance = Allowance::new(1_000, 10);
        let (one, other) = (account("one"), account("other"));
        assert!(allowance.has_some(&one, 0));
        allowance.spend(&one, 9_999, 0);
        assert!(allowance.has_some(&one, 0), "one is left of ten seconds' worth");
        allowance.spend(&one, 3_001, 0);
        assert!(!allowance.has_some(&one, 3_000), "three thousand are owed");
        assert!(allowance.has_some(&one, 3_001) && allowance.has_some(&other, 0));
        allowance.spend(&one, 0, 1_000_000);
        assert_eq!(allowance.left(&one, 1_000_000), 10_000, "no more than the burst");
    }

    #[test]
    fn accounts_are_bounded_and_the_full_ones_make_room() {
        let mut allowance = Allowance::new(1_000, 2);
        allowance.spend(&account("one"), 10, 0);
        allowance.spend(&account("two"), 20_000, 0);
        assert!(!allowance.has_some(&account("three"), 0), "two are known, none of them full");
        allowance.spend(&account("two"), 0, 1_000);
        assert!(allowance.has_some(&account("three"), 1_000), "the first has all again");
        assert!(!allowance.has_some(&account("two"), 1_000), "the other still owes");
    }
}
