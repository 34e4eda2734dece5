//! Single writer of the store. A [`Batch`] collects whole records and reaches the disk in one piece with head and
//! position.
//!
//! The write-ahead log is not synced per batch: after a power cut RocksDB comes back at an older batch, and the feed
//! brings the rest again.

use super::damage::Damage;
use super::facts::Facts;
use super::floors::Floors;
use super::tuning::options;
use super::{Error, Keep, View, tables};
use maidenlane_chain::{B256, BlockRef, Bytes, keccak256};
use maidenlane_wire::{Rows, decode_rows, encode_rows};
use rocksdb::{Cache, ColumnFamily, ColumnFamilyDescriptor, DB, Options, WriteBatch};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Maximum size of what is written and not yet in a file, but for what is on its way there.
const WRITE_BUFFERS_BYTES: usize = 256 << 20;
/// Number of blocks whose undo rows are dropped at a time.
const EXPIRED_BLOCKS: u64 = 1024;
/// Distance below finality at which undone blocks are dropped.
const ORPHAN_MARGIN: u64 = 64;

/// The open database.
#[derive(Debug)]
pub struct Store {
    pub(super) db: Arc<DB>,
    path: PathBuf,
    floors: Floors,
    damage: Damage,
    /// Facts as in `meta`. Locked while a batch is written and while a view is taken, so that a view has the facts of
    /// its snapshot without reading them.
    written: Mutex<Facts>,
}

/// Changes that will be written together.
pub struct Batch {
    pub(super) rows: WriteBatch,
    pub(super) facts: Facts,
    keep: Keep,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("facts", &self.facts).field("bytes", &self.bytes()).finish()
    }
}

impl Store {
    /// Opens or creates the database.
    ///
    /// # Errors
    /// When it is of another format, damaged, or in use.
    pub fn open(path: &Path, cache_bytes: usize) -> Result<Self, Error> {
        let floors = Floors::default();
        let cache = Cache::new_lru_cache(cache_bytes);
        let tables =
            tables::TABLES.map(|name| ColumnFamilyDescriptor::new(name, options(name, &cache, &floors)));
        // A start would take 70 MB ahead, and with them the last room of all others on a disk that is nearly full.
        let database = Options::default().get_options_from_string("allow_fallocate=false");
        let mut database = database.map_err(|source| Error::rocks("set options", path, source))?;
        database.create_if_missing(true);
        database.create_missing_column_families(true);
        database.set_max_background_jobs(4);
        database.set_max_total_wal_size(512 << 20);
        // Of all tables together; each may fill its own write buffer only while the others are small.
        database.set_db_write_buffer_size(WRITE_BUFFERS_BYTES);
        database.set_bytes_per_sync(1 << 20);
        database.set_keep_log_file_num(4);
        let db = DB::open_cf_descriptors(&database, path, tables)
            .map_err(|source| Error::rocks("open the database", path, source))?;
        let (db, path, damage) = (Arc::new(db), path.to_owned(), Damage::default());
        let mut store = Self { db, path, floors, damage, written: Mutex::default() };
        store.check_format()?;
        let facts = match store.get(tables::META, tables::META_FACTS)? {
            Some(json) => Facts::of(&json).ok_or_else(|| store.damaged("facts"))?,
            None => Facts::default(),
        };
        store.floors.raise(&facts);
        store.written = Mutex::new(facts);
        Ok(store)
    }

    fn check_format(&self) -> Result<(), Error> {
        let stored = self.get(tables::META, tables::META_FORMAT)?;
        let Some(stored) = stored else {
            let put =
                self.db.put_cf(self.table(tables::META)?, tables::META_FORMAT, tables::FORMAT.to_be_bytes());
            return put.map_err(|source| self.rocks("write the format", source));
        };
        let found = stored.try_into().map(u32::from_be_bytes).map_err(|_| self.damaged("format"))?;
        if found == tables::FORMAT {
            return Ok(());
        }
        Err(Error::Format { path: self.path.clone(), found, expected: tables::FORMAT })
    }

