//! Places within a state directory of what makes a database: a directory of its own, and where a replica looks for one.
//!
//! # Correctness
//! A database is made beside the place and moved there by one rename, so that a kill leaves a whole one or none. The
//! directory of its own goes as a whole, by a new name, before its files do: what is found there was not half removed.

use maidenlane_chain::BlockRef;
use maidenlane_service::Exit;
use maidenlane_service::files::{self, FileError};
use maidenlane_store::{self as store, Facts, Store};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Memory of the database for what it has read, in bytes: only its facts are looked at.
const CACHE_BYTES: usize = 8 << 20;
/// File that every database of RocksDB has.
const OF_A_DATABASE: &str = "CURRENT";

/// A state directory in which no database can be put.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// The disk refused.
    #[error(transparent)]
    Io(#[from] FileError),
    /// Failure of the database that is there.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A state directory that is not empty.
    #[error("{} holds block {head}: move it away, or name another `stateDir`", path.display())]
    Occupied { path: PathBuf, head: BlockRef },
    /// Something else than a database where one belongs.
    #[error("{} is no database of a replica, or a link to one: move it away", .0.display())]
    NoDatabase(PathBuf),
    /// Another process that fills the same directory.
    #[error("another import or restore runs in {}", .0.display())]
    Busy(PathBuf),
}

/// The places, locked against others that would fill them.
#[derive(Debug)]
pub struct Place {
    state_dir: PathBuf,
    dir: PathBuf,
    _lock: File,
}

impl Place {
    /// Makes the state directory and locks it for work of a name, which is that of its own directory.
    ///
    /// # Errors
    /// [`Error::Busy`], or when the disk refuses.
    pub fn lock(state_dir: &Path, work: &str) -> Result<Self, Error> {
        let path = state_dir.join("place.lock");
        fs::create_dir_all(state_dir).map_err(|error| refused("create", state_dir, error))?;
        let lock = files::lock(&path).map_err(|error| refused("lock", &path, error))?;
        let lock = lock.ok_or_else(|| Error::Busy(state_dir.to_owned()))?;
        let place = Self { state_dir: state_dir.to_owned(), dir: state_dir.join(work), _lock: lock };
        remove(&place.going())?;
        Ok(place)
    }

    /// The state directory.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// The work's own directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Name under which the directory goes.
    fn going(&self) -> PathBuf {
        self.dir.with_extension("old")
    }

    /// Makes the work's own directory, unless it is there.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn begin(&self) -> Result<(), Error> {
        fs::create_dir_all(&self.dir).map_err(|error| refused("create", &self.dir, error))
    }

    /// Removes the work's own directory, if there is one.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn discard(&self) -> Result<(), Error> {
        let going = self.going();
        remove(&going)?;
        match fs::rename(&self.dir, &going) {
            Ok(()) => sync(&self.state_dir)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(refused("move away", &self.dir, error)),
        }
        remove(&going)
    }

    /// Facts of the database that is where a replica looks for one; none if there is none.
    ///
    /// # Errors
    /// When something else is there, or a replica runs on it.
    pub fn held(&self) -> Result<Option<Facts>, Error> {
        let path = crate::store_path(&self.state_dir);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(refused("look at", &path, error)),
            Ok(found) if found.is_dir() && path.join(OF_A_DATABASE).exists() => {
                Ok(Some(Store::open(&path, CACHE_BYTES)?.facts()))
            }
            Ok(_) => Err(Error::NoDatabase(path)),
        }
    }

    /// Moves the database that is there, if there is one, into the work's directory: it goes with it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn set_aside(&self) -> Result<(), Error> {
        let (there, aside) = (crate::store_path(&self.state_dir), self.dir.join("replaced"));
        // What an attempt has left that was killed behind the next step.
        if there.exists() {
            remove(&aside)?;
        }
        match fs::rename(&there, &aside) {
            Ok(()) => sync(&self.state_dir),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(refused("move away", &there, error)),
        }
    }

    /// Moves the work's database where a replica looks for it. An empty one may be there: of a replica that was started
    /// before there was anything to begin with.
    ///
    /// # Errors
    /// [`Error::Occupied`], or when the disk refuses.
    pub fn fill(&self) -> Result<(), Error> {
        let target = crate::store_path(&self.state_dir);
        match self.held()?.map(|facts| facts.head) {
            None => {}
            Some(None) => remove(&target)?,
            Some(Some(head)) => return Err(self.occupied(head)),
        }
        fs::rename(crate::store_path(&self.dir), &target)
            .map_err(|error| refused("move the database to", &target, error))?;
        sync(&self.state_dir)
    }

    /// Error for a state directory that holds a block.
    #[must_use]
    pub fn occupied(&self, head: BlockRef) -> Error {
        Error::Occupied { path: self.state_dir.clone(), head }
    }
}

/// Makes the names in a directory durable.
fn sync(dir: &Path) -> Result<(), Error> {
    files::sync_dir(dir).map_err(|error| refused("sync", dir, error))
}

fn remove(path: &Path) -> Result<(), Error> {
    files::remove_dir(path).map_err(|error| refused("remove", path, error))
}

fn refused(verb: &'static str, path: &Path, source: io::Error) -> Error {
    FileError::at(verb, path)(source).into()
}

impl Error {
    /// Exit code of it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Store(store::Error::InUse { .. }) => Exit::Settings,
            Self::Store(source) if !source.is_disk() => Exit::Data,
            Self::Store(_) => Exit::GaveUp,
            Self::Io(error) => error.exit(),
            Self::Occupied { .. } | Self::NoDatabase(_) | Self::Busy(_) => Exit::Settings,
        }
    }
}
