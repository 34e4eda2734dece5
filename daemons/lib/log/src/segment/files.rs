//! Names and durable handling of the files of one partition directory.
//!
//! # Why nobody else may read them
//! A topic may hold what clients sent and nobody has seen yet: transactions. Files are made for their owner and group
//! whatever the umask says, and a writer closes topics that were made otherwise.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt as _, FileExt, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::frame::{HEADER_BYTES, Header};
use crate::Error;

/// Lock of the writer: only its holder writes.
pub(super) const LOCK: &str = "lock";
/// The mark behind which everything is on disk.
pub(super) const DURABLE: &str = "durable";

/// Error of the operation `verb` on `path`.
pub(super) fn failed(verb: &str, path: &Path, source: std::io::Error) -> Error {
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            Error::Full { place: path.parent().unwrap_or(path).display().to_string() }
        }
        _ => Error::Io { what: format!("{verb} {}", path.display()), source },
    }
}

/// Error for wrong bytes at `pos` of `path`.
pub(super) fn corrupt(path: &Path, pos: u64, what: impl Into<String>) -> Error {
    let cure = "`maidenlane log verify` tells what of the topic can be kept".to_owned();
    Error::Corrupt { place: format!("{} byte {pos}", path.display()), what: what.into(), cure }
}

/// Error for a segment of which the mark says that it is there.
pub(super) fn missing(dir: &Path, base: u64) -> Error {
    corrupt(&segment_path(dir, base), 0, "the file is gone, though entries in it were acknowledged")
}

/// Options for a file that is written, and made if it is not there: for its owner and group. The umask, or the
/// directory's default ACL, takes away from that.
pub(super) fn creating() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o660);
    options
}

/// Makes a directory for its owner and group, and those above it that are missing if `all`.
pub(super) fn make_dir(path: &Path, all: bool) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(all).mode(0o770).create(path);
    made.map_err(|error| failed("create", path, error))
}

/// Closes a directory to all but its owner and group.
pub(super) fn close_to_others(dir: &Path) {
    const OTHERS: u32 = 0o007;
    let Ok(permissions) = fs::metadata(dir).map(|metadata| metadata.permissions()) else { return };
    if permissions.mode() & OTHERS != 0 {
        let closed = fs::Permissions::from_mode(permissions.mode() & !OTHERS & 0o7777);
        // Refused for one that an operator made: then the directory above is closed, as systemd-tmpfiles makes it.
        drop(fs::set_permissions(dir, closed));
    }
}

/// Path of the segment whose first entry is `base`: an offset stays addressable because files are named by it.
pub(super) fn segment_path(dir: &Path, base: u64) -> PathBuf {
    dir.join(format!("{base:020}.log"))
}

/// Path of its sparse index.
pub(super) fn index_path(dir: &Path, base: u64) -> PathBuf {
    dir.join(format!("{base:020}.index"))
}

/// Bases of all segments, ascending.
pub(super) fn bases(dir: &Path) -> Result<Vec<u64>, Error> {
    let mut found = Vec::new();
    for item in fs::read_dir(dir).map_err(|error| failed("list", dir, error))? {
        let name = item.map_err(|error| failed("list", dir, error))?.file_name();
        let base =
            name.to_str().and_then(|name| name.strip_suffix(".log")).filter(|digits| digits.len() == 20);
        if let Some(base) = base.and_then(|digits| digits.parse().ok()) {
            found.push(base);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Opens a segment and checks its header.
pub(super) fn open_segment(dir: &Path, base: u64, write: bool) -> Result<(File, Header), Error> {
    let path = segment_path(dir, base);
    let file = OpenOptions::new()
        .read(true)
        .write(write)
        .open(&path)
        .map_err(|error| failed("open", &path, error))?;
    let header = read_header(&file, &path)?;
    if header.base != base {
        return Err(corrupt(&path, 8, format!("says that it begins at offset {}", header.base)));
    }
    Ok((file, header))
}

fn read_header(file: &File, path: &Path) -> Result<Header, Error> {
    let mut bytes = vec![0; usize::try_from(HEADER_BYTES).unwrap_or_default()];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => Header::decode(&bytes).map_err(|what| corrupt(path, 0, what)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(corrupt(path, 0, "shorter than a segment header"))
        }
        Err(error) => Err(failed("read", path, error)),
    }
}

/// Makes an empty segment, durably.
pub(super) fn create_segment(dir: &Path, base: u64, created_ms: u64) -> Result<File, Error> {
    let path = segment_path(dir, base);
    write_whole(&path, &Header { base, created_ms }.encode())?;
    open_segment(dir, base, true).map(|(file, _)| file)
}

/// Writes a file atomically: it is there whole or not at all, also after a power cut.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let new = path.with_extension("new");
    let write = || {
        let mut file = creating().truncate(true).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    if let Err(error) = write() {
        drop(fs::remove_file(&new));
        return Err(failed("create", path, error));
    }
    path.parent().map_or(Ok(()), sync_dir)
}

/// Writes everything from byte `from` on once more, in place: a sync that failed in another process may have left pages
/// that the kernel takes for written, and a sync of those proves nothing.
pub(super) fn rewrite(file: &File, from: u64) -> std::io::Result<()> {
    let mut bytes = vec![0; 256 << 10];
    let mut pos = from;
    loop {
        let read = file.read_at(&mut bytes, pos)?;
        let Some(part) = bytes.get(..read).filter(|part| !part.is_empty()) else { return Ok(()) };
        file.write_all_at(part, pos)?;
        pos += part.len() as u64;
    }
}

/// Makes the names in `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), Error> {
    File::open(dir).and_then(|file| file.sync_all()).map_err(|error| failed("sync", dir, error))
}

/// Opens a lock file, creating it if need be.
pub(super) fn open_lock(path: &Path) -> Result<File, Error> {
    creating().read(true).truncate(false).open(path).map_err(|error| failed("open", path, error))
}

/// Wall clock in milliseconds: for operators and retention, never for order.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
