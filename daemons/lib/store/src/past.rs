//! Beginning of a database whose chain began before its feed: a state that was loaded, and the blocks up to it.

use super::facts::{Facts, Proofs};
use super::keep::{Keep, Past};
use super::write::{Batch, Store};
use super::{Error, tables};
use maidenlane_chain::account::Account;
use maidenlane_chain::{B256, BlockRef};
use rocksdb::{IteratorMode, WriteBatch};
use std::collections::HashSet;

/// Hashes of codes that are known to be there, while those of all accounts are looked for.
const CODES_MAX: usize = 1 << 18;

/// Codes of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codes {
    /// Each account has its own, or needs none.
    Whole {
        /// Number of accounts.
        accounts: u64,
    },
    /// Hash of a code that an account has and the database has not.
    Missing(B256),
}

/// Beginning of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// Block whose state was loaded.
    pub block: BlockRef,
    /// Oldest block whose body and receipts are there.
    pub floor: u64,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of block 0.
    pub genesis: B256,
    /// True if the state's trie nodes were loaded.
    pub proofs: bool,
}

impl Store {
    /// Drops what [`Store::put_past`] wrote and would not write twice in the same way.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn forget_past(&self) -> Result<(), Error> {
        let mut rows = WriteBatch::default();
        rows.delete_range_cf(self.table(tables::LOGS)?, &[][..], &[0xff][..]);
        self.write_rows(rows, self.facts())
    }

    /// Adds a block from before the feed: the oldest comes first. Without body and receipts it has a hash and a header.
    ///
    /// # Errors
    /// When the disk refuses, or the receipts cannot be read.
    pub fn put_past(
        &self,
        block: BlockRef,
        header: &[u8],
        content: Option<(&[u8], &[u8])>,
    ) -> Result<(), Error> {
        // Nothing expires before there is a head.
        let keep = Keep { undo_blocks: 0, history: Past::All, proofs: None };
        let mut batch: Batch = self.batch(self.facts(), keep);
        match content {
            Some((body, receipts)) => {
                self.put_block(&mut batch, block, header, body, receipts)?;
                self.put_told(&mut batch, block, None)?;
                self.index(&mut batch, block, body, receipts)?;
            }
            None => self.put_header(&mut batch, block, header)?,
        }
        self.write(batch)
    }

    /// Looks for the code of every account.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn accounts_with_codes(&self) -> Result<Codes, Error> {
        let (codes, usual) = (self.table(tables::CODES)?, Account::default().code_hash);
        let (mut known, mut accounts) = (HashSet::new(), 0);
        for row in self.db.iterator_cf(self.table(tables::ACCOUNTS)?, IteratorMode::Start) {
            let (_, slim) = row.map_err(|source| self.rocks("read accounts", source))?;
            let hash = Account::decode_slim(&slim).map_err(|_| self.damaged("account"))?.code_hash;
            accounts += 1;
            if hash == usual || known.contains(&hash) {
                continue;
            }
            let found = self.db.get_pinned_cf(codes, hash).map_err(|source| self.rocks("read", source))?;
            if found.is_none() {
                return Ok(Codes::Missing(hash));
            }
            if known.len() >= CODES_MAX {
                known.clear();
            }
            known.insert(hash);
        }
        Ok(Codes::Whole { accounts })
    }

    /// Makes the loaded state that of a block, and everything durable. Before that a database shows nothing.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn begin(&self, base: &Base) -> Result<(), Error> {
        let number = base.block.number;
        let facts = Facts {
            head: Some(base.block),
            chain_id: base.chain_id,
            genesis: base.genesis,
            base: base.floor,
            state_floor: number,
            proofs: base.proofs.then_some(Proofs { floor: number, position: None }),
            ..self.facts()
        };
        self.write_rows(WriteBatch::default(), facts)?;
        self.sync()
    }
}
