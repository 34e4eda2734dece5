//! Tries of a state that is held in memory.

use crate::chain::State;
use alloy::primitives::{B256, Bytes, U256};
use alloy::rlp;
use maidenlane_state::Account;
use maidenlane_state::trie::{EMPTY_ROOT_HASH, NodeKey, Nothing, Owner, Partial};
use std::collections::BTreeMap;

/// All trie nodes of a state.
pub(crate) fn nodes(state: &State) -> BTreeMap<NodeKey, Bytes> {
    let mut held = BTreeMap::new();
    let mut take = |owner: Owner, trie: &Partial<'_>| {
        trie.seal(&mut |path, bytes| {
            held.insert(NodeKey { owner, path }, Bytes::copy_from_slice(bytes));
        })
    };
    let mut accounts = Partial::new(&Nothing, None, EMPTY_ROOT_HASH);
    for (key, (account, slots)) in state {
        let Account { nonce, balance, code_hash } = *account;
        let storage_root = take(Some(*key), &storage_trie(*key, slots));
        let account = alloy_trie::TrieAccount { nonce, balance, storage_root, code_hash };
        accounts.set(*key, Some(rlp::encode(account))).expect("nothing to read");
    }
    take(None, &accounts);
    held
}

pub(crate) fn storage_trie(key: B256, slots: &BTreeMap<B256, U256>) -> Partial<'static> {
    let mut trie = Partial::new(&Nothing, Some(key), EMPTY_ROOT_HASH);
    for (slot, value) in slots {
        trie.set(*slot, Some(rlp::encode(value))).expect("nothing to read");
    }
    trie
}
