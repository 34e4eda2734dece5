//! The first record of a feed: block 0 with its whole state, or the block from which the spool goes on.

use crate::block;
use crate::spool;
use alloy::primitives::U256;
use alloy::rlp::{Encodable, Header as Prefix};
use alloy_trie::root::{state_root_unhashed, storage_root_unhashed};
use alloy_trie::{EMPTY_ROOT_HASH, KECCAK_EMPTY, TrieAccount};
use maidenlane_chain::{B256, Bytes, keccak256};
use maidenlane_wire::frame::Allocation;
use maidenlane_wire::{AccountRow, CodeRow, Genesis, Rows, SlotRow, StorageRows};

/// The GENESIS record of a GENESIS frame, its state checked against the header's root.
///
/// # Errors
/// Names what does not fit.
pub fn genesis(hash: B256, frame: spool::Genesis) -> Result<Genesis, String> {
    let block = block::examine(hash, &frame.block)?;
    if block.at.number != 0 {
        return Err(format!("it has number {}", block.at.number));
    }
    let mut rows = Rows::default();
    let mut accounts = Vec::new();
    for allocation in frame.alloc {
        let account = account(&allocation)?;
        let after = Some(slim(&account));
        rows.accounts.push(AccountRow { address: allocation.address, before: None, after });
        accounts.push((allocation.address, account));
        take(allocation, &mut rows);
    }
    let root = state_root_unhashed(accounts);
    if root != block.header.state_root {
        return Err(format!(
            "its allocation has state root {root}, the header says {}",
            block.header.state_root
        ));
    }
    rows.accounts.sort_unstable_by_key(|row| row.address);
    rows.storage.sort_unstable_by_key(|row| row.address);
    rows.codes.sort_unstable_by_key(|row| row.hash);
    rows.codes.dedup();
    Ok(Genesis { block: block.at, header: block.header_raw, body: block.body, rows })
}

fn account(allocation: &Allocation) -> Result<TrieAccount, String> {
    let slots = allocation.storage.iter().filter(|(_, value)| !value.is_empty());
    let slots = slots.map(|(slot, value)| Ok((*slot, number(value)?))).collect::<Result<Vec<_>, String>>()?;
    Ok(TrieAccount {
        nonce: allocation.nonce,
        balance: number(&allocation.balance)?,
        storage_root: storage_root_unhashed(slots),
        code_hash: keccak256(&allocation.code),
    })
}

fn number(bytes: &Bytes) -> Result<U256, String> {
    U256::try_from_be_slice(bytes)
        .ok_or_else(|| format!("a number of {} bytes in the allocation", bytes.len()))
}

/// Moves slots and code of one account into `rows`.
fn take(allocation: Allocation, rows: &mut Rows) {
    let slots = allocation.storage.into_iter().filter(|(_, value)| !value.is_empty());
    let row =
        |(slot, value)| SlotRow { key: keccak256(slot), plain: Some(slot), before: None, after: Some(value) };
    let mut slots: Vec<SlotRow> = slots.map(row).collect();
    slots.sort_unstable_by_key(|row| row.key);
    if !slots.is_empty() {
        rows.storage.push(StorageRows { address: allocation.address, slots });
    }
    if !allocation.code.is_empty() {
        rows.codes.push(CodeRow { hash: keccak256(&allocation.code), code: allocation.code });
    }
}

/// geth's slim account: `[nonce, balance, root?, codehash?]`, an empty string for the empty root and code hash.
#[must_use]
pub fn slim(account: &TrieAccount) -> Bytes {
    let root: &[u8] =
        if account.storage_root == EMPTY_ROOT_HASH { &[] } else { account.storage_root.as_slice() };
    let code: &[u8] = if account.code_hash == KECCAK_EMPTY { &[] } else { account.code_hash.as_slice() };
    let payload_length = account.nonce.length() + account.balance.length() + root.length() + code.length();
    let mut out = Vec::new();
    Prefix { list: true, payload_length }.encode(&mut out);
    account.nonce.encode(&mut out);
    account.balance.encode(&mut out);
    root.encode(&mut out);
    code.encode(&mut out);
    out.into()
}

#[cfg(test)]
pub(crate) mod tests;
