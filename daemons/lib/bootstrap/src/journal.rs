//! Journal of an import: how far it has come, for the next start.

use crate::check::{Counts, State};
use crate::error::{Error, io};
use crate::series::Whole;
use crate::source::Files;
use maidenlane_chain::BlockRef;
use maidenlane_service::files::write_whole;
use maidenlane_store::bulk::Table;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Work that the journal is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) files: Files,
    /// Size of the files, in bytes: others under the same names have another.
    pub(crate) bytes: u64,
    pub(crate) block: BlockRef,
    pub(crate) proofs: bool,
}

impl std::fmt::Display for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let paths: Vec<_> = self.files.paths().iter().map(|path| path.display().to_string()).collect();
        let nodes = if self.proofs { "with" } else { "without" };
        write!(f, "block {}, {} ({} bytes), {nodes} trie nodes", self.block, paths.join(" and "), self.bytes)
    }
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// Rows are read.
    Reading(Box<Reading>),
    /// All rows are read, and the state root is right.
    Checked(Checked),
}

/// Rows that are read, checked and in files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reading {
    pub(crate) rows: u64,
    pub(crate) accounts: Whole,
    pub(crate) slots: Whole,
    pub(crate) check: State,
}

/// Files of a state whose root is right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checked {
    pub(crate) accounts: Whole,
    pub(crate) slots: Whole,
    pub(crate) nodes: Whole,
    pub(crate) counts: Counts,
    /// Tables that the database has taken over.
    pub(crate) taken: BTreeSet<Table>,
}

impl Checked {
    /// Files of a table.
    pub(crate) const fn of(&self, table: Table) -> Whole {
        match table {
            Table::Accounts => self.accounts,
            Table::Slots => self.slots,
            Table::Nodes => self.nodes,
        }
    }
}

/// Path of the journal of an import's directory.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("journal.json")
}

/// The journal's file.
pub(crate) struct Journal {
    path: PathBuf,
    work: Work,
}

#[derive(Serialize, Deserialize)]
struct Written {
    work: Work,
    stage: Stage,
}

impl Journal {
    /// Opens the journal in `dir`, and tells how far this work is.
    ///
    /// # Errors
    /// [`Error::Other`] if another work was begun there.
    pub(crate) fn open(dir: &Path, work: Work) -> Result<(Self, Stage), Error> {
        let path = path(dir);
        let stage = match fs::read(&path) {
            Ok(json) => {
                let written: Written = serde_json::from_slice(&json)
                    .map_err(|source| Error::Journal { path: path.clone(), source })?;
                if written.work != work {
                    return Err(Error::Other { path: dir.to_owned(), begun: written.work.to_string() });
                }
                written.stage
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Stage::Reading(Box::default()),
            Err(error) => return Err(io("read", &path, error)),
        };
        Ok((Self { path, work }, stage))
    }

    /// Writes how far it is, durably.
    pub(crate) fn write(&self, stage: &Stage) -> Result<(), Error> {
        let written = Written { work: self.work.clone(), stage: stage.clone() };
        let json = serde_json::to_vec(&written).map_err(std::io::Error::from);
        json.and_then(|json| write_whole(&self.path, &json)).map_err(|error| io("write", &self.path, error))
    }
}
