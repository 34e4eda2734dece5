//! Trie nodes on their way to the `proofs` topic.
//!
//! # Correctness
//! A set is acknowledged before the ADVANCE that names it: a reader of the feed that misses a set waits for nothing
//! that was not written. Sets carry no epoch, so whatever interrupts us, they are sent again and do no harm.

use crate::error::Error;
use alloy::rlp::Encodable;
use alloy_trie::proof::ProofRetainer;
use alloy_trie::{HashBuilder, Nibbles};
use maidenlane_chain::{Account, B256, Bytes, keccak256};
use maidenlane_log::{Append, Backend, LogProducer};
use maidenlane_wire::{NodeRow, NodeSet, Rows, StorageRows};
use std::collections::HashMap;

/// Sets are appended when so much of them waits: those of a batch of large blocks do not pile up.
const BATCH_BYTES: usize = 8 << 20;

/// Appends node sets.
pub struct Sets {
    producer: Box<dyn LogProducer>,
    /// Block hash and entry.
    waiting: Vec<(B256, Vec<u8>)>,
    waiting_bytes: usize,
    /// Sets taken, and bytes appended, since the last [`Sets::flush`] that was asked for.
    told: Published,
}

/// What was made durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Sets: one per block.
    pub sets: usize,
    /// Bytes of their entries.
    pub bytes: usize,
}

impl Sets {
    /// Opens `topic`.
    ///
    /// # Errors
    /// When the log is away.
    pub fn new(log: &Backend, topic: &str) -> Result<Self, Error> {
        Ok(Self {
            producer: log.producer(topic)?,
            waiting: Vec::new(),
            waiting_bytes: 0,
            told: Published::default(),
        })
    }

    /// Takes one set and returns its digest. It is in the log at the latest after [`Sets::flush`].
    ///
    /// # Errors
    /// When it is too large for any reader, or the log is away.
    pub fn add(&mut self, set: &NodeSet) -> Result<B256, Error> {
        let unpublishable =
            |error: maidenlane_wire::DecodeError| Error::Unpublishable { what: error.to_string() };
        let (digest, entries) = set.entries().map_err(unpublishable)?;
        self.waiting_bytes =
            entries.iter().fold(self.waiting_bytes, |sum, entry| sum.saturating_add(entry.len()));
        self.waiting.extend(entries.into_iter().map(|entry| (set.block.hash, entry)));
        self.told.sets = self.told.sets.saturating_add(1);
        if self.waiting_bytes >= BATCH_BYTES {
            self.append()?;
        }
        Ok(digest)
    }

    /// Appends what waits; returns when it is durable, with what became so since the last time.
    ///
    /// # Errors
    /// When the log is away. What waited is forgotten: its blocks will be prepared again.
    pub fn flush(&mut self) -> Result<Published, Error> {
        self.append()?;
        Ok(std::mem::take(&mut self.told))
    }

    fn append(&mut self) -> Result<(), Error> {
        let (waiting, bytes) = (std::mem::take(&mut self.waiting), std::mem::take(&mut self.waiting_bytes));
        let entries: Vec<_> =
            waiting.iter().map(|(hash, payload)| Append { key: Some(hash.as_slice()), payload }).collect();
        if !entries.is_empty() {
            self.producer.append(&entries)?;
            self.told.bytes = self.told.bytes.saturating_add(bytes);
        }
        Ok(())
    }

    /// Forgets what waits: the change that it was for is prepared anew.
    pub fn clear(&mut self) {
        (self.waiting, self.waiting_bytes, self.told) = (Vec::new(), 0, Published::default());
    }
}

impl std::fmt::Debug for Sets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sets").field("waiting_bytes", &self.waiting_bytes).finish_non_exhaustive()
    }
}

/// Sets right what the nodes of a wiped storage were before.
///
/// # Why
/// Before Cancun a destroyed contract loses its storage. geth (1.17.0 to 1.17.10) makes that trie's nodes again in
/// one buffer and keeps slices of it: all but the last one, the root, are told with other nodes' bytes. All its slots
/// are in the rows with what they held, so we make its trie too; its root tells whether it is the whole one.
pub fn set_right(nodes: &mut [NodeRow], rows: &Rows) {
    for storage in rows.storage.iter().filter(|storage| storage.slots.iter().all(|slot| slot.plain.is_none()))
    {
        let Some(was) = storage_root(rows, storage) else { continue };
        let owner = Some(keccak256(storage.address));
        let from = nodes.partition_point(|row| row.owner < owner);
        let of_owner =
            nodes.get_mut(from..).unwrap_or_default().iter_mut().take_while(|row| row.owner == owner);
        let mut of_owner = of_owner.filter(|row| row.before.is_some()).peekable();
        if of_owner.peek().is_none() {
            continue;
        }
        let Some(whole) = whole_trie(storage, was) else { continue };
        for row in of_owner {
            row.before = whole.get(row.path.as_ref()).cloned();
        }
    }
}

/// The root of an account's storage before the block, if it had one.
fn storage_root(rows: &Rows, storage: &StorageRows) -> Option<B256> {
    let at = rows.accounts.binary_search_by_key(&storage.address, |row| row.address).ok()?;
    let account = Account::decode_slim(rows.accounts.get(at)?.before.as_ref()?).ok()?;
    (account.storage_root != alloy_trie::EMPTY_ROOT_HASH).then_some(account.storage_root)
}

/// The nodes of the trie of what the slots held, by path, if that is all that the storage held.
fn whole_trie(storage: &StorageRows, root: B256) -> Option<HashMap<Vec<u8>, Bytes>> {
    let held =
        || storage.slots.iter().filter_map(|slot| Some((Nibbles::unpack(slot.key), slot.before.as_ref()?)));
    let retainer = ProofRetainer::new(held().map(|(key, _)| key).collect());
    let mut builder = HashBuilder::default().with_proof_retainer(retainer);
    for (key, value) in held() {
        let mut leaf = Vec::new();
        value.as_ref().encode(&mut leaf);
        builder.add_leaf(key, &leaf);
    }
    if builder.root() != root {
        return None;
    }
    Some(
        builder
            .take_proof_nodes()
            .into_inner()
            .into_iter()
            .map(|(path, node)| (path.to_vec(), node))
            .collect(),
    )
}

#[cfg(test)]
mod tests;
