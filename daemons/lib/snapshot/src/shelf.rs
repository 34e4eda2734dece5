//! Snapshots in a repository, with the marks that they have.

use crate::error::Error;
use crate::lease::await_collections;
use crate::manifest::{Id, Manifest};
use crate::pace::Pace;
use crate::repository::{Repository, Shelf};
use maidenlane_chain::B256;
use serde::{Deserialize, Serialize};

/// A snapshot in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Name.
    pub id: Id,
    /// Content.
    pub manifest: Manifest,
    /// Verification that found it good, if one has.
    pub verified: Option<Verified>,
    /// True if it is kept whatever the rules say.
    pub pinned: bool,
}

/// Verification of a snapshot: all its files were read, and the state root was computed anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Time of its end, in milliseconds since 1970.
    pub at_ms: u64,
    /// State root.
    pub root: B256,
    /// Accounts in that state.
    pub accounts: u64,
    /// Slots in that state.
    pub slots: u64,
}

impl Repository {
    /// Names of all snapshots, the oldest block first. What is named otherwise is no snapshot of ours.
    ///
    /// # Errors
    /// When the repository refuses.
    pub fn ids(&self) -> Result<Vec<Id>, Error> {
        let names = self.list(Shelf::Manifests)?.into_iter();
        Ok(names.filter_map(|object| object.name.parse().ok()).collect())
    }

    /// True if a snapshot was verified.
    ///
    /// # Errors
    /// When the repository refuses.
    pub fn is_verified(&self, id: &Id) -> Result<bool, Error> {
        Ok(self.written(&Shelf::Verified.key(&id.to_string()))?.is_some())
    }

    /// Names on a shelf that has nothing else.
    pub(crate) fn named(&self, shelf: Shelf) -> Result<Vec<Id>, Error> {
        let id = |name: String| {
            let foreign =
                |_| Error::Foreign { key: shelf.key(&name).to_string(), repository: self.name().to_owned() };
            name.parse::<Id>().map_err(foreign)
        };
        self.list(shelf)?.into_iter().map(|object| id(object.name)).collect()
    }

    /// A snapshot.
    ///
    /// # Errors
    /// [`Error::NoSnapshot`], or why it is of no use.
    pub fn snapshot(&self, id: &Id) -> Result<Snapshot, Error> {
        let manifest = self.manifest(Shelf::Manifests, id)?;
        let manifest = manifest
            .ok_or_else(|| Error::NoSnapshot { id: id.clone(), repository: self.name().to_owned() })?;
        let name = id.to_string();
        let verified = self.get(&Shelf::Verified.key(&name))?;
        // A mark that was cut off says nothing.
        let verified = verified.and_then(|json| serde_json::from_slice(&json).ok());
        let pinned = self.written(&Shelf::Pinned.key(&name))?.is_some();
        Ok(Snapshot { id: id.clone(), manifest, verified, pinned })
    }

    pub(crate) fn manifest(&self, shelf: Shelf, id: &Id) -> Result<Option<Manifest>, Error> {
        let Some(bytes) = self.get(&shelf.key(&id.to_string()))? else { return Ok(None) };
        let unusable =
            |source| Error::Unusable { id: id.clone(), repository: self.name().to_owned(), source };
        Manifest::decode(id, &bytes).map(Some).map_err(unusable)
    }

    /// Keeps a snapshot whatever the rules say, or no longer.
    ///
    /// # Errors
    /// [`Error::NoSnapshot`], or when the repository refuses.
    pub fn pin(&self, id: &Id, pinned: bool, pace: &Pace) -> Result<(), Error> {
        let key = Shelf::Pinned.key(&id.to_string());
        if !pinned {
            return self.delete([key]);
        }
        self.put(&key, Vec::new())?;
        // A collection that began before may not have seen the mark.
        await_collections(self, pace)?;
        let found = self.snapshot(id).map(drop);
        if matches!(found, Err(Error::NoSnapshot { .. })) {
            self.delete([key])?;
        }
        found
    }

    /// Removes a snapshot. Its files stay until a collection finds that nobody needs them.
    ///
    /// # Errors
    /// [`Error::Pinned`], [`Error::NoSnapshot`], or when the repository refuses.
    pub fn remove(&self, id: &Id) -> Result<(), Error> {
        let name = id.to_string();
        if self.written(&Shelf::Manifests.key(&name))?.is_none() {
            return Err(Error::NoSnapshot { id: id.clone(), repository: self.name().to_owned() });
        }
        if self.written(&Shelf::Pinned.key(&name))?.is_some() {
            return Err(Error::Pinned(id.clone()));
        }
        self.delete([Shelf::Manifests.key(&name), Shelf::Verified.key(&name)])
    }
}
