//! Senders of transactions: what each has on its way, and how much each may still append.
//!
//! # Why
//! A balance that pays for one transaction is no reason to store a thousand, and at a fee of one wei any balance pays for
//! any number. So what a sender has on its way counts against its balance, as in geth's pool and in its words, nonces far
//! ahead are refused, and a sender has so many bytes to append, which come back with time: also of transactions that
//! replace each other. Every replica knows what was sent through it, and no more: with several, a sender may have so
//! much through each.

use super::NotTaken;
use alloy::primitives::U256;
use maidenlane_chain::{Address, B256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// Time after which a transaction that no block held is taken for dropped.
const PENDING_FOR: Duration = Duration::from_secs(600);
/// Time within which the same transaction costs nothing again: it is not stored again either.
const AGAIN_WITHIN: Duration = Duration::from_secs(10);
/// Most transactions of one sender on their way.
const PENDING_MAX: usize = 256;
/// Most nonces that a transaction may be ahead of its sender's account.
const AHEAD_MAX: u64 = 1_024;
/// Bytes that a sender may append at once, and how many come back per second: a transaction of six blobs per slot.
const BURST_BYTES: f64 = 16.0 * 1_048_576.0;
const BYTES_PER_S: f64 = 65_536.0;
/// Bytes that a transaction counts at least.
const LEAST_BYTES: usize = 512;
/// Most transactions of all senders that are remembered; the senders longest silent are forgotten first.
const ALL_MAX: usize = 200_000;

/// A transaction at the door.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    pub(crate) hash: B256,
    pub(crate) sender: Address,
    pub(crate) nonce: u64,
    /// Most that it can cost.
    pub(crate) cost: U256,
    pub(crate) bytes: usize,
}

/// State of a sender's account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means {
    pub(crate) nonce: u64,
    pub(crate) balance: U256,
}

#[derive(Debug)]
struct Pending {
    hash: B256,
    cost: U256,
    since: Instant,
}

#[derive(Debug)]
struct Sender {
    /// Bytes left, and when that was.
    bytes: (f64, Instant),
    pending: BTreeMap<u64, Pending>,
    last: Instant,
}

impl Sender {
    fn new(now: Instant) -> Self {
        Self { bytes: (BURST_BYTES, now), pending: BTreeMap::new(), last: now }
    }

    /// Forgets what a block holds, or was dropped.
    fn settle(&mut self, next_nonce: u64, now: Instant) {
        self.pending = self.pending.split_off(&next_nonce);
        self.pending.retain(|_, pending| now.saturating_duration_since(pending.since) < PENDING_FOR);
    }

    fn check(&self, offer: &Offer, means: &Means) -> Result<(), NotTaken> {
        let refuse = |text| Err(NotTaken::Refused(text));
        let (nonce, cost, balance) = (offer.nonce, offer.cost, means.balance);
        let furthest = means.nonce.saturating_add(AHEAD_MAX);
        if nonce > furthest {
            return refuse(format!("nonce too high: tx nonce {nonce}, gapped nonce {furthest}"));
        }
        let sum = |costs: U256, pending: &Pending| costs.saturating_add(pending.cost);
        let queued = self.pending.values().fold(U256::ZERO, sum);
        let before = self.pending.get(&nonce);
        let others = before.map_or(queued, |before| queued.saturating_sub(before.cost));
        let need = others.saturating_add(cost);
        if balance < need {
            let (what, amount) = match before {
                // Below zero where it is cheaper: then its own cost is covered, and the rest was before.
                Some(before) => ("tx bumped", cost.saturating_sub(before.cost)),
                None => ("tx cost", cost),
            };
            return refuse(format!(
                "insufficient funds for gas * price + value: balance {balance}, queued cost {queued}, {what} {amount}, overshot {}",
                need.saturating_sub(balance)
            ));
        }
        if before.is_none() && self.pending.len() >= PENDING_MAX {
            return refuse(format!("account limit exceeded: pooled {} txs", self.pending.len()));
        }
        Ok(())
    }

    /// Takes bytes of what may be appended.
    fn charge(&mut self, bytes: usize, now: Instant) -> Result<(), NotTaken> {
        let (left, since) = self.bytes;
        let back = now.saturating_duration_since(since).as_secs_f64() * BYTES_PER_S;
        let left = (left + back).min(BURST_BYTES);
        let wanted = f64::from(u32::try_from(bytes.max(LEAST_BYTES)).unwrap_or(u32::MAX));
        let enough = left >= wanted;
        self.bytes = (if enough { left - wanted } else { left }, now);
        if enough { Ok(()) } else { Err(NotTaken::TooMany) }
    }
}

/// All senders of late.
#[derive(Debug, Default)]
pub(super) struct Senders {
    known: HashMap<Address, Sender>,
    /// Senders by their last transaction, oldest first.
    order: BTreeSet<(Instant, Address)>,
    /// Transactions of all.
    count: usize,
}

impl Senders {
    /// Takes note of a transaction, unless its sender may not send it.
    pub(super) fn admit(&mut self, offer: &Offer, means: &Means, now: Instant) -> Result<(), NotTaken> {
        let mut sender = match self.known.remove(&offer.sender) {
            Some(sender) => {
                self.order.remove(&(sender.last, offer.sender));
                self.count = self.count.saturating_sub(sender.pending.len());
                sender
            }
            None => Sender::new(now),
        };
        let admitted = Self::take(&mut sender, offer, means, now);
        sender.last = now;
        self.count = self.count.saturating_add(sender.pending.len());
        self.order.insert((now, offer.sender));
        self.known.insert(offer.sender, sender);
        self.forget();
        admitted
    }

