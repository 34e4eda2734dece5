//! Tests against another implementation of the trie: alloy's hash builder and proof verifier.

use super::{EMPTY_ROOT_HASH, Error, Fault, Nibbles, NodeKey, Nodes, Nothing, Owner, Partial, walk};
use alloy_trie::HashBuilder;
use alloy_trie::proof::{ProofRetainer, verify_proof};
use maidenlane_chain::{B256, Bytes};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

type Leaves = BTreeMap<B256, Vec<u8>>;

/// Nodes in memory.
type Held = BTreeMap<NodeKey, Bytes>;

/// A trie of these leaves with all its nodes.
fn built(leaves: &Leaves) -> (B256, Held) {
    let mut trie = Partial::new(&Nothing, None, EMPTY_ROOT_HASH);
    for (key, value) in leaves {
        trie.set(*key, Some(value.clone())).unwrap();
    }
    let mut held = Held::default();
    let root = trie.seal(&mut |path, bytes| {
        let twice = held.insert(NodeKey { owner: None, path }, Bytes::copy_from_slice(bytes));
        assert_eq!(twice, None, "a node comes once");
    });
    (root, held)
}

/// The same trie by alloy, with all nodes on the way to every leaf.
fn theirs(leaves: &Leaves) -> (B256, Held) {
    let targets = leaves.keys().map(Nibbles::unpack).collect();
    let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(targets));
    for (key, value) in leaves {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    let root = builder.root();
    let nodes = builder.take_proof_nodes().into_inner().into_iter();
    // Nodes that stand in their parents come, too.
    let nodes = nodes.filter(|(path, bytes)| !leaves.is_empty() && (path.is_empty() || bytes.len() >= 32));
    (root, nodes.map(|(path, bytes)| (NodeKey { owner: None, path }, bytes)).collect())
}

/// Keys that have much in common, so that there are extensions, deep branches and nodes within nodes.
fn key() -> impl Strategy<Value = B256> {
    (0..3_u8, 0..3_u8, 0..4_usize, any::<u8>()).prop_map(|(first, middle, place, last)| {
        let mut key = B256::repeat_byte(first * 0x11);
        key[12] = middle;
        key[28 + place] = last;
        key
    })
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![prop::collection::vec(any::<u8>(), 1..3), prop::collection::vec(any::<u8>(), 1..90)]
}

