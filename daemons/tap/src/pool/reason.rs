//! Reasons for which a transaction cannot be in the pool any more, in the codes of the first drop feeds.
//!
//! Only what the master's state proves is a reason. That a pool was full, that an account had too much in it, that a
//! transaction was there for too long or that the operator raised the price: geth tells nobody, so the reason is unknown.

use super::known::Held;
use alloy::primitives::U256;

/// Code: a block has used the nonce for another one.
pub(super) const LOW_NONCE: &str = "low-nonce-txs";
/// Code: the sender cannot pay.
pub(super) const UNPAYABLE: &str = "unpayable-txs";
/// Code: more gas than a block has.
pub(super) const UNEXECUTABLE: &str = "unexecutable-txs";

/// State of a sender after the newest block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) nonce: u64,
    pub(super) balance: U256,
}

/// Reason for which geth's pool does not hold a transaction that no block holds.
pub(super) fn of(held: &Held, standing: Standing, block_gas: u64) -> Option<&'static str> {
    if held.nonce < standing.nonce {
        Some(LOW_NONCE)
    } else if held.cost > standing.balance {
        Some(UNPAYABLE)
    } else if held.gas > block_gas {
        Some(UNEXECUTABLE)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Standing, of};
    use crate::pool::known::Held;
    use alloy::primitives::U256;
    use maidenlane_chain::{Address, B256, Bytes};
    use maidenlane_wire::Pooled;

    #[test]
    fn only_what_the_state_proves_is_a_reason() {
        let pooled = Pooled { hash: B256::ZERO, sender: Address::ZERO, raw: Bytes::new() };
        let held = Held { pooled, nonce: 7, cost: U256::from(100), gas: 50, is_blob: false, queued: false };
        let check = |nonce, balance, gas, expect| {
            assert_eq!(of(&held, Standing { nonce, balance: U256::from(balance) }, gas), expect);
        };
        check(7, 100, 50, None);
        check(8, 100, 50, Some("low-nonce-txs"));
        check(7, 99, 50, Some("unpayable-txs"));
        check(7, 100, 49, Some("unexecutable-txs"));
        check(8, 0, 0, Some("low-nonce-txs"));
    }
}
