//! Where a repository is, as settings name it.

use crate::error::Error;
use crate::repository::Repository;
use crate::s3::Bucket;
use std::path::PathBuf;

/// Place of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A directory.
    Directory(PathBuf),
    /// A bucket of an S3-compatible store.
    S3(Bucket),
}

impl Source {
    /// Opens it.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(&self) -> Result<Repository, Error> {
        match self {
            Self::Directory(path) => Repository::directory(path),
            Self::S3(bucket) => Repository::remote(bucket.open()?, bucket.name()),
        }
    }
}
