//! Uploads and collections side by side: neither takes from the other what it needs.
//!
//! # Correctness
//! Each first says that it is there, and then looks for the other: an upload announces its manifest and waits until no
//! collection runs, before it looks which files are there; a collection announces itself before it looks which
//! manifests and uploads there are. So of the two, one at least sees the other, and no clock decides it. Ages only free
//! what the dead have announced. A collection ends itself long before others hold it for dead.

use crate::error::Error;
use crate::manifest::{Id, Manifest};
use crate::pace::Pace;
use crate::repository::{Repository, Shelf};
use maidenlane_service::clock;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Age from which an upload is one that was killed.
pub(crate) const UPLOAD_AGE_MAX: Duration = Duration::from_secs(24 * 3_600);
/// Interval at which an upload says that it is still there.
const RENEWED_EVERY: Duration = Duration::from_secs(3_600);
/// Interval at which a collection says that it is still there.
const COLLECTION_RENEWED_EVERY: Duration = Duration::from_secs(10);
/// Time without that after which a collection ends itself.
const COLLECTION_SILENT_MAX: Duration = Duration::from_secs(60);
/// Age from which a collection is one that was killed.
const COLLECTION_AGE_MAX: Duration = Duration::from_secs(180);
/// Time after which nobody waits for collections any longer: they follow one another without end.
const WAIT_MAX: Duration = Duration::from_secs(1_800);
/// Interval at which an upload looks whether a collection still runs.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// An upload that has been announced.
#[derive(Debug)]
pub(crate) struct Upload<'a> {
    repository: &'a Repository,
    id: Id,
    manifest: Vec<u8>,
    said: Mutex<Instant>,
}

impl<'a> Upload<'a> {
    /// Announces an upload; from here on, no collection takes a file that its manifest names.
    pub(crate) fn begin(repository: &'a Repository, manifest: &Manifest, pace: &Pace) -> Result<Self, Error> {
        let (id, manifest) = manifest.encode().map_err(Error::Encode)?;
        repository.put(&Shelf::Uploads.key(&id.to_string()), manifest.clone())?;
        await_collections(repository, pace)?;
        Ok(Self { repository, id, manifest, said: Mutex::new(Instant::now()) })
    }

    /// Says that it is still there, if it has not for long.
    pub(crate) fn goes_on(&self) -> Result<(), Error> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.elapsed() < RENEWED_EVERY {
            return Ok(());
        }
        *said = Instant::now();
        self.repository.put(&Shelf::Uploads.key(&self.id.to_string()), self.manifest.clone())
    }

    /// Writes the manifest: all files that it names are there.
    pub(crate) fn publish(&self) -> Result<(), Error> {
        self.repository.put(&Shelf::Manifests.key(&self.id.to_string()), self.manifest.clone())
    }

    /// Takes the announcement back.
    pub(crate) fn end(self) -> Result<Id, Error> {
        self.repository.delete([Shelf::Uploads.key(&self.id.to_string())])?;
        Ok(self.id)
    }
}

/// Waits until no collection runs that could have looked before now.
pub(crate) fn await_collections(repository: &Repository, pace: &Pace) -> Result<(), Error> {
    let begun = Instant::now();
    loop {
        let running = repository.list(Shelf::Collecting)?;
        let now = if running.is_empty() { SystemTime::UNIX_EPOCH } else { repository.now()? };
        if running.iter().all(|other| age(now, other.written) > COLLECTION_AGE_MAX) {
            return Ok(());
        }
        if begun.elapsed() > WAIT_MAX {
            return Err(Error::Collecting { repository: repository.name().to_owned() });
        }
        pace.go_on()?;
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Age at `now`, both as the store has them.
pub(crate) fn age(now: SystemTime, written: SystemTime) -> Duration {
    now.duration_since(written).unwrap_or_default()
}

/// A collection that has been announced.
#[derive(Debug)]
pub(crate) struct Collection<'a> {
    repository: &'a Repository,
    name: String,
    said: Instant,
}

impl<'a> Collection<'a> {
    /// Announces a collection.
    pub(crate) fn begin(repository: &'a Repository) -> Result<Self, Error> {
        let name = format!("{}-{}", clock::now().as_nanos(), std::process::id());
        let said = Instant::now();
        repository.put(&Shelf::Collecting.key(&name), Vec::new())?;
        Ok(Self { repository, name, said })
    }

    /// Says that it is still there; ends it, if others may have held it for dead.
    pub(crate) fn goes_on(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        let silent = now.duration_since(self.said);
        if silent > COLLECTION_SILENT_MAX {
            return Err(Error::Collecting { repository: self.repository.name().to_owned() });
        }
        if silent > COLLECTION_RENEWED_EVERY {
            self.repository.put(&Shelf::Collecting.key(&self.name), Vec::new())?;
            self.said = now;
        }
        Ok(())
    }

    /// Takes the announcement back, and those of the dead.
    pub(crate) fn end(self) -> Result<(), Error> {
        let now = self.repository.now()?;
        let is_over = |name: &str, written| name == self.name || age(now, written) > COLLECTION_AGE_MAX;
        let all = self.repository.list(Shelf::Collecting)?.into_iter();
        let over = all.filter(|other| is_over(&other.name, other.written));
        self.repository.delete(over.map(|other| Shelf::Collecting.key(&other.name)))
    }
}
