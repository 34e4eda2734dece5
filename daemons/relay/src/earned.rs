//! Accounts of signers: what their orders paid to whoever built the blocks that hold them, and the gas that was simulated for them. Pure.
//!
//! # What counts
//! Tips: gas times the price above the base fee. What a contract hands to the block's builder shows in traces alone, which nobody
//! makes here. Counting begins with the relay's start, since the log keeps orders for hours and not for weeks.

use crate::hours::{HOUR_MS, Hours, Sums};
use alloy::primitives::U256;
use maidenlane_chain::{Address, BlockRef};
use maidenlane_wire::ContentId;
use std::collections::{HashMap, VecDeque};

/// Signers that are counted; of more, those that came first go.
const SIGNERS_MAX: usize = 10_000;

#[derive(Debug, Default)]
struct Account {
    /// In wei.
    paid: Hours,
    gas: Hours,
}

/// Payment of an order whose block may still leave the chain.
#[derive(Debug)]
struct Payment {
    signer: Address,
    block: BlockRef,
    hour: u64,
    paid: U256,
}

/// Earnings of all signers.
#[derive(Debug, Default)]
pub struct Earned {
    accounts: HashMap<Address, Account>,
    /// In the order in which they came.
    oldest: VecDeque<Address>,
    open: HashMap<ContentId, Payment>,
}

impl Earned {
    /// True if that was counted.
    #[must_use]
    pub fn counts(&self, content: ContentId, block: BlockRef) -> bool {
        self.open.get(&content).is_some_and(|payment| payment.block == block)
    }

    /// Counts what an order paid in a block.
    pub fn add(&mut self, (content, signer): (ContentId, Address), block: BlockRef, paid: U256, now_ms: u64) {
        self.take_back(content);
        let hour = now_ms / HOUR_MS;
        self.account(signer).paid.add(paid, hour);
        self.open.insert(content, Payment { signer, block, hour, paid });
    }

    /// Counts gas that was simulated for a signer.
    pub fn simulated(&mut self, signer: Address, gas: u64, now_ms: u64) {
        self.account(signer).gas.add(U256::from(gas), now_ms / HOUR_MS);
    }

    fn account(&mut self, signer: Address) -> &mut Account {
        if !self.accounts.contains_key(&signer) {
            if self.accounts.len() >= SIGNERS_MAX
                && let Some(oldest) = self.oldest.pop_front()
            {
                self.accounts.remove(&oldest);
            }
            self.oldest.push_back(signer);
        }
        self.accounts.entry(signer).or_default()
    }

    /// Keeps, of the payments whose blocks may leave the chain, those of which `stands` says that they do not, and takes the others
    /// back; `None` says that the payment is final.
    pub fn settle(&mut self, stands: impl Fn(ContentId, BlockRef) -> Option<bool>) {
        let gone = |(content, payment): (&ContentId, &Payment)| {
            (stands(*content, payment.block) == Some(false)).then_some(*content)
        };
        let gone: Vec<ContentId> = self.open.iter().filter_map(gone).collect();
        gone.into_iter().for_each(|content| self.take_back(content));
        self.open.retain(|content, payment| stands(*content, payment.block).is_some());
    }

    fn take_back(&mut self, content: ContentId) {
        let Some(Payment { signer, hour, paid, .. }) = self.open.remove(&content) else { return };
        if let Some(account) = self.accounts.get_mut(&signer) {
            account.paid.take_back(paid, hour);
        }
    }

    /// Sums of a signer: of tips, in wei, and of gas.
    #[must_use]
    pub fn sums(&self, signer: Address, now_ms: u64) -> (Sums, Sums) {
        let account = self.accounts.get(&signer);
        account.map_or_else(Default::default, |Account { paid, gas }| (paid.sums(now_ms), gas.sums(now_ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Earned, HOUR_MS, SIGNERS_MAX, Sums};
    use alloy::primitives::U256;
    use maidenlane_chain::{Address, B256, BlockRef};
    use maidenlane_wire::ContentId;

    fn content(byte: u8) -> ContentId {
        ContentId::new(B256::repeat_byte(byte))
    }

    fn block(number: u64) -> BlockRef {
        BlockRef { number, hash: B256::repeat_byte(9) }
    }

    fn sums(earned: &Earned, hour: u64) -> [u64; 3] {
        let (Sums { all, week, day }, _) = earned.sums(Address::repeat_byte(1), hour * HOUR_MS);
        [all, week, day].map(|sum| sum.to())
    }

    #[test]
    fn sums_are_of_a_day_a_week_and_all() {
        let (mut earned, signer) = (Earned::default(), Address::repeat_byte(1));
        for (byte, hour, paid) in [(1, 0, 1_u64), (2, 100, 20), (3, 170, 300)] {
            earned.add((content(byte), signer), block(hour), U256::from(paid), hour * HOUR_MS);
        }
        assert_eq!(sums(&earned, 170), [321, 320, 300]);
        assert_eq!(sums(&earned, 193), [321, 320, 300]);
        assert_eq!(sums(&earned, 194), [321, 320, 0]);
        assert_eq!(sums(&earned, 999), [321, 0, 0]);
        assert_eq!(earned.sums(Address::repeat_byte(2), 0).0, Sums::default(), "nobody else's");
    }

    #[test]
    fn gas_is_counted_beside_them() {
        let (mut earned, signer) = (Earned::default(), Address::repeat_byte(1));
        for hour in [0, 100] {
            earned.simulated(signer, 21_000, hour * HOUR_MS);
        }
        let (paid, gas) = earned.sums(signer, 100 * HOUR_MS);
        assert_eq!(paid, Sums::default());
        assert_eq!(gas, Sums { all: U256::from(42_000), week: U256::from(42_000), day: U256::from(21_000) });
    }

    #[test]
    fn what_a_reorganisation_takes_is_taken_back_and_what_is_final_stays() {
        let (mut earned, signer) = (Earned::default(), Address::repeat_byte(1));
        for byte in 1..=3 {
            earned.add((content(byte), signer), block(5), U256::from(byte), 0);
        }
        earned.add((content(1), signer), block(6), U256::from(7), 0);
        assert_eq!(sums(&earned, 0), [12; 3], "in one block only");
        assert!(earned.counts(content(1), block(6)) && !earned.counts(content(1), block(5)));
        earned.settle(|order, _| if order == content(2) { None } else { Some(order == content(1)) });
        assert_eq!(sums(&earned, 0), [9; 3]);
        earned.settle(|_, _| Some(false));
        assert_eq!(sums(&earned, 0), [2; 3], "the final one");
    }

    #[test]
    fn signers_are_bounded() {
        let mut earned = Earned::default();
        for number in 0..=SIGNERS_MAX {
            let signer = Address::from_slice(&U256::from(number).to_be_bytes::<32>()[12..]);
            earned.add((content(1), signer), block(1), U256::from(1), 0);
        }
        assert_eq!((earned.accounts.len(), earned.oldest.len()), (SIGNERS_MAX, SIGNERS_MAX));
    }
}
