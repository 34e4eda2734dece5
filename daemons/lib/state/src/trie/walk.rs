//! Walk from a root towards a key.

use super::{EMPTY_ROOT_HASH, Error, Nibbles, NodeKey, Nodes, Owner, children, resolve};
use alloy_trie::nodes::{RlpNode, TrieNode};
use maidenlane_chain::{B256, Bytes};

/// Result of a walk: the nodes on the way, and the value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// The nodes from the root on that stand for themselves: they prove the value, or that there is none.
    pub nodes: Vec<Bytes>,
    /// Value of the leaf; `None` if there is none.
    pub value: Option<Vec<u8>>,
}

/// Walks from `root` to the place of `key`, whether it is there or not.
///
/// # Errors
/// When a node on the way is missing, not the one that its parent names, or unreadable.
pub fn walk(nodes: &dyn Nodes, owner: Owner, root: B256, key: B256) -> Result<Walk, Error> {
    let mut found = Walk::default();
    if root == EMPTY_ROOT_HASH {
        return Ok(found);
    }
    let key = Nibbles::unpack(key);
    let mut place = NodeKey { owner, path: Nibbles::new() };
    let mut reference = RlpNode::word_rlp(&root);
    loop {
        let (bytes, node) = resolve(nodes, place, &reference)?;
        if reference.is_hash() {
            found.nodes.push(bytes);
        }
        let rest = key.slice(place.path.len()..);
        if let TrieNode::Leaf(leaf) = node {
            found.value = (leaf.key == rest).then_some(leaf.value);
            return Ok(found);
        }
        let next = children(node).into_iter().find(|(part, _)| rest.starts_with(part));
        let Some((step, child)) = next else { return Ok(found) };
        place.path.extend(&step);
        reference = child;
    }
}
