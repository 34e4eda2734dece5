//! Making of a snapshot: a checkpoint, by links, whose files are sent while the replica goes on.

use crate::error::{Error, io};
use crate::failpoints;
use crate::known::Known;
use crate::lanes;
use crate::lease::Upload;
use crate::manifest::{File, Id, Kind, Manifest};
use crate::pace::Pace;
use crate::progress::{Meter, Report};
use crate::repository::Repository;
use maidenlane_service::{clock, failpoint, files};
use maidenlane_store::{Store, peek};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// A snapshot that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Name.
    pub id: Id,
    /// Content.
    pub manifest: Manifest,
    /// Files that were not in the repository before, and their size.
    pub sent: (u64, u64),
}

impl Made {
    /// Snapshot in a few fields, for people and their scripts.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let mut row = self.manifest.to_json(&self.id);
        if let Some(row) = row.as_object_mut() {
            row.insert("sentFiles".to_owned(), self.sent.0.into());
            row.insert("sentBytes".to_owned(), self.sent.1.into());
        }
        row
    }
}

/// Directory of what is needed while a snapshot is made, and of what the next one needs to know.
#[derive(Debug)]
pub struct Workshop {
    dir: PathBuf,
    _lock: fs::File,
}

impl Workshop {
    /// Makes and locks the directory within a state directory, and removes what a killed snapshot has left: links to
    /// files that the database would have dropped.
    ///
    /// # Errors
    /// [`Error::Busy`], or when the disk refuses.
    pub fn open(state_dir: &Path) -> Result<Self, Error> {
        let dir = state_dir.join("snapshot");
        fs::create_dir_all(&dir).map_err(|error| io("create", &dir, error))?;
        let path = dir.join("lock");
        let lock = files::lock(&path).map_err(|error| io("lock", &path, error))?;
        let lock = lock.ok_or_else(|| Error::Busy(state_dir.to_owned()))?;
        let workshop = Self { dir, _lock: lock };
        workshop.clear()?;
        Ok(workshop)
    }

    fn checkpoint(&self) -> PathBuf {
        self.dir.join("checkpoint")
    }

    fn clear(&self) -> Result<(), Error> {
        let path = self.checkpoint();
        files::remove_dir(&path).map_err(|error| io("remove", &path, error))
    }

    /// Makes a snapshot of `store`, and sends what the repository has not.
    ///
    /// # Errors
    /// When there is no block, or disk or repository refuse. What was sent is found again by the next attempt.
    pub fn create(
        &self,
        store: &Store,
        repository: &Repository,
        pace: &Pace,
        report: Report<'_>,
    ) -> Result<Made, Error> {
        let checkpoint = self.checkpoint();
        self.clear()?;
        store.checkpoint(&checkpoint)?;
        failpoint(failpoints::AFTER_CHECKPOINT);
        let made = self.send(&checkpoint, repository, pace, report);
        self.clear()?;
        made
    }

    fn send(
        &self,
        dir: &Path,
        repository: &Repository,
        pace: &Pace,
        report: Report<'_>,
    ) -> Result<Made, Error> {
        let peek = peek(dir)?;
        let head = peek.facts.head.ok_or_else(|| Error::Empty(self.dir.clone()))?;
        let known = Known::open(self.dir.join("known.json"));
        let digested = Mutex::new(Vec::new());
        lanes::each_in_background(&names(dir)?, |name| {
            let file = known.file(dir, name, pace)?;
            digested.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(file);
            Ok(())
        })?;
        let digested = digested.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (mut files, noted): (Vec<File>, Vec<_>) = digested.into_iter().unzip();
        files.sort();
        known.note(noted)?;
        let manifest = Manifest::of(&peek, head, clock::now_ms(), files);
        let upload = Upload::begin(repository, &manifest, pace)?;
        failpoint(failpoints::AFTER_LEASE);
        let missing = missing(&manifest, repository)?;
        let sent = (missing.len() as u64, missing.iter().map(|file| file.bytes).sum());
        let meter = Meter::new(report, sent.1);
        lanes::each_in_background(&missing, |file| {
            upload.goes_on()?;
            repository.send(&dir.join(&file.name), file, pace)?;
            meter.add(file.bytes);
            failpoint(failpoints::AFTER_SENT);
            Ok(())
        })?;
        failpoint(failpoints::BEFORE_MANIFEST);
        upload.publish()?;
        failpoint(failpoints::AFTER_MANIFEST);
        Ok(Made { id: upload.end()?, manifest, sent })
    }
}

/// Names of a database's files.
fn names(dir: &Path) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(|error| io("list", dir, error))? {
        let entry = entry.map_err(|error| io("list", dir, error))?;
        let name = entry.file_name().into_string().unwrap_or_default();
        match Kind::of(&name) {
            Some(_) => names.push(name),
            // Text for people, and marks of a process that has it open.
            None if name.starts_with("LOG") || name == "LOCK" || name == "IDENTITY" => {}
            None => return Err(Error::Stranger(entry.path())),
        }
    }
    Ok(names)
}

/// Files that the repository has not, or has not whole, each content once.
fn missing<'a>(manifest: &'a Manifest, repository: &Repository) -> Result<Vec<&'a File>, Error> {
    let held: BTreeMap<_, _> = repository.objects()?.into_iter().collect();
    let lacking = manifest.files.iter().filter(|file| held.get(&file.sha256) != Some(&file.bytes));
    let by_content: BTreeMap<_, _> = lacking.map(|file| (file.sha256, file)).collect();
    Ok(by_content.into_values().collect())
}
