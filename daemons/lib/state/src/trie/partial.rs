//! Partial trie: only the nodes that are touched are in memory.

use super::{EMPTY_ROOT_HASH, Error, Nibbles, NodeKey, Nodes, Owner, resolve};
use alloy::rlp::Encodable as _;
use alloy_trie::TrieMask;
use alloy_trie::nodes::{BranchNodeRef, ExtensionNodeRef, LeafNodeRef, RlpNode, TrieNode};
use maidenlane_chain::{B256, keccak256};
use std::mem;

/// A node, or its reference. A node's path from the root never changes, whatever happens around it.
enum Node {
    /// None; only as a root, or on the way of a removal.
    Empty,
    /// Reference in the parent; not looked at so far.
    Stored(RlpNode),
    /// Leaf: the rest of the key, and the value.
    Leaf(Nibbles, Vec<u8>),
    /// Extension: a part of the key, and the branch below it.
    Extension(Nibbles, Box<Node>),
    /// Branch: children by the next nibble, at least two.
    Branch(Children),
}

/// Children of a branch, by nibble; [`Node::Empty`] where there is none.
type Children = Box<[Node; 16]>;

fn no_children() -> Children {
    Box::new([const { Node::Empty }; 16])
}

/// Puts a child in its place.
fn put(children: &mut Children, nibble: u8, child: Node) {
    if let Some(place) = children.get_mut(usize::from(nibble)) {
        *place = child;
    }
}

/// Takes a child out of its place.
fn take(children: &mut Children, nibble: u8) -> Node {
    children.get_mut(usize::from(nibble)).map_or(Node::Empty, |place| mem::replace(place, Node::Empty))
}

/// Stored nodes with changes on top of them.
pub struct Partial<'a> {
    nodes: &'a dyn Nodes,
    owner: Owner,
    root: Node,
}

impl std::fmt::Debug for Partial<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Partial").field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl<'a> Partial<'a> {
    /// The trie of `owner` with this root, as stored.
    #[must_use]
    pub fn new(nodes: &'a dyn Nodes, owner: Owner, root: B256) -> Self {
        let root = if root == EMPTY_ROOT_HASH { Node::Empty } else { Node::Stored(RlpNode::word_rlp(&root)) };
        Self { nodes, owner, root }
    }

    /// Sets a leaf, or removes it.
    ///
    /// # Errors
    /// When a stored node is needed and cannot be read; then the trie is of no use any more.
    pub fn set(&mut self, key: B256, value: Option<Vec<u8>>) -> Result<(), Error> {
        let root = mem::replace(&mut self.root, Node::Empty);
        let key = Nibbles::unpack(key);
        self.root = match value {
            Some(value) => self.insert(root, 0, &key, value)?,
            None => self.remove(root, 0, &key)?,
        };
        Ok(())
    }

    /// Root hash of the trie as it is now.
    #[must_use]
    pub fn root(&self) -> B256 {
        self.seal(&mut |_, _| ())
    }

    /// Root hash; passes every node to `emit` that was looked at or made and stands for itself, children first.
    pub fn seal(&self, emit: &mut dyn FnMut(Nibbles, &[u8])) -> B256 {
        let mut bytes = Vec::new();
        match &self.root {
            Node::Empty => return EMPTY_ROOT_HASH,
            Node::Stored(reference) => return reference.as_hash().unwrap_or(EMPTY_ROOT_HASH),
            root => encode(root, Nibbles::new(), &mut bytes, emit),
        }
        emit(Nibbles::new(), &bytes);
        keccak256(&bytes)
    }

    /// Value of a leaf. The nodes on the way to it stay in memory.
    ///
    /// # Errors
    /// When a stored node is needed and cannot be read.
    pub fn get(&mut self, key: B256) -> Result<Option<Vec<u8>>, Error> {
        let key = Nibbles::unpack(key);
        let (mut node, mut depth) = (&mut self.root, 0);
        loop {
            if let Node::Stored(reference) = node {
                *node = load(self.nodes, NodeKey { owner: self.owner, path: key.slice(..depth) }, reference)?;
            }
            let rest = key.slice(depth..);
            let (part, child) = match node {
                Node::Leaf(held, value) if *held == rest => return Ok(Some(value.clone())),
                Node::Extension(part, child) if rest.starts_with(part) => (part.len(), Some(&mut **child)),
                Node::Branch(children) => {
                    (1, rest.first().and_then(|nibble| children.get_mut(usize::from(nibble))))
                }
                _ => (0, None),
            };
            let Some(child) = child else { return Ok(None) };
            (node, depth) = (child, depth + part);
        }
    }

    fn load(&self, path: Nibbles, reference: &RlpNode) -> Result<Node, Error> {
        load(self.nodes, NodeKey { owner: self.owner, path }, reference)
    }

    /// Inserts a leaf below `node`, which stands `depth` nibbles down the key.
    fn insert(&self, node: Node, depth: usize, key: &Nibbles, value: Vec<u8>) -> Result<Node, Error> {
        let rest = key.slice(depth..);
        Ok(match node {
            Node::Empty => Node::Leaf(rest, value),
            Node::Stored(reference) => {
                let node = self.load(key.slice(..depth), &reference)?;
                self.insert(node, depth, key, value)?
            }
            Node::Leaf(old, _) if old == rest => Node::Leaf(old, value),
            Node::Leaf(old, held) => fork(&rest, value, &old, |rest| Node::Leaf(rest, held)),
            Node::Extension(part, child) if rest.starts_with(&part) => {
                let child = self.insert(*child, depth + part.len(), key, value)?;
                Node::Extension(part, Box::new(child))
            }
            Node::Extension(part, child) => fork(&rest, value, &part, |rest| joined(rest, *child)),
            Node::Branch(mut children) => {
                if let Some(nibble) = rest.first() {
                    let child = take(&mut children, nibble);
                    put(&mut children, nibble, self.insert(child, depth + 1, key, value)?);
                }
                Node::Branch(children)
            }
        })
    }

    /// Removes a leaf below `node`, which stands `depth` nibbles down the key.
    fn remove(&self, node: Node, depth: usize, key: &Nibbles) -> Result<Node, Error> {
        let rest = key.slice(depth..);
        Ok(match node {
            Node::Stored(reference) => {
                let node = self.load(key.slice(..depth), &reference)?;
                self.remove(node, depth, key)?
            }
            Node::Leaf(old, _) if old == rest => Node::Empty,
            Node::Extension(part, child) if rest.starts_with(&part) => {
                joined(part, self.remove(*child, depth + part.len(), key)?)
            }
            Node::Branch(mut children) => {
                if let Some(nibble) = rest.first() {
                    let child = take(&mut children, nibble);
                    put(&mut children, nibble, self.remove(child, depth + 1, key)?);
                }
                self.settled(children, key.slice(..depth))?
            }
            other => other,
        })
    }

    /// The node for a branch that has lost a child: with only one left it is no branch any more.
    fn settled(&self, mut children: Children, path: Nibbles) -> Result<Node, Error> {
        let mut left = (0..).zip(children.iter()).filter(|(_, child)| !matches!(child, Node::Empty));
        let Some((nibble, _)) = left.next() else { return Ok(Node::Empty) };
        if left.next().is_some() {
            return Ok(Node::Branch(children));
        }
        let step = Nibbles::from_nibbles([nibble]);
        // The kind of the child decides what the node becomes.
        let only = match take(&mut children, nibble) {
            Node::Stored(reference) => self.load(path.join(&step), &reference)?,
            node => node,
        };
        Ok(joined(step, only))
    }
}

