//! Tries of a state that is given as rows, as a chain begins with.

use super::{EMPTY_ROOT_HASH, Error, NodeKey, Nothing, Owner, Partial};
use alloy::rlp;
use maidenlane_chain::account::Account;
use maidenlane_chain::{B256, Bytes, U256, keccak256};
use maidenlane_wire::Rows;

/// All nodes that stand for themselves.
#[derive(Default)]
struct Whole(Vec<(NodeKey, Bytes)>);

/// Fault of rows that make no state.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum RootMismatch {
    /// Not the account's or the slot's encoding.
    #[error("the row of account {0} cannot be read")]
    Row(maidenlane_chain::Address),
    /// An account has another storage root than its slots.
    #[error("the storage of account {0} has another root than its slots")]
    Storage(maidenlane_chain::Address),
    /// The header has another root.
    #[error("the state has root {found}, the header says {expected}")]
    Root { expected: B256, found: B256 },
    /// A trie without nodes to read failed to be read.
    #[error(transparent)]
    Trie(#[from] Error),
}

/// All nodes of the state that `rows` lead to, which has this root.
///
/// # Errors
/// When it has another one.
pub fn whole(rows: &Rows, expected: B256) -> Result<Vec<(NodeKey, Bytes)>, RootMismatch> {
    let mut whole = Whole::default();
    let mut accounts = Partial::new(&Nothing, None, EMPTY_ROOT_HASH);
    let mut storage = rows.storage.iter().peekable();
    for row in &rows.accounts {
        let Some(slim) = &row.after else { continue };
        let account = Account::decode_slim(slim).map_err(|_| RootMismatch::Row(row.address))?;
        let key = keccak256(row.address);
        let mut slots = Partial::new(&Nothing, Some(key), EMPTY_ROOT_HASH);
        if let Some(held) = storage.next_if(|held| held.address == row.address) {
            for slot in &held.slots {
                let value = slot.after.as_ref().map_or(&[][..], AsRef::as_ref);
                let value = U256::try_from_be_slice(value).ok_or(RootMismatch::Row(row.address))?;
                slots.set(slot.key, (!value.is_zero()).then(|| rlp::encode(value)))?;
            }
        }
        if whole.take(Some(key), &slots) != account.storage_root {
            return Err(RootMismatch::Storage(row.address));
        }
        accounts.set(key, Some(rlp::encode(account.trie())))?;
    }
    if let Some(held) = storage.next() {
        return Err(RootMismatch::Storage(held.address));
    }
    let found = whole.take(None, &accounts);
    if found == expected { Ok(whole.0) } else { Err(RootMismatch::Root { expected, found }) }
}

impl Whole {
    fn take(&mut self, owner: Owner, trie: &Partial<'_>) -> B256 {
        trie.seal(&mut |path, bytes| {
            self.0.push((NodeKey { owner, path }, Bytes::copy_from_slice(bytes)));
        })
    }
}
