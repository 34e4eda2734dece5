//! geth's data directory: what a copy of it is made of, which files it may share, and the lock that geth holds.

use crate::error::{Error, io};
use crate::way::Scheme;
use maidenlane_chain::{B256, keccak256};
use maidenlane_service::files;
use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Database, below the data directory.
const CHAIN_DATA: &str = "geth/chaindata";
/// Journals of what geth held in memory when it stopped, in the path scheme.
const TRIE_JOURNALS: &str = "geth/triedb";
/// Journal of the state's layers among these.
const JOURNAL: &str = "geth/triedb/merkle.journal";
/// Old blocks, below the database unless the node was told another place.
const ANCIENT: &str = "geth/chaindata/ancient";
/// Newest data files of a table of old blocks that are copied. geth appends to the newest one, cuts it back in place when
/// it rewinds, and goes on with the one before when a rewind reaches so far: 2 GB of blocks or of state differences.
const OPEN_FILES: usize = 2;
/// Directories below one another, at most.
const DEPTH_MAX: usize = 8;

/// A data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir {
    root: PathBuf,
    /// Old blocks, if they are elsewhere.
    ancient: Option<PathBuf>,
}

/// Treatment of a file in a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// Shared, by two names: its bytes never change again.
    Link,
    /// Copied: its bytes may change.
    Copy,
}

/// A file of a data directory.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Where it is.
    pub(crate) from: PathBuf,
    /// Where it is in a copy, below the copy's root.
    pub(crate) to: PathBuf,
    pub(crate) share: Share,
    pub(crate) meta: Metadata,
}

