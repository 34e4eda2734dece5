//! View of the store at one block. Holds a RocksDB snapshot, so a request can never see two blocks; cannot write.
//!
//! What is being brought below the floor is not shown before the floor is lowered: bodies, receipts, transactions and
//! logs. Headers and hashes are, as far as they are there: contracts ask for them.

use super::damage::Damage;
use super::facts::Facts;
use super::floors::{Floors, HeldFloors};
use super::{Error, tables};
use maidenlane_chain::account::Account;
use maidenlane_chain::{B256, BlockRef, Bytes, U256};
use rocksdb::{ColumnFamily, DB, Direction, IteratorMode, ReadOptions, SnapshotWithThreadMode};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A row: key and value.
type Row = (Box<[u8]>, Box<[u8]>);
type Snapshot<'a> = SnapshotWithThreadMode<'a, DB>;

self_cell::self_cell!(
    struct Held {
        owner: Arc<DB>,
        #[covariant]
        dependent: Snapshot,
    }
);

/// An immutable view of the store at one head.
pub struct View {
    held: Held,
    path: PathBuf,
    damage: Damage,
    facts: Facts,
    head: BlockRef,
    /// Floors, which do not rise while the view lives.
    _floors: HeldFloors,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("head", &self.head).finish_non_exhaustive()
    }
}

impl View {
    /// Takes a snapshot of what is written now, of which `facts` are true.
    pub(super) fn open(
        db: Arc<DB>,
        path: &Path,
        damage: Damage,
        facts: &Facts,
        floors: &Floors,
    ) -> Option<Self> {
        let (head, floors) = (facts.head?, floors.hold(facts));
        let held = Held::new(db, |db| db.snapshot());
        Some(Self { held, path: path.to_owned(), damage, facts: facts.clone(), head, _floors: floors })
    }

    /// The block that the view shows.
    #[must_use]
    pub const fn head(&self) -> BlockRef {
        self.head
    }

