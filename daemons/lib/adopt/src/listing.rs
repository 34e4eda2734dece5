//! Files of a data directory, listed once: which of them a copy may share, how large it is, and whether geth has run since.

use crate::error::{Error, io};
use crate::freezer;
use maidenlane_chain::{B256, keccak256};
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Newest data files of a table that are copied whatever is cut off: geth appends to the newest one, and after a kill drops
/// from it, and from the one before, what was not synced.
const OPEN_FILES: usize = 2;
/// Directories below one another, at most.
const DEPTH_MAX: usize = 8;

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
    pub(crate) meta: Metadata,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing(Vec<Entry>);

impl Listing {
    /// Adds the files below `from`, in the order of their names; none where it is not there.
    pub(crate) fn add(&mut self, from: &Path, to: &Path) -> Result<(), Error> {
        walk(from, to, DEPTH_MAX, &mut self.0)
    }

    /// Files and their treatment in a copy in which geth cuts off the newest blocks, up to so many.
    ///
    /// # Correctness
    /// geth appends to the newest data file of a table and cuts files back in place, so one that is shared would be damaged in
    /// the node itself. A table has at most one item for each block.
    pub(crate) fn shares(&self, cut_blocks: u64) -> Vec<(&Entry, Share)> {
        let mut tables = BTreeMap::new();
        for entry in &self.0 {
            if let Some((index, number)) = freezer::data_file(&entry.from) {
                tables.entry(index).or_insert_with(Vec::new).push(number);
            }
        }
        // Number of the oldest data file of each table that is copied.
        let oldest: BTreeMap<PathBuf, u64> = tables
            .into_iter()
            .map(|(index, mut numbers)| {
                numbers.sort_unstable_by(|one, other| other.cmp(one));
                let open = numbers.get(OPEN_FILES - 1).copied().unwrap_or_default();
                let changed = freezer::oldest_changed(&index, cut_blocks).min(open);
                (index, changed)
            })
            .collect();
        let share = |entry: &Entry| match freezer::data_file(&entry.from) {
            Some((index, number)) if oldest.get(&index).is_some_and(|oldest| number < *oldest) => Share::Link,
            Some(_) => Share::Copy,
            None => {
                let is_table = entry.to.extension().is_some_and(|end| end == "sst" || end == "ldb");
                if is_table { Share::Link } else { Share::Copy }
            }
        };
        self.0.iter().map(|entry| (entry, share(entry))).collect()
    }

    /// Fingerprint of the files' names, sizes and times: another one after geth has run.
    pub(crate) fn fingerprint(&self) -> B256 {
        let mut text = String::new();
        for Entry { to, meta, .. } in &self.0 {
            let line = format!("{} {} {}.{:09}\n", to.display(), meta.len(), meta.mtime(), meta.mtime_nsec());
            text.push_str(&line);
        }
        keccak256(text)
    }
}

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
        let meta = match fs::metadata(&from) {
            Ok(meta) => meta,
            // A geth that runs beside a plan has done with it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(io("look at", &from)(error)),
        };
        if !meta.is_dir() {
            all.push(Entry { from, to, meta });
        } else if let Some(depth_left) = depth_left.checked_sub(1) {
            walk(&from, &to, depth_left, all)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Listing, Share};
    use std::fs;
    use std::path::Path;

    fn listed(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Listing) {
        let dir = tempfile::tempdir().unwrap();
        for (file, bytes) in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let mut listing = Listing::default();
        listing.add(dir.path(), Path::new("")).unwrap();
        (dir, listing)
    }

    /// Names of what is shared when so many blocks are cut off.
    fn shared(listing: &Listing, cut_blocks: u64) -> Vec<String> {
        let shares = listing.shares(cut_blocks).into_iter().filter(|(_, share)| *share == Share::Link);
        shares.map(|(entry, _)| entry.to.display().to_string()).collect()
    }

    #[test]
    fn only_what_never_changes_again_is_shared() {
        // One block in each of five files, and a table whose index says nothing.
        let index = (0..6_u16).map(|file| [&file.saturating_sub(1).to_be_bytes()[..], &[0; 4]].concat());
        let index: Vec<u8> = index.flatten().collect();
        let bodies: Vec<_> = (0..5).map(|number| format!("ancient/chain/bodies.{number:04}.cdat")).collect();
        let others = [
            ("000012.sst", &b""[..]),
            ("000013.log", b""),
            ("MANIFEST-000006", b""),
            ("ancient/chain/bodies.cidx", &index),
            ("ancient/state/history.meta.0000.rdat", b""),
            ("ancient/state/history.meta.0001.rdat", b""),
            ("ancient/state/history.meta.0002.rdat", b""),
            ("ancient/state/history.meta.ridx", b""),
        ];
        let bodies: Vec<_> = bodies.iter().map(|name| (name.as_str(), &b""[..])).collect();
        let (_dir, listing) = listed(&[&bodies[..], &others[..]].concat());
        let expect = |cut_blocks: u64, files: u64| {
            let mut expect = vec!["000012.sst".to_owned()];
            expect.extend((0..files).map(|number| format!("ancient/chain/bodies.{number:04}.cdat")));
            assert_eq!(shared(&listing, cut_blocks), expect, "{cut_blocks}");
        };
        // The newest two are open, and a cut reaches the file in which what is left ends.
        for (cut_blocks, files) in [(0, 3), (1, 3), (2, 2), (4, 0), (5, 0), (90_000, 0)] {
            expect(cut_blocks, files);
        }
    }

    #[test]
    fn a_geth_that_has_run_leaves_another_fingerprint() {
        let files = [("000013.log", &b"one"[..]), ("ancient/chain/bodies.cidx", b"")];
        let (dir, listing) = listed(&files);
        let again = || {
            let mut listing = Listing::default();
            listing.add(dir.path(), Path::new("")).unwrap();
            listing.fingerprint()
        };
        assert_eq!(again(), listing.fingerprint());
        fs::write(dir.path().join("000013.log"), "other").unwrap();
        assert_ne!(again(), listing.fingerprint());
    }
}