    /// Facts as they are written now.
    #[must_use]
    pub fn facts(&self) -> Facts {
        self.lock().clone()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A view of what is written now; `None` without a block.
    #[must_use]
    pub fn view(&self) -> Option<View> {
        let written = self.lock();
        View::open(Arc::clone(&self.db), &self.path, self.damage.clone(), &written, &self.floors)
    }

    /// Checks that no view has met damage so far.
    ///
    /// # Errors
    /// The first damage that a view has met.
    pub fn sound(&self) -> Result<(), Error> {
        match self.damage.found() {
            None => Ok(()),
            Some(found) => Err(Error::Corruption { found: found.to_owned(), path: self.path.clone() }),
        }
    }

    /// An empty batch on top of `facts`.
    #[must_use]
    pub fn batch(&self, facts: Facts, keep: Keep) -> Batch {
        Batch { rows: WriteBatch::default(), facts, keep }
    }

    /// Writes the batch in one piece.
    ///
    /// # Errors
    /// When the disk refuses; nothing of it is visible then.
    pub fn write(&self, batch: Batch) -> Result<(), Error> {
        self.write_rows(batch.rows, batch.facts)
    }

    pub(super) fn write_rows(&self, mut rows: WriteBatch, facts: Facts) -> Result<(), Error> {
        let json = serde_json::to_vec(&facts).map_err(|_| self.damaged("facts"))?;
        rows.put_cf(self.table(tables::META)?, tables::META_FACTS, json);
        let mut written = self.lock();
        self.db.write(rows).map_err(|source| self.rocks("write a batch", source))?;
        self.floors.raise(&facts);
        *written = facts;
        Ok(())
    }

    /// Makes everything written durable.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> Result<(), Error> {
        self.db.flush_wal(true).map_err(|source| self.rocks("sync the write-ahead log", source))
    }

    /// Makes a consistent copy in `target`, by hard links where the file system allows.
    ///
    /// # Errors
    /// When `target` exists or cannot be written.
    pub fn checkpoint(&self, target: &Path) -> Result<(), Error> {
        rocksdb::checkpoint::Checkpoint::new(&self.db)
            .and_then(|checkpoint| checkpoint.create_checkpoint(target))
            .map_err(|source| self.rocks("write a checkpoint", source))
    }

    pub(super) fn get(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.db.get_cf(self.table(table)?, key).map_err(|source| self.rocks("read", source))
    }

    pub(super) fn table(&self, name: &'static str) -> Result<&ColumnFamily, Error> {
        self.db.cf_handle(name).ok_or_else(|| self.damaged(name))
    }

    pub(super) fn rocks(&self, what: &'static str, source: rocksdb::Error) -> Error {
        Error::rocks(what, &self.path, source)
    }

    pub(super) fn damaged(&self, what: &'static str) -> Error {
        Error::Malformed { what, path: self.path.clone() }
    }

    /// Adds the new head: header, body, receipts, rows, history, undo and indexes.
    ///
    /// # Errors
    /// When a table is missing or the receipts cannot be read.
    pub fn advance(&self, batch: &mut Batch, record: &maidenlane_wire::Advance) -> Result<(), Error> {
        let block = record.block;
        self.put_block(batch, block, &record.header, &record.body, &record.receipts)?;
        self.put_told(batch, block, record.senders.as_deref())?;
        self.index(batch, block, &record.body, &record.receipts)?;
        self.put_rows(batch, &record.rows, Some(block.number))?;
        let undo = encode_rows(&record.rows);
        batch.rows.put_cf(self.table(tables::UNDO)?, tables::block_key(block), undo);
        batch.rows.delete_cf(self.table(tables::ORPHANS)?, tables::block_key(block));
        self.expire(batch, block.number)?;
        batch.facts.head = Some(block);
        Ok(())
    }

