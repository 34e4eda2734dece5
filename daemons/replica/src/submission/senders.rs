//! Senders of transactions: what each has on its way, and how much each may still append. Pure: a fold over what this replica
//! takes and what the topics say.
//!
//! # Why
//! A balance that pays for one transaction is no reason to store a thousand, and at a fee of one wei any balance pays for
//! any number. So what a sender has on its way counts against its balance, as in geth's pool and in its words, nonces far
//! ahead are refused, few may wait for a node at a time, an identity has so many bytes that wait, and a sender so many to
//! append, which come back with time: also of transactions that replace each other.
//!
//! What is on its way is what the topic of transactions has and that of outcomes has not ended, which every replica reads:
//! all count alike, whichever took a transaction, and also after a restart. What this one has taken and not read back yet
//! counts as well; of the same of others nothing is known, so that for the few milliseconds from append to reading each
//! replica may take what is left.

use super::bucket::Bucket;
use super::offer::{Means, Offer};
use super::{NotTaken, STORED_ONCE_FOR};
use alloy::primitives::U256;
use maidenlane_chain::{Address, B256};
use maidenlane_service::clock::millis;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Most nonces that a transaction may be ahead of its sender's account.
const AHEAD_MAX: u64 = 1_024;
/// Most transactions of all senders that are remembered; the oldest are forgotten first.
const ALL_MAX: usize = 200_000;
/// Most senders of whom something is remembered before those who have nothing on its way are forgotten.
const SENDERS_MAX: usize = 2 * ALL_MAX;

/// Bounds of what may wait for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Transactions of one sender.
    pub waiting_max: usize,
    /// Bytes of one identity, or of one sender without one.
    pub waiting_max_bytes: u64,
}

/// Holder of the share that the bytes of a transaction take while it waits. Without identities everybody comes through the same proxy,
/// as likely as not, and addresses of clients have no place in a log: then each sender has a share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Identity(Arc<str>),
    Sender(Address),
}

/// A transaction on its way.
#[derive(Debug)]
struct Flight {
    cost: U256,
    bytes: u64,
    holder: Holder,
    taken_ms: u64,
    /// True until a node has it.
    waits: bool,
    /// True once it was read from the log.
    is_logged: bool,
}

#[derive(Debug, Default)]
struct Sender {
    bucket: Bucket,
    flights: BTreeMap<(u64, B256), Flight>,
}

/// All senders of late.
#[derive(Debug)]
pub(super) struct Senders {
    bounds: Bounds,
    of: HashMap<Address, Sender>,
    /// Sender and nonce of each transaction.
    places: HashMap<B256, (Address, u64)>,
    /// Transactions by when they were taken.
    ages: BTreeSet<(u64, B256)>,
    /// Bytes that wait, by whose they are.
    waiting: HashMap<Holder, u64>,
}

impl Senders {
    pub(super) fn new(bounds: Bounds) -> Self {
        let (of, places) = (HashMap::new(), HashMap::new());
        Self { bounds, of, places, ages: BTreeSet::new(), waiting: HashMap::new() }
    }

    /// Takes note of a transaction, unless its sender may not send it.
    pub(super) fn admit(&mut self, offer: &Offer, means: &Means, now_ms: u64) -> Result<(), NotTaken> {
        let known = self.flight(&offer.hash).map(|flight| flight.taken_ms);
        if known.is_some_and(|taken_ms| now_ms.saturating_sub(taken_ms) < millis(STORED_ONCE_FOR)) {
            return Ok(());
        }
        if known.is_none() {
            self.check(offer, means)?;
        }
        let sender = self.sender(offer.sender);
        if !sender.bucket.take(offer.bytes, now_ms) {
            return Err(NotTaken::TooMany);
        }
        match known {
            Some(taken_ms) => self.renew(offer, taken_ms),
            None => self.insert(offer, true, false),
        }
        Ok(())
    }

    fn check(&self, offer: &Offer, means: &Means) -> Result<(), NotTaken> {
        let refuse = |text| Err(NotTaken::Refused(text));
        let (nonce, cost, balance) = (offer.nonce, offer.cost, means.balance);
        let furthest = means.nonce.saturating_add(AHEAD_MAX);
        if nonce > furthest {
            return refuse(format!("nonce too high: tx nonce {nonce}, gapped nonce {furthest}"));
        }
        // Of several with one nonce a block holds one: the dearest counts.
        let (mut costs, mut waiting) = (BTreeMap::<u64, U256>::new(), 0);
        let flights = self.of.get(&offer.sender).map(|sender| &sender.flights);
        for ((nonce, _), flight) in flights.into_iter().flat_map(|all| all.range((means.nonce, B256::ZERO)..))
        {
            let dearest = costs.entry(*nonce).or_default();
            *dearest = flight.cost.max(*dearest);
            waiting += usize::from(flight.waits);
        }
        let queued = costs.values().fold(U256::ZERO, |sum, cost| sum.saturating_add(*cost));
        let before = costs.get(&nonce);
        let need = queued.saturating_sub(before.copied().unwrap_or_default()).saturating_add(cost);
        if balance < need {
            let (what, amount) = match before {
                // Below zero where it is cheaper: then its own cost is covered, and the rest was before.
                Some(before) => ("tx bumped", cost.saturating_sub(*before)),
                None => ("tx cost", cost),
            };
            return refuse(format!(
                "insufficient funds for gas * price + value: balance {balance}, queued cost {queued}, {what} {amount}, overshot {}",
                need.saturating_sub(balance)
            ));
        }
        if waiting >= self.bounds.waiting_max {
            return refuse(format!("account limit exceeded: pooled {waiting} txs"));
        }
        let held = self.waiting.get(&holder(offer)).copied().unwrap_or_default();
        if held.saturating_add(offer.bytes) > self.bounds.waiting_max_bytes {
            return Err(NotTaken::Waiting { bytes: held });
        }
        Ok(())
    }

