//! Node that is to be adopted, and how, as an operator names both.

use crate::copy;
use crate::data_dir::DataDir;
use crate::error::{Error, io};
use crate::facts::{Facts, Spool, objections};
use crate::geth::Geth;
use crate::spool::Hook;
use crate::way::Way;
use std::path::{Path, PathBuf};

/// Plan of an adoption.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// The node's data.
    pub(crate) data_dir: DataDir,
    /// Where the copies and the export go.
    pub(crate) work: PathBuf,
    /// A geth with the hook.
    pub(crate) geth: Geth,
    /// Settings of the hook.
    pub(crate) hook: Hook,
    /// How the state is to be had.
    pub(crate) way: Way,
}

impl Adoption {
    /// Adoption of the node with these data by a geth with the hook; copies and export go to `work`.
    ///
    /// # Errors
    /// [`Error::Nested`] where directories are in one another that must not be.
    pub fn new(data_dir: DataDir, work: &Path, geth: Geth, hook: Hook, way: Way) -> Result<Self, Error> {
        let (work_at, spool) = (resolved(work), resolved(&hook.spool()));
        let nested = |inner: &Path, outer: &Path, what| {
            let (inner, outer) = (inner.to_owned(), outer.to_owned());
            if inner.starts_with(&outer) { Err(Error::Nested { inner, outer, what }) } else { Ok(()) }
        };
        // What is in the spool is read, and whatever is in the others is geth's.
        nested(&work_at, &spool, "the spool")?;
        nested(&spool, &work_at, "--work")?;
        for place in data_dir.places() {
            nested(&work_at, &resolved(place), "geth's data")?;
        }
        Ok(Self { data_dir, work: work.to_owned(), geth, hook, way })
    }

    /// Data directory of the node.
    #[must_use]
    pub const fn data_dir(&self) -> &DataDir {
        &self.data_dir
    }

    /// Facts about a node that is stopped, as far as its directories tell them. Blocks with so much gas are to be executed.
    pub(crate) fn facts(&self, gas: u64) -> Result<Facts, Error> {
        let (owner, path) = (self.data_dir.owner()?, self.hook.spool());
        let (needed_bytes, left_bytes) = self.hook.bytes(gas);
        // Whoever is none of geth's could not say what its user may do.
        let is_writable = owner.is_foreign() || self.hook.is_writable(owner).map_err(io("look at", &path))?;
        Ok(Facts {
            way: self.way,
            scheme: self.data_dir.scheme(),
            other_user: owner.is_foreign().then_some(owner.id),
            journal: Some(self.data_dir.journal().exists()),
            flat: None,
            syncing: None,
            node_version: None,
            geth_version: self.geth.version().to_owned(),
            rewind: None,
            spool: Spool {
                is_empty: self.hook.is_empty()?,
                is_writable,
                needed_bytes,
                free_bytes: copy::free_bytes(&path)?,
                is_large: left_bytes > 0,
                path,
            },
            copied_bytes: 0,
            free_bytes: copy::free_bytes(&self.work)?,
        })
    }
}

/// Refuses what cannot be adopted, as far as it is known.
pub(crate) fn refuse(facts: &Facts) -> Result<(), Error> {
    match objections(facts) {
        none if none.is_empty() => Ok(()),
        objections => Err(Error::Objections(objections)),
    }
}

/// The path without links, as far as it is there.
fn resolved(path: &Path) -> PathBuf {
    let there = copy::existing(path);
    let rest = path.strip_prefix(there).unwrap_or(Path::new(""));
    let there = there.canonicalize().unwrap_or_else(|_| there.to_owned());
    if rest.as_os_str().is_empty() { there } else { there.join(rest) }
}
