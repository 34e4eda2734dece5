//! Merkle-Patricia tries of a state, node by node. Pure: the source of nodes is a trait.
//!
//! | file | idea |
//! |---|---|
//! | `walk` | from a root towards a key: the value, and the nodes that prove it |
//! | `partial` | leaves set and removed on top of stored nodes, and the root that follows |
//! | `state` | changes of a whole state: storage first, then accounts |
//! | `whole` | all nodes of a state that is given as rows |
//! | `ascending` | a trie whose leaves come in order: one path in memory, whatever its size |
//! | `audit` | a block's rows and nodes against its header |
//!
//! Nodes are named as geth's path scheme names them: by the trie's owner and the path from its root. A node of less
//! than 32 bytes stands in its parent and nowhere else, but for the root, which always stands for itself. Every node
//! that is fetched by its path is checked against the hash that its parent has of it.

mod ascending;
pub mod audit;
mod partial;
pub mod state;
#[cfg(test)]
mod tests;
mod walk;
pub mod whole;

pub use alloy_trie::{EMPTY_ROOT_HASH, Nibbles};
pub use ascending::{Ascending, Disorder, Emit};
pub use partial::Partial;
pub use walk::{Walk, walk};

use alloy::rlp::{self, Decodable};
use alloy_trie::nodes::{RlpNode, TrieNode};
use maidenlane_chain::{B256, Bytes, keccak256};
use std::collections::BTreeMap;

/// Number of nibbles of a key.
const DEPTH_MAX: usize = 64;

/// Account whose storage a trie holds, by keccak256 of its address; `None` is the trie of all accounts.
pub type Owner = Option<B256>;

/// Cause of a failed read of a node.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Source of nodes.
pub trait Nodes {
    /// The RLP of the node at `path`, if there is one that stands for itself.
    ///
    /// # Errors
    /// When the source cannot be read.
    fn node(&self, owner: Owner, path: &Nibbles) -> Result<Option<Bytes>, Fault>;

    /// A node that was noted before, by its hash, if it is still kept.
    fn noted(&self, _hash: B256) -> Option<Bytes> {
        None
    }

    /// Notes a node that has this hash.
    fn note(&self, _hash: B256, _node: &Bytes) {}
}

/// Source without nodes, as the empty trie needs none.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl Nodes for Nothing {
    fn node(&self, _owner: Owner, _path: &Nibbles) -> Result<Option<Bytes>, Fault> {
        Ok(None)
    }
}

/// Source of nodes in memory.
impl Nodes for BTreeMap<NodeKey, Bytes> {
    fn node(&self, owner: Owner, path: &Nibbles) -> Result<Option<Bytes>, Fault> {
        Ok(self.get(&NodeKey { owner, path: *path }).cloned())
    }
}

/// Key of a trie node: its trie and its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeKey {
    /// Trie of the node.
    pub owner: Owner,
    /// Path from the trie's root.
    pub path: Nibbles,
}

impl std::fmt::Display for NodeKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path: String = self.path.iter().map(|nibble| format!("{nibble:x}")).collect();
        write!(out, "node `{path}` of {}", name(self.owner))
    }
}

/// Text for a trie.
fn name(owner: Owner) -> String {
    owner
        .map_or_else(|| "the account trie".to_owned(), |owner| format!("the storage of account hash {owner}"))
}

/// A trie that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source failed.
    #[error("read {0}")]
    Read(NodeKey, #[source] Fault),
    /// A node whose parent has a hash of it, and the source has nothing.
    #[error("{0} is missing")]
    Missing(NodeKey),
    /// Other bytes than its parent has the hash of.
    #[error("{0} has another hash than its parent has of it")]
    Hash(NodeKey),
    /// Bytes that are no node, or none for this depth.
    #[error("{0} cannot be read")]
    Node(NodeKey, #[source] rlp::Error),
    /// A leaf that holds something else than an account.
    #[error("account hash {0} cannot be read")]
    Account(B256, #[source] rlp::Error),
}

/// The node behind a reference in a parent: its RLP, and decoded.
fn resolve(nodes: &dyn Nodes, place: NodeKey, reference: &RlpNode) -> Result<(Bytes, TrieNode), Error> {
    let bytes = match reference.as_hash() {
        None => Bytes::copy_from_slice(reference),
        Some(hash) => match nodes.noted(hash) {
            Some(noted) => noted,
            None => read(nodes, place, hash)?,
        },
    };
    let node = decode(&bytes, place.path.len()).map_err(|source| Error::Node(place, source))?;
    Ok((bytes, node))
}

/// Reads a node and checks its hash.
fn read(nodes: &dyn Nodes, place: NodeKey, hash: B256) -> Result<Bytes, Error> {
    let found = nodes.node(place.owner, &place.path).map_err(|fault| Error::Read(place, fault))?;
    let found = found.ok_or(Error::Missing(place))?;
    if keccak256(&found) != hash {
        return Err(Error::Hash(place));
    }
    nodes.note(hash, &found);
    Ok(found)
}

/// Decodes a node `depth` nibbles below its root. All keys have the same length, so every leaf ends there.
fn decode(mut bytes: &[u8], depth: usize) -> Result<TrieNode, rlp::Error> {
    let node = TrieNode::decode(&mut bytes)?;
    let fits = match &node {
        TrieNode::EmptyRoot => false,
        TrieNode::Leaf(leaf) => depth + leaf.key.len() == DEPTH_MAX,
        TrieNode::Extension(extension) => {
            !extension.key.is_empty() && depth + extension.key.len() < DEPTH_MAX
        }
        TrieNode::Branch(_) => depth < DEPTH_MAX,
    };
    if fits && bytes.is_empty() { Ok(node) } else { Err(rlp::Error::Custom("no node of this depth")) }
}

/// Children of a node: the part of the key on the way, and the child as the node has it.
fn children(node: TrieNode) -> Vec<(Nibbles, RlpNode)> {
    match node {
        TrieNode::EmptyRoot | TrieNode::Leaf(_) => Vec::new(),
        TrieNode::Extension(extension) => vec![(extension.key, extension.child)],
        TrieNode::Branch(branch) => {
            let nibbles = branch.state_mask.iter().map(|nibble| Nibbles::from_nibbles([nibble]));
            nibbles.zip(branch.stack).collect()
        }
    }
}
