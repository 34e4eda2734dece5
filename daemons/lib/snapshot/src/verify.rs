//! Verification of a snapshot: restored into a scratch directory, every file read, the state root computed anew. Only a
//! snapshot that was verified counts.
//!
//! # Correctness
//! The scratch directory may be anybody's, with anything in it, the repository even: all that is made and removed is one
//! directory of our own in it, which a lock keeps from others.

use crate::error::{Error, io};
use crate::manifest::Id;
use crate::pace::Pace;
use crate::progress::Report;
use crate::repository::{Repository, Shelf};
use crate::restore;
use crate::shelf::Verified;
use maidenlane_replay::verify;
use maidenlane_service::{clock, files};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Directory of our own within a scratch directory, and its lock.
const DIR: &str = ".maidenlane-verify";
const LOCK: &str = ".maidenlane-verify.lock";

/// Verifies a snapshot below `scratch`, a directory with room for all of it, and marks it. Nothing is left there but the empty
/// file of the lock: removing that would let a second one in beside a third.
///
/// # Errors
/// When it is damaged, or its state is not that of its head. A mark that it had before is taken away then.
pub fn verify_snapshot(
    repository: &Repository,
    id: &Id,
    scratch: &Path,
    pace: &Pace,
    report: Report<'_>,
) -> Result<Verified, Error> {
    let mark = Shelf::Verified.key(&id.to_string());
    let scratch = Scratch::lock(scratch)?;
    let verified = check(repository, id, &scratch.dir, pace, report);
    scratch.remove()?;
    match &verified {
        Ok(verified) => repository.put(&mark, serde_json::to_vec(verified).map_err(Error::Encode)?)?,
        Err(error) if error.is_of_snapshot() => {
            repository.delete([mark])?;
            // What is there under its digest and size is not sent again, and this one is of use to nobody.
            repository.delete(error.damaged_object())?;
        }
        Err(_) => {}
    }
    verified
}

fn check(
    repository: &Repository,
    id: &Id,
    dir: &Path,
    pace: &Pace,
    report: Report<'_>,
) -> Result<Verified, Error> {
    let manifest = repository.snapshot(id)?.manifest;
    restore::fill(id, &manifest, repository, dir, None, pace, report)?;
    let (head, audit) =
        verify::verify(dir).map_err(|source| Error::State { id: id.clone(), source: Box::new(source) })?;
    if head != manifest.head {
        return Err(Error::Differs { id: id.clone(), found: Some(head), expected: manifest.head });
    }
    Ok(Verified { at_ms: clock::now_ms(), root: audit.root, accounts: audit.accounts, slots: audit.slots })
}

/// Directory of our own within a scratch directory.
struct Scratch {
    dir: PathBuf,
    _lock: File,
}

impl Scratch {
    fn lock(parent: &Path) -> Result<Self, Error> {
        let (dir, path) = (parent.join(DIR), parent.join(LOCK));
        fs::create_dir_all(&dir).map_err(|error| io("create", &dir, error))?;
        let lock = files::lock(&path).map_err(|error| io("lock", &path, error))?;
        let lock = lock.ok_or_else(|| Error::Verifying(parent.to_owned()))?;
        Ok(Self { dir, _lock: lock })
    }

    fn remove(self) -> Result<(), Error> {
        fs::remove_dir_all(&self.dir).map_err(|error| io("remove", &self.dir, error))
    }
}