fn leaves() -> impl Strategy<Value = Leaves> {
    prop::collection::btree_map(key(), value(), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_node_is_as_another_implementation_has_it(leaves in leaves()) {
        let ((root, held), (expect, theirs)) = (built(&leaves), theirs(&leaves));
        prop_assert_eq!(root, expect);
        prop_assert_eq!(held, theirs);
    }

    #[test]
    fn what_is_and_what_is_not_can_be_proved(leaves in leaves(), others in prop::collection::vec(key(), 10)) {
        let (root, held) = built(&leaves);
        for key in leaves.keys().chain(&others) {
            let found = walk(&held, None, root, *key).unwrap();
            let expect = leaves.get(key);
            prop_assert_eq!(found.value.as_ref(), expect);
            let proof = found.nodes.iter();
            let verified = verify_proof(root, Nibbles::unpack(key), expect.cloned(), proof);
            prop_assert!(verified.is_ok(), "{:?}", verified);
        }
    }

    #[test]
    fn changes_on_stored_nodes_give_the_root_of_what_is_left(
        before in leaves(),
        changes in prop::collection::vec((key(), prop::option::of(value())), 0..40),
        drop_most in any::<bool>(),
    ) {
        let (root, held) = built(&before);
        let mut after = before.clone();
        let mut trie = Partial::new(&held, None, root);
        let gone = before.keys().skip(1).filter(|_| drop_most).map(|key| (*key, None));
        for (key, value) in gone.chain(changes) {
            prop_assert_eq!(trie.get(key).unwrap(), after.get(&key).cloned());
            trie.set(key, value.clone()).unwrap();
            match value {
                Some(value) => drop(after.insert(key, value)),
                None => drop(after.remove(&key)),
            }
            prop_assert_eq!(trie.get(key).unwrap(), after.get(&key).cloned());
        }
        let (expect, nodes) = theirs(&after);
        prop_assert_eq!(trie.root(), expect);
        // The nodes that were looked at and those that were left alone make the new trie together.
        let mut made = held.clone();
        trie.seal(&mut |path, bytes| drop(made.insert(NodeKey { owner: None, path }, Bytes::copy_from_slice(bytes))));
        for (place, bytes) in nodes {
            prop_assert_eq!(made.get(&place), Some(&bytes), "{}", place);
        }
    }
}

/// Checks a trie of some hundred leaves, spoilt at a node below its root.
fn check_spoilt(spoil: impl FnOnce(&mut BTreeMap<NodeKey, Bytes>, NodeKey), expect: &str) {
    let leaves: Leaves = (0..200_u8).map(|byte| (B256::repeat_byte(byte), vec![byte; 40])).collect();
    let (root, mut held) = built(&leaves);
    let key = B256::repeat_byte(0x70);
    let place = NodeKey { owner: None, path: Nibbles::from_nibbles([7]) };
    assert!(held.contains_key(&place));
    spoil(&mut held, place);
    let text = walk(&held, None, root, key).unwrap_err().to_string();
    assert_eq!(text, expect);
    let mut trie = Partial::new(&held, None, root);
    assert_eq!(trie.set(key, None).unwrap_err().to_string(), expect);
}

#[test]
fn nodes_that_are_not_what_their_parent_names_are_refused() {
    check_spoilt(|held, place| drop(held.remove(&place)), "node `7` of the account trie is missing");
    check_spoilt(
        |held, place| {
            let other = held[&NodeKey { owner: None, path: Nibbles::from_nibbles([8]) }].clone();
            held.insert(place, other);
        },
        "node `7` of the account trie has another hash than its parent has of it",
    );
}

/// Source that keeps what is noted, and counts what is read.
#[derive(Default)]
struct Noting {
    held: Held,
    noted: RefCell<BTreeMap<B256, Bytes>>,
    reads: Cell<usize>,
}

impl Nodes for Noting {
    fn node(&self, owner: Owner, path: &Nibbles) -> Result<Option<Bytes>, Fault> {
        self.reads.set(self.reads.get() + 1);
        self.held.node(owner, path)
    }

    fn noted(&self, hash: B256) -> Option<Bytes> {
        self.noted.borrow().get(&hash).cloned()
    }

    fn note(&self, hash: B256, node: &Bytes) {
        assert_eq!(maidenlane_chain::keccak256(node), hash, "only what is right is noted");
        self.noted.borrow_mut().insert(hash, node.clone());
    }
}

#[test]
fn what_is_noted_is_not_read_again_and_what_is_spoilt_is_not_noted() {
    let leaves: Leaves = (0..200_u8).map(|byte| (B256::repeat_byte(byte), vec![byte; 40])).collect();
    let (root, held) = built(&leaves);
    let mut source = Noting { held, ..Noting::default() };
    let key = B256::repeat_byte(0x70);
    let found = walk(&source, None, root, key).unwrap();
    let reads = source.reads.get();
    assert_eq!(reads, found.nodes.len());
    assert_eq!(walk(&source, None, root, key).unwrap(), found);
    assert_eq!(source.reads.get(), reads);
    source.noted.borrow_mut().clear();
    let place = NodeKey { owner: None, path: Nibbles::from_nibbles([7]) };
    source.held.insert(place, vec![0xc0; 40].into());
    for _ in 0..2 {
        assert!(matches!(walk(&source, None, root, key), Err(Error::Hash(at)) if at == place));
    }
}

#[test]
fn bytes_that_are_no_node_of_their_depth_are_refused() {
    let leaf = |rest: usize| {
        let rest = Nibbles::from_nibbles(vec![1; rest]);
        alloy::rlp::encode(alloy_trie::nodes::LeafNode::new(rest, vec![1; 40]))
    };
    for (bytes, fits) in [(leaf(64), true), (leaf(63), false), (leaf(0), false), (vec![0xc1, 0x80], false)] {
        let place = NodeKey { owner: None, path: Nibbles::new() };
        let root = maidenlane_chain::keccak256(&bytes);
        let held = BTreeMap::from([(place, bytes.into())]);
        let read = walk(&held, None, root, B256::repeat_byte(0x11));
        assert_eq!(read.is_ok(), fits, "{read:?}");
        assert!(fits || matches!(read, Err(Error::Node(at, _)) if at == place));
    }
}
