//! Accounts with storage whose slots are still to come, first in, first out, in a file: in an export all accounts come
//! before the first slot.

use crate::error::{Error, io};
use maidenlane_chain::B256;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Bytes of an account in the file: its key, and its storage root.
const ACCOUNT_BYTES: u64 = 64;

/// Place in the file, in accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Accounts that were added.
    pub(crate) added: u64,
    /// Accounts that were taken.
    pub(crate) taken: u64,
}

/// The queue.
pub(crate) struct Pending {
    path: PathBuf,
    write: BufWriter<File>,
    read: BufReader<File>,
    place: Place,
    /// Accounts that are in the file for certain; those after may be in the buffer.
    flushed: u64,
}

impl Pending {
    /// Opens the queue in `dir` as it was at `place`.
    pub(crate) fn open(dir: &Path, place: Place) -> Result<Self, Error> {
        let path = dir.join("pending");
        let open = || {
            let mut write = File::options().write(true).create(true).truncate(false).open(&path)?;
            write.set_len(place.added.saturating_mul(ACCOUNT_BYTES))?;
            write.seek(SeekFrom::End(0))?;
            let mut read = File::open(&path)?;
            read.seek(SeekFrom::Start(place.taken.saturating_mul(ACCOUNT_BYTES)))?;
            Ok((BufWriter::new(write), BufReader::with_capacity(1 << 18, read)))
        };
        let (write, read) = open().map_err(|error| io("open", &path, error))?;
        Ok(Self { path, write, read, place, flushed: place.added })
    }

    /// Adds an account that has this storage root.
    pub(crate) fn add(&mut self, account: B256, root: B256) -> Result<(), Error> {
        self.place.added = self.place.added.saturating_add(1);
        let mut write =
            || self.write.write_all(account.as_slice()).and_then(|()| self.write.write_all(root.as_slice()));
        write().map_err(|error| io("write", &self.path, error))
    }

    /// Takes the oldest account.
    pub(crate) fn take(&mut self) -> Result<Option<(B256, B256)>, Error> {
        if self.place.taken >= self.place.added {
            return Ok(None);
        }
        if self.place.taken >= self.flushed {
            self.write.flush().map_err(|error| io("write", &self.path, error))?;
            self.flushed = self.place.added;
        }
        let (mut account, mut root) = (B256::ZERO, B256::ZERO);
        let read = self.read.read_exact(account.as_mut_slice());
        let read = read.and_then(|()| self.read.read_exact(root.as_mut_slice()));
        read.map_err(|error| io("read", &self.path, error))?;
        self.place.taken = self.place.taken.saturating_add(1);
        Ok(Some((account, root)))
    }

    /// Has everything on the disk, and tells where the queue stands.
    pub(crate) fn sync(&mut self) -> Result<Place, Error> {
        let synced = self.write.flush().and_then(|()| self.write.get_ref().sync_data());
        synced.map_err(|error| io("write", &self.path, error))?;
        self.flushed = self.place.added;
        Ok(self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::{Pending, Place};
    use maidenlane_chain::B256;

    fn account(number: u8) -> (B256, B256) {
        (B256::repeat_byte(number), B256::repeat_byte(!number))
    }

    #[test]
    fn what_was_added_after_a_sync_is_not_there_after_a_kill() {
        let dir = tempfile::tempdir().unwrap();
        let mut pending = Pending::open(dir.path(), Place::default()).unwrap();
        assert_eq!(pending.take().unwrap(), None);
        for number in 0..3 {
            pending.add(account(number).0, account(number).1).unwrap();
        }
        assert_eq!(pending.take().unwrap(), Some(account(0)));
        let place = pending.sync().unwrap();
        pending.add(account(9).0, account(9).1).unwrap();
        assert_eq!(pending.take().unwrap(), Some(account(1)));
        drop(pending);
        let mut again = Pending::open(dir.path(), place).unwrap();
        again.add(account(3).0, account(3).1).unwrap();
        let rest: Vec<_> = std::iter::from_fn(|| again.take().unwrap()).collect();
        assert_eq!(rest, [1, 2, 3].map(account));
    }
}
