//! Directory of `era1` and `ere` archives, as `geth export-history` and `geth download-era` write them.

use crate::e2store::Archive;
use crate::error::{Error, io};
use crate::source::{Found, Source};
use maidenlane_chain::{BlockRef, Bytes};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Ends of the names of archives; geth 1.17.0 called `ere` so.
const ENDINGS: [&str; 3] = ["era1", "ere", "erae"];

/// Archives of a directory.
#[derive(Debug)]
pub(crate) struct Eras {
    /// Number of blocks and path of each archive, by its first block.
    all: BTreeMap<u64, (u64, PathBuf)>,
    /// The archive that was asked last.
    open: Option<Archive>,
}

impl Eras {
    /// Reads which blocks the archives in a directory have.
    pub(crate) fn open(dir: &Path) -> Result<Self, Error> {
        let list = || fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
        let mut paths = list().map_err(|source| io("list", dir, source))?;
        paths.retain(|path| {
            path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known))
        });
        paths.sort();
        let mut all = BTreeMap::new();
        for path in paths {
            let (first, count) = Archive::open(&path)?.blocks();
            // Of two that begin with the same block, the longer one.
            if all.get(&first).is_none_or(|(other, _)| *other < count) {
                all.insert(first, (count, path));
            }
        }
        Ok(Self { all, open: None })
    }

    /// The archive that has a block.
    fn of(&mut self, number: u64) -> Result<Option<&Archive>, Error> {
        let has = |first: u64, count: u64| number >= first && number - first < count;
        if !self.open.as_ref().map(Archive::blocks).is_some_and(|(first, count)| has(first, count)) {
            let found = self.all.range(..=number).rev().find(|(first, (count, _))| has(**first, *count));
            let Some((_, (_, path))) = found else { return Ok(None) };
            self.open = Some(Archive::open(path)?);
        }
        Ok(self.open.as_ref())
    }
}

impl Source for Eras {
    fn block(&mut self, at: BlockRef) -> Result<Option<Found>, Error> {
        self.of(at.number)?.map_or(Ok(None), |archive| archive.block(at.number))
    }

    fn receipts(&mut self, at: BlockRef) -> Result<Option<Bytes>, Error> {
        self.of(at.number)?.map_or(Ok(None), |archive| archive.receipts(at.number))
    }
}
