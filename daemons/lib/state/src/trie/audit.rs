//! Audit of a block's rows and nodes against its header.
//!
//! # Correctness
//! Both ways: every changed row is the leaf that the header's root leads to, and every leaf that the nodes change is a
//! changed row. Nodes before the block are taken from the store; what the set says of them is not believed, as geth has
//! been seen to report other bytes of a storage that was wiped.

use super::{EMPTY_ROOT_HASH, Error, Fault, Nibbles, NodeKey, Nodes, Owner, children, decode, name, walk};
use alloy::rlp;
use alloy_trie::nodes::TrieNode;
use maidenlane_chain::account::Account;
use maidenlane_chain::{Address, B256, Bytes, U256, keccak256};
use maidenlane_wire::{NodeRow, Rows};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Mismatch of a block with its header.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Mismatch {
    /// A node cannot be read, or is not the one that its parent names.
    #[error(transparent)]
    Trie(#[from] Error),
    /// An account's row is not its leaf.
    #[error("the row of account {0} is not what the state root says")]
    Account(Address),
    /// A slot's row is not its leaf.
    #[error("the row of account {0}, slot hash {1} is not what the state root says")]
    Slot(Address, B256),
    /// A leaf changed that no row names.
    #[error("leaf {key} of {} changed, and no row says so", name(*.owner))]
    Leaf {
        owner: Owner,
        /// Whole key of the leaf.
        key: B256,
    },
}

/// Checks the rows and the nodes of the block whose header has this root. `before` are the stored nodes, after its
/// parent.
///
/// # Errors
/// The first mismatch found.
pub fn audit(before: &dyn Nodes, root: B256, rows: &Rows, set: &[NodeRow]) -> Result<(), Mismatch> {
    let after = After::new(before, set);
    let mut named = BTreeSet::new();
    let mut roots = HashMap::new();
    for row in &rows.accounts {
        let key = keccak256(row.address);
        let account = row.after.as_ref().map(|slim| Account::decode_slim(slim)).transpose();
        let account = account.map_err(|_| Mismatch::Account(row.address))?;
        let leaf = account.map(|account| rlp::encode(account.trie()));
        if walk(&after, None, root, key)?.value != leaf {
            return Err(Mismatch::Account(row.address));
        }
        roots.insert(row.address, account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root));
        named.insert((None, key));
    }
    for changed in &rows.storage {
        let owner = Some(keccak256(changed.address));
        // An account whose slots change is changed: its root is.
        let root = *roots.get(&changed.address).ok_or(Mismatch::Account(changed.address))?;
        for row in &changed.slots {
            let value = U256::try_from_be_slice(row.after.as_ref().map_or(&[][..], AsRef::as_ref));
            let value = value.ok_or(Mismatch::Slot(changed.address, row.key))?;
            let leaf = (!value.is_zero()).then(|| rlp::encode(value));
            if walk(&after, owner, root, row.key)?.value != leaf {
                return Err(Mismatch::Slot(changed.address, row.key));
            }
            named.insert((owner, row.key));
        }
    }
    match changed_leaves(before, set)?.find(|leaf| !named.contains(leaf)) {
        Some((owner, key)) => Err(Mismatch::Leaf { owner, key }),
        None => Ok(()),
    }
}

/// Stored nodes with a block's on top. Keeps what it read: neighbouring keys have most of their path in common.
struct After<'a> {
    stored: &'a dyn Nodes,
    known: RefCell<HashMap<(Owner, Nibbles), Option<Bytes>>>,
}

impl<'a> After<'a> {
    fn new(stored: &'a dyn Nodes, set: &[NodeRow]) -> Self {
        let known = set.iter().map(|row| (place(row), row.after.clone()));
        let known = known.map(|(place, after)| ((place.owner, place.path), after)).collect();
        Self { stored, known: RefCell::new(known) }
    }
}

impl Nodes for After<'_> {
    fn node(&self, owner: Owner, path: &Nibbles) -> Result<Option<Bytes>, Fault> {
        if let Some(known) = self.known.borrow().get(&(owner, *path)) {
            return Ok(known.clone());
        }
        let found = self.stored.node(owner, path)?;
        self.known.borrow_mut().insert((owner, *path), found.clone());
        Ok(found)
    }
}

/// Key of a row's node.
#[must_use]
pub fn place(row: &NodeRow) -> NodeKey {
    NodeKey { owner: row.owner, path: row.path.iter().copied().collect() }
}

type Leaf = (Owner, B256);

/// Keys of leaves that the set changes. A leaf that only moved to another node is not one.
fn changed_leaves(stored: &dyn Nodes, set: &[NodeRow]) -> Result<impl Iterator<Item = Leaf>, Error> {
    let mut leaves: BTreeMap<Leaf, [Option<Vec<u8>>; 2]> = BTreeMap::new();
    for row in set {
        let place = place(row);
        let before = stored.node(place.owner, &place.path).map_err(|fault| Error::Read(place, fault))?;
        for (bytes, after) in [(&before, false), (&row.after, true)] {
            let Some(bytes) = bytes else { continue };
            leaves_of(place, bytes, &mut |key, value| {
                let [old, new] = leaves.entry((place.owner, key)).or_default();
                *(if after { new } else { old }) = Some(value);
            })?;
        }
    }
    let changed = leaves.into_iter().filter(|(_, [before, after])| before != after);
    Ok(changed.map(|(leaf, _)| leaf))
}

/// Passes all leaves that stand in a node to `take`, with their whole keys.
fn leaves_of(place: NodeKey, bytes: &[u8], take: &mut dyn FnMut(B256, Vec<u8>)) -> Result<(), Error> {
    let node = decode(bytes, place.path.len()).map_err(|source| Error::Node(place, source))?;
    let children = match node {
        TrieNode::Leaf(leaf) => {
            take(B256::from_slice(&place.path.join(&leaf.key).pack()), leaf.value);
            return Ok(());
        }
        node => children(node),
    };
    for (part, child) in children.iter().filter(|(_, child)| !child.is_hash()) {
        leaves_of(NodeKey { path: place.path.join(part), ..place }, child, take)?;
    }
    Ok(())
}
