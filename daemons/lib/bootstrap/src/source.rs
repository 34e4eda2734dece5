//! Files of a state as rows in order, whatever made them.

use crate::dump::Dump;
use crate::error::{Error, io, read};
use crate::export::{Export, Kind};
use crate::row::Row;
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are read at a time.
const READ_BYTES: usize = 1 << 20;
/// First bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Files of a state, compressed by gzip or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Files {
    /// `geth db export snapshot FILE` and `geth db export code FILE`.
    Export {
        /// Accounts and slots.
        snapshot: PathBuf,
        /// Codes.
        code: PathBuf,
    },
    /// `geth snapshot dump > FILE`.
    Dump(PathBuf),
}

impl Files {
    /// All of them, in the order in which they are read.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        match self {
            Self::Export { snapshot, code } => vec![snapshot, code],
            Self::Dump(dump) => vec![dump],
        }
    }

    /// Size of them together, in bytes, as they lie on the disk.
    pub(crate) fn bytes(&self) -> Result<u64, Error> {
        let size = |path: &Path| {
            std::fs::metadata(path).map(|file| file.len()).map_err(|error| io("read", path, error))
        };
        self.paths().into_iter().map(size).sum()
    }
}

/// Reader of rows: accounts in ascending order, and the slots of an account behind it, in ascending order; the slots of
/// one account come together, and in the order of their accounts.
pub(crate) struct Source {
    parts: Vec<Part>,
    /// Bytes read of the files, as they lie on the disk.
    read: Arc<AtomicU64>,
}

/// A file whose rows are still to come, the last one first.
enum Part {
    Export(Export<Input>),
    Dump(Box<Dump<Input>>),
}

/// A file that is read from front to back.
pub(crate) type Input = BufReader<Box<dyn Read + Send>>;

impl Source {
    /// Opens the files. `dir` takes what of an account does not fit into memory.
    pub(crate) fn open(files: &Files, dir: &Path) -> Result<Self, Error> {
        let done = Arc::new(AtomicU64::new(0));
        let input = |path: &Path| open(path, &done);
        let parts = match files {
            Files::Export { snapshot, code } => vec![
                Part::Export(Export::new(code, Kind::Code, input(code)?)?),
                Part::Export(Export::new(snapshot, Kind::Snapshot, input(snapshot)?)?),
            ],
            Files::Dump(path) => vec![Part::Dump(Box::new(Dump::new(path, input(path)?, dir)?))],
        };
        Ok(Self { parts, read: done })
    }

    /// The next row; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Row>, Error> {
        while let Some(part) = self.parts.last_mut() {
            let row = match part {
                Part::Export(export) => export.next()?,
                Part::Dump(dump) => dump.next()?,
            };
            if row.is_some() {
                return Ok(row);
            }
            self.parts.pop();
        }
        Ok(None)
    }

    /// Bytes read so far of the files, as they lie on the disk.
    pub(crate) fn bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }
}

fn open(path: &Path, done: &Arc<AtomicU64>) -> Result<Input, Error> {
    let file = File::open(path).map_err(|error| io("open", path, error))?;
    let counted = Counted { file, read: Arc::clone(done) };
    let mut plain = BufReader::with_capacity(READ_BYTES, counted);
    let is_gzip = plain.fill_buf().map_err(|error| read(path, error))?.starts_with(&GZIP);
    let reader: Box<dyn Read + Send> =
        if is_gzip { Box::new(MultiGzDecoder::new(plain)) } else { Box::new(plain) };
    Ok(BufReader::with_capacity(READ_BYTES, reader))
}

/// File whose bytes are counted.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.file.read(buf)?;
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}
