//! Files and directories as everything here wants them: whole or not at all, of one process, gone when they are removed.

use crate::exit::{Exit, Failure};
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::{Path, PathBuf};

/// Step that failed, and the file that it was about.
#[derive(Debug, thiserror::Error)]
#[error("{verb} {}", path.display())]
pub struct FileError {
    /// Step, as a verb in lower case.
    pub verb: &'static str,
    /// File or directory.
    pub path: PathBuf,
    /// Answer of the operating system.
    pub source: io::Error,
}

impl FileError {
    /// Names the step and the file of a failure.
    pub fn at(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { verb, path: path.to_owned(), source }
    }

    /// Exit code, by [`Exit::of_file`].
    #[must_use]
    pub fn exit(&self) -> Exit {
        Exit::of_file(self.source.kind())
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::new(error.exit(), error)
    }
}

/// Replaces a file by one with these bytes, durably: after a kill or a power cut it is the old one or the new one. Only
/// one process may write it at a time.
///
/// # Errors
/// When the disk refuses; the old file is there then.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_added_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Makes the names in a directory durable.
///
/// # Errors
/// When the disk refuses.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Locks a file, which is made if it is not there, until it is closed; `None` where another process has it.
///
/// # Errors
/// When the disk refuses.
pub fn lock(path: &Path) -> io::Result<Option<File>> {
    let file = File::options().write(true).create(true).truncate(false).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Removes a directory with all that is in it, if it is there.
///
/// # Errors
/// When the disk refuses.
pub fn remove_dir(path: &Path) -> io::Result<()> {
    absent(fs::remove_dir_all(path))
}

/// Removes a file, if it is there.
///
/// # Errors
/// When the disk refuses.
pub fn remove_file(path: &Path) -> io::Result<()> {
    absent(fs::remove_file(path))
}

/// Gives a file, a directory or a link to a user and a group. Nobody but root gives anything away: of others, what they own
/// stays theirs.
///
/// # Errors
/// When it belongs to somebody else, or the disk refuses.
pub fn give(path: &Path, (user, group): (u32, u32)) -> io::Result<()> {
    let meta = fs::symlink_metadata(path)?;
    if (meta.uid(), meta.gid()) == (user, group) {
        return Ok(());
    }
    match lchown(path, Some(user), Some(group)) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied && meta.uid() == user => Ok(()),
        given => given,
    }
}

/// Gives everything in a directory to its owner: of a daemon's state that root has worked on. A service manager that finds
/// the directory itself right looks no further.
///
/// # Errors
/// As [`give`]; a directory that is not there has nothing in it.
pub fn give_all(dir: &Path) -> Result<(), FileError> {
    let owner = match fs::metadata(dir) {
        Ok(meta) => (meta.uid(), meta.gid()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(FileError::at("look at", dir)(error)),
    };
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).map_err(FileError::at("read", &dir))? {
            let entry = entry.map_err(FileError::at("read", &dir))?;
            let path = entry.path();
            match give(&path, owner) {
                // Whoever is not root has left nothing of root's.
                Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(()),
                given => given.map_err(FileError::at("give to the owner of its directory", &path))?,
            }
            // A link is given itself, and not followed.
            if entry.file_type().map_err(FileError::at("look at", &path))?.is_dir() {
                open.push(path);
            }
        }
    }
    Ok(())
}

/// A removal that found nothing has done its work.
fn absent(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use super::{give_all, lock, remove_dir, remove_file, write_whole};
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, chown, symlink};

    #[test]
    fn a_file_is_replaced_or_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("note.json");
        for bytes in ["long enough to leave something", "short"] {
            write_whole(&path, bytes.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), bytes);
        }
        fs::create_dir(dir.path().join("note.json.new")).unwrap();
        write_whole(&path, b"never").unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "short");
    }

    #[test]
    fn one_has_a_lock_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = lock(&path).unwrap();
        assert!(held.is_some() && lock(&path).unwrap().is_none());
        drop(held);
        assert!(lock(&path).unwrap().is_some());
        lock(&path.join("below")).unwrap_err();
    }

    #[test]
    fn what_root_left_in_a_directory_is_given_to_its_owner() {
        const OWNER: (u32, u32) = (43_210, 43_211);
        if !rustix::process::geteuid().is_root() {
            println!("not run: only root has files of other users");
            return;
        }
        let outside = tempfile::tempdir().unwrap();
        let state = outside.path().join("state");
        let [file, below, link] = ["file", "db/CURRENT", "link"].map(|name| state.join(name));
        fs::create_dir_all(state.join("db")).unwrap();
        for path in [&file, &below] {
            fs::write(path, "").unwrap();
        }
        symlink(outside.path(), &link).unwrap();
        chown(&state, Some(OWNER.0), Some(OWNER.1)).unwrap();
        give_all(&state).unwrap();
        for path in [&file, &below, &state.join("db"), &link] {
            let meta = fs::symlink_metadata(path).unwrap();
            assert_eq!((meta.uid(), meta.gid()), OWNER, "{}", path.display());
        }
        assert_eq!(fs::metadata(outside.path()).unwrap().uid(), 0, "a link is not followed");
        give_all(&state.join("gone")).unwrap();
    }

    #[test]
    fn what_is_not_there_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (file, below) = (dir.path().join("file"), dir.path().join("below"));
        fs::write(&file, "").unwrap();
        fs::create_dir_all(below.join("deep")).unwrap();
        for _ in 0..2 {
            remove_file(&file).unwrap();
            remove_dir(&below).unwrap();
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        }
        remove_file(dir.path()).unwrap_err();
    }
}
