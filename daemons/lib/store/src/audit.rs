//! Audit of the flat state against its header: the state root is computed anew from every account and slot.

use super::{Error, View, tables};
use alloy::rlp;
use alloy_trie::{HashBuilder, Nibbles};
use maidenlane_chain::account::Account;
use maidenlane_chain::{B256, U256};
use std::io::Write;

/// Result of an audit: the root, and the numbers of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audit {
    /// State root of all rows.
    pub root: B256,
    /// Accounts read.
    pub accounts: u64,
    /// Slots read.
    pub slots: u64,
}

/// Computes the state root of `view`'s whole state. Reads everything once; keeps one path of each trie in memory.
///
/// # Errors
/// When the database is damaged, or an account's storage root is not that of its slots.
pub fn state_root(view: &View) -> Result<Audit, Error> {
    let mut audit = Audit { root: B256::ZERO, accounts: 0, slots: 0 };
    let mut trie = HashBuilder::default();
    walk(view, |key, account, slots| {
        let mut storage = HashBuilder::default();
        for (slot, value) in slots {
            storage.add_leaf(Nibbles::unpack(slot), &rlp::encode(value));
        }
        if storage.root() != account.storage_root {
            return Err(view.damaged("the storage of an account (its root differs)"));
        }
        audit.accounts += 1;
        audit.slots += slots.len() as u64;
        trie.add_leaf(Nibbles::unpack(key), &rlp::encode(account.trie()));
        Ok(())
    })?;
    audit.root = trie.root();
    Ok(audit)
}

/// Writes every account as one JSON line, sorted by key:
/// `{"key","nonce","balance","root","codeHash","code","storage"}`.
///
/// # Errors
/// When the database is damaged or `out` takes no more.
pub fn dump(view: &View, out: &mut impl Write) -> Result<std::io::Result<()>, Error> {
    let mut written = Ok(());
    walk(view, |key, account, slots| {
        if written.is_err() {
            return Ok(());
        }
        let storage: serde_json::Map<_, _> = slots
            .iter()
            .map(|(slot, value)| (slot.to_string(), B256::from(*value).to_string().into()))
            .collect();
        let code = view.code(account.code_hash)?.unwrap_or_default();
        let line = serde_json::json!({
            "key": key, "nonce": account.nonce, "balance": account.balance, "root": account.storage_root,
            "codeHash": account.code_hash, "code": code, "storage": storage,
        });
        written = writeln!(out, "{line}");
        Ok(())
    })?;
    Ok(written)
}

/// Visits accounts in key order with their slots in key order. One account's slots are held in memory.
fn walk(
    view: &View,
    mut visit: impl FnMut(B256, &Account, &[(B256, U256)]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut all_slots = view.rows(tables::SLOTS, &[])?.peekable();
    for row in view.rows(tables::ACCOUNTS, &[])? {
        let (key, slim) = row.map_err(|source| view.rocks(source))?;
        let key = B256::try_from(&*key).map_err(|_| view.damaged("account key"))?;
        let account = Account::decode_slim(&slim).map_err(|_| view.damaged("account"))?;
        let mut slots = Vec::new();
        while let Some(row) =
            all_slots.next_if(|row| row.as_ref().is_ok_and(|(slot, _)| slot.starts_with(key.as_slice())))
        {
            let (slot, value) = row.map_err(|source| view.rocks(source))?;
            let slot = slot.get(32..).and_then(|slot| B256::try_from(slot).ok());
            let value = U256::try_from_be_slice(&value).ok_or_else(|| view.damaged("slot"))?;
            slots.push((slot.ok_or_else(|| view.damaged("slot key"))?, value));
        }
        visit(key, &account, &slots)?;
    }
    match all_slots.next() {
        None => Ok(()),
        Some(Err(source)) => Err(view.rocks(source)),
        Some(Ok(_)) => Err(view.damaged("a slot without account")),
    }
}

/// A row: table, key, value.
pub type Row = (&'static str, Vec<u8>, Vec<u8>);

/// All rows that only the canonical chain may decide: two replicas of one chain have the same, whatever they went
/// through.
///
/// # Errors
/// When a table cannot be read.
pub fn canonical_rows(view: &View) -> Result<Vec<Row>, Error> {
    let tables = [
        tables::ACCOUNTS,
        tables::SLOTS,
        tables::ACCOUNT_HISTORY,
        tables::SLOT_HISTORY,
        tables::CANONICAL,
        tables::TRANSACTIONS,
        tables::LOGS,
        tables::UNDO,
        tables::NODES,
        tables::NODE_HISTORY,
        tables::NODE_UNDO,
    ];
    let mut all = Vec::new();
    for table in tables {
        for row in view.rows(table, &[])? {
            let (key, value) = row.map_err(|source| view.rocks(source))?;
            all.push((table, key.into_vec(), value.into_vec()));
        }
    }
    Ok(all)
}
