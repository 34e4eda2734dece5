//! Series: sorted files of one table, one after the other.

use crate::error::Error;
use maidenlane_store::bulk::{self, Format, Table};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Size at which the next file begins.
const FILE_BYTES: u64 = 256 << 20;

/// Files of a series that are whole: numbers from 0 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Whole(u32);

/// Path of a file.
fn path(dir: &Path, table: Table, number: u32) -> PathBuf {
    dir.join(format!("{}-{number:06}.sst", table.name()))
}

/// Paths of the whole files.
pub(crate) fn paths(dir: &Path, table: Table, whole: Whole) -> Vec<PathBuf> {
    (0..whole.0).map(|number| path(dir, table, number)).collect()
}

/// A series that grows.
pub(crate) struct Series<'a> {
    dir: &'a Path,
    table: Table,
    format: &'a Format,
    file: Option<bulk::File<'a>>,
    whole: Whole,
}

impl<'a> Series<'a> {
    /// The series behind its files that are whole.
    pub(crate) fn behind(dir: &'a Path, table: Table, format: &'a Format, whole: Whole) -> Self {
        Self { dir, table, format, file: None, whole }
    }

    /// File that takes the next row.
    pub(crate) fn file(&mut self) -> Result<&mut bulk::File<'a>, Error> {
        if self.file.as_ref().is_some_and(|file| file.bytes() >= FILE_BYTES) {
            self.end()?;
        }
        match &mut self.file {
            Some(file) => Ok(file),
            none => Ok(none.insert(self.format.file(&path(self.dir, self.table, self.whole.0))?)),
        }
    }

    /// Ends the present file, and tells which are whole.
    pub(crate) fn end(&mut self) -> Result<Whole, Error> {
        if let Some(file) = self.file.take()
            && file.finish()?
        {
            self.whole.0 = self.whole.0.saturating_add(1);
        }
        Ok(self.whole)
    }
}
