//! Copies of a data directory that take seconds and little room: whatever never changes again is shared.

use crate::data_dir::DataDir;
use crate::error::{Error, io};
use crate::listing::{Entry, Listing, Share};
use crate::user::User;
use maidenlane_service::files;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Sizes of a copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Bytes of the files that it shares.
    pub(crate) shared_bytes: u64,
    /// Bytes of the files that it has for itself.
    pub(crate) own_bytes: u64,
}

/// Sizes of a copy in `work`, which need not be there, of which so many blocks are cut off. Files are shared only within one
/// file system.
pub(crate) fn sizes(listing: &Listing, work: &Path, cut_blocks: u64) -> Result<Sizes, Error> {
    let there = existing(work);
    let device = fs::metadata(there).map_err(io("look at", there))?.dev();
    let mut sizes = Sizes::default();
    for (entry, share) in listing.shares(cut_blocks) {
        match share {
            Share::Link if entry.meta.dev() == device => sizes.shared_bytes += entry.meta.len(),
            _ => sizes.own_bytes += entry.meta.len(),
        }
    }
    Ok(sizes)
}

/// Makes a copy in `target`, instead of whatever is there, and returns it. geth cuts off so many of its blocks at most. A
/// file system that can clone files clones those that are not shared.
pub(crate) fn copy(listing: &Listing, cut_blocks: u64, owner: User, target: &Path) -> Result<DataDir, Error> {
    remove(target)?;
    let mut made = BTreeSet::new();
    for (entry, share) in listing.shares(cut_blocks) {
        let to = target.join(&entry.to);
        if let Some(parent) = to.parent() {
            directories(parent, target, owner, &mut made)?;
        }
        put(entry, share, &to, owner)?;
    }
    // geth must not meet names whose bytes a power cut has taken.
    let all = File::open(target).map_err(io("open", target))?;
    rustix::fs::syncfs(&all).map_err(|error| io("sync", target)(error.into()))?;
    DataDir::open(target, None)
}

/// Makes a directory, and those above it up to `root`, for geth's user.
fn directories(path: &Path, root: &Path, owner: User, made: &mut BTreeSet<PathBuf>) -> Result<(), Error> {
    if made.contains(path) {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|_| path != root) {
        directories(parent, root, owner, made)?;
    }
    fs::create_dir_all(path).and_then(|()| owner.give(path)).map_err(io("create", path))?;
    made.insert(path.to_owned());
    Ok(())
}

fn put(entry: &Entry, share: Share, to: &Path, owner: User) -> Result<(), Error> {
    if share == Share::Link {
        match fs::hard_link(&entry.from, to) {
            Err(error) if error.kind() == ErrorKind::CrossesDevices => {}
            linked => return linked.map_err(io("link", &entry.from)),
        }
    }
    fs::copy(&entry.from, to).map_err(io("copy", &entry.from))?;
    owner.give(to).map_err(io("give to geth's user", to))
}

/// Makes the names in a directory durable.
pub(crate) fn sync(dir: &Path) -> Result<(), Error> {
    files::sync_dir(dir).map_err(io("sync", dir))
}

/// Removes a directory, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    files::remove_dir(path).map_err(io("remove", path))
}

/// Removes a file, if it is there.
pub(crate) fn remove_file(path: &Path) -> Result<(), Error> {
    files::remove_file(path).map_err(io("remove", path))
}

/// Bytes that are free for geth's user where a path is, or would be.
pub(crate) fn free_bytes(path: &Path) -> Result<u64, Error> {
    let path = existing(path);
    let found = rustix::fs::statvfs(path).map_err(|error| io("look at", path)(error.into()))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// The path, or the nearest one above it that is there.
pub(crate) fn existing(path: &Path) -> &Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(path)
}
