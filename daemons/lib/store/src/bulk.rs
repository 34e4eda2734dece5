//! Bulk loading: rows in ascending order, into files of RocksDB's own that a database takes over as they are.
//!
//! A file that is finished is on the disk. A database that takes it over makes a link to it and never copies, so that a
//! second attempt after a kill finds every file in its place.

use super::floors::Floors;
use super::tuning::options;
use super::write::Store;
use super::{Error, tables};
use maidenlane_chain::account::Account;
use maidenlane_chain::{B256, U256};
use maidenlane_state::trie::NodeKey;
use rocksdb::{Cache, IngestExternalFileOptions, Options, SstFileWriter};
use std::fs;
use std::path::{Path, PathBuf};

/// Cache that the options of a table ask for and no file writer uses.
const NO_CACHE_BYTES: usize = 1 << 20;

/// A table that can be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Table {
    /// Accounts by hashed address.
    Accounts,
    /// Slots by hashed address and hashed number.
    Slots,
    /// Trie nodes.
    Nodes,
}

impl Table {
    /// Name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accounts => tables::ACCOUNTS,
            Self::Slots => tables::SLOTS,
            Self::Nodes => tables::NODES,
        }
    }
}

/// How files of a table are written: as the database would itself.
pub struct Format {
    table: Table,
    options: Options,
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Format").field("table", &self.table).finish_non_exhaustive()
    }
}

impl Format {
    /// Format of `table`.
    #[must_use]
    pub fn of(table: Table) -> Self {
        let options = options(table.name(), &Cache::new_lru_cache(NO_CACHE_BYTES), &Floors::default());
        Self { table, options }
    }

    /// Begins a file; one that is there is written anew.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn file(&self, path: &Path) -> Result<File<'_>, Error> {
        // A database may have a link to one that is there: not its bytes are replaced, but its name.
        drop(fs::remove_file(path));
        let writer = SstFileWriter::create(&self.options);
        writer.open(path).map_err(|source| Error::rocks("create a file", path, source))?;
        Ok(File { writer, path: path.to_owned(), rows: 0 })
    }
}

/// A file that is being written.
pub struct File<'a> {
    writer: SstFileWriter<'a>,
    path: PathBuf,
    rows: u64,
}

impl std::fmt::Debug for File<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File").field("path", &self.path).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl File<'_> {
    /// Adds an account.
    ///
    /// # Errors
    /// When its key is not above the last one's, or the disk refuses.
    pub fn account(&mut self, key: B256, account: &Account) -> Result<(), Error> {
        self.put(key.as_slice(), &account.encode_slim())
    }

    /// Adds a slot, which is not zero.
    ///
    /// # Errors
    /// As [`File::account`].
    pub fn slot(&mut self, account: B256, key: B256, value: U256) -> Result<(), Error> {
        let bytes = value.to_be_bytes::<32>();
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        self.put(&tables::slot_key(account, key), bytes.get(zeros..).unwrap_or_default())
    }

    /// Adds a row whose key was made by [`node_key`].
    ///
    /// # Errors
    /// As [`File::account`].
    pub fn node(&mut self, key: &[u8], node: &[u8]) -> Result<(), Error> {
        self.put(key, node)
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.rows = self.rows.saturating_add(1);
        self.writer.put(key, value).map_err(|source| Error::rocks("write a file", &self.path, source))
    }

    /// Size so far, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.writer.file_size()
    }

    /// Ends the file and has it on the disk. One without a row is removed, for a database would refuse it: then false.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(mut self) -> Result<bool, Error> {
        if self.rows == 0 {
            drop(fs::remove_file(&self.path));
            return Ok(false);
        }
        self.writer.finish().map_err(|source| Error::rocks("finish a file", &self.path, source))?;
        Ok(true)
    }
}

/// Key under which a trie node is kept: in the order of these keys come first the nodes of the account trie, then those
/// of each account's storage; of one trie first those of the shortest path.
#[must_use]
pub fn node_key(place: &NodeKey) -> Vec<u8> {
    tables::node_key(place)
}

impl Store {
    /// Takes over files of `table` whose rows do not overlap. They stay where they are as well.
    ///
    /// # Errors
    /// When the disk refuses, or a file is damaged.
    pub fn take_over(&self, table: Table, files: &[PathBuf]) -> Result<(), Error> {
        let link = |file: &PathBuf| {
            let link = file.with_extension("link");
            drop(fs::remove_file(&link));
            fs::hard_link(file, &link).map(|()| link)
        };
        if files.is_empty() {
            return Ok(());
        }
        let links = files.iter().map(link).collect::<std::io::Result<Vec<_>>>();
        let links = links.map_err(|source| Error::Link { path: self.path().to_owned(), source })?;
        let mut options = IngestExternalFileOptions::default();
        options.set_move_files(true);
        let taken = self.db.ingest_external_file_cf_opts(self.table(table.name())?, &options, links);
        taken.map_err(|source| self.rocks("take over files", source))
    }

    /// Writes codes by their hashes, without the write-ahead log: [`Store::flush`] has them on the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn put_codes<'a>(&self, codes: impl Iterator<Item = (B256, &'a [u8])>) -> Result<(), Error> {
        let table = self.table(tables::CODES)?;
        let mut rows = rocksdb::WriteBatch::default();
        codes.for_each(|(hash, code)| rows.put_cf(table, hash, code));
        if rows.is_empty() {
            return Ok(());
        }
        let mut unlogged = rocksdb::WriteOptions::default();
        unlogged.disable_wal(true);
        self.db.write_opt(rows, &unlogged).map_err(|source| self.rocks("write codes", source))
    }

    /// Writes to files what is in memory only.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn flush(&self) -> Result<(), Error> {
        self.db.flush_cf(self.table(tables::CODES)?).map_err(|source| self.rocks("flush", source))
    }
}
