//! Trie of leaves that come in ascending order: one path of it is in memory, whatever its size.
//!
//! A leaf's place is known when the next one comes: they part where their keys do. Every branch below that is complete
//! then. The path that is open can be written down and taken up again, so that who reads a large state may stop on the
//! way.

use super::{DEPTH_MAX, EMPTY_ROOT_HASH, Nibbles};
use alloy::rlp::Encodable as _;
use alloy_trie::TrieMask;
use alloy_trie::nodes::{BranchNodeRef, ExtensionNodeRef, LeafNodeRef, RlpNode};
use maidenlane_chain::{B256, Bytes, keccak256};
use serde::{Deserialize, Serialize};

/// Taker of nodes that stand for themselves: the path from the root, and the RLP. Children come before their parent, and
/// of two nodes of one depth the left one first.
pub type Emit<'a> = dyn FnMut(Nibbles, &[u8]) + 'a;

/// A leaf whose key is not above that of the leaf before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("key {key} comes after {before}: they are not in ascending order")]
pub struct Disorder {
    /// Key of the leaf before.
    pub before: B256,
    /// Key of the leaf.
    pub key: B256,
}

/// Children of a branch.
const CHILDREN_MAX: usize = 16;

/// Trie that grows to the right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ascending {
    /// Leaf that came last: its place is not known so far.
    last: Option<(B256, Vec<u8>)>,
    /// Branches on its way, from the root down, that may get more children.
    open: Vec<Branch>,
    /// Memory in which nodes are made, empty between two leaves: one for each leaf would cost as much as its hash.
    #[serde(skip)]
    node: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Branch {
    /// Length of its path from the root.
    depth: usize,
    /// Nibbles of its children.
    mask: u16,
    /// References to them, from the left.
    #[serde(with = "references")]
    children: Vec<RlpNode>,
}

/// References as bytes.
mod references {
    use super::{Bytes, RlpNode};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    pub(super) fn serialize<S: Serializer>(nodes: &[RlpNode], to: S) -> Result<S::Ok, S::Error> {
        nodes.iter().map(|node| Bytes::copy_from_slice(node)).collect::<Vec<_>>().serialize(to)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<RlpNode>, D::Error> {
        let nodes = Vec::<Bytes>::deserialize(from)?;
        let nodes: Option<_> = nodes.iter().map(|node| RlpNode::from_raw(node)).collect();
        nodes.ok_or_else(|| de::Error::custom("a reference has at most 33 bytes"))
    }
}

impl Branch {
    fn new(depth: usize) -> Self {
        Self { depth, mask: 0, children: Vec::with_capacity(CHILDREN_MAX) }
    }

    fn add(&mut self, nibble: u8, child: RlpNode) {
        self.mask |= 1 << nibble;
        self.children.push(child);
    }
}

impl Ascending {
    /// Adds a leaf to the right of all others.
    ///
    /// # Errors
    /// When it belongs elsewhere.
    pub fn add(&mut self, key: B256, value: &[u8], emit: &mut Emit<'_>) -> Result<(), Disorder> {
        let mut held = Vec::new();
        if let Some((before, last)) = self.last.take() {
            if before >= key {
                return Err(Disorder { before, key });
            }
            let common = Nibbles::unpack(key).common_prefix_length(&Nibbles::unpack(before));
            self.place(before, &last, Some(common), emit);
            held = last;
        }
        // The memory of the leaf before serves again.
        held.clear();
        held.extend_from_slice(value);
        self.last = Some((key, held));
        Ok(())
    }

    /// Ends the trie and returns its root.
    pub fn root(mut self, emit: &mut Emit<'_>) -> B256 {
        match self.last.take() {
            Some((key, value)) => self.place(key, &value, None, emit).unwrap_or(EMPTY_ROOT_HASH),
            None => EMPTY_ROOT_HASH,
        }
    }

