//! Mark file: a small file that holds a position, rewritten in place and never torn.
//!
//! Two slots are written in turn, each with a serial number and a checksum; the newest good one counts. A slot cut
//! short by a crash leaves the other, and a reader that meets a slot in the middle of its rewriting has the other
//! too. The slots lie in different disk sectors and their space is taken at creation, so that a full disk does not
//! stop a mark.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::files;
use super::frame::{u32_at, u64_at};
use crate::Error;

const SLOT_BYTES: usize = 512;
const FILE_BYTES: usize = 2 * SLOT_BYTES;
const MAGIC: u64 = u64::from_le_bytes(*b"MLMARK\x01\x00");
const COVERED_BYTES: usize = 48;
/// Number of looks before readers call a mark broken: a writer may have lapped them.
const LOOKS_MAX: u32 = 100;

/// Position up to which the log is on disk, or that a group has reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Serial number, which grows with every writing.
    pub(super) serial: u64,
    /// Offset after the newest durable entry; the next entry to read.
    pub(super) end: u64,
    /// Base of the segment that holds the end.
    pub(super) base: u64,
    /// Byte in that segment where the end lies.
    pub(super) pos: u64,
    /// Number of times that a published tail was cut off by an operator.
    pub(super) cuts: u64,
}

/// An open mark.
#[derive(Debug)]
pub(super) struct MarkFile {
    file: File,
    path: PathBuf,
}

impl MarkFile {
    /// Writes a new mark durably, replacing what is at `path`.
    pub(super) fn create(path: &Path, mark: Mark) -> Result<Self, Error> {
        let mut bytes = vec![0; FILE_BYTES];
        for (slot, with) in [(mark.serial, mark), (mark.serial + 1, Mark { serial: mark.serial + 1, ..mark })]
        {
            let at = slot_at(slot);
            for (to, from) in bytes.iter_mut().skip(at).zip(encode(with)) {
                *to = from;
            }
        }
        files::write_whole(path, &bytes)?;
        Self::open(path, true)?.ok_or_else(|| Error::Corrupt {
            place: path.display().to_string(),
            what: "vanished while it was created".to_owned(),
            cure: "see who deletes files there, and try again".to_owned(),
        })
    }

    /// Opens the mark at `path`, if there is one.
    pub(super) fn open(path: &Path, write: bool) -> Result<Option<Self>, Error> {
        match OpenOptions::new().read(true).write(write).open(path) {
            Ok(file) => Ok(Some(Self { file, path: path.to_owned() })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(files::failed("open", path, error)),
        }
    }

    /// The newest good slot.
    pub(super) fn read(&self) -> Result<Mark, Error> {
        for _ in 0..LOOKS_MAX {
            let mut bytes = [0; FILE_BYTES];
            self.file
                .read_exact_at(&mut bytes, 0)
                .map_err(|error| files::failed("read", &self.path, error))?;
            let (one, two) = bytes.split_at(SLOT_BYTES);
            if let Some(mark) = decode(one).into_iter().chain(decode(two)).max_by_key(|mark| mark.serial) {
                return Ok(mark);
            }
            std::thread::yield_now();
        }
        Err(Error::Corrupt {
            place: self.path.display().to_string(),
            what: "neither slot is good".to_owned(),
            cure: "delete the file, and the next writer rebuilds it".to_owned(),
        })
    }

    /// Overwrites the older slot. Visible at once to every reader, durable only after [`MarkFile::sync`].
    ///
    /// An error means that it was not written: what a failed write may have left is looked at again.
    pub(super) fn publish(&self, mark: Mark) -> Result<(), Error> {
        let at = u64::try_from(slot_at(mark.serial)).unwrap_or_default();
        match self.file.write_all_at(&encode(mark), at) {
            Ok(()) => Ok(()),
            Err(_) if self.read()? == mark => Ok(()),
            Err(error) => Err(files::failed("write", &self.path, error)),
        }
    }

    /// Forces the mark to disk.
    pub(super) fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(|error| files::failed("sync", &self.path, error))
    }
}

fn slot_at(serial: u64) -> usize {
    if serial.is_multiple_of(2) { 0 } else { SLOT_BYTES }
}

fn encode(mark: Mark) -> Vec<u8> {
    let words = [MAGIC, mark.serial, mark.end, mark.base, mark.pos, mark.cuts];
    let mut out: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

fn decode(slot: &[u8]) -> Option<Mark> {
    let covered = slot.get(..COVERED_BYTES)?;
    if u64_at(slot, 0)? != MAGIC || crc32c::crc32c(covered) != u32_at(slot, COVERED_BYTES)? {
        return None;
    }
    Some(Mark {
        serial: u64_at(slot, 8)?,
        end: u64_at(slot, 16)?,
        base: u64_at(slot, 24)?,
        pos: u64_at(slot, 32)?,
        cuts: u64_at(slot, 40)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{FILE_BYTES, Mark, MarkFile, SLOT_BYTES};
    use crate::Error;

    #[test]
    fn a_torn_slot_leaves_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mark");
        let file = MarkFile::create(&path, Mark::default()).unwrap();
        for serial in 2..20 {
            let mark = Mark { serial, end: serial * 3, base: 1, pos: 2, cuts: 4 };
            file.publish(mark).unwrap();
            assert_eq!(file.read().unwrap(), mark);
            let good = std::fs::read(&path).unwrap();
            let mut torn = good.clone();
            let slot = if serial % 2 == 0 { 0 } else { SLOT_BYTES };
            torn[slot + 17..slot + 40].fill(0xee);
            std::fs::write(&path, &torn).unwrap();
            assert_eq!(MarkFile::open(&path, false).unwrap().unwrap().read().unwrap().serial, serial - 1);
            std::fs::write(&path, &good).unwrap();
        }
        std::fs::write(&path, [0; FILE_BYTES]).unwrap();
        assert!(matches!(MarkFile::open(&path, false).unwrap().unwrap().read(), Err(Error::Corrupt { .. })));
    }

    #[test]
    fn no_mark_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(MarkFile::open(&dir.path().join("none"), false).unwrap().is_none());
    }
}
