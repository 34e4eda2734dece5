//! A state of any size, spread as a chain's: two thirds of all slots belong to four contracts, the other contracts share
//! the rest.

use super::Outcome;
use alloy::rlp::{self, Encodable};
use fastrand::Rng;
use maidenlane_chain::{Account, B256, U256};
use maidenlane_state::trie::Ascending;
use std::io::{BufWriter, Write};

/// Rows per account.
const ROWS_PER_ACCOUNT: usize = 5;
/// Contracts that have a quarter each of all slots that those before them have not.
const LARGE: usize = 4;
/// Accounts for each that has storage.
const ACCOUNTS_PER_CONTRACT: usize = 10;

/// A state whose rows are made whenever they are asked for, so that any size takes little memory.
pub(super) struct State {
    accounts: usize,
    contracts: Vec<Contract>,
    pub(super) root: B256,
}

/// Storage of an account.
struct Contract {
    slots: usize,
    root: B256,
}

impl State {
    /// A state of about so many rows.
    pub(super) fn of(rows: usize) -> Self {
        let accounts = rows.div_ceil(ROWS_PER_ACCOUNT);
        let count = accounts.div_ceil(ACCOUNTS_PER_CONTRACT);
        let mut left = rows.saturating_sub(accounts);
        let contracts = (0..count).map(|number| {
            let slots = if number < LARGE { left / LARGE } else { left.div_ceil(count - number) };
            left = left.saturating_sub(slots);
            let entries = storage(number, slots).map(|(key, value)| (key, rlp::encode(value)));
            Contract { slots, root: root(entries) }
        });
        let mut state = Self { accounts, contracts: contracts.collect(), root: B256::ZERO };
        state.root = root(state.accounts().map(|(key, account)| (key, rlp::encode(account.trie()))));
        state
    }

    /// Accounts in the order of their keys.
    pub(super) fn accounts(&self) -> impl Iterator<Item = (B256, Account)> {
        (0..self.accounts).map(|number| {
            let mut rng = Rng::with_seed(number as u64);
            let key = key(&mut rng, number, self.accounts);
            let balance = U256::from(rng.u64(..));
            let mut account = Account { nonce: rng.u64(..50), balance, ..Account::default() };
            if number.is_multiple_of(ACCOUNTS_PER_CONTRACT)
                && let Some(contract) = self.contracts.get(number / ACCOUNTS_PER_CONTRACT)
            {
                account.storage_root = contract.root;
            }
            (key, account)
        })
    }

    /// Keys of so many accounts, in no order.
    pub(super) fn some_accounts(&self, count: usize) -> Vec<B256> {
        let mut dice = Rng::with_seed(1);
        let numbers = (0..count).map(|_| dice.usize(..self.accounts));
        numbers.map(|number| key(&mut Rng::with_seed(number as u64), number, self.accounts)).collect()
    }

    /// Keys of so many slots of the first contract, in no order.
    pub(super) fn some_slots(&self, count: usize) -> Vec<(B256, B256)> {
        let account = key(&mut Rng::with_seed(0), 0, self.accounts);
        let slots = self.contracts.first().map_or(0, |contract| contract.slots);
        let keys = storage(0, slots).step_by(slots.div_ceil(count).max(1));
        let mut keys: Vec<_> = keys.map(|(key, _)| (account, key)).collect();
        Rng::with_seed(2).shuffle(&mut keys);
        keys
    }

    /// Slots in the order of their accounts and keys.
    pub(super) fn slots(&self) -> impl Iterator<Item = (B256, B256, U256)> {
        self.contracts.iter().enumerate().flat_map(|(number, contract)| {
            let account = number * ACCOUNTS_PER_CONTRACT;
            let account = key(&mut Rng::with_seed(account as u64), account, self.accounts);
            storage(number, contract.slots).map(move |(key, value)| (account, key, value))
        })
    }

    pub(super) fn account_rows(&self) -> u64 {
        self.accounts as u64
    }

    pub(super) fn slot_rows(&self) -> u64 {
        self.contracts.iter().map(|contract| contract.slots as u64).sum()
    }

    /// Writes what `geth db export snapshot` writes.
    pub(super) fn write(&self, to: &mut impl Write) -> Outcome<()> {
        let (mut out, mut row) = (BufWriter::with_capacity(1 << 20, to), Vec::new());
        out.write_all(&header("snapshot"))?;
        let mut put = |key: &[&[u8]], value: &[u8]| {
            row.clear();
            0_u64.encode(&mut row);
            key.concat().as_slice().encode(&mut row);
            value.encode(&mut row);
            out.write_all(&row)
        };
        for (key, account) in self.accounts() {
            put(&[b"a", key.as_slice()], &account.encode_slim())?;
        }
        for (account, key, value) in self.slots() {
            put(&[b"o", account.as_slice(), key.as_slice()], &rlp::encode(value))?;
        }
        Ok(out.flush()?)
    }
}

/// Slots of a contract: a third of all values are small numbers, most others addresses.
fn storage(contract: usize, slots: usize) -> impl Iterator<Item = (B256, U256)> {
    let mut rng = Rng::with_seed(!(contract as u64));
    (0..slots).map(move |number| {
        let key = key(&mut rng, number, slots);
        let value = if rng.u8(..3) == 0 { U256::from(rng.u64(1..)) } else { U256::from(rng.u128(1..)) << 32 };
        (key, value)
    })
}

/// A random key in the part of all keys that belongs to this one: those of higher numbers are higher.
fn key(rng: &mut Rng, number: usize, count: usize) -> B256 {
    let share = u64::MAX / (count as u64);
    let high = share * (number as u64) + rng.u64(..share);
    let mut bytes = [0; 32];
    rng.fill(&mut bytes);
    bytes[..8].copy_from_slice(&high.to_be_bytes());
    B256::new(bytes)
}

fn root(entries: impl Iterator<Item = (B256, Vec<u8>)>) -> B256 {
    let mut trie = Ascending::default();
    for (key, value) in entries {
        assert_eq!(trie.add(key, &value, &mut |_, _| ()), Ok(()), "keys ascend");
    }
    trie.root(&mut |_, _| ())
}

/// First item of an export.
pub(super) fn header(kind: &str) -> Vec<u8> {
    let mut fields = Vec::new();
    b"gethdbdump".as_slice().encode(&mut fields);
    0_u64.encode(&mut fields);
    kind.encode(&mut fields);
    1_700_000_000_u64.encode(&mut fields);
    let mut out = Vec::new();
    rlp::Header { list: true, payload_length: fields.len() }.encode(&mut out);
    [out, fields].concat()
}
