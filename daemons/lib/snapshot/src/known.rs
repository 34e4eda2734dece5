//! Digests of files that were sent before: a table of the database is read once, and not for every snapshot.

use crate::digest::Digest;
use crate::error::{Error, io};
use crate::manifest::{File, Kind};
use crate::pace::Pace;
use maidenlane_service::files::write_whole;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Sign of a file that is written once: with all of it alike, its bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sign {
    inode: u64,
    bytes: u64,
    modified_s: i64,
    modified_ns: i64,
}

/// Digests by name, with the signs of the files that had them.
#[derive(Debug)]
pub(crate) struct Known {
    path: PathBuf,
    tables: BTreeMap<String, (Sign, Digest)>,
}

impl Known {
    /// Reads what the snapshot before this one has noted. Without that, all files are read.
    pub(crate) fn open(path: PathBuf) -> Self {
        let noted = fs::read(&path).ok().and_then(|json| serde_json::from_slice(&json).ok());
        Self { path, tables: noted.unwrap_or_default() }
    }

    /// Digest of a file in `dir`, read only if it is not known.
    pub(crate) fn file(&self, dir: &Path, name: &str, pace: &Pace) -> Result<(File, Noted), Error> {
        let path = dir.join(name);
        let found = fs::metadata(&path).map_err(|error| io("look at", &path, error))?;
        let (modified_s, modified_ns) = (found.mtime(), found.mtime_nsec());
        let sign = Sign { inode: found.ino(), bytes: found.len(), modified_s, modified_ns };
        let is_table = Kind::of(name) == Some(Kind::Table);
        let known = self.tables.get(name).filter(|(known, _)| is_table && *known == sign);
        let sha256 = match known {
            Some((_, digest)) => *digest,
            None => pace.digest(&path)?,
        };
        let noted = is_table.then(|| (name.to_owned(), (sign, sha256)));
        Ok((File { name: name.to_owned(), bytes: found.len(), sha256 }, Noted(noted)))
    }

    /// Notes the files of this snapshot for the next one.
    pub(crate) fn note(self, files: Vec<Noted>) -> Result<(), Error> {
        let tables: BTreeMap<_, _> = files.into_iter().filter_map(|noted| noted.0).collect();
        let json = serde_json::to_vec(&tables).map_err(Error::Encode)?;
        write_whole(&self.path, &json).map_err(|error| io("write", &self.path, error))
    }
}

/// Note of a file, for [`Known::note`].
pub(crate) struct Noted(Option<(String, (Sign, Digest))>);