impl DataDir {
    /// A data directory, and where its old blocks are if the node runs with `--datadir.ancient`.
    ///
    /// # Errors
    /// [`Error::NoDataDir`] if it is none.
    pub fn open(root: &Path, ancient: Option<&Path>) -> Result<Self, Error> {
        let dir = Self { root: root.to_owned(), ancient: ancient.map(Path::to_owned) };
        let path = root.to_owned();
        if !root.join(CHAIN_DATA).is_dir() {
            return Err(Error::NoDataDir { path, missing: CHAIN_DATA });
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

    /// User and group that geth runs as: those that own its data.
    pub(crate) fn owner(&self) -> Result<(u32, u32), Error> {
        let path = self.root.join(CHAIN_DATA);
        let meta = fs::metadata(&path).map_err(io("look at", &path))?;
        Ok((meta.uid(), meta.gid()))
    }

    /// Takes the lock that geth holds while it runs: until it is given back, no geth starts here.
    ///
    /// # Errors
    /// [`Error::Running`] if one runs.
    pub(crate) fn lock(&self) -> Result<File, Error> {
        let path = self.root.join("geth/LOCK");
        let lock = files::lock(&path).map_err(io("lock", &path))?;
        lock.ok_or_else(|| Error::Running(self.root.clone()))
    }

    /// Files that a copy has: database, old blocks and journals, not keys.
    pub(crate) fn files(&self) -> Result<Vec<Entry>, Error> {
        let (mut all, mut table_files) = (Vec::new(), BTreeMap::new());
        let mut add = |from: &Path, to: &Path| walk(from, to, DEPTH_MAX, &mut all);
        add(&self.root.join(CHAIN_DATA), Path::new(CHAIN_DATA))?;
        if let Some(ancient) = &self.ancient {
            add(ancient, Path::new(ANCIENT))?;
        }
        add(&self.root.join(TRIE_JOURNALS), Path::new(TRIE_JOURNALS))?;
        for (at, entry) in all.iter_mut().enumerate() {
            if entry.to.extension().is_some_and(|extension| extension == "sst" || extension == "ldb") {
                entry.share = Share::Link;
            } else if let Some((table, number)) = table_file(&entry.to) {
                table_files.entry(table).or_insert_with(Vec::new).push((number, at));
            }
        }
        for files in table_files.values_mut() {
            files.sort_unstable();
            let closed = files.len().saturating_sub(OPEN_FILES);
            for (_, at) in files.iter().take(closed) {
                if let Some(entry) = all.get_mut(*at) {
                    entry.share = Share::Link;
                }
            }
        }
        Ok(all)
    }

    /// Fingerprint of the files' names, sizes and times: another one after geth has run.
    pub(crate) fn fingerprint(&self) -> Result<B256, Error> {
        let mut text = String::new();
        for Entry { to, meta, .. } in self.files()? {
            let line = format!("{} {} {}.{:09}\n", to.display(), meta.len(), meta.mtime(), meta.mtime_nsec());
            text.push_str(&line);
        }
        Ok(keccak256(text))
    }

    fn ancient(&self) -> PathBuf {
        self.ancient.clone().unwrap_or_else(|| self.root.join(ANCIENT))
    }
}

/// Table and number of a data file of old blocks, `bodies.0007.cdat`.
fn table_file(path: &Path) -> Option<(PathBuf, u64)> {
    let extension = path.extension()?.to_str()?;
    if !matches!(extension, "cdat" | "rdat") {
        return None;
    }
    let (table, number) = path.file_stem()?.to_str()?.rsplit_once('.')?;
    Some((path.with_file_name(table), number.parse().ok()?))
}

/// Adds the files below `from`, in the order of their names.
fn walk(from: &Path, to: &Path, depth_left: usize, all: &mut Vec<Entry>) -> Result<(), Error> {
    let listed = match fs::read_dir(from) {
        Ok(listed) => listed,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io("read", from)(error)),
    };
    let mut names = Vec::new();
    for entry in listed {
        names.push(entry.map_err(io("read", from))?.file_name());
    }
    names.sort();
    for name in names {
        let (from, to) = (from.join(&name), to.join(&name));
        let meta = fs::metadata(&from).map_err(io("look at", &from))?;
        if !meta.is_dir() {
            all.push(Entry { from, to, share: Share::Copy, meta });
        } else if let Some(depth_left) = depth_left.checked_sub(1) {
            walk(&from, &to, depth_left, all)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{DataDir, Share};
    use crate::error::Error;
    use crate::way::Scheme;
    use std::fs;

    fn data_dir(files: &[&str]) -> (tempfile::TempDir, DataDir) {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join("geth").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        let opened = DataDir::open(dir.path(), None).unwrap();
        (dir, opened)
    }

    #[test]
    fn only_what_never_changes_again_is_shared() {
        let shared = ["chaindata/000012.sst", "chaindata/ancient/chain/bodies.0000.cdat"];
        let own = [
            "chaindata/000013.log",
            "chaindata/MANIFEST-000006",
            "chaindata/ancient/chain/bodies.0001.cdat",
            "chaindata/ancient/chain/bodies.0002.cdat",
            "chaindata/ancient/chain/bodies.cidx",
            "chaindata/ancient/chain/hashes.0000.rdat",
            "chaindata/ancient/state/history.meta.0000.rdat",
            "triedb/merkle.journal",
        ];
        let (_dir, data_dir) = data_dir(&[&shared[..], &own[..], &["nodekey", "LOCK"]].concat());
        let of = |wanted: Share| -> Vec<String> {
            let files = data_dir.files().unwrap().into_iter().filter(|entry| entry.share == wanted);
            files.map(|entry| entry.to.strip_prefix("geth").unwrap().display().to_string()).collect()
        };
        assert_eq!(
            (of(Share::Link), of(Share::Copy)),
            (shared.map(str::to_owned).into(), own.map(str::to_owned).into())
        );
        assert_eq!(data_dir.scheme(), Scheme::Path);
    }

    #[test]
    fn a_geth_that_has_run_leaves_another_fingerprint() {
        let (_dir, data_dir) = data_dir(&["chaindata/000013.log", "chaindata/ancient/chain/bodies.cidx"]);
        let before = data_dir.fingerprint().unwrap();
        assert_eq!(data_dir.fingerprint().unwrap(), before);
        fs::write(data_dir.path().join("geth/chaindata/000013.log"), "other").unwrap();
        assert_ne!(data_dir.fingerprint().unwrap(), before);
    }

    #[test]
    fn a_lock_keeps_others_out() {
        let (dir, data_dir) = data_dir(&["chaindata/000013.log", "chaindata/ancient/chain/bodies.cidx"]);
        let lock = data_dir.lock().unwrap();
        assert!(matches!(data_dir.lock(), Err(Error::Running(path)) if path == dir.path()));
        drop(lock);
        data_dir.lock().unwrap();
    }
}