    /// Takes the head back to `parent` and returns the rows that do it. Every batch before this one must have been
    /// written.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the block's undo rows are gone: it is deeper than `undoBlocks`.
    pub fn undo(&self, batch: &mut Batch, block: BlockRef, parent: B256) -> Result<Rows, Error> {
        let key = tables::block_key(block);
        let rows =
            self.get(tables::UNDO, &key)?.ok_or_else(|| self.damaged("undo rows (the reorg is too deep)"))?;
        let rows = decode_rows(&rows).map_err(|_| self.damaged("undo rows"))?;
        let reversed = rows.reversed();
        self.put_rows(batch, &reversed, None)?;
        for row in &rows.accounts {
            let key = tables::at_block(keccak256(row.address).as_slice(), block.number);
            batch.rows.delete_cf(self.table(tables::ACCOUNT_HISTORY)?, key);
        }
        for account in &rows.storage {
            let owner = keccak256(account.address);
            for row in &account.slots {
                let key = tables::at_block(&tables::slot_key(owner, row.key), block.number);
                batch.rows.delete_cf(self.table(tables::SLOT_HISTORY)?, key);
            }
        }
        let body = self.get(tables::BODIES, &key)?.ok_or_else(|| self.damaged("body"))?;
        let receipts = self.get(tables::RECEIPTS, &key)?.ok_or_else(|| self.damaged("receipts"))?;
        self.unindex(batch, block, &body, &receipts)?;
        if batch.facts.proofs.is_some() {
            self.undo_nodes(batch, block)?;
        }
        batch.rows.delete_cf(self.table(tables::CANONICAL)?, block.number.to_be_bytes());
        batch.rows.delete_cf(self.table(tables::UNDO)?, key);
        batch.rows.put_cf(self.table(tables::ORPHANS)?, key, []);
        batch.facts.sender_gaps.close(&(block.number..u64::MAX));
        batch.facts.head = Some(BlockRef::new(block.number.saturating_sub(1), parent));
        Ok(reversed)
    }

    /// Adds block 0 with its state.
    ///
    /// # Errors
    /// When a table is missing.
    pub fn genesis(&self, batch: &mut Batch, record: &maidenlane_wire::Genesis) -> Result<(), Error> {
        // An empty RLP list: block 0 has no receipts.
        self.put_block(batch, record.block, &record.header, &record.body, &[0xc0])?;
        self.put_rows(batch, &record.rows, None)?;
        batch.facts.head = Some(record.block);
        Ok(())
    }

    pub(super) fn put_block(
        &self,
        batch: &mut Batch,
        block: BlockRef,
        header: &[u8],
        body: &[u8],
        receipts: &[u8],
    ) -> Result<(), Error> {
        let key = tables::block_key(block);
        batch.rows.put_cf(self.table(tables::BODIES)?, key, body);
        batch.rows.put_cf(self.table(tables::RECEIPTS)?, key, receipts);
        self.put_header(batch, block, header)
    }

    pub(super) fn put_header(&self, batch: &mut Batch, block: BlockRef, header: &[u8]) -> Result<(), Error> {
        batch.rows.put_cf(self.table(tables::HEADERS)?, tables::block_key(block), header);
        batch.rows.put_cf(self.table(tables::CANONICAL)?, block.number.to_be_bytes(), block.hash);
        batch.rows.put_cf(self.table(tables::NUMBERS)?, block.hash, block.number.to_be_bytes());
        Ok(())
    }

    /// Writes the rows' values after; with `history` also their values before, under that block.
    fn put_rows(&self, batch: &mut Batch, rows: &Rows, history: Option<u64>) -> Result<(), Error> {
        let (latest, past) = (self.table(tables::ACCOUNTS)?, self.table(tables::ACCOUNT_HISTORY)?);
        for row in &rows.accounts {
            let key = keccak256(row.address);
            put(&mut batch.rows, latest, key.as_slice(), row.after.as_ref());
            if let Some(block) = history {
                batch.rows.put_cf(past, tables::at_block(key.as_slice(), block), before(row.before.as_ref()));
            }
        }
        let (latest, past) = (self.table(tables::SLOTS)?, self.table(tables::SLOT_HISTORY)?);
        for account in &rows.storage {
            let owner = keccak256(account.address);
            for row in &account.slots {
                let key = tables::slot_key(owner, row.key);
                put(&mut batch.rows, latest, &key, row.after.as_ref());
                if let Some(block) = history {
                    batch.rows.put_cf(past, tables::at_block(&key, block), before(row.before.as_ref()));
                }
            }
        }
        let codes = self.table(tables::CODES)?;
        for row in &rows.codes {
            batch.rows.put_cf(codes, row.hash, &row.code);
        }
        Ok(())
    }

