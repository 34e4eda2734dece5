//! Restoring of a snapshot: its files into a directory of their own, checked as they come, and the database into its
//! place when it is whole.
//!
//! # Correctness
//! A file gets its name, which is its digest, when it is whole, checked and on the disk. So what an attempt that was
//! killed has left is believed by name, whatever snapshot the next attempt is of.

use crate::error::{Error, io};
use crate::failpoints;
use crate::fit::{Demands, refusal};
use crate::lanes;
use crate::manifest::{File, Id, Manifest};
use crate::pace::Pace;
use crate::progress::{Meter, Report};
use crate::repository::Repository;
use maidenlane_replay::place::Place;
use maidenlane_replay::reach::Reach;
use maidenlane_replay::store_path;
use maidenlane_service::{failpoint, files};
use maidenlane_store::{Facts, peek};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Directory of a restore within the state directory, and the file in it that says of which snapshot it is.
const DIR: &str = "restore";
const NOTE: &str = "snapshot";

/// A restore.
#[derive(Clone, Copy)]
pub struct Restore<'a> {
    /// Repository with the snapshot.
    pub repository: &'a Repository,
    /// Snapshot to restore; the newest verified one that is of use, if none is named.
    pub id: Option<&'a Id>,
    /// Demands of the settings.
    pub demands: Demands,
    /// True if the database that is there is of no use any more: it goes once the snapshot is whole.
    pub replaces: bool,
    /// Pace of fetching.
    pub pace: &'a Pace,
    /// Taker of reports.
    pub report: Report<'a>,
    /// Taker of reasons why a snapshot was passed over.
    pub passed_over: &'a (dyn Fn(&Error) + Sync),
}

impl std::fmt::Debug for Restore<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { repository, id, demands, .. } = self;
        f.debug_struct("Restore")
            .field("repository", repository)
            .field("id", id)
            .field("demands", demands)
            .finish()
    }
}

