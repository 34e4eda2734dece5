//! All orders, as the topic tells them: which count, who may pull them, and what became of each.
//!
//! # Correctness
//! Nothing but entries of the topic and heads of the chain changes it, so that whoever reads the topic from its beginning, after
//! a crash too, has the same book. What a client is answered follows from here, after its entry was read back.

mod room;

use crate::bundle::Checked;
use crate::pull::Index;
use crate::redacted::Redacted;
use crate::replacement::{Change, Replacements, Step};
use maidenlane_chain::{Address, B256};
use maidenlane_wire::{BundleCancel, BundleKind, Cancelled, ContentId, Taken};
use room::SLACK;
use std::collections::{BTreeSet, HashMap};

pub use room::{Bounds, NoRoom};

/// Blocks for which an order can be pulled after its last one: reorganisations go back that far, as good as always.
const REOPENED: u64 = 8;
/// Blocks after which an order is forgotten where finality is not told: four epochs.
const FORGOTTEN: u64 = 128;
/// Head of the chain, as far as orders depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Number.
    pub number: u64,
    /// Timestamp.
    pub timestamp_s: u64,
    /// Number of the finalized block.
    pub finalized: Option<u64>,
}

/// Consequence of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The order counts.
    Counts,
    /// The same order was there before.
    Known,
    /// Another one under its name is newer.
    Stale,
    /// The name, or the transaction, was cancelled.
    Cancelled,
    /// The cancel counts.
    Cancels {
        /// Order that it ended, if one counted.
        ended: Option<ContentId>,
    },
    /// The order was not kept, for want of room.
    NotKept(NoRoom),
}

impl Applied {
    /// Word for an order that does not count.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotKept(lack) => lack.reason(),
            Self::Cancelled => "cancelled",
            _ => "staleNonce",
        }
    }
}

/// Standing of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The order counts.
    Counts,
    /// Another one is in its place.
    Replaced,
    /// The order was cancelled.
    Cancelled,
}

/// Order, without its transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Id of its content.
    pub content: ContentId,
    /// Hash by which everybody knows it; of a private transaction, the transaction's.
    pub hash: Redacted<B256>,
    /// Blocks that may hold it.
    pub blocks: (u64, u64),
    /// How it came.
    pub taken: Taken,
    /// True for a private transaction.
    pub is_private: bool,
    /// Standing.
    pub standing: Standing,
    bytes: usize,
    account: Redacted<String>,
    signer: Redacted<Address>,
}

/// All orders.
#[derive(Debug)]
pub struct Book {
    bounds: Bounds,
    head: Head,
    names: Replacements,
    index: Index<Checked>,
    orders: HashMap<ContentId, Known>,
    /// By signer and hash.
    by_hash: BTreeSet<(Redacted<(Address, B256)>, ContentId)>,
    /// By last block.
    ends: BTreeSet<(u64, ContentId)>,
    bytes: usize,
    accounts: HashMap<Redacted<String>, usize>,
}

