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

/// Rows in the order of their keys.
pub(super) struct State {
    pub(super) accounts: Vec<(B256, Account)>,
    pub(super) slots: Vec<(B256, B256, U256)>,
    pub(super) root: B256,
}

impl State {
    /// A state of about so many rows.
    pub(super) fn of(rows: usize) -> Self {
        let mut rng = Rng::with_seed(1);
        let keys = sorted(&mut rng, rows.div_ceil(ROWS_PER_ACCOUNT));
        let contracts = keys.len().div_ceil(ACCOUNTS_PER_CONTRACT);
        let (mut accounts, mut slots, mut trie) = (Vec::new(), Vec::new(), Ascending::default());
        let mut left = rows.saturating_sub(keys.len());
        for (number, key) in keys.into_iter().enumerate() {
            let balance = U256::from(rng.u64(..));
            let mut account = Account { nonce: rng.u64(..50), balance, ..Account::default() };
            if number % ACCOUNTS_PER_CONTRACT == 0 {
                let contract = number / ACCOUNTS_PER_CONTRACT;
                let others = contracts.saturating_sub(contract).max(1);
                let count = if contract < LARGE { left / LARGE } else { left.div_ceil(others) };
                left = left.saturating_sub(count);
                account.storage_root = storage(&mut rng, key, count, &mut slots);
            }
            add(&mut trie, key, &rlp::encode(account.trie()));
            accounts.push((key, account));
        }
        Self { accounts, slots, root: trie.root(&mut |_, _| ()) }
    }

    pub(super) fn rows(&self) -> u64 {
        (self.accounts.len() + self.slots.len()) as u64
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
        for (key, account) in &self.accounts {
            put(&[b"a", key.as_slice()], &account.encode_slim())?;
        }
        for (account, key, value) in &self.slots {
            put(&[b"o", account.as_slice(), key.as_slice()], &rlp::encode(value))?;
        }
        Ok(out.flush()?)
    }
}

/// So many keys, ascending.
fn sorted(rng: &mut Rng, count: usize) -> Vec<B256> {
    let mut keys: Vec<B256> = (0..count).map(|_| key(rng)).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn key(rng: &mut Rng) -> B256 {
    let mut bytes = [0; 32];
    rng.fill(&mut bytes);
    B256::new(bytes)
}

/// Adds slots of an account; returns the root of its storage.
fn storage(rng: &mut Rng, account: B256, count: usize, slots: &mut Vec<(B256, B256, U256)>) -> B256 {
    let mut trie = Ascending::default();
    for key in sorted(rng, count) {
        // A third of all values are small numbers, most others addresses.
        let value = if rng.u8(..3) == 0 { U256::from(rng.u64(1..)) } else { U256::from(rng.u128(1..)) << 32 };
        add(&mut trie, key, &rlp::encode(value));
        slots.push((account, key, value));
    }
    trie.root(&mut |_, _| ())
}

fn add(trie: &mut Ascending, key: B256, value: &[u8]) {
    let added = trie.add(key, value, &mut |_, _| ());
    assert_eq!(added, Ok(()), "sorted keys ascend");
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
