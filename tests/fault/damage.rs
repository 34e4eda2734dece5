//! Damaged files of every kind: found, named, refused with the exit code for data, never served.

mod database;
mod log;
mod spool;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use maidenlane_tests::daemon::Daemon;

const DATA: i32 = 65;
/// A daemon that refuses does so at once, but for what the hook might still write.
const REFUSED_WITHIN: Duration = Duration::from_secs(40);

/// Starts the daemon and expects that it refuses its data in one message with all these words.
fn refuses(daemon: &mut Daemon, words: &[&str]) {
    let before = daemon.errors().len();
    daemon.launch().unwrap();
    let status = daemon.wait(REFUSED_WITHIN).unwrap_or_else(|failure| {
        panic!("expected {words:?}, {failure}:\n{}", daemon.log_tail(8));
    });
    let (said, errors) = (daemon.log_tail(8), daemon.errors());
    assert_eq!(status.code(), Some(DATA), "expected {words:?}:\n{said}");
    assert_eq!(errors.len(), before + 1, "one message, not {:#?}", errors.get(before..));
    let error = errors.last().unwrap();
    let missing: Vec<_> = words.iter().filter(|word| !error.contains(**word)).collect();
    assert!(missing.is_empty(), "no {missing:?} in: {error}");
    daemon.kill();
}

/// Files with this ending below `dir`, in the order of their names.
fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == ending)
                && path.metadata().unwrap().len() > 0
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A file's name, as messages show it.
fn name(file: &Path) -> &str {
    file.file_name().unwrap().to_str().unwrap()
}

/// Changes a file's bytes and puts the old ones back when dropped.
struct Corruption {
    file: PathBuf,
    good: Vec<u8>,
}

impl Corruption {
    fn new(file: &Path, damage: impl FnOnce(&mut Vec<u8>)) -> Self {
        let good = fs::read(file).unwrap();
        let mut bad = good.clone();
        damage(&mut bad);
        assert_ne!(good, bad);
        fs::write(file, bad).unwrap();
        Self { file: file.to_owned(), good }
    }

    /// One bit at so many percent of the length.
    fn flipped(file: &Path, percent: usize) -> Self {
        Self::new(file, |bytes| {
            let at = (bytes.len() - 1) * percent / 100;
            *bytes.get_mut(at).unwrap() ^= 0x10;
        })
    }

    /// So many bytes less.
    fn shorter(file: &Path, by: usize) -> Self {
        Self::new(file, |bytes| bytes.truncate(bytes.len() - by))
    }
}

impl Drop for Corruption {
    fn drop(&mut self) {
        // In place: a reader may hold it open.
        let _failed = fs::write(&self.file, &self.good);
    }
}

/// Castagnoli's checksum, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    })
}
