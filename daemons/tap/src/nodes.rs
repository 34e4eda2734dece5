//! Publication of trie nodes in the `proofs` topic.
//!
//! # Correctness
//! A set is acknowledged before the ADVANCE that names it: a reader of the feed that misses a set waits for nothing
//! that was not written. Sets carry no epoch, so after any interruption they are sent again and do no harm.

use crate::error::Error;
use alloy::rlp::Decodable;
use alloy_trie::nodes::{RlpNode, TrieNode};
use alloy_trie::proof::ProofRetainer;
use alloy_trie::{HashBuilder, Nibbles};
use maidenlane_chain::{B256, Bytes, keccak256};
use maidenlane_log::{Append, Backend, LogProducer};
use maidenlane_wire::{NodeRow, NodeSet, Rows, SlotRow};
use std::collections::{BTreeMap, HashMap};

/// Bytes of waiting sets at which they are appended: those of a batch of large blocks do not pile up.
const BATCH_BYTES: usize = 8 << 20;

/// Producer of node sets.
pub struct Sets {
    producer: Box<dyn LogProducer>,
    /// Block hash and entry.
    waiting: Vec<(B256, Vec<u8>)>,
    waiting_bytes: usize,
    /// Sets taken, and bytes appended, since the last [`Sets::flush`] that was asked for.
    appended: Appended,
}

/// Count of sets that became durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
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
            appended: Appended::default(),
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
        self.appended.sets = self.appended.sets.saturating_add(1);
        if self.waiting_bytes >= BATCH_BYTES {
            self.append()?;
        }
        Ok(digest)
    }

    /// Appends what waits; returns when it is durable, with what became so since the last time.
    ///
    /// # Errors
    /// When the log is away. What waited is forgotten: its blocks will be prepared again.
    pub fn flush(&mut self) -> Result<Appended, Error> {
        self.append()?;
        Ok(std::mem::take(&mut self.appended))
    }

    fn append(&mut self) -> Result<(), Error> {
        let (waiting, bytes) = (std::mem::take(&mut self.waiting), std::mem::take(&mut self.waiting_bytes));
        let entries: Vec<_> =
            waiting.iter().map(|(hash, payload)| Append { key: Some(hash.as_slice()), payload }).collect();
        if !entries.is_empty() {
            self.producer.append(&entries)?;
            self.appended.bytes = self.appended.bytes.saturating_add(bytes);
        }
        Ok(())
    }

    /// Forgets what waits: the change that it was for is prepared anew.
    pub fn clear(&mut self) {
        (self.waiting, self.waiting_bytes, self.appended) = (Vec::new(), 0, Appended::default());
    }
}

impl std::fmt::Debug for Sets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sets").field("waiting_bytes", &self.waiting_bytes).finish_non_exhaustive()
    }
}

/// Corrects the previous values of the nodes of a wiped storage trie.
///
/// # Why
/// Before Cancun a destroyed contract loses its storage. geth makes that trie's nodes again in one buffer and keeps
/// slices of it: all but the last one, the root, are reported with other nodes' bytes. The storage before is known from
/// the slots that changed and, if the contract was made again, from the leaves of its new trie; the root proves whether
/// that is all.
pub fn set_right(nodes: &mut Vec<NodeRow>, rows: &Rows) {
    if rows.storage.iter().flat_map(|storage| &storage.slots).any(|slot| slot.plain.is_some()) {
        return; // from Cancun on nothing is wiped
    }
    let slots: HashMap<B256, &[SlotRow]> =
        rows.storage.iter().map(|storage| (keccak256(storage.address), storage.slots.as_slice())).collect();
    for trie in nodes.chunk_by_mut(|a, b| a.owner == b.owner) {
        let Some(NodeRow { owner: Some(owner), path, before, .. }) = trie.first() else { continue };
        if !path.is_empty() {
            // The root, the first of a trie, is as it was: then so is the rest.
            trie.iter_mut().for_each(|row| row.before.clone_from(&row.after));
            continue;
        }
        let Some(root) = before.as_ref().map(keccak256) else { continue };
        let changed = slots.get(owner).copied().unwrap_or_default();
        let Some(whole) = whole_trie(trie, changed, root) else { continue };
        for row in trie.iter_mut().filter(|row| row.before.is_some()) {
            row.before = whole.get(row.path.as_ref()).cloned();
        }
    }
    nodes.retain(|row| row.before != row.after);
}

/// Nodes of a storage trie before the block, by path; `None` if the leaves known do not add up to `root`.
fn whole_trie(trie: &[NodeRow], changed: &[SlotRow], root: B256) -> Option<HashMap<Vec<u8>, Bytes>> {
    let mut held = BTreeMap::new();
    for row in trie {
        leaves(row.after.as_ref().map_or(&[], |node| node.as_ref()), &row.path, &mut held);
    }
    for slot in changed {
        match &slot.before {
            Some(value) => held.insert(slot.key, alloy::rlp::encode(value.as_ref())),
            None => held.remove(&slot.key),
        };
    }
    let retainer = ProofRetainer::new(held.keys().map(Nibbles::unpack).collect());
    let mut builder = HashBuilder::default().with_proof_retainer(retainer);
    held.iter().for_each(|(key, leaf)| builder.add_leaf(Nibbles::unpack(key), leaf));
    if builder.root() != root {
        return None;
    }
    let nodes = builder.take_proof_nodes().into_inner().into_iter();
    Some(nodes.map(|(path, node)| (path.to_vec(), node)).collect())
}

/// Collects the leaves in a node, itself or small ones in it, by key.
fn leaves(mut node: &[u8], path: &[u8], held: &mut BTreeMap<B256, Vec<u8>>) {
    let within = |child: &RlpNode, part: &[u8], held: &mut BTreeMap<B256, Vec<u8>>| {
        if child.as_hash().is_none() {
            leaves(child, &[path, part].concat(), held);
        }
    };
    match TrieNode::decode(&mut node) {
        Ok(TrieNode::Leaf(leaf)) => {
            let nibbles = [path, &leaf.key.to_vec()].concat();
            let bytes =
                nibbles.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, nibble| byte << 4 | nibble));
            if let Ok(key) = B256::try_from(bytes.collect::<Vec<u8>>().as_slice()) {
                held.insert(key, leaf.value);
            }
        }
        Ok(TrieNode::Extension(extension)) => within(&extension.child, &extension.key.to_vec(), held),
        Ok(TrieNode::Branch(branch)) => {
            for (nibble, child) in branch.as_ref().children() {
                child.into_iter().for_each(|child| within(child, &[nibble], held));
            }
        }
        Ok(TrieNode::EmptyRoot) | Err(_) => {}
    }
}

#[cfg(test)]
mod tests;