    fn take(sender: &mut Sender, offer: &Offer, means: &Means, now: Instant) -> Result<(), NotTaken> {
        sender.settle(means.nonce, now);
        let again = sender.pending.get(&offer.nonce).is_some_and(|pending| {
            pending.hash == offer.hash && now.saturating_duration_since(pending.since) < AGAIN_WITHIN
        });
        if again {
            return Ok(());
        }
        sender.check(offer, means)?;
        sender.charge(offer.bytes, now)?;
        sender.pending.insert(offer.nonce, Pending { hash: offer.hash, cost: offer.cost, since: now });
        Ok(())
    }

    /// Forgets senders where there are too many, or too many transactions of theirs.
    fn forget(&mut self) {
        while self.count > ALL_MAX || self.known.len() > ALL_MAX {
            let Some((_, oldest)) = self.order.pop_first() else { return };
            let gone = self.known.remove(&oldest).map_or(0, |sender| sender.pending.len());
            self.count = self.count.saturating_sub(gone);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNDS: u64 = 1_000;

    /// Senders, and the time.
    struct Door {
        senders: Senders,
        now: Instant,
    }

    impl Door {
        fn new() -> Self {
            Self { senders: Senders::default(), now: Instant::now() }
        }

        /// Offers a transaction of a sender whose account has this nonce; the refusal, if it is one.
        fn offer(&mut self, next: u64, (nonce, cost, bytes, salt): (u64, u64, usize, u8)) -> String {
            let hash = B256::from(U256::from(nonce) + (U256::from(salt) << 128));
            let sender = Address::repeat_byte(7);
            let offer = Offer { hash, sender, nonce, cost: U256::from(cost), bytes };
            let means = Means { nonce: next, balance: U256::from(FUNDS) };
            let admitted = self.senders.admit(&offer, &means, self.now);
            admitted.err().map(|refused| refused.to_string()).unwrap_or_default()
        }
    }

    #[test]
    fn all_that_is_on_its_way_counts_against_the_balance() {
        let mut door = Door::new();
        assert_eq!(door.offer(5, (5, 600, 100, 0)), "");
        let funds = "insufficient funds for gas * price + value: balance 1000, queued cost 600, ";
        assert_eq!(door.offer(5, (6, 401, 100, 0)), format!("{funds}tx cost 401, overshot 1"));
        assert_eq!(door.offer(5, (5, 1_001, 100, 1)), format!("{funds}tx bumped 401, overshot 1"));
        assert_eq!(door.offer(5, (6, 400, 100, 0)), "");
        assert_eq!(door.offer(5, (5, 600, 100, 0)), "", "the same again");
        assert_eq!(door.offer(5, (5, 300, 100, 2)), "", "a cheaper one in its place");
        assert_eq!(door.offer(6, (7, 600, 100, 0)), "", "a block holds the first");
        assert_ne!(door.offer(6, (8, 1, 100, 0)), "");
        door.now += PENDING_FOR;
        assert_eq!(door.offer(6, (8, 1_000, 100, 0)), "", "dropped, as far as anybody knows");
    }

    #[test]
    fn nonces_and_numbers_are_bounded() {
        let mut door = Door::new();
        let gap = door.offer(5, (5 + AHEAD_MAX + 1, 1, 100, 0));
        assert_eq!(gap, "nonce too high: tx nonce 1030, gapped nonce 1029");
        for nonce in 5..5 + PENDING_MAX as u64 {
            assert_eq!(door.offer(5, (nonce, 1, 100, 0)), "");
        }
        assert_eq!(door.offer(5, (500, 1, 100, 0)), "account limit exceeded: pooled 256 txs");
        assert_eq!(door.offer(5, (6, 1, 100, 1)), "", "one in the place of another");
    }

    #[test]
    fn a_sender_s_bytes_come_back_with_time() {
        let mut door = Door::new();
        let large = |salt| (5, 1, 128 << 10, salt);
        let taken = (0..=u8::MAX).take_while(|salt| door.offer(5, large(*salt)).is_empty()).count();
        assert_eq!(taken, 128, "16 MiB in all, though each replaces the one before");
        assert!(door.offer(5, large(200)).contains("too much"), "{}", door.offer(5, large(200)));
        door.now += Duration::from_secs(2);
        assert_eq!((door.offer(5, large(201)), door.offer(5, large(202)).is_empty()), (String::new(), false));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut door = Door::new();
        let means = Means { nonce: 0, balance: U256::MAX };
        for number in 0..=ALL_MAX as u64 {
            let sender = Address::from_word(B256::from(U256::from(number)));
            let offer = Offer { hash: B256::ZERO, sender, nonce: 0, cost: U256::ZERO, bytes: 1 };
            let now = door.now + Duration::from_nanos(number);
            door.senders.admit(&offer, &means, now).expect("funds");
        }
        let senders = &door.senders;
        assert_eq!((senders.known.len(), senders.order.len(), senders.count), (ALL_MAX, ALL_MAX, ALL_MAX));
        assert!(!senders.known.contains_key(&Address::ZERO), "the oldest is forgotten");
    }
}