    /// Puts a leaf into its branch, and every branch that is complete into the one above. The next leaf has `common`
    /// nibbles of the key; without a next leaf all branches are complete, and the root is returned.
    fn place(&mut self, key: B256, value: &[u8], common: Option<usize>, emit: &mut Emit<'_>) -> Option<B256> {
        let path = Nibbles::unpack(key);
        let (mut complete, mut depth) = (None::<Branch>, DEPTH_MAX);
        loop {
            let parent = self.open.last().map(|branch| branch.depth).max(common);
            let from = parent.map_or(0, |parent| parent.saturating_add(1));
            match complete.take() {
                None => LeafNodeRef::new(&path.slice(from..), value).encode(&mut self.node),
                Some(branch) => {
                    BranchNodeRef::new(&branch.children, TrieMask::new(branch.mask)).encode(&mut self.node);
                    if from < depth {
                        let child = reference(&self.node, path.slice(..depth), emit);
                        self.node.clear();
                        ExtensionNodeRef::new(&path.slice(from..depth), &child).encode(&mut self.node);
                    }
                }
            }
            let Some(parent) = parent else {
                emit(Nibbles::new(), &self.node);
                return Some(keccak256(&self.node));
            };
            if self.open.last().is_none_or(|branch| branch.depth < parent) {
                self.open.push(Branch::new(parent));
            }
            let child = reference(&self.node, path.slice(..from), emit);
            self.node.clear();
            if let (Some(branch), Some(nibble)) = (self.open.last_mut(), path.get(parent)) {
                branch.add(nibble, child);
            }
            if common == Some(parent) {
                return None;
            }
            (complete, depth) = (self.open.pop(), parent);
        }
    }
}

/// Reference to a node, as its parent has it.
fn reference(node: &[u8], path: Nibbles, emit: &mut Emit<'_>) -> RlpNode {
    let reference = RlpNode::from_rlp(node);
    if reference.is_hash() {
        emit(path, node);
    }
    reference
}

#[cfg(test)]
mod tests {
    use super::super::{Nothing, Partial};
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Leaves = BTreeMap<B256, Bytes>;

    /// Keys that part early or late, with values whose nodes stand for themselves or in their parent.
    fn leaves() -> impl Strategy<Value = Leaves> {
        let key = (any::<[u8; 2]>(), prop_oneof![0usize..2, 15usize..17, 30usize..31], any::<bool>())
            .prop_map(|(bytes, at, wide)| {
                let mut key = [0; 32];
                key[at..at + 2].copy_from_slice(&if wide { bytes } else { [bytes[0] & 0x11, bytes[1] & 1] });
                B256::new(key)
            });
        let value = prop_oneof![Just(Bytes::from_static(&[1])), any::<[u8; 40]>().prop_map(Bytes::from)];
        proptest::collection::btree_map(key, value, 0..60)
    }

    /// Root and nodes, by the path of each; stops after each leaf and goes on from what is written down.
    fn grown(leaves: &Leaves) -> (B256, BTreeMap<Nibbles, Vec<u8>>) {
        let (mut trie, mut nodes) = (Ascending::default(), BTreeMap::new());
        let mut emit = |path: Nibbles, node: &[u8]| assert_eq!(nodes.insert(path, node.to_vec()), None);
        for (key, value) in leaves {
            trie.add(*key, value, &mut emit).unwrap();
            trie = serde_json::from_str(&serde_json::to_string(&trie).unwrap()).unwrap();
        }
        let root = trie.root(&mut emit);
        (root, nodes)
    }

    proptest! {
        #[test]
        fn it_has_the_root_and_the_nodes_of_a_trie_that_grows_anywhere(leaves in leaves()) {
            let mut expected = Partial::new(&Nothing, None, EMPTY_ROOT_HASH);
            for (key, value) in &leaves {
                expected.set(*key, Some(value.to_vec())).unwrap();
            }
            let mut nodes = BTreeMap::new();
            let root = expected.seal(&mut |path, node| {
                nodes.insert(path, node.to_vec());
            });
            prop_assert_eq!(grown(&leaves), (root, nodes));
        }

        #[test]
        fn of_one_depth_the_left_node_comes_first(leaves in leaves()) {
            let (mut trie, mut last) = (Ascending::default(), BTreeMap::<usize, Nibbles>::new());
            let mut emit = |path: Nibbles, _: &[u8]| {
                let before = last.insert(path.len(), path);
                assert!(before.is_none_or(|before| before < path), "{before:?} before {path:?}");
            };
            for (key, value) in leaves {
                trie.add(key, &value, &mut emit).unwrap();
            }
            trie.root(&mut emit);
        }
    }

    #[test]
    fn a_leaf_that_is_not_above_the_last_is_refused() {
        let key = B256::repeat_byte;
        for (before, next) in [(2, 1), (2, 2)] {
            let mut trie = Ascending::default();
            trie.add(key(before), &[1], &mut |_, _| ()).unwrap();
            let refused = trie.add(key(next), &[1], &mut |_, _| ());
            assert_eq!(refused, Err(Disorder { before: key(before), key: key(next) }));
        }
        assert_eq!(Ascending::default().root(&mut |_, _| ()), EMPTY_ROOT_HASH);
    }
}
