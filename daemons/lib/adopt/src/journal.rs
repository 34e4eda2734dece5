//! Journal of an adoption: how far it has come, for the next start.

use crate::error::{Error, io};
use crate::user::User;
use crate::way::Way;
use maidenlane_chain::{B256, BlockRef};
use maidenlane_service::files;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Work that the journal is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) data_dir: PathBuf,
    pub(crate) way: Way,
    /// Settings of the hook, whose spool has the frames.
    pub(crate) hook: String,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// Nothing of use is there.
    Begun,
    /// The copy whose state is exported is there.
    Copied {
        /// Data of the node that it was made of.
        fingerprint: B256,
    },
    /// The blocks above the state are in the spool.
    Executed {
        fingerprint: B256,
        /// Block whose state is exported.
        base: BlockRef,
        head: u64,
    },
    /// geth was told to start.
    Released(Released),
    /// The state is exported.
    Exported(Released),
}

/// Results of the part for which geth had to be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Released {
    /// Data of the node as it was.
    pub(crate) fingerprint: B256,
    /// Block whose state is exported.
    pub(crate) base: BlockRef,
    pub(crate) head: u64,
    pub(crate) downtime_ms: u64,
}

/// The journal's file, in a directory that is locked against other adoptions.
pub(crate) struct Journal {
    path: PathBuf,
    work: Work,
    owner: User,
    _lock: File,
}

#[derive(Serialize, Deserialize)]
struct Written {
    work: Work,
    stage: Stage,
}

impl Journal {
    /// Locks `dir`, opens the journal in it, and tells how far this work is. All there belongs to geth's user.
    pub(crate) fn open(dir: &Path, work: Work, owner: User) -> Result<(Self, Stage), Error> {
        let (path, lock_path) = (dir.join("adopt.json"), dir.join("lock"));
        let foreign =
            !path.exists() && !lock_path.exists() && fs::read_dir(dir).is_ok_and(|all| all.count() > 0);
        if foreign {
            return Err(Error::Foreign(dir.to_owned()));
        }
        fs::create_dir_all(dir).and_then(|()| owner.give(dir)).map_err(io("create", dir))?;
        let lock = files::lock(&lock_path).map_err(io("lock", &lock_path))?;
        let lock = lock.ok_or_else(|| Error::Busy(dir.to_owned()))?;
        owner.give(&lock_path).map_err(io("give to geth's user", &lock_path))?;
        let stage = match fs::read(&path) {
            Ok(json) => {
                let written: Written =
                    serde_json::from_slice(&json).map_err(|_| Error::Foreign(dir.to_owned()))?;
                if written.work.data_dir != work.data_dir {
                    return Err(Error::Other { work: dir.to_owned(), begun: written.work.data_dir });
                }
                // Another way, or another spool, begins anew.
                if written.work == work { written.stage } else { Stage::Begun }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Stage::Begun,
            Err(error) => return Err(io("read", &path)(error)),
        };
        Ok((Self { path, work, owner, _lock: lock }, stage))
    }

    /// Writes how far it is, durably.
    pub(crate) fn write(&self, stage: Stage) -> Result<(), Error> {
        let written = Written { work: self.work.clone(), stage };
        let json = serde_json::to_vec(&written).map_err(std::io::Error::from);
        let written = json.and_then(|json| files::write_whole(&self.path, &json));
        written.and_then(|()| self.owner.give(&self.path)).map_err(io("write", &self.path))
    }
}