/// The node behind a reference, with references to what is below it.
fn load(nodes: &dyn Nodes, place: NodeKey, reference: &RlpNode) -> Result<Node, Error> {
    let (_, node) = resolve(nodes, place, reference)?;
    Ok(match node {
        TrieNode::EmptyRoot => Node::Empty,
        TrieNode::Leaf(leaf) => Node::Leaf(leaf.key, leaf.value),
        TrieNode::Extension(extension) => {
            Node::Extension(extension.key, Box::new(Node::Stored(extension.child)))
        }
        TrieNode::Branch(branch) => {
            let mut children = no_children();
            for (nibble, child) in branch.state_mask.iter().zip(branch.stack) {
                put(&mut children, nibble, Node::Stored(child));
            }
            Node::Branch(children)
        }
    })
}

/// The node for `part` of a key above a node, in as few nodes as there can be. A stored node must be a branch.
fn joined(part: Nibbles, node: Node) -> Node {
    match node {
        Node::Empty => Node::Empty,
        Node::Leaf(rest, value) => Node::Leaf(part.join(&rest), value),
        Node::Extension(rest, child) => Node::Extension(part.join(&rest), child),
        branch if part.is_empty() => branch,
        branch => Node::Extension(part, Box::new(branch)),
    }
}

/// The branch where a new leaf with the key `rest` parts from the node under `held`, which is not its beginning.
fn fork(rest: &Nibbles, value: Vec<u8>, held: &Nibbles, below: impl FnOnce(Nibbles) -> Node) -> Node {
    let common = rest.common_prefix_length(held);
    let mut children = no_children();
    if let (Some(new), Some(old)) = (rest.get(common), held.get(common)) {
        put(&mut children, old, below(held.slice(common + 1..)));
        put(&mut children, new, Node::Leaf(rest.slice(common + 1..), value));
    }
    joined(rest.slice(..common), Node::Branch(children))
}

/// Writes a node's RLP; passes all nodes below it that stand for themselves to `emit`.
fn encode(node: &Node, path: Nibbles, out: &mut Vec<u8>, emit: &mut dyn FnMut(Nibbles, &[u8])) {
    match node {
        Node::Empty => out.push(alloy::rlp::EMPTY_STRING_CODE),
        Node::Stored(reference) => out.extend_from_slice(reference),
        Node::Leaf(rest, value) => LeafNodeRef::new(rest, value).encode(out),
        Node::Extension(part, child) => {
            let child = reference(child, path.join(part), emit);
            ExtensionNodeRef::new(part, &child).encode(out);
        }
        Node::Branch(children) => {
            let mut mask = TrieMask::default();
            let mut stack = Vec::with_capacity(children.len());
            for (nibble, child) in (0..).zip(children.iter()) {
                if !matches!(child, Node::Empty) {
                    mask.set_bit(nibble);
                    stack.push(reference(child, path.join(&Nibbles::from_nibbles([nibble])), emit));
                }
            }
            BranchNodeRef::new(&stack, mask).encode(out);
        }
    }
}

/// Reference to a node, as its parent has it.
fn reference(node: &Node, path: Nibbles, emit: &mut dyn FnMut(Nibbles, &[u8])) -> RlpNode {
    if let Node::Stored(reference) = node {
        return reference.clone();
    }
    let mut bytes = Vec::new();
    encode(node, path, &mut bytes, emit);
    let reference = RlpNode::from_rlp(&bytes);
    if reference.is_hash() {
        emit(path, &bytes);
    }
    reference
}
