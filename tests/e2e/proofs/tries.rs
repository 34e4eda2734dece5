//! All tries of one block, node by node under owner and path, as a reader of node sets keeps them.

use std::collections::BTreeMap;

use alloy::rlp::{Decodable, encode};
use alloy_trie::{
    EMPTY_ROOT_HASH, HashBuilder, Nibbles, TrieAccount,
    nodes::{RlpNode, TrieNode},
    proof::ProofRetainer,
};
use maidenlane_chain::{Account, B256, Bytes, keccak256};
use maidenlane_wire::{NodeRow, NodeSet, Rows};

/// A shorter node stands inside its parent, unless it is a root.
const NODE_MIN_BYTES: usize = 32;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tries(BTreeMap<(Option<B256>, Vec<u8>), Bytes>);

/// Where a way through a trie goes on from a node.
enum Step {
    /// To a child, so many nibbles further.
    Child(RlpNode, Vec<u8>),
    /// To a value.
    Value(Vec<u8>),
}

impl Tries {
    /// Built from an allocation, as every reader has to: there is no set of the genesis.
    pub(crate) fn of_genesis(rows: &Rows) -> Self {
        let mut tries = Self::default();
        for storage in &rows.storage {
            let leaves =
                storage.slots.iter().map(|slot| (slot.key, encode(slot.after.as_ref().unwrap().as_ref())));
            tries.build(Some(keccak256(storage.address)), leaves.collect());
        }
        let account =
            |slim: &Option<Bytes>| encode(Account::decode_slim(slim.as_ref().unwrap()).unwrap().trie());
        tries.build(
            None,
            rows.accounts.iter().map(|row| (keccak256(row.address), account(&row.after))).collect(),
        );
        tries
    }

    fn build(&mut self, owner: Option<B256>, leaves: BTreeMap<B256, Vec<u8>>) {
        let keys = leaves.keys().map(Nibbles::unpack).collect();
        let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(keys));
        leaves.iter().for_each(|(key, leaf)| builder.add_leaf(Nibbles::unpack(key), leaf));
        builder.root();
        let nodes = builder.take_proof_nodes().into_inner().into_iter();
        let nodes = nodes.filter(|(path, node)| path.is_empty() || node.len() >= NODE_MIN_BYTES);
        self.0.extend(nodes.map(|(path, node)| ((owner, path.to_vec()), node)));
    }

    /// Goes to the block of a set, or with `back` from it to its parent. What was there must be what the set says.
    pub(crate) fn apply(&mut self, set: &NodeSet, back: bool) {
        for NodeRow { owner, path, before, after } in &set.nodes {
            let (before, after) = if back { (after, before) } else { (before, after) };
            let key = (*owner, path.to_vec());
            let was = match after {
                Some(node) => self.0.insert(key, node.clone()),
                None => self.0.remove(&key),
            };
            assert_eq!(was, *before, "block {}, owner {owner:?}, path {path}", set.block);
        }
    }

    /// Checks every hash from the state root down, and that there is no node that no hash leads to.
    pub(crate) fn check(&self, root: B256) {
        let count = self.walk(None, root, Vec::new());
        assert_eq!(count, self.0.len(), "nodes that are no part of any trie");
    }

    /// How many nodes stand at and below the node that has this hash, those of storage tries too.
    fn walk(&self, owner: Option<B256>, hash: B256, path: Vec<u8>) -> usize {
        1 + self.below(owner, self.node(owner, hash, &path), &path)
    }

    fn node(&self, owner: Option<B256>, hash: B256, path: &[u8]) -> &Bytes {
        let node = self.0.get(&(owner, path.to_vec()));
        let node = node.unwrap_or_else(|| panic!("no node at {path:?} of {owner:?}"));
        assert_eq!(keccak256(node), hash, "at {path:?} of {owner:?}");
        node
    }

    fn below(&self, owner: Option<B256>, node: &[u8], path: &[u8]) -> usize {
        let count = |step| match step {
            Step::Child(child, part) => {
                let path = [path, &part].concat();
                match child.as_hash() {
                    Some(hash) => self.walk(owner, hash, path),
                    None => self.below(owner, &child, &path),
                }
            }
            Step::Value(value) if owner.is_none() => {
                let account = TrieAccount::decode(&mut value.as_slice()).unwrap();
                if account.storage_root == EMPTY_ROOT_HASH {
                    return 0;
                }
                let address = Nibbles::from_nibbles([path, &leaf_key(node)].concat()).pack();
                self.walk(Some(B256::from_slice(&address)), account.storage_root, Vec::new())
            }
            Step::Value(_) => 0,
        };
        steps(node).into_iter().map(count).sum()
    }

    /// The nodes on the way to a key, as `eth_getProof` tells them.
    pub(crate) fn proof(&self, owner: Option<B256>, key: B256) -> Vec<Bytes> {
        let key = Nibbles::unpack(key).to_vec();
        let Some(root) = self.0.get(&(owner, Vec::new())) else { return Vec::new() };
        let (mut proof, mut node, mut at) = (vec![root.clone()], root.to_vec(), 0);
        loop {
            let next = steps(&node).into_iter().find_map(|step| match step {
                Step::Child(child, part) => {
                    key.get(at..).unwrap().starts_with(&part).then_some((child, part.len()))
                }
                Step::Value(_) => None,
            });
            let Some((child, len)) = next else { return proof };
            at += len;
            node = match child.as_hash() {
                Some(hash) => {
                    let node = self.node(owner, hash, key.get(..at).unwrap());
                    proof.push(node.clone());
                    node.to_vec()
                }
                None => child.to_vec(),
            };
        }
    }
}

fn steps(mut node: &[u8]) -> Vec<Step> {
    match TrieNode::decode(&mut node).unwrap() {
        TrieNode::EmptyRoot => Vec::new(),
        TrieNode::Leaf(leaf) => vec![Step::Value(leaf.value)],
        TrieNode::Extension(extension) => vec![Step::Child(extension.child, extension.key.to_vec())],
        TrieNode::Branch(branch) => {
            let children = branch.as_ref();
            let children = children.children().filter_map(|(nibble, child)| Some((nibble, child?.clone())));
            children.map(|(nibble, child)| Step::Child(child, vec![nibble])).collect()
        }
    }
}

fn leaf_key(mut node: &[u8]) -> Vec<u8> {
    match TrieNode::decode(&mut node).unwrap() {
        TrieNode::Leaf(leaf) => leaf.key.to_vec(),
        _ => Vec::new(),
    }
}