    /// Moves the floors along with the head.
    fn expire(&self, batch: &mut Batch, head: u64) -> Result<(), Error> {
        batch.facts.state_floor = batch.facts.state_floor.max(batch.keep.history.floor(head));
        if let (Some(proofs), Some(past)) = (&mut batch.facts.proofs, batch.keep.proofs) {
            proofs.floor = proofs.floor.max(past.floor(head));
        }
        if let Some(old) = expired(head, batch.keep.undo_blocks()) {
            let (from, to) = (old.start.to_be_bytes(), old.end.to_be_bytes());
            for table in [tables::UNDO, tables::NODE_UNDO] {
                batch.rows.delete_range_cf(self.table(table)?, from, to);
            }
        }
        Ok(())
    }

    /// Notes finality and drops undone blocks that can no longer come back. Every batch before this one must have been
    /// written.
    ///
    /// # Errors
    /// When the orphans cannot be read.
    pub fn finality(&self, batch: &mut Batch, record: &maidenlane_wire::Final) -> Result<(), Error> {
        batch.facts.safe = record.safe.or(batch.facts.safe);
        batch.facts.finalized = record.finalized.or(batch.facts.finalized);
        let Some(limit) = batch.facts.finalized.and_then(|block| block.number.checked_sub(ORPHAN_MARGIN))
        else {
            return Ok(());
        };
        let orphans = self.table(tables::ORPHANS)?;
        for row in self.db.iterator_cf(orphans, rocksdb::IteratorMode::Start) {
            let (key, _) = row.map_err(|source| self.rocks("read orphans", source))?;
            let block = tables::block_of(&key).ok_or_else(|| self.damaged("orphan"))?;
            if block.number > limit {
                break;
            }
            for table in [tables::HEADERS, tables::BODIES, tables::RECEIPTS, tables::SENDERS, tables::ORPHANS]
            {
                batch.rows.delete_cf(self.table(table)?, &key);
            }
            batch.rows.delete_cf(self.table(tables::NUMBERS)?, block.hash);
        }
        Ok(())
    }
}

impl Batch {
    /// Facts as they will be written.
    pub fn facts(&mut self) -> &mut Facts {
        &mut self.facts
    }

    /// Size of the batch so far, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rows.size_in_bytes()
    }
}

/// Blocks whose undo rows go when the head becomes `head`. Many at a time: every range that is deleted is looked at by
/// later reads until it is compacted away.
fn expired(head: u64, undo_blocks: u64) -> Option<Range<u64>> {
    let end = head.checked_sub(undo_blocks)?.checked_add(1)?;
    end.is_multiple_of(EXPIRED_BLOCKS).then(|| end.saturating_sub(EXPIRED_BLOCKS)..end)
}

/// Value of a row in a history table; empty for an absent one.
fn before(value: Option<&Bytes>) -> &[u8] {
    value.map_or(&[], AsRef::as_ref)
}

fn put(batch: &mut WriteBatch, table: &ColumnFamily, key: &[u8], value: Option<&Bytes>) {
    match value {
        Some(value) => batch.put_cf(table, key, value),
        None => batch.delete_cf(table, key),
    }
}

#[cfg(test)]
mod tests {
    use super::{EXPIRED_BLOCKS, expired};

    #[test]
    fn undo_rows_go_once_and_not_before_their_time() {
        let mut gone = 0;
        for head in 0..5_000 {
            if let Some(blocks) = expired(head, 64) {
                assert_eq!(blocks.start, gone, "without gap or overlap");
                gone = blocks.end;
            }
            assert!(
                gone + 63 <= head || gone == 0,
                "{gone} at {head}: a reorg of 64 blocks must be possible"
            );
            assert!(gone + 64 + EXPIRED_BLOCKS > head, "{gone} at {head}");
        }
    }
}
