//! Database of transactions' fates, beside the chain's: what the topic of outcomes said of each, how far it was read,
//! and for how long. The meaning of the entries is the caller's.
//!
//! | key | value |
//! |---|---|
//! | `h` hash, partition, offset | the entry |
//! | `t` time, hash, partition, offset | nothing: rows in the order in which they expire |
//! | `p` partition | offset to read next, and since when the partition is known |
//!
//! Numbers are big-endian: rows of one hash lie together, oldest entry first.

use super::Error;
use maidenlane_chain::B256;
use rocksdb::{DB, Direction, IteratorMode, Options, WriteBatch};
use std::path::{Path, PathBuf};

const HISTORY: u8 = b'h';
const EXPIRY: u8 = b't';
const PLACE: u8 = b'p';
/// Bytes of what is written and not yet in a file.
const WRITE_BUFFER_BYTES: usize = 16 << 20;
/// Rows that expire in one batch.
const EXPIRED_ROWS: usize = 1_000;

/// Progress in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Offset to read next.
    pub next: u64,
    /// Unix time in milliseconds from which on its entries are all here.
    pub since_ms: u64,
}

/// The open database. One thread writes.
#[derive(Debug)]
pub struct Fates {
    db: DB,
    path: PathBuf,
}

/// Changes that are written together.
#[derive(Default)]
pub struct FatesBatch(WriteBatch);

impl std::fmt::Debug for FatesBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FatesBatch").field("rows", &self.0.len()).finish()
    }
}

impl FatesBatch {
    /// Adds an entry of the topic, and the time from which on its age counts.
    pub fn put(&mut self, hash: B256, (partition, offset): (u32, u64), at_ms: u64, entry: &[u8]) {
        let place = [hash.as_slice(), &partition.to_be_bytes(), &offset.to_be_bytes()].concat();
        self.0.put([&[HISTORY], place.as_slice()].concat(), entry);
        self.0.put([&[EXPIRY], &at_ms.to_be_bytes()[..], &place].concat(), []);
    }

    /// Notes how far a partition was read.
    pub fn reached(&mut self, partition: u32, reached: Reached) {
        let value = [reached.next.to_be_bytes(), reached.since_ms.to_be_bytes()].concat();
        self.0.put([&[PLACE], &partition.to_be_bytes()[..]].concat(), value);
    }
}

impl Fates {
    /// Opens or creates the database.
    ///
    /// # Errors
    /// When it is in use, or the disk refuses.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let options = Options::default().get_options_from_string("allow_fallocate=false");
        let mut options = options.map_err(|source| Error::rocks("set options", path, source))?;
        options.create_if_missing(true);
        options.set_write_buffer_size(WRITE_BUFFER_BYTES);
        options.set_keep_log_file_num(4);
        options.set_compression_type(rocksdb::DBCompressionType::Lz4);
        let db = DB::open(&options, path).map_err(|source| Error::rocks("open the fates", path, source))?;
        Ok(Self { db, path: path.to_owned() })
    }

    fn rocks(&self, what: &'static str) -> impl FnOnce(rocksdb::Error) -> Error {
        move |source| Error::rocks(what, &self.path, source)
    }

    /// Progress in a partition, if it was ever read.
    ///
    /// # Errors
    /// When the disk refuses, or the row is damaged.
    pub fn reached(&self, partition: u32) -> Result<Option<Reached>, Error> {
        let found = self.db.get([&[PLACE], &partition.to_be_bytes()[..]].concat());
        let Some(value) = found.map_err(self.rocks("read"))? else { return Ok(None) };
        let number = |at: usize| Some(u64::from_be_bytes(value.get(at..at + 8)?.try_into().ok()?));
        let reached = number(0).zip(number(8)).map(|(next, since_ms)| Reached { next, since_ms });
        reached.map(Some).ok_or_else(|| Error::Malformed { what: "progress", path: self.path.clone() })
    }

    /// Entries on a transaction, oldest first, so many at most.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn history(&self, hash: B256, max: usize) -> Result<Vec<Vec<u8>>, Error> {
        let prefix = [&[HISTORY], hash.as_slice()].concat();
        let rows = self.db.iterator(IteratorMode::From(&prefix, Direction::Forward));
        let mut entries = Vec::new();
        for row in rows.take(max) {
            let (key, entry) = row.map_err(self.rocks("read"))?;
            if !key.starts_with(&prefix) {
                break;
            }
            entries.push(entry.into());
        }
        Ok(entries)
    }

    /// Writes the batch in one piece. Not synced: the log has the entries, and they are read again.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, batch: FatesBatch) -> Result<(), Error> {
        self.db.write(batch.0).map_err(self.rocks("write"))
    }

    /// Drops rows from before a time, in Unix milliseconds; true if there may be more of them.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn expire(&self, before_ms: u64) -> Result<bool, Error> {
        let mut batch = WriteBatch::default();
        let mut rows = 0;
        for row in self.db.iterator(IteratorMode::From(&[EXPIRY], Direction::Forward)).take(EXPIRED_ROWS) {
            let (key, _) = row.map_err(self.rocks("read"))?;
            let Some((time, place)) = key.strip_prefix(&[EXPIRY]).and_then(|rest| rest.split_at_checked(8))
            else {
                break;
            };
            if time >= before_ms.to_be_bytes().as_slice() {
                break;
            }
            batch.delete([&[HISTORY], place].concat());
            batch.delete(&key);
            rows += 1;
        }
        if rows > 0 {
            self.db.write(batch).map_err(self.rocks("write"))?;
        }
        Ok(rows == EXPIRED_ROWS)
    }
}

