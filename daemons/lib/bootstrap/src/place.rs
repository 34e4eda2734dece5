//! Places of an import within a state directory: its own directory, and where a replica looks for its database.
//!
//! # Correctness
//! What the journal says is believed, so it must never speak of files that are not there. The journal is written before
//! anything else; the directory goes as a whole, by a new name, before its files do; and one that has no journal, or a
//! journal without the database, is nobody's and goes at the next start.

use crate::error::{Error, io};
use crate::journal;
use maidenlane_replay::store_path;
use maidenlane_store::{Facts, Store};
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Memory of the database for what it has read, in bytes: only its facts are looked at.
const CACHE_BYTES: usize = 8 << 20;
/// File that every database of RocksDB has.
const OF_A_DATABASE: &str = "CURRENT";

/// The places, locked against other imports.
pub(crate) struct Place {
    state_dir: PathBuf,
    dir: PathBuf,
    _lock: File,
}

impl Place {
    /// Makes the state directory and locks it.
    pub(crate) fn lock(state_dir: &Path) -> Result<Self, Error> {
        let path = state_dir.join("import.lock");
        fs::create_dir_all(state_dir).map_err(|error| io("create", state_dir, error))?;
        let lock = File::options().write(true).create(true).truncate(false).open(&path);
        let lock = lock.map_err(|error| io("open", &path, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Busy(state_dir.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io("lock", &path, error)),
        }
        let place = Self { state_dir: state_dir.to_owned(), dir: state_dir.join("import"), _lock: lock };
        remove(&place.going())?;
        Ok(place)
    }

    pub(crate) fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// The import's own directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Name under which the directory goes.
    fn going(&self) -> PathBuf {
        self.state_dir.join("import.old")
    }

    /// True if an import was begun.
    pub(crate) fn is_begun(&self) -> bool {
        journal::path(&self.dir).exists()
    }

    /// Makes the import's own directory, unless one is there from which it can go on.
    pub(crate) fn begin(&self) -> Result<(), Error> {
        if !(self.is_begun() && store_path(&self.dir).exists()) {
            self.discard()?;
        }
        fs::create_dir_all(&self.dir).map_err(|error| io("create", &self.dir, error))
    }

    /// Removes the import's own directory, if there is one.
    pub(crate) fn discard(&self) -> Result<(), Error> {
        let going = self.going();
        remove(&going)?;
        match fs::rename(&self.dir, &going) {
            Ok(()) => sync(&self.state_dir)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io("move away", &self.dir, error)),
        }
        remove(&going)
    }

    /// Facts of the database that is where a replica looks for one; none if there is none.
    pub(crate) fn held(&self) -> Result<Option<Facts>, Error> {
        let path = store_path(&self.state_dir);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io("look at", &path, error)),
            Ok(found) if found.is_dir() && path.join(OF_A_DATABASE).exists() => {
                Ok(Some(Store::open(&path, CACHE_BYTES)?.facts()))
            }
            Ok(_) => Err(Error::NoDatabase(path)),
        }
    }

    /// Moves the import's database where a replica looks for it. An empty one may be there: of a replica that was started
    /// before there was anything to begin with.
    pub(crate) fn fill(&self) -> Result<(), Error> {
        let target = store_path(&self.state_dir);
        match self.held()?.map(|facts| facts.head) {
            None => {}
            Some(None) => remove(&target)?,
            Some(Some(head)) => return Err(Error::Occupied { path: self.state_dir.clone(), head }),
        }
        fs::rename(store_path(&self.dir), &target)
            .map_err(|error| io("move the database to", &target, error))?;
        sync(&self.state_dir)
    }
}

/// Makes the names in a directory durable.
fn sync(dir: &Path) -> Result<(), Error> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| io("sync", dir, error))
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io("remove", path, error)),
        _ => Ok(()),
    }
}
