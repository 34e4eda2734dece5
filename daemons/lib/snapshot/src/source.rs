//! Where a repository is, as settings name it.

use crate::error::Error;
use crate::repository::Repository;
use std::path::PathBuf;

/// Place of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A directory.
    Directory(PathBuf),
}

impl Source {
    /// Opens it.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(&self) -> Result<Repository, Error> {
        match self {
            Self::Directory(path) => Repository::directory(path),
        }
    }
}
