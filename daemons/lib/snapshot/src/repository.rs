//! A repository: objects by their keys, in a directory or a store.
//!
//! | key | object |
//! |---|---|
//! | `objects/<2>/<digest>` | a file of a database, named by its own digest: replicas that have the same share it |
//! | `manifests/<id>` | a snapshot. Written last, so that all it names is there |
//! | `verified/<id>`, `pinned/<id>` | marks of it |
//! | `uploads/<id>` | the manifest of a snapshot that is still being sent |
//! | `collecting/<name>` | a collection that runs |
//! | `clock` | written to be looked at: when, as the store has it |

use crate::digest::{Digest, Sum};
use crate::error::{Error, io};
use crate::local::Local;
use crate::manifest::{File, Id};
use crate::pace::Pace;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::runtime::{Builder, Runtime};

/// Part of a file that is sent at a time, and held in memory for each lane. Stores want 5 MiB at least.
const PART_BYTES: usize = 8 << 20;
/// Maximum size of a manifest.
const MANIFEST_BYTES_MAX: u64 = 256 << 20;

/// A repository that is open.
#[derive(Debug)]
pub struct Repository {
    store: Arc<dyn ObjectStore>,
    /// The directory, where it is one.
    local: Option<Local>,
    runtime: Runtime,
    name: String,
}

/// An object as a list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Last part of the key.
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// Time at which it was written, as the store has it.
    pub(crate) written: SystemTime,
}

/// Key of a file's object.
pub(crate) fn object_key(digest: Digest) -> Key {
    let name = digest.to_string();
    Key::from_iter(["objects", name.get(..2).unwrap_or_default(), &name])
}

/// A directory of keys, each of one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shelf {
    Manifests,
    Verified,
    Pinned,
    Uploads,
    Collecting,
}

impl Shelf {
    const fn name(self) -> &'static str {
        match self {
            Self::Manifests => "manifests",
            Self::Verified => "verified",
            Self::Pinned => "pinned",
            Self::Uploads => "uploads",
            Self::Collecting => "collecting",
        }
    }

    pub(crate) fn key(self, name: &str) -> Key {
        Key::from_iter([self.name(), name])
    }
}

impl Repository {
    /// Opens a directory.
    ///
    /// # Errors
    /// [`Error::NoRepository`], or when the machine gives no thread.
    pub fn directory(path: &Path) -> Result<Self, Error> {
        if !path.is_dir() {
            return Err(Error::NoRepository(path.to_owned()));
        }
        let local = LocalFileSystem::new_with_prefix(path).map_err(|source| Error::Repository {
            verb: "open",
            key: String::new(),
            repository: path.display().to_string(),
            source: Box::new(source),
        })?;
        let files = Arc::new(local.with_fsync(true));
        let store: Arc<dyn ObjectStore> = Arc::<LocalFileSystem>::clone(&files);
        Self::of(store, Some(Local::new(files, path)?), path.display().to_string())
    }

    /// Opens a repository in a store that is not this machine's.
    pub(crate) fn remote(store: Arc<dyn ObjectStore>, name: String) -> Result<Self, Error> {
        Self::of(store, None, name)
    }