#[cfg(test)]
mod tests {
    use super::{EXPIRED_ROWS, Fates, FatesBatch, Reached};
    use maidenlane_chain::B256;

    const A: B256 = B256::repeat_byte(0xa);
    const B: B256 = B256::repeat_byte(0xb);

    fn put(fates: &Fates, hash: B256, offset: u64, at_ms: u64) {
        let mut batch = FatesBatch::default();
        batch.put(hash, (3, offset), at_ms, &offset.to_be_bytes());
        batch.reached(3, Reached { next: offset + 1, since_ms: 7 });
        fates.write(batch).unwrap();
    }

    fn offsets(fates: &Fates, hash: B256) -> Vec<u64> {
        let entries = fates.history(hash, 100).unwrap();
        entries.into_iter().map(|entry| u64::from_be_bytes(entry.try_into().unwrap())).collect()
    }

    #[test]
    fn histories_are_kept_apart_and_in_order_over_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let fates = Fates::open(dir.path()).unwrap();
        assert_eq!(fates.reached(3).unwrap(), None);
        for offset in [2, 256, 300] {
            put(&fates, A, offset, 10);
            put(&fates, B, offset + 1, 10);
        }
        drop(fates);
        let fates = Fates::open(dir.path()).unwrap();
        assert_eq!((offsets(&fates, A), offsets(&fates, B)), (vec![2, 256, 300], vec![3, 257, 301]));
        assert_eq!(fates.history(A, 2).unwrap().len(), 2);
        assert_eq!(fates.reached(3).unwrap(), Some(Reached { next: 302, since_ms: 7 }));
        assert_eq!(fates.reached(0).unwrap(), None);
        assert!(offsets(&fates, B256::ZERO).is_empty());
    }

    #[test]
    fn what_is_too_old_goes_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let fates = Fates::open(dir.path()).unwrap();
        put(&fates, A, 1, 99);
        put(&fates, A, 2, 100);
        put(&fates, B, 3, 50);
        assert!(!fates.expire(100).unwrap());
        assert_eq!((offsets(&fates, A), offsets(&fates, B)), (vec![2], vec![]));
        for offset in 10..10 + EXPIRED_ROWS as u64 {
            put(&fates, B, offset, 150);
        }
        assert!(fates.expire(200).unwrap(), "more than one batch");
        assert!(!fates.expire(200).unwrap());
        assert!(offsets(&fates, A).is_empty() && offsets(&fates, B).is_empty());
        assert!(fates.reached(3).unwrap().is_some(), "progress does not expire");
    }
}