    /// Takes note of an entry of the log whose transaction is known already; false if it is not.
    pub(super) fn read_again(&mut self, hash: &B256, taken_ms: u64, bytes: u64, now_ms: u64) -> bool {
        let Some((address, nonce)) = self.places.get(hash).copied() else { return false };
        let Some(sender) = self.of.get_mut(&address) else { return false };
        let Some(flight) = sender.flights.get_mut(&(nonce, *hash)) else { return false };
        let before_ms = flight.taken_ms;
        // Of an entry of one's own the bytes were taken when it was admitted.
        let is_own = !std::mem::replace(&mut flight.is_logged, true) || taken_ms <= before_ms;
        if !is_own {
            flight.taken_ms = taken_ms;
            sender.bucket.spend(bytes, taken_ms, now_ms);
            self.ages.remove(&(before_ms, *hash));
            self.ages.insert((taken_ms, *hash));
        }
        true
    }

    /// Takes note of a transaction that the log has; it waits for a node, or one has it.
    pub(super) fn came(&mut self, offer: &Offer, waits: bool, now_ms: u64) {
        self.sender(offer.sender).bucket.spend(offer.bytes, offer.taken_ms, now_ms);
        self.insert(offer, waits, true);
    }

    /// Forgets a transaction that was not appended.
    pub(super) fn withdraw(&mut self, hash: &B256) {
        if self.flight(hash).is_some_and(|flight| !flight.is_logged) {
            self.end(hash);
        }
    }

    /// Takes note that a node has it.
    pub(super) fn accepted(&mut self, hash: &B256) {
        let Some((address, nonce)) = self.places.get(hash) else { return };
        let sender = self.of.get_mut(address);
        let Some(flight) = sender.and_then(|sender| sender.flights.get_mut(&(*nonce, *hash))) else { return };
        if std::mem::replace(&mut flight.waits, false) {
            let (holder, bytes) = (flight.holder.clone(), flight.bytes);
            self.release(&holder, bytes);
        }
    }

    /// Takes note that it is on its way no longer.
    pub(super) fn end(&mut self, hash: &B256) {
        let Some((address, nonce)) = self.places.remove(hash) else { return };
        let sender = self.of.get_mut(&address);
        let Some(flight) = sender.and_then(|sender| sender.flights.remove(&(nonce, *hash))) else { return };
        self.ages.remove(&(flight.taken_ms, *hash));
        if flight.waits {
            self.release(&flight.holder, flight.bytes);
        }
    }

    /// Number of transactions on their way.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Identity of whoever sent a transaction that is on its way.
    pub(super) fn identity(&self, hash: &B256) -> Option<Arc<str>> {
        match &self.flight(hash)?.holder {
            Holder::Identity(name) => Some(Arc::clone(name)),
            Holder::Sender(_) => None,
        }
    }

    /// Forgets what was taken before a time: nobody tells of it any more.
    pub(super) fn expire(&mut self, before_ms: u64) {
        while let Some((taken_ms, hash)) = self.ages.first().copied()
            && (taken_ms < before_ms || self.ages.len() > ALL_MAX)
        {
            self.end(&hash);
        }
    }

    fn flight(&self, hash: &B256) -> Option<&Flight> {
        let (address, nonce) = self.places.get(hash)?;
        self.of.get(address)?.flights.get(&(*nonce, *hash))
    }

    fn sender(&mut self, address: Address) -> &mut Sender {
        if self.of.len() >= SENDERS_MAX && !self.of.contains_key(&address) {
            self.of.retain(|_, sender| !sender.flights.is_empty());
        }
        self.of.entry(address).or_default()
    }

    fn insert(&mut self, offer: &Offer, waits: bool, is_logged: bool) {
        let Offer { hash, sender: address, nonce, cost, bytes, taken_ms, .. } = *offer;
        let holder = holder(offer);
        if waits {
            let held = self.waiting.entry(holder.clone()).or_default();
            *held = held.saturating_add(bytes);
        }
        let flight = Flight { cost, bytes, holder, taken_ms, waits, is_logged };
        self.sender(address).flights.insert((nonce, hash), flight);
        self.places.insert(hash, (address, nonce));
        self.ages.insert((taken_ms, hash));
        self.expire(0);
    }

    /// Takes note that a known transaction is appended once more.
    fn renew(&mut self, offer: &Offer, before_ms: u64) {
        let sender = self.of.get_mut(&offer.sender);
        let flight = sender.and_then(|sender| sender.flights.get_mut(&(offer.nonce, offer.hash)));
        let Some(flight) = flight else { return };
        flight.taken_ms = offer.taken_ms;
        self.ages.remove(&(before_ms, offer.hash));
        self.ages.insert((offer.taken_ms, offer.hash));
    }

    fn release(&mut self, holder: &Holder, bytes: u64) {
        let Some(held) = self.waiting.get_mut(holder) else { return };
        *held = held.saturating_sub(bytes);
        if *held == 0 {
            self.waiting.remove(holder);
        }
    }
}

fn holder(offer: &Offer) -> Holder {
    offer.identity.as_ref().map_or(Holder::Sender(offer.sender), |name| Holder::Identity(Arc::clone(name)))
}

#[cfg(test)]
mod tests;
