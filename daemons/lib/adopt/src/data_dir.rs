//! geth's data directory: where what is in it, and the lock that geth holds.

use crate::error::{Error, io};
use crate::facts::Objection;
use crate::freezer;
use crate::listing::Listing;
use crate::user::User;
use crate::way::Scheme;
use maidenlane_service::files;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Database, below the data directory.
const CHAIN_DATA: &str = "geth/chaindata";
/// Journals of what geth held in memory when it stopped, in the path scheme.
const TRIE_JOURNALS: &str = "geth/triedb";
/// Journal of the state's layers among these.
const JOURNAL: &str = "geth/triedb/merkle.journal";
/// Old blocks, below the database unless the node was told another place.
const ANCIENT: &str = "geth/chaindata/ancient";
/// Index of what each block has changed in the state, below the old blocks.
const DIFFERENCES: &str = "state/history.meta.ridx";

/// A data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir {
    root: PathBuf,
    /// Old blocks, if they are elsewhere.
    ancient: Option<PathBuf>,
}

/// A node that is stopped, and cannot start until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) lock: File,
    pub(crate) listing: Listing,
}

impl DataDir {
    /// A data directory, and where its old blocks are if the node runs with `--datadir.ancient`.
    ///
    /// # Errors
    /// [`Error::NoDataDir`] if it is none; where that cannot be seen, whose it is.
    pub fn open(root: &Path, ancient: Option<&Path>) -> Result<Self, Error> {
        let dir = Self { root: root.to_owned(), ancient: ancient.map(Path::to_owned) };
        let path = root.to_owned();
        if !root.join(CHAIN_DATA).is_dir() {
            // Whoever may not look inside sees nothing there.
            return Err(match User::of(root) {
                Ok(owner) if owner.is_foreign() => Error::Objections(vec![Objection::User(owner.id)]),
                _ => Error::NoDataDir { path, missing: CHAIN_DATA },
            });
        }
        match dir.ancient() {
            ancient if ancient.join("chain").is_dir() => Ok(dir),
            // Before there were several kinds of old data.
            ancient => Err(Error::NoDataDir { path: ancient, missing: "chain" }),
        }
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// How its state is kept: the path scheme keeps differences of states beside the old blocks.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        if self.ancient().join("state").is_dir() { Scheme::Path } else { Scheme::Hash }
    }

    /// Journal of what geth held in memory when it stopped.
    pub(crate) fn journal(&self) -> PathBuf {
        self.root.join(JOURNAL)
    }

    /// Differences of states that geth has kept: over so many of them it can go back from what is on its disk.
    pub(crate) fn differences(&self) -> Result<u64, Error> {
        let index = self.ancient().join(DIFFERENCES);
        freezer::readable(&index).map_err(io("read", &index))
    }

    /// User that geth runs as: the one that owns its data.
    pub(crate) fn owner(&self) -> Result<User, Error> {
        let path = self.root.join(CHAIN_DATA);
        User::of(&path).map_err(io("look at", &path))
    }

    /// Directories that are geth's.
    pub(crate) fn places(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.root.as_path()).chain(self.ancient.as_deref())
    }

    /// Takes the lock that geth holds while it runs, and looks at what there is then.
    ///
    /// # Errors
    /// [`Error::Running`] if one runs.
    pub(crate) fn hold(&self) -> Result<Held, Error> {
        let path = self.root.join("geth/LOCK");
        let lock = files::lock(&path).map_err(io("lock", &path))?;
        let lock = lock.ok_or_else(|| Error::Running(self.root.clone()))?;
        Ok(Held { lock, listing: self.list()? })
    }

    /// Files that a copy has: database, old blocks and journals, not keys.
    pub(crate) fn list(&self) -> Result<Listing, Error> {
        let mut listing = Listing::default();
        listing.add(&self.root.join(CHAIN_DATA), Path::new(CHAIN_DATA))?;
        if let Some(ancient) = &self.ancient {
            listing.add(ancient, Path::new(ANCIENT))?;
        }
        listing.add(&self.root.join(TRIE_JOURNALS), Path::new(TRIE_JOURNALS))?;
        Ok(listing)
    }

    fn ancient(&self) -> PathBuf {
        self.ancient.clone().unwrap_or_else(|| self.root.join(ANCIENT))
    }
}

#[cfg(test)]
mod tests {
    use super::DataDir;
    use crate::error::Error;
    use crate::way::Scheme;
    use std::fs;

    #[test]
    fn a_copy_has_what_is_geths_but_its_keys() {
        let dir = tempfile::tempdir().unwrap();
        let files = ["chaindata/000013.log", "chaindata/ancient/chain/bodies.cidx", "triedb/merkle.journal"];
        for file in files.iter().chain(&["nodekey", "LOCK", "chaindata/ancient/state/history.meta.ridx"]) {
            let path = dir.path().join("geth").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        let data_dir = DataDir::open(dir.path(), None).unwrap();
        assert_eq!(data_dir.scheme(), Scheme::Path);
        let held = data_dir.hold().unwrap();
        let listed = held.listing.shares(0).into_iter().map(|(entry, _)| entry.to.display().to_string());
        let listed: Vec<_> = listed.filter(|name| !name.contains("/state/")).collect();
        assert_eq!(listed, files.map(|file| format!("geth/{file}")));
        assert!(matches!(data_dir.hold(), Err(Error::Running(path)) if path == dir.path()));
        drop(held);
        data_dir.hold().unwrap();
    }
}
