//! Files and directories as everything here wants them: whole or not at all, of one process, gone when they are removed.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

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

/// A removal that found nothing has done its work.
fn absent(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use super::{lock, remove_dir, remove_file, write_whole};
    use std::fs;

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