impl Book {
    /// Empty book.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        let most = bounds.orders.saturating_mul(SLACK);
        Self {
            bounds,
            head: Head::default(),
            names: Replacements::new(most),
            index: Index::new(most),
            orders: HashMap::new(),
            by_hash: BTreeSet::new(),
            ends: BTreeSet::new(),
            bytes: 0,
            accounts: HashMap::new(),
        }
    }

    /// Head of the chain.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Number of orders that are known, and bytes of those that may still be pulled.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.orders.len(), self.bytes)
    }

    /// Says whether there is room for an order, before it is made durable.
    ///
    /// # Errors
    /// When there is none.
    pub fn room(&self, checked: &Checked) -> Result<(), NoRoom> {
        if self.orders.contains_key(&checked.content) {
            return Ok(());
        }
        self.room_within(checked, 1)
    }

    fn room_within(&self, checked: &Checked, slack: usize) -> Result<(), NoRoom> {
        let Bounds { orders, bytes, account_bytes, .. } = self.bounds;
        let more = if self.is_past(checked) { 0 } else { bytes_of(checked) };
        let of_account = self.accounts.get(&checked.account()).copied().unwrap_or(0);
        if self.orders.len() >= orders.saturating_mul(slack)
            || self.names.len() >= orders.saturating_mul(slack)
        {
            return Err(NoRoom::Orders);
        }
        if self.bytes.saturating_add(more) > bytes.saturating_mul(slack) {
            return Err(NoRoom::Bytes);
        }
        if of_account.saturating_add(more) > account_bytes.saturating_mul(slack) {
            return Err(NoRoom::Account);
        }
        Ok(())
    }

    /// Takes a bundle out of the topic.
    pub fn bundle(&mut self, offset: u64, checked: Checked) -> Applied {
        let content = checked.content;
        let (is_known, is_final) =
            (self.orders.contains_key(&content), checked.bundle.blocks.1 < self.final_block());
        if !is_known
            && !is_final
            && let Err(lack) = self.room_within(&checked, SLACK)
        {
            return Applied::NotKept(lack);
        }
        let bundle = &checked.bundle;
        let private = (bundle.kind == BundleKind::Private).then(|| checked.hashes.reveal().first()).flatten();
        let name = bundle.replacement.clone().or_else(|| private.map(private_name));
        if let Some(name) = name {
            let keep_until = bundle.blocks.1.saturating_add(FORGOTTEN);
            let change = Change { offset, bundle: Some(content), nonce: bundle.nonce, keep_until };
            match self.names.take((bundle.signer, name), &change) {
                Ok(Step::Counts { instead_of }) => {
                    if let Some(other) = instead_of {
                        self.end(other, Standing::Replaced);
                    }
                }
                Ok(Step::Stale { .. }) if self.counts(content) => return Applied::Known,
                Ok(Step::Stale { .. }) => return Applied::Stale,
                Ok(Step::Cancelled | Step::Cancels { .. }) => return Applied::Cancelled,
                Err(_) => return Applied::NotKept(NoRoom::Orders),
            }
        }
        if is_final {
            // Of before a start: as forgotten as where the relay went on, and none of the room is its.
            return Applied::Stale;
        }
        if is_known {
            // One that comes again after another had its place counts again.
            return self.revive(checked);
        }
        self.keep(checked);
        Applied::Counts
    }

    fn revive(&mut self, checked: Checked) -> Applied {
        if self.counts(checked.content) {
            return Applied::Known;
        }
        self.forget_one(checked.content);
        self.keep(checked);
        Applied::Counts
    }

    fn counts(&self, content: ContentId) -> bool {
        self.orders.get(&content).is_some_and(|known| known.standing == Standing::Counts)
    }

    /// Block below which nothing comes back.
    fn final_block(&self) -> u64 {
        self.head.finalized.unwrap_or(0).max(self.head.number.saturating_sub(FORGOTTEN))
    }

    /// True if no block can hold it any more, not even after a reorganisation.
    fn is_past(&self, checked: &Checked) -> bool {
        checked.bundle.blocks.1.saturating_add(REOPENED) <= self.head.number
    }

    /// Takes a cancel out of the topic.
    pub fn cancel(&mut self, offset: u64, cancel: &BundleCancel) -> Applied {
        let (name, nonce) = match &cancel.of {
            Cancelled::Replacement { name, nonce } => (name.clone(), *nonce),
            Cancelled::Transaction(hash) => (private_name(hash), None),
        };
        let keep_until = self.head.number.saturating_add(self.bounds.ahead_max).saturating_add(FORGOTTEN);
        match self.names.take((cancel.signer, name), &Change { offset, bundle: None, nonce, keep_until }) {
            Ok(Step::Cancels { bundle }) => {
                if let Some(content) = bundle {
                    self.end(content, Standing::Cancelled);
                }
                Applied::Cancels { ended: bundle }
            }
            Ok(_) => Applied::Stale,
            Err(_) => Applied::NotKept(NoRoom::Orders),
        }
    }

    fn keep(&mut self, checked: Checked) {
        let (content, bytes, account) = (checked.content, bytes_of(&checked), checked.account());
        let (window, is_past) = (checked.window(), self.is_past(&checked));
        let bundle = &checked.bundle;
        let hash = match bundle.kind {
            BundleKind::Private => {
                checked.hashes.reveal().first().copied().map_or(checked.hash, Redacted::new)
            }
            _ => checked.hash,
        };
        let known = Known {
            content,
            hash,
            blocks: bundle.blocks,
            taken: bundle.taken.clone(),
            is_private: bundle.kind == BundleKind::Private,
            standing: Standing::Counts,
            bytes,
            account: account.clone(),
            signer: Redacted::new(bundle.signer),
        };
        self.by_hash.insert((Redacted::new((bundle.signer, *hash.reveal())), content));
        self.ends.insert((bundle.blocks.1, content));
        self.orders.insert(content, known);
        // Past its time when it was read again: known, and pulled by nobody.
        if !is_past && self.index.add(content, window, checked) == Ok(true) {
            self.bytes = self.bytes.saturating_add(bytes);
            let held = self.accounts.entry(account).or_default();
            *held = held.saturating_add(bytes);
        }
    }

    /// Ends an order that counted.
    fn end(&mut self, content: ContentId, standing: Standing) {
        if let Some(known) = self.orders.get_mut(&content) {
            known.standing = standing;
        }
        if let Some(checked) = self.index.remove(&content) {
            self.free(&checked);
        }
    }

    fn free(&mut self, checked: &Checked) {
        let (bytes, account) = (bytes_of(checked), checked.account());
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(held) = self.accounts.get_mut(&account) {
            *held = held.saturating_sub(bytes);
            if *held == 0 {
                self.accounts.remove(&account);
            }
        }
    }

    /// Takes note of a head: frees what no block can hold any more, and forgets what is final.
    pub fn advance(&mut self, head: Head) {
        self.head = head;
        let past = head.number.saturating_add(1).saturating_sub(REOPENED);
        for checked in self.index.drop_late(past, 0) {
            self.free(&checked);
        }
        let final_block = self.final_block();
        self.names.forget(final_block);
        while let Some((_, content)) = self.ends.first().copied().filter(|(last, _)| *last < final_block) {
            self.forget_one(content);
        }
    }

    fn forget_one(&mut self, content: ContentId) {
        if let Some(checked) = self.index.remove(&content) {
            self.free(&checked);
        }
        if let Some(known) = self.orders.remove(&content) {
            self.ends.remove(&(known.blocks.1, content));
            let key = (*known.signer.reveal(), *known.hash.reveal());
            self.by_hash.remove(&(Redacted::new(key), content));
        }
    }

    /// Orders that may go into a block, in the order in which they came.
    pub fn due(&mut self, block: u64, timestamp: u64) -> Vec<&Checked> {
        self.index.open(block, timestamp)
    }

    /// The same for one builder.
    pub fn open(&mut self, block: u64, timestamp: u64, builder: &str) -> Vec<&Checked> {
        let all = self.due(block, timestamp).into_iter();
        let is_for = |checked: &&Checked| {
            let named = &checked.bundle.builders;
            named.is_empty() || named.iter().any(|name| name == builder)
        };
        all.filter(is_for).collect()
    }

    /// An order that counts, for whoever delivers it.
    #[must_use]
    pub fn deliverable(&self, content: ContentId) -> Option<&Checked> {
        self.index.get(&content)
    }

    /// Orders that count and that the head may have decided on.
    pub fn decided(&self) -> impl Iterator<Item = &Checked> {
        let Head { number, timestamp_s, .. } = self.head;
        let may_be_over = move |checked: &&Checked| {
            checked.bundle.blocks.0 <= number || checked.window().times.1 <= timestamp_s
        };
        self.index.all().filter(may_be_over)
    }

    /// Orders of a signer's that are known by this hash, oldest content first.
    #[must_use]
    pub fn find(&self, signer: Address, hash: B256) -> Vec<&Known> {
        let key = Redacted::new((signer, hash));
        let least = ContentId::new(B256::ZERO);
        let found = self.by_hash.range((key, least)..).take_while(|(other, _)| *other == key);
        found.filter_map(|(_, content)| self.orders.get(content)).collect()
    }

    /// Orders of a signer's that count.
    pub fn of_signer(&self, signer: Address) -> impl Iterator<Item = &Checked> {
        let first = (Redacted::new((signer, B256::ZERO)), ContentId::new(B256::ZERO));
        let all = self.by_hash.range(first..).take_while(move |(key, _)| key.reveal().0 == signer);
        all.filter_map(|(_, content)| self.index.get(content))
    }

    /// The order of this content.
    #[must_use]
    pub fn get(&self, content: ContentId) -> Option<&Known> {
        self.orders.get(&content)
    }
}

/// Name under which a private transaction is cancelled: with a space, as no client's name has it.
fn private_name(hash: &B256) -> String {
    format!("transaction {hash}")
}

fn bytes_of(checked: &Checked) -> usize {
    checked.bundle.txs.iter().map(|tx| tx.len()).sum()
}

#[cfg(test)]
mod tests;
