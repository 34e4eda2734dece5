//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
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
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::write_whole;
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
}
