//! Transactions of a pool by hash, and by sender and nonce. Pure.

use alloy::consensus::Transaction as _;
use maidenlane_chain::{Address, B256, Transaction};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time for which a transaction is kept that a block holds: longer than any view may lag.
const MINED_KEPT: Duration = Duration::from_secs(60);
/// Memory of a transaction beside its bytes, which are kept decoded.
const OVERHEAD_BYTES: usize = 800;

/// Transaction of the pool.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) tx: Transaction,
    pub(crate) from: Address,
    bytes: usize,
}

impl Held {
    /// Transaction whose encoding has so many bytes.
    pub(crate) fn new(tx: Transaction, from: Address, bytes: usize) -> Self {
        Self { tx, from, bytes: bytes.saturating_add(OVERHEAD_BYTES) }
    }

    pub(crate) fn hash(&self) -> B256 {
        *self.tx.tx_hash()
    }

    pub(crate) fn nonce(&self) -> u64 {
        self.tx.nonce()
    }

    /// True if blobs belong to it, which travel elsewhere.
    pub(crate) fn is_blob(&self) -> bool {
        self.tx.is_eip4844()
    }

    /// Place in the order of eviction: the cheapest go first, as in geth.
    fn price(&self) -> (u128, B256) {
        (self.tx.max_fee_per_gas(), self.hash())
    }
}

#[derive(Debug)]
struct Entry {
    held: Arc<Held>,
    /// Time at which it was told that a block holds it.
    mined: Option<Instant>,
}

/// Senders, and their transactions by nonce.
pub(crate) type Senders = Vec<(Address, Vec<Arc<Held>>)>;

/// Transactions, at most one for each sender and nonce.
#[derive(Debug)]
pub(crate) struct Set {
    entries: HashMap<B256, Entry>,
    senders: BTreeMap<Address, BTreeMap<u64, B256>>,
    prices: BTreeSet<(u128, B256)>,
    mined: VecDeque<(Instant, B256)>,
    bytes: usize,
    bytes_max: usize,
    evicted: u64,
}

impl Set {
    /// Nothing, and room for so many bytes.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            entries: HashMap::new(),
            senders: BTreeMap::new(),
            prices: BTreeSet::new(),
            mined: VecDeque::new(),
            bytes: 0,
            bytes_max,
            evicted: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Transactions that were evicted since the start.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    pub(crate) fn get(&self, hash: &B256) -> Option<&Arc<Held>> {
        self.entries.get(hash).map(|entry| &entry.held)
    }

    /// Adds a transaction; false if it was there. What has its place goes, and the cheapest of all where there is no
    /// room.
    pub(crate) fn add(&mut self, held: Held) -> bool {
        let hash = held.hash();
        if let Some(entry) = self.entries.get_mut(&hash) {
            // Back from a block that left the chain, or told again.
            return entry.mined.take().is_some();
        }
        let place = self.senders.get(&held.from).and_then(|nonces| nonces.get(&held.nonce())).copied();
        if let Some(old) = place {
            self.remove(&old);
        }
        self.bytes = self.bytes.saturating_add(held.bytes);
        self.prices.insert(held.price());
        self.senders.entry(held.from).or_default().insert(held.nonce(), hash);
        self.entries.insert(hash, Entry { held: Arc::new(held), mined: None });
        while self.bytes > self.bytes_max
            && let Some((_, cheapest)) = self.prices.first().copied()
        {
            self.evicted = self.evicted.saturating_add(1);
            self.remove(&cheapest);
        }
        true
    }

    /// Removes a transaction, and returns it.
    pub(crate) fn remove(&mut self, hash: &B256) -> Option<Arc<Held>> {
        let Entry { held, .. } = self.entries.remove(hash)?;
        self.bytes = self.bytes.saturating_sub(held.bytes);
        self.prices.remove(&held.price());
        if let Some(nonces) = self.senders.get_mut(&held.from) {
            nonces.remove(&held.nonce());
            if nonces.is_empty() {
                self.senders.remove(&held.from);
            }
        }
        Some(held)
    }

    /// Notes that a block holds a transaction.
    pub(crate) fn mine(&mut self, hash: B256, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&hash) {
            entry.mined = Some(now);
            self.mined.push_back((now, hash));
        }
    }

    /// Drops transactions that blocks have held for long enough.
    pub(crate) fn purge(&mut self, now: Instant) {
        while let Some((at, hash)) = self.mined.front().copied() {
            if now.saturating_duration_since(at) < MINED_KEPT {
                return;
            }
            self.mined.pop_front();
            if self.entries.get(&hash).is_some_and(|entry| entry.mined == Some(at)) {
                self.remove(&hash);
            }
        }
    }

    /// Drops what was not told, but for transactions that blocks hold, and returns it.
    pub(crate) fn retain(&mut self, told: &BTreeSet<B256>) -> Vec<Arc<Held>> {
        let gone = |(hash, entry): &(&B256, &Entry)| entry.mined.is_none() && !told.contains(*hash);
        let mut gone: Vec<B256> = self.entries.iter().filter(gone).map(|(hash, _)| *hash).collect();
        gone.sort_unstable();
        gone.iter().filter_map(|hash| self.remove(hash)).collect()
    }

    /// Transactions of a sender, by nonce.
    pub(crate) fn of(&self, sender: Address) -> Vec<Arc<Held>> {
        self.senders.get(&sender).map(|nonces| self.held(nonces)).unwrap_or_default()
    }

    /// Transactions of all senders, by nonce.
    pub(crate) fn all(&self) -> Senders {
        self.senders.iter().map(|(sender, nonces)| (*sender, self.held(nonces))).collect()
    }

    fn held(&self, nonces: &BTreeMap<u64, B256>) -> Vec<Arc<Held>> {
        nonces.values().filter_map(|hash| self.get(hash).map(Arc::clone)).collect()
    }
}

/// Transactions of one sender, by nonce, as they stand after a state in which the sender has this nonce: those that can go
/// into the next block, and those that wait for another.
pub(crate) fn split(held: &[Arc<Held>], nonce: u64) -> (&[Arc<Held>], &[Arc<Held>]) {
    let passed = held.partition_point(|each| each.nonce() < nonce);
    let open = held.get(passed..).unwrap_or_default();
    let follows = |(index, each): &(usize, &Arc<Held>)| {
        each.nonce().checked_sub(nonce).is_some_and(|behind| usize::try_from(behind) == Ok(*index))
    };
    let run = open.iter().enumerate().take_while(follows).count();
    open.split_at_checked(run).unwrap_or_default()
}

#[cfg(test)]
mod tests;
