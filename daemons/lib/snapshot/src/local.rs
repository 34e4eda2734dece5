//! A repository that is a directory: files are linked where a copy would be no better, and have the rights of the directory.
//!
//! # Correctness
//! A link shares owner and mode with the database that it was made of. So it is made only where the directory is for one user
//! alone: in one that a group may write, as several services on a machine want it, files are copied, and the group may read
//! them whatever the umask is. Into a database only a file of its own user is linked: what is given to another user
//! afterwards would be taken from the first one.

use crate::error::{Error, io};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Mode of files and directories where a group may write: new files belong to the group of their directory.
const SHARED_FILE: u32 = 0o640;
const SHARED_DIR: u32 = 0o2770;
/// Bit by which a group may write.
const GROUP_WRITES: u32 = 0o020;

/// Links made by this process so far: each has a name of its own until it has its final one.
static LINKS: AtomicU64 = AtomicU64::new(0);

/// Directory of a repository.
#[derive(Debug)]
pub(crate) struct Local {
    files: Arc<LocalFileSystem>,
    root: PathBuf,
    is_shared: bool,
}

impl Local {
    /// Looks whether a directory is for a group.
    pub(crate) fn new(files: Arc<LocalFileSystem>, root: &Path) -> Result<Self, Error> {
        let mode = fs::metadata(root).map_err(|error| io("look at", root, error))?.mode();
        Ok(Self { files, root: root.to_owned(), is_shared: mode & GROUP_WRITES != 0 })
    }

    fn path(&self, key: &Key) -> Option<PathBuf> {
        self.files.path_to_filesystem(key).ok()
    }

    /// True if something else than a file is in the place of an object.
    pub(crate) fn is_blocked(&self, key: &Key) -> bool {
        self.path(key).is_some_and(|object| object.exists() && !object.is_file())
    }

    /// Links a finished file under a new key, durably; false where a copy is due.
    pub(crate) fn link_from(&self, from: &Path, key: &Key) -> bool {
        !self.is_shared && self.path(key).is_some_and(|object| link_new(from, &object))
    }

    /// Links an object into a database that will belong to `owner`, if to anybody else than now; false where a copy is due.
    pub(crate) fn link_to(&self, key: &Key, to: &Path, owner: Option<u32>) -> bool {
        let Some(object) = self.path(key) else { return false };
        // A symbolic link would be linked itself, and lead out of the database.
        let is_own = fs::symlink_metadata(&object)
            .is_ok_and(|meta| meta.is_file() && owner.is_none_or(|owner| owner == meta.uid()));
        is_own && fs::hard_link(&object, to).is_ok()
    }

    /// Gives an object that was written, and the directories above it, to the group that the repository is for.
    pub(crate) fn share(&self, key: &Key) -> Result<(), Error> {
        let Some(object) = self.path(key).filter(|_| self.is_shared) else { return Ok(()) };
        // Directories first: whoever lists them finds the object readable.
        let dirs = object.ancestors().skip(1).take_while(|dir| *dir != self.root);
        for dir in dirs.collect::<Vec<_>>().into_iter().rev() {
            permit(dir, SHARED_DIR)?;
        }
        permit(&object, SHARED_FILE)
    }

    /// Removes what killed writers have left, which no list names.
    pub(crate) fn sweep(&self, older_than: Duration) {
        let dirs = fs::read_dir(self.root.join("objects")).into_iter().flatten().flatten();
        for entry in dirs.filter_map(|dir| fs::read_dir(dir.path()).ok()).flatten().flatten() {
            let staged = entry.file_name().to_string_lossy().contains('#');
            let written = entry.metadata().and_then(|found| found.modified()).ok();
            let age = written.and_then(|written| SystemTime::now().duration_since(written).ok());
            if staged && age.is_some_and(|age| age > older_than) {
                // Whoever comes next tries again.
                let _kept = fs::remove_file(entry.path());
            }
        }
    }
}

/// Sets a mode, unless it is set. What belongs to another member of the group was set by that one.
fn permit(path: &Path, mode: u32) -> Result<(), Error> {
    let set = fs::metadata(path).and_then(|meta| match meta.mode() & 0o7777 == mode {
        true => Ok(()),
        false => fs::set_permissions(path, Permissions::from_mode(mode)),
    });
    match set {
        Err(error) if error.kind() != std::io::ErrorKind::PermissionDenied => {
            Err(io("give to the group", path, error))
        }
        _ => Ok(()),
    }
}

/// Links a finished file under a new name, durably; false where the file system has no such link, and a copy is due.
///
/// # Correctness
/// Another replica may have been faster, and its manifest may name the object already: that is replaced by one step.
fn link_new(from: &Path, object: &Path) -> bool {
    let Some(dir) = object.parent() else { return false };
    let mut staged = object.as_os_str().to_owned();
    // Lists pass over names like this one, and `sweep` finds it.
    staged.push(format!("#{}{:06}", std::process::id(), LINKS.fetch_add(1, Ordering::Relaxed)));
    let staged = Path::new(&staged);
    let linked = fs::create_dir_all(dir).and_then(|()| fs::hard_link(from, staged));
    let named = linked.and_then(|()| {
        let named = fs::rename(staged, object);
        // Two links to one file stay, both.
        drop(fs::remove_file(staged));
        named
    });
    let synced = named.and_then(|()| fs::File::open(dir)?.sync_all());
    synced.and_then(|()| fs::File::open(dir.parent().unwrap_or(dir))?.sync_all()).is_ok()
}
