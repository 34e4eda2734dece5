//! Changes of a whole state, and the root that follows.

use super::{EMPTY_ROOT_HASH, Error, Nodes, Partial, walk};
use alloy::consensus::TrieAccount;
use alloy::rlp::{self, Decodable as _};
use maidenlane_chain::account::Account;
use maidenlane_chain::{B256, U256};
use std::collections::BTreeMap;

/// Change of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// New fields; `None` if it is gone, with its storage. Its `storage_root` says nothing: that follows from `slots`.
    pub account: Option<Account>,
    /// True if slots not named here are zero.
    pub wiped: bool,
    /// New values of slots, by keccak256 of the slot's number.
    pub slots: BTreeMap<B256, U256>,
}

/// An account by keccak256 of its address, in the state with this root.
///
/// # Errors
/// When a node on the way to it cannot be read.
pub fn account(nodes: &dyn Nodes, root: B256, key: B256) -> Result<Option<TrieAccount>, Error> {
    walk(nodes, None, root, key)?.value.map(|leaf| decode(key, &leaf)).transpose()
}

/// An account from its leaf.
///
/// # Errors
/// When it is something else.
pub fn decode(key: B256, leaf: &[u8]) -> Result<TrieAccount, Error> {
    TrieAccount::decode(&mut &*leaf).map_err(|source| Error::Account(key, source))
}

/// The root of the state with this root after changes, by keccak256 of the address.
///
/// As in geth, insertions come before removals: a branch that keeps two children is not folded meanwhile, and the one
/// that it would have been folded into is not read.
///
/// # Errors
/// When a node that is needed cannot be read.
pub fn root(nodes: &dyn Nodes, root: B256, changes: &BTreeMap<B256, Changed>) -> Result<B256, Error> {
    let mut accounts = Partial::new(nodes, None, root);
    for (key, changed) in changes {
        if let Some(now) = changed.account {
            let before = if changed.wiped { None } else { accounts.get(*key)? };
            let before = before.map(|leaf| decode(*key, &leaf)).transpose()?;
            let storage_root = storage(nodes, *key, before, changed)?;
            accounts.set(*key, Some(rlp::encode(Account { storage_root, ..now }.trie())))?;
        }
    }
    for (key, _) in changes.iter().filter(|(_, changed)| changed.account.is_none()) {
        accounts.set(*key, None)?;
    }
    Ok(accounts.root())
}

fn storage(
    nodes: &dyn Nodes,
    key: B256,
    before: Option<TrieAccount>,
    changed: &Changed,
) -> Result<B256, Error> {
    let before = before.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
    let mut slots = Partial::new(nodes, Some(key), before);
    let (put, taken): (Vec<_>, Vec<_>) = changed.slots.iter().partition(|(_, value)| !value.is_zero());
    for (slot, value) in put {
        slots.set(*slot, Some(rlp::encode(value)))?;
    }
    for (slot, _) in taken {
        slots.set(*slot, None)?;
    }
    Ok(slots.root())
}