    fn of(store: Arc<dyn ObjectStore>, local: Option<Local>, name: String) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Ok(Self { store, local, runtime: runtime.map_err(Error::Thread)?, name })
    }

    /// Directory or address, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn refused(&self, verb: &'static str, key: &Key, source: object_store::Error) -> Error {
        Error::Repository {
            verb,
            key: key.to_string(),
            repository: self.name.clone(),
            source: Box::new(source),
        }
    }

    /// Writes a small object.
    pub(crate) fn put(&self, key: &Key, bytes: Vec<u8>) -> Result<(), Error> {
        let put = self.runtime.block_on(self.store.put(key, bytes.into()));
        put.map_err(|source| self.refused("write", key, source))?;
        self.share(key)
    }

    fn share(&self, key: &Key) -> Result<(), Error> {
        self.local.as_ref().map_or(Ok(()), |local| local.share(key))
    }

    /// Reads a small object; none if it is not there.
    pub(crate) fn get(&self, key: &Key) -> Result<Option<Bytes>, Error> {
        let got = self.runtime.block_on(async {
            let found = self.store.get(key).await?;
            // Nobody writes such a one; what is cut off is refused by its digest.
            if found.meta.size > MANIFEST_BYTES_MAX { Ok(Bytes::new()) } else { found.bytes().await }
        });
        self.found("read", key, got)
    }

    /// Looks when an object was written; none if it is not there.
    pub(crate) fn written(&self, key: &Key) -> Result<Option<SystemTime>, Error> {
        let head = self.runtime.block_on(self.store.head(key));
        Ok(self.found("look at", key, head)?.map(|meta| meta.last_modified.into()))
    }

    /// Time, as the store has it: that of no machine is believed.
    pub(crate) fn now(&self) -> Result<SystemTime, Error> {
        let key = Key::from("clock");
        self.put(&key, Vec::new())?;
        Ok(self.written(&key)?.unwrap_or(SystemTime::UNIX_EPOCH))
    }

    fn found<T>(
        &self,
        verb: &'static str,
        key: &Key,
        result: object_store::Result<T>,
    ) -> Result<Option<T>, Error> {
        match result {
            Ok(found) => Ok(Some(found)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.refused(verb, key, source)),
        }
    }

    /// Lists a shelf, sorted by name.
    pub(crate) fn list(&self, shelf: Shelf) -> Result<Vec<Listed>, Error> {
        self.listed(&Key::from(shelf.name()))
    }

    /// Lists all files.
    pub(crate) fn objects(&self) -> Result<Vec<(Digest, u64)>, Error> {
        let all = self.listed(&Key::from("objects"))?.into_iter();
        // What is named otherwise is not ours.
        Ok(all.filter_map(|object| Some((object.name.parse().ok()?, object.bytes))).collect())
    }

    fn listed(&self, prefix: &Key) -> Result<Vec<Listed>, Error> {
        let listed = |meta: ObjectMeta| {
            let name = meta.location.filename().unwrap_or_default().to_owned();
            Listed { name, bytes: meta.size, written: meta.last_modified.into() }
        };
        let all = self.store.list(Some(prefix)).map_ok(listed).try_collect::<Vec<_>>();
        let mut all = self.runtime.block_on(all).map_err(|source| self.refused("list", prefix, source))?;
        all.sort_by(|one, two| one.name.cmp(&two.name));
        Ok(all)
    }

    /// Removes objects; one that is not there is no failure.
    pub(crate) fn delete(&self, keys: impl IntoIterator<Item = Key>) -> Result<(), Error> {
        let keys: Vec<_> = keys.into_iter().collect();
        let Some(first) = keys.first().cloned() else { return Ok(()) };
        let keys = futures_util::stream::iter(keys).map(Ok).boxed();
        let gone = self.store.delete_stream(keys).filter_map(async |gone| match gone {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => None,
            Err(source) => Some(source),
        });
        match self.runtime.block_on(gone.boxed().next()) {
            None => Ok(()),
            Some(source) => Err(self.refused("remove", &first, source)),
        }
    }

    /// Sends a file: by a link where that is as good, else by a copy.
    pub(crate) fn send(&self, from: &Path, file: &File, pace: &Pace) -> Result<(), Error> {
        let key = object_key(file.sha256);
        if file.is_table() && self.local.as_ref().is_some_and(|local| local.link_from(from, &key)) {
            return Ok(());
        }
        let mut source = fs::File::open(from).map_err(|error| io("open", from, error))?;
        let upload = self.runtime.block_on(self.store.put_multipart(&key));
        let mut upload = upload.map_err(|source| self.refused("write", &key, source))?;
        let mut sum = Sum::default();
        loop {
            let mut part = Vec::with_capacity(PART_BYTES);
            let limit = u64::try_from(PART_BYTES).unwrap_or(u64::MAX);
            let read = (&mut source).take(limit).read_to_end(&mut part);
            let read = read.map_err(|error| io("read", from, error))?;
            let sent = pace.pass(read).map(|()| {
                sum.add(&part);
                self.runtime.block_on(upload.put_part(part.into()))
            });
            match sent {
                Ok(Ok(())) if read < PART_BYTES => break,
                Ok(Ok(())) => {}
                refused => {
                    // What is left of it, the store drops in its own time.
                    let _left = self.runtime.block_on(upload.abort());
                    refused?.map_err(|source| self.refused("write", &key, source))?;
                }
            }
        }
        if sum.end() != file.sha256 {
            let _left = self.runtime.block_on(upload.abort());
            return Err(Error::Changed(from.to_owned()));
        }
        let sent = self.runtime.block_on(upload.complete());
        sent.map_err(|source| self.refused("write", &key, source))?;
        self.share(&key)
    }

    /// Fetches a file and checks it; what is in the place of `to` is replaced. Durable when it returns.
    /// The database belongs to `owner` at last, where that is not who works here.
    pub(crate) fn fetch(
        &self,
        id: &Id,
        file: &File,
        to: &Path,
        owner: Option<u32>,
        pace: &Pace,
    ) -> Result<(), Error> {
        let key = object_key(file.sha256);
        match fs::remove_file(to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io("remove", to, error));
            }
            _ => {}
        }
        if self.local.as_ref().is_some_and(|local| local.is_blocked(&key)) {
            return Err(self.damaged(id, file, &key));
        }
        let linked =
            file.is_table() && self.local.as_ref().is_some_and(|local| local.link_to(&key, to, owner));
        let found = if linked { pace.digest(to)? } else { self.copy(id, file, &key, to, pace)? };
        if found == file.sha256 {
            return Ok(());
        }
        Err(self.damaged(id, file, &key))
    }

    fn damaged(&self, id: &Id, file: &File, key: &Key) -> Error {
        let (id, key) = (id.clone(), key.to_string());
        Error::Damaged { file: file.name.clone(), id, key, repository: self.name.clone() }
    }

    fn copy(&self, id: &Id, file: &File, key: &Key, to: &Path, pace: &Pace) -> Result<Digest, Error> {
        let got = self.runtime.block_on(self.store.get(key));
        let Some(got) = self.found("read", key, got)? else {
            let (id, key) = (id.clone(), key.to_string());
            return Err(Error::Missing { file: file.name.clone(), id, key, repository: self.name.clone() });
        };
        let mut target = fs::File::create(to).map_err(|error| io("create", to, error))?;
        let (mut sum, mut chunks) = (Sum::default(), got.into_stream());
        while let Some(chunk) = self.runtime.block_on(chunks.next()) {
            let chunk = chunk.map_err(|source| self.refused("read", key, source))?;
            pace.pass(chunk.len())?;
            sum.add(&chunk);
            target.write_all(&chunk).map_err(|error| io("write", to, error))?;
        }
        target.sync_all().map_err(|error| io("sync", to, error))?;
        Ok(sum.end())
    }

    /// Removes what killed writers of a directory have left, which no list of it names.
    pub(crate) fn sweep(&self, older_than: Duration) {
        if let Some(local) = &self.local {
            local.sweep(older_than);
        }
    }
}