/// Restores a snapshot into `state_dir`, which must hold no block that is not to be replaced.
///
/// # Errors
/// When no snapshot is of use: the reason of the newest one. Nothing is left then that could be served.
pub fn restore(what: &Restore<'_>, state_dir: &Path) -> Result<(Id, Manifest), Error> {
    let place = Place::lock(state_dir, DIR)?;
    if let Some((head, position)) = place.held()?.and_then(|facts| Some((facts.head?, facts.position))) {
        let is_held = |manifest: &Manifest| (manifest.head, manifest.position) == (head, position);
        if let Some(placed) = placed(&place, what).filter(|(_, manifest)| is_held(manifest)) {
            place.discard()?;
            return Ok(placed);
        }
        if !what.replaces {
            return Err(place.occupied(head).into());
        }
    }
    let Restore { repository, id, passed_over, .. } = what;
    let candidates = match id {
        Some(id) => vec![(*id).clone()],
        None => repository.ids()?.into_iter().rev().collect(),
    };
    let mut refused = None;
    for id in candidates {
        match attempt(&place, what, &id) {
            Ok(Some(manifest)) => return Ok((id, manifest)),
            Ok(None) => {}
            Err(error) if error.is_of_snapshot() || matches!(error, Error::Unfit { .. }) => {
                passed_over(&error);
                refused.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(refused.unwrap_or_else(|| Error::NoneVerified { repository: repository.name().to_owned() }))
}

/// Reason for which a replica needs a snapshot.
#[derive(Debug)]
pub enum Need {
    /// A state directory without a block.
    Beginning,
    /// A database behind which the log no longer holds the next record, with the log's reason.
    Gap(maidenlane_log::Error),
}

/// Judges whether a replica can go on with what is in `state_dir`, with a log of that reach. Where it can, what a restore
/// has left that was killed after its last step but one goes.
///
/// # Errors
/// When the disk refuses.
pub fn need(state_dir: &Path, reach: Option<&Reach>) -> Result<Option<Need>, Error> {
    let database = store_path(state_dir);
    if !database.join("CURRENT").exists() {
        return Ok(Some(Need::Beginning));
    }
    // One that cannot be read is none of ours: who opens it says why.
    if let Ok(peek) = peek(&database) {
        let Facts { head, position, proofs, .. } = &peek.facts;
        if head.is_none() {
            return Ok(Some(Need::Beginning));
        }
        let held = reach.map_or(Ok(()), |reach| reach.holds_next(position.as_ref(), proofs.as_ref()));
        if let Err(gap) = held {
            return Ok(Some(Need::Gap(gap)));
        }
    }
    if state_dir.join(DIR).exists() {
        Place::lock(state_dir, DIR)?.discard()?;
    }
    Ok(None)
}

/// Snapshot whose database was put in its place by a restore that was killed right after.
fn placed(place: &Place, what: &Restore<'_>) -> Option<(Id, Manifest)> {
    let noted = fs::read_to_string(place.dir().join(NOTE)).ok()?;
    let noted: Id = noted.parse().ok().filter(|noted| what.id.is_none_or(|id| id == noted))?;
    let snapshot = what.repository.snapshot(&noted).ok()?;
    Some((noted, snapshot.manifest))
}

/// Restores one snapshot; none if it is not verified, and nobody asked for it.
fn attempt(place: &Place, what: &Restore<'_>, id: &Id) -> Result<Option<Manifest>, Error> {
    let Restore { repository, demands, pace, report, .. } = what;
    let snapshot = repository.snapshot(id)?;
    if what.id.is_none() && snapshot.verified.is_none() {
        return Ok(None);
    }
    let manifest = snapshot.manifest;
    if let Some(refusal) = refusal(&manifest, demands) {
        return Err(Error::Unfit { id: id.clone(), repository: repository.name().to_owned(), refusal });
    }
    place.begin()?;
    let note = place.dir().join(NOTE);
    fs::write(&note, id.to_string()).map_err(|error| io("write", &note, error))?;
    let state_dir = place.dir().parent().unwrap_or(place.dir());
    let owner = fs::metadata(state_dir).map_err(|error| io("look at", state_dir, error))?.uid();
    fill(id, &manifest, repository, place.dir(), Some(owner), pace, *report)?;
    failpoint(failpoints::BEFORE_PLACE);
    if what.replaces {
        place.set_aside()?;
        failpoint(failpoints::SET_ASIDE);
    }
    place.fill()?;
    failpoint(failpoints::AFTER_PLACE);
    place.discard()?;
    Ok(Some(manifest))
}

/// Fetches what is not there yet into `dir`, and makes the database of it, which belongs to `owner` at last.
pub(crate) fn fill(
    id: &Id,
    manifest: &Manifest,
    repository: &Repository,
    dir: &Path,
    owner: Option<u32>,
    pace: &Pace,
    report: Report<'_>,
) -> Result<(), Error> {
    let fetched = dir.join("files");
    fs::create_dir_all(&fetched).map_err(|error| io("create", &fetched, error))?;
    let by_content: BTreeMap<_, _> = manifest.files.iter().map(|file| (file.sha256, file)).collect();
    let lacking = by_content.into_values().filter(|file| !fetched.join(file.sha256.to_string()).exists());
    let lacking: Vec<&File> = lacking.collect();
    let meter = Meter::new(report, lacking.iter().map(|file| file.bytes).sum());
    lanes::each(&lacking, |file| {
        let whole = fetched.join(file.sha256.to_string());
        let part = whole.with_extension("part");
        repository.fetch(id, file, &part, owner, pace)?;
        failpoint(failpoints::BEFORE_NAMED);
        fs::rename(&part, &whole).map_err(|error| io("name", &whole, error))?;
        meter.add(file.bytes);
        failpoint(failpoints::AFTER_FETCHED);
        Ok(())
    })?;
    let database = store_path(dir);
    files::remove_dir(&database).map_err(|error| io("remove", &database, error))?;
    fs::create_dir_all(&database).map_err(|error| io("create", &database, error))?;
    for file in &manifest.files {
        let name = database.join(&file.name);
        named(&fetched.join(file.sha256.to_string()), &name, file)
            .map_err(|error| io("name", &name, error))?;
    }
    sync(&database)?;
    sync(dir)?;
    let found = peek(&database)?.facts.head;
    if found == Some(manifest.head) {
        return Ok(());
    }
    Err(Error::Differs { id: id.clone(), found, expected: manifest.head })
}

/// Gives a file the name that the database knows. Two of the same content are two files, if the database may change them.
fn named(whole: &Path, name: &Path, file: &File) -> std::io::Result<()> {
    if file.is_table() {
        return fs::hard_link(whole, name);
    }
    fs::copy(whole, name)?;
    fs::File::open(name)?.sync_all()
}

fn sync(dir: &Path) -> Result<(), Error> {
    files::sync_dir(dir).map_err(|error| io("sync", dir, error))
}
