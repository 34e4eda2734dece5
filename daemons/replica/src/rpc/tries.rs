//! The tries of a state where their nodes are kept.

use super::blocks::Blocks;
use super::request_view::RequestView;
use alloy::consensus::TrieAccount;
use alloy::primitives::{B256, Bytes};
use maidenlane_ethjson::select::StateOf;
use maidenlane_jsonrpc::{Error, codes};
use maidenlane_state::trie::{self, Fault, Nibbles, NodeKey, Nodes, Owner, Walk, state, walk};
use maidenlane_state::{At, ReadError, StateView};
use std::collections::BTreeMap;

/// The tries of one state.
#[derive(Clone, Copy)]
pub(crate) struct Tries<'a> {
    source: &'a dyn StateView,
    at: At,
    root: B256,
    /// Nodes that were read before.
    noted: Option<&'a Blocks>,
}

impl<'a> Tries<'a> {
    /// Tries of a state, if their nodes are kept.
    pub(crate) fn of(source: &'a dyn StateView, state: &StateOf) -> Option<Self> {
        let floor = source.head().proofs_floor?;
        let kept = state.header.number >= floor;
        kept.then(|| Self { source, at: state.at, root: state.header.state_root, noted: None })
    }

    /// Tries of a state, or an error that says why their nodes are not kept.
    pub(crate) fn kept(view: &'a RequestView, state: &StateOf) -> Result<Self, Error> {
        let head = view.head();
        let Some(floor) = head.proofs_floor else {
            return Err(Error::server("proofs are not kept by this replica: its setting `proofs` is None"));
        };
        Self::of(view.source(), state).ok_or_else(|| {
            let last = head.block.number;
            Error::new(codes::PRUNED, format!("proofs are kept of the blocks from {floor} to {last}"))
        })
    }

    /// Tries of the same state, read through another source.
    pub(crate) fn through<'b>(&self, source: &'b dyn StateView) -> Tries<'b> {
        Tries { source, at: self.at, root: self.root, noted: None }
    }

    /// Tries of the same state, of which nodes that were read before are not read again.
    pub(crate) fn noted(self, noted: &'a Blocks) -> Self {
        Self { noted: Some(noted), ..self }
    }

    /// An account by keccak256 of its address.
    pub(crate) fn account(&self, key: B256) -> Result<Option<TrieAccount>, ReadError> {
        state::account(self, self.root, key).map_err(broken)
    }

    /// Trie path to an account, and the account, by keccak256 of its address.
    pub(crate) fn account_path(&self, key: B256) -> Result<(Walk, Option<TrieAccount>), ReadError> {
        let path = self.walk(None, self.root, key)?;
        let account =
            path.value.as_deref().map(|leaf| state::decode(key, leaf)).transpose().map_err(broken)?;
        Ok((path, account))
    }

    /// State root with changes applied.
    pub(crate) fn root_with(&self, changes: &BTreeMap<B256, state::Changed>) -> Result<B256, ReadError> {
        state::root(self, self.root, changes).map_err(broken)
    }

    /// Walks from the root of one of the tries towards a key.
    pub(crate) fn walk(&self, owner: Owner, root: B256, key: B256) -> Result<Walk, ReadError> {
        walk(self, owner, root, key).map_err(broken)
    }
}

impl Nodes for Tries<'_> {
    fn node(&self, owner: Owner, path: &Nibbles) -> Result<Option<Bytes>, Fault> {
        Ok(self.source.node(&NodeKey { owner, path: *path }, self.at)?)
    }

    fn noted(&self, hash: B256) -> Option<Bytes> {
        self.noted.and_then(|noted| noted.node(hash))
    }

    fn note(&self, hash: B256, node: &Bytes) {
        if let Some(noted) = self.noted {
            noted.keep_node(hash, node.clone());
        }
    }
}

fn broken(error: trie::Error) -> ReadError {
    ReadError::new("a trie", error)
}
