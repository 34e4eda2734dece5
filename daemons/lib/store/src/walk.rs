//! Walks through a state in the order of its keys, latest or past.

use super::{Error, View, tables};
use maidenlane_chain::{Account, B256, BlockRef, U256};
use maidenlane_state::{self as state, Before};
use maidenlane_wire::{Rows, decode_rows};

/// Table of the present values, and the one of past values.
struct Tables {
    latest: &'static str,
    history: &'static str,
}

const ACCOUNTS: Tables = Tables { latest: tables::ACCOUNTS, history: tables::ACCOUNT_HISTORY };
const SLOTS: Tables = Tables { latest: tables::SLOTS, history: tables::SLOT_HISTORY };

/// Visitor of keys and values; returns false to end the walk.
type Visitor<'a> = dyn FnMut(B256, &[u8]) -> Result<bool, Error> + 'a;

impl View {
    /// Calls `visit` with accounts and their keys, ascending from `from` on, as they were after block `at` (`None` =
    /// the head), until it returns false.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn accounts(
        &self,
        from: B256,
        at: Option<u64>,
        visit: &mut dyn FnMut(B256, Account) -> bool,
    ) -> Result<(), Error> {
        self.walk(&ACCOUNTS, &[], from, at, &mut |key, slim| {
            let account = Account::decode_slim(slim).map_err(|_| self.damaged("account"))?;
            Ok(visit(key, account))
        })
    }

    /// Calls `visit` with the slots of one account, by keccak256 of its address, as [`View::accounts`] does with
    /// accounts.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn slots(
        &self,
        account: B256,
        from: B256,
        at: Option<u64>,
        visit: &mut dyn FnMut(B256, U256) -> bool,
    ) -> Result<(), Error> {
        self.walk(&SLOTS, account.as_slice(), from, at, &mut |key, value| {
            Ok(visit(key, U256::try_from_be_slice(value).ok_or_else(|| self.damaged("slot"))?))
        })
    }

    /// State before a block, as far as the block changed it; `None` when that is no longer kept. A change of storage
    /// changes its root, which is part of the account.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn before(&self, block: BlockRef) -> Result<Option<Before>, Error> {
        let Some(rows) = self.get(tables::UNDO, &tables::block_key(block))? else { return Ok(None) };
        decode_rows(&rows)
            .ok()
            .and_then(|rows| before(&rows))
            .map(Some)
            .ok_or_else(|| self.damaged("undo rows"))
    }

    /// Merges two sorted tables: a key is in the state if either has it, and the first change after `at` has the value
    /// at `at`.
    fn walk(
        &self,
        Tables { latest, history }: &Tables,
        owner: &[u8],
        from: B256,
        at: Option<u64>,
        visit: &mut Visitor<'_>,
    ) -> Result<(), Error> {
        let first = [owner, from.as_slice()].concat();
        let (mut now, mut past) = (self.cursor(latest)?, self.cursor(history)?);
        now.seek(&first);
        let after = at.and_then(|block| block.checked_add(1));
        if after.is_some() {
            past.seek(&first);
        }
        loop {
            let of_owner =
                |key: &[u8]| key.strip_prefix(owner).and_then(<[u8]>::first_chunk).map(|key| B256::new(*key));
            let present = now.key().and_then(of_owner);
            let changed = past.key().and_then(of_owner);
            now.status().and_then(|()| past.status()).map_err(|source| self.rocks(source))?;
            let Some(key) = present.into_iter().chain(changed).min() else { return Ok(()) };
            let whole = [owner, key.as_slice()].concat();
            let mut value = now.value().filter(|_| present == Some(key)).map(<[u8]>::to_vec);
            if let Some(block) = after.filter(|_| changed == Some(key)) {
                past.seek(tables::at_block(&whole, block));
                if let Some(before) = past.value().filter(|_| past.key().and_then(of_owner) == Some(key)) {
                    value = Some(before.to_vec()).filter(|before| !before.is_empty());
                }
                past.seek([&whole[..], &[0xff; 9]].concat());
            }
            if present == Some(key) {
                now.next();
            }
            if let Some(value) = value
                && !visit(key, &value)?
            {
                return Ok(());
            }
        }
    }
}

/// Values before a block, from its rows; `None` if one does not decode.
fn before(rows: &Rows) -> Option<Before> {
    let mut before = Before::default();
    for row in &rows.accounts {
        let account = row.before.as_ref().map(|slim| Account::decode_slim(slim)).transpose().ok()?;
        let seen = |Account { nonce, balance, code_hash, .. }| state::Account { nonce, balance, code_hash };
        before.accounts.push((row.address, account.map(seen)));
    }
    for account in &rows.storage {
        for slot in &account.slots {
            let value =
                slot.before.as_ref().map_or(Some(U256::ZERO), |value| U256::try_from_be_slice(value))?;
            before.slots.extend(slot.plain.map(|number| (account.address, number.into(), value)));
        }
    }
    Some(before)
}
