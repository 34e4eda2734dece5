//! Verification of a snapshot: restored into a scratch directory, every file read, the state root computed anew. Only a
//! snapshot that was verified counts.

use crate::error::{Error, io};
use crate::manifest::Id;
use crate::pace::Pace;
use crate::progress::Report;
use crate::repository::{Repository, Shelf};
use crate::restore;
use crate::shelf::Verified;
use maidenlane_replay::verify;
use maidenlane_service::clock;
use std::path::Path;

/// Verifies a snapshot in `scratch`, a directory of nobody else's with room for all of it, and marks it.
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
    let verified = check(repository, id, scratch, pace, report);
    match &verified {
        Ok(verified) => repository.put(&mark, serde_json::to_vec(verified).map_err(Error::Encode)?)?,
        Err(error) if error.is_of_snapshot() => repository.delete([mark])?,
        Err(_) => {}
    }
    verified
}

fn check(
    repository: &Repository,
    id: &Id,
    scratch: &Path,
    pace: &Pace,
    report: Report<'_>,
) -> Result<Verified, Error> {
    let manifest = repository.snapshot(id)?.manifest;
    std::fs::create_dir_all(scratch).map_err(|error| io("create", scratch, error))?;
    restore::fill(id, &manifest, repository, scratch, pace, report)?;
    let (head, audit) = verify::verify(scratch)
        .map_err(|source| Error::State { id: id.clone(), source: Box::new(source) })?;
    if head != manifest.head {
        return Err(Error::Differs { id: id.clone(), found: Some(head), expected: manifest.head });
    }
    Ok(Verified { at_ms: clock::now_ms(), root: audit.root, accounts: audit.accounts, slots: audit.slots })
}
