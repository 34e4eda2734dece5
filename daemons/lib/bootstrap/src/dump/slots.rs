//! Slots of one account, in the order in which they come: in memory, or in a file if they are many.

use crate::error::{self, Error};
use maidenlane_chain::{B256, U256};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Bytes of a slot in the file.
const SLOT_BYTES: usize = 64;

/// First in, first out; all in, and then out.
pub(super) struct Slots {
    path: PathBuf,
    /// Number of slots that are held in memory.
    memory_max: usize,
    /// Slots in memory, which came after those in the file.
    memory: Vec<(B256, U256)>,
    next: usize,
    written: Option<BufWriter<File>>,
    reading: Option<BufReader<File>>,
    failed: Option<Error>,
}

impl Slots {
    pub(super) fn new(dir: &Path, memory_max: usize) -> Self {
        let path = dir.join("slots");
        Self { path, memory_max, memory: Vec::new(), next: 0, written: None, reading: None, failed: None }
    }

    pub(super) fn clear(&mut self) {
        self.memory.clear();
        (self.next, self.written, self.reading) = (0, None, None);
    }

    /// Failure of the disk in a push, which a parser in between can tell as text only.
    pub(super) fn failed(&mut self) -> Option<Error> {
        self.failed.take()
    }

    /// Adds a slot.
    pub(super) fn push(&mut self, key: B256, value: U256) -> Result<(), &'static str> {
        self.memory.push((key, value));
        if self.memory.len() < self.memory_max {
            return Ok(());
        }
        self.spill().map_err(|error| {
            self.failed = Some(error::io("write", &self.path, error));
            "the disk refused a slot"
        })
    }

    fn spill(&mut self) -> std::io::Result<()> {
        let file = match &mut self.written {
            Some(file) => file,
            None => {
                let file =
                    File::options().read(true).write(true).create(true).truncate(true).open(&self.path)?;
                self.written.insert(BufWriter::new(file))
            }
        };
        for (key, value) in self.memory.drain(..) {
            file.write_all(key.as_slice())?;
            file.write_all(&value.to_be_bytes::<32>())?;
        }
        Ok(())
    }

    /// Takes the next slot out.
    pub(super) fn next(&mut self) -> Result<Option<(B256, U256)>, Error> {
        self.read().map_err(|error| error::io("read", &self.path, error)).map(|found| {
            found.or_else(|| {
                let slot = self.memory.get(self.next).copied();
                self.next = self.next.saturating_add(1);
                slot
            })
        })
    }

    fn read(&mut self) -> std::io::Result<Option<(B256, U256)>> {
        if let Some(written) = self.written.take() {
            let mut file = written.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            file.rewind()?;
            self.reading = Some(BufReader::with_capacity(1 << 20, file));
        }
        let Some(file) = &mut self.reading else { return Ok(None) };
        let mut slot = [0; SLOT_BYTES];
        match file.read_exact(&mut slot) {
            Ok(()) => {
                let (key, value) = slot.split_at(32);
                Ok(Some((B256::from_slice(key), U256::from_be_slice(value))))
            }
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                self.reading = None;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