    /// RLP of the head's header.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn head_header(&self) -> Result<Bytes, Error> {
        self.header(self.head)?.ok_or_else(|| self.damaged("the head's header"))
    }

    /// Facts of the store at that block: finality, floors, chain.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// An account by keccak256 of its address; `at` = the state after that block, `None` = after the head.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn account(&self, key: B256, at: Option<u64>) -> Result<Option<Account>, Error> {
        let value = self.value(tables::ACCOUNTS, tables::ACCOUNT_HISTORY, key.as_slice(), at)?;
        value.map(|slim| Account::decode_slim(&slim).map_err(|_| self.damaged("account"))).transpose()
    }

    /// A slot; zero where there is none.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn slot(&self, account: B256, slot: B256, at: Option<u64>) -> Result<U256, Error> {
        let key = tables::slot_key(account, slot);
        let value = self.value(tables::SLOTS, tables::SLOT_HISTORY, &key, at)?.unwrap_or_default();
        U256::try_from_be_slice(&value).ok_or_else(|| self.damaged("slot"))
    }

    /// Code by its hash.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn code(&self, hash: B256) -> Result<Option<Bytes>, Error> {
        Ok(self.get(tables::CODES, hash.as_slice())?.map(Bytes::from))
    }

    /// The canonical hash at a number.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn hash_of(&self, number: u64) -> Result<Option<B256>, Error> {
        let hash = self.get(tables::CANONICAL, &number.to_be_bytes())?;
        hash.map(|hash| B256::try_from(hash.as_slice()).map_err(|_| self.damaged("canonical"))).transpose()
    }

    /// Number of a known block, and true if it is canonical.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn find(&self, hash: B256) -> Result<Option<(u64, bool)>, Error> {
        let Some(number) = self.get(tables::NUMBERS, hash.as_slice())? else { return Ok(None) };
        let number = number.try_into().map(u64::from_be_bytes).map_err(|_| self.damaged("number"))?;
        Ok(Some((number, self.hash_of(number)? == Some(hash))))
    }

    /// RLP of a header.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn header(&self, block: BlockRef) -> Result<Option<Bytes>, Error> {
        Ok(self.get(tables::HEADERS, &tables::block_key(block))?.map(Bytes::from))
    }

    /// RLP of a body; `None` below the floor.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn body(&self, block: BlockRef) -> Result<Option<Bytes>, Error> {
        self.content(tables::BODIES, block)
    }

    /// Consensus receipts of a block, one RLP list; `None` below the floor.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn receipts(&self, block: BlockRef) -> Result<Option<Bytes>, Error> {
        self.content(tables::RECEIPTS, block)
    }

    fn content(&self, table: &'static str, block: BlockRef) -> Result<Option<Bytes>, Error> {
        if block.number < self.facts.base {
            return Ok(None);
        }
        Ok(self.get(table, &tables::block_key(block))?.map(Bytes::from))
    }

    /// The canonical block and index of a transaction; `None` below the floor.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn transaction(&self, hash: B256) -> Result<Option<(BlockRef, usize)>, Error> {
        let Some(place) = self.get(tables::TRANSACTIONS, hash.as_slice())? else { return Ok(None) };
        let damaged = || self.damaged("transaction index");
        let (number, index) = place.split_first_chunk::<8>().ok_or_else(damaged)?;
        let number = u64::from_be_bytes(*number);
        if number < self.facts.base {
            return Ok(None);
        }
        let index = index.first_chunk::<4>().map(|index| u32::from_be_bytes(*index)).ok_or_else(damaged)?;
        let Some(hash) = self.hash_of(number)? else { return Ok(None) };
        Ok(Some((BlockRef::new(number, hash), usize::try_from(index).map_err(|_| damaged())?)))
    }

    /// The latest value, or the value before the first change after block `at`.
    pub(super) fn value(
        &self,
        latest: &'static str,
        history: &'static str,
        key: &[u8],
        at: Option<u64>,
    ) -> Result<Option<Vec<u8>>, Error> {
        if let Some(block) = at.and_then(|block| block.checked_add(1)) {
            let from = tables::at_block(key, block);
            let next = self.rows(history, &from)?.next().transpose().map_err(|source| self.rocks(source))?;
            if let Some((found, before)) = next
                && found.len() == key.len() + 8
                && found.starts_with(key)
            {
                return Ok((!before.is_empty()).then(|| before.into_vec()));
            }
        }
        self.get(latest, key)
    }

    /// Rows of a table from `from` on.
    pub(crate) fn rows(
        &self,
        table: &'static str,
        from: &[u8],
    ) -> Result<impl Iterator<Item = Result<Row, rocksdb::Error>> + '_, Error> {
        let mode = IteratorMode::From(from, Direction::Forward);
        Ok(self.held.borrow_dependent().iterator_cf_opt(self.table(table)?, ReadOptions::default(), mode))
    }

    pub(crate) fn cursor(
        &self,
        table: &'static str,
    ) -> Result<rocksdb::DBRawIteratorWithThreadMode<'_, DB>, Error> {
        Ok(self.held.borrow_dependent().raw_iterator_cf(self.table(table)?))
    }

    pub(super) fn get(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.held.borrow_dependent().get_cf(self.table(table)?, key).map_err(|source| self.rocks(source))
    }

    fn table(&self, name: &'static str) -> Result<&ColumnFamily, Error> {
        self.held.borrow_owner().cf_handle(name).ok_or_else(|| self.damaged(name))
    }

    pub(crate) fn rocks(&self, source: rocksdb::Error) -> Error {
        self.damage.note(&source);
        Error::rocks("read", &self.path, source)
    }

    pub(crate) fn damaged(&self, what: &'static str) -> Error {
        self.damage.note_value(what);
        Error::Malformed { what, path: self.path.clone() }
    }
}
