//! One e2store file of blocks, `era1` or `ere`, read by block number through the index at its end.
//!
//! ```text
//! file   = entry*, the index last
//! entry  = type u16, length u32, 0 u16, value
//! era1   = (header, body, receipts, difficulty)* … index {first, offset of each block's header, count}
//! ere    = header* body* receipts? … index {first, offsets of each block's parts, number of parts, count}
//! ```
//! Numbers are little-endian, offsets count from the index's entry; header, body and receipts are snappy frames of RLP.
//! Receipts are whole in `era1` and slim in `ere`; which parts an `ere` has is told by the types of the first block's.

use crate::error::{Error, file, io};
use crate::source::Found;
use maidenlane_chain::{Bytes, slim_receipts};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

const HEADER: u16 = 0x03;
const BODY: u16 = 0x04;
const RECEIPTS: u16 = 0x05;
const SLIM_RECEIPTS: u16 = 0x0a;
const INDEX_OF_BLOCKS: u16 = 0x3266;
const INDEX_OF_PARTS: u16 = 0x3267;

/// Bytes of an entry before its value.
const HEAD_BYTES: u64 = 8;
/// Largest entry, as geth reads it.
const ENTRY_BYTES_MAX: u32 = 50 << 20;
/// Largest part of a block, unpacked.
const PART_BYTES_MAX: u64 = 256 << 20;
/// Most blocks of a file, by the format.
const BLOCKS_MAX: u64 = 8192;
/// Most parts of a block that an index can name.
const PARTS_MAX: u64 = 16;

/// An open file.
#[derive(Debug)]
pub(crate) struct Archive {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// Offset of the index.
    index: u64,
    first: u64,
    count: u64,
    parts: Parts,
}

/// Places of the parts of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parts {
    /// One after the other.
    Tuple,
    /// Each at its own offset, in its slot of so many.
    Slots { slots: u64, header: u64, body: u64, receipts: Option<u64> },
}

/// Offsets of the parts of one block.
struct Places {
    header: u64,
    body: u64,
    receipts: Option<u64>,
}

impl Archive {
    /// Opens a file and reads where its blocks are.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let opened = File::open(path).and_then(|file| file.metadata().map(|about| (about.len(), file)));
        let (bytes, file) = opened.map_err(|source| io("open", path, source))?;
        let (index, first, parts) = (0, 0, Parts::Tuple);
        let mut archive = Self { path: path.to_owned(), file, bytes, index, first, count: 0, parts };
        let no_index = || archive.fault("has no index of blocks at its end: copy or export it again");
        let end = bytes.checked_sub(16).ok_or_else(no_index)?;
        let (slots, count) = (archive.word(end)?, archive.word(end + 8)?);
        if count == 0 || count > BLOCKS_MAX {
            return Err(no_index());
        }
        let blocks = bytes.checked_sub(HEAD_BYTES + 8 * (count + 2));
        let parts =
            (slots <= PARTS_MAX).then(|| bytes.checked_sub(HEAD_BYTES + 8 * (count * slots + 3))).flatten();
        if let Some(index) = blocks.filter(|at| archive.has(*at, INDEX_OF_BLOCKS)) {
            archive.index = index;
        } else if let Some(index) = parts.filter(|at| archive.has(*at, INDEX_OF_PARTS)) {
            archive.index = index;
            archive.parts = archive.layout(slots)?;
        } else {
            return Err(no_index());
        }
        archive.first = archive.word(archive.index + HEAD_BYTES)?;
        archive.count = count;
        Ok(archive)
    }

    /// Number of the first block, and of blocks.
    pub(crate) const fn blocks(&self) -> (u64, u64) {
        (self.first, self.count)
    }

    /// A block; `None` where the file has it not.
    pub(crate) fn block(&self, number: u64) -> Result<Option<Found>, Error> {
        let Some(places) = self.places(number)? else { return Ok(None) };
        let (header, body) = (self.part(number, places.header)?.1, self.part(number, places.body)?.1);
        Ok(Some(Found { header, body, receipts: self.receipts_at(number, places.receipts)? }))
    }

    /// Receipts of a block; `None` where the file has none.
    pub(crate) fn receipts(&self, number: u64) -> Result<Option<Bytes>, Error> {
        let Some(places) = self.places(number)? else { return Ok(None) };
        self.receipts_at(number, places.receipts)
    }

    fn receipts_at(&self, number: u64, place: Option<u64>) -> Result<Option<Bytes>, Error> {
        let Some(place) = place else { return Ok(None) };
        let (kind, bytes) = self.part(number, place)?;
        if kind == RECEIPTS {
            return Ok(Some(bytes));
        }
        let whole = slim_receipts::whole(&bytes);
        whole.map(Some).map_err(|error| self.fault_of(number, &error.to_string()))
    }

    /// Offsets of a block's parts.
    fn places(&self, number: u64) -> Result<Option<Places>, Error> {
        let Some(index) = number.checked_sub(self.first).filter(|index| *index < self.count) else {
            return Ok(None);
        };
        Ok(Some(match self.parts {
            Parts::Tuple => {
                let header = self.offset(index)?;
                let body = self.behind(header)?;
                Places { header, body, receipts: Some(self.behind(body)?) }
            }
            Parts::Slots { slots, header, body, receipts } => {
                let at = |slot: u64| self.offset(index * slots + slot);
                Places { header: at(header)?, body: at(body)?, receipts: receipts.map(at).transpose()? }
            }
        }))
    }

    /// Slots of the parts in the index, by the entries of the first block.
    fn layout(&self, slots: u64) -> Result<Parts, Error> {
        let mut kinds = Vec::new();
        for slot in 0..slots {
            kinds.push(self.head(self.offset(slot)?)?.0);
        }
        let slot = |wanted: u16| (0..).zip(&kinds).find(|(_, kind)| **kind == wanted).map(|(slot, _)| slot);
        match (slot(HEADER), slot(BODY)) {
            (Some(header), Some(body)) => Ok(Parts::Slots {
                slots,
                header,
                body,
                receipts: slot(SLIM_RECEIPTS).or_else(|| slot(RECEIPTS)),
            }),
            _ => Err(self.fault("names no headers and bodies in its index: copy or export it again")),
        }
    }

    /// Offset that the index has at a place.
    fn offset(&self, at: u64) -> Result<u64, Error> {
        let from_index = self.word(self.index + HEAD_BYTES + 8 + 8 * at)?;
        Ok(self.index.wrapping_add(from_index))
    }

    /// Type and size of the entry at an offset.
    fn head(&self, at: u64) -> Result<(u16, u32), Error> {
        let mut head = [0; 8];
        self.read(&mut head, at)?;
        let [a, b, length @ .., _, _] = head;
        Ok((u16::from_le_bytes([a, b]), u32::from_le_bytes(length)))
    }

    fn has(&self, at: u64, kind: u16) -> bool {
        let whole = |(found, length)| found == kind && at + HEAD_BYTES + u64::from(length) == self.bytes;
        self.head(at).is_ok_and(whole)
    }

    /// Offset of the entry behind the one at `at`.
    fn behind(&self, at: u64) -> Result<u64, Error> {
        Ok(at + HEAD_BYTES + u64::from(self.head(at)?.1))
    }

    /// Type of the part at an offset, and what it holds, unpacked.
    fn part(&self, number: u64, at: u64) -> Result<(u16, Bytes), Error> {
        let (kind, length) = self.head(at)?;
        if !matches!(kind, HEADER | BODY | RECEIPTS | SLIM_RECEIPTS) || length > ENTRY_BYTES_MAX {
            return Err(self.fault_of(number, &format!("no part of a block at {at}")));
        }
        let mut packed = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        self.read(&mut packed, at + HEAD_BYTES)?;
        let mut part = Vec::new();
        let unpacked = snap::read::FrameDecoder::new(&*packed).take(PART_BYTES_MAX).read_to_end(&mut part);
        unpacked.map_err(|error| self.fault_of(number, &error.to_string()))?;
        Ok((kind, part.into()))
    }

    fn word(&self, at: u64) -> Result<u64, Error> {
        let mut word = [0; 8];
        self.read(&mut word, at)?;
        Ok(u64::from_le_bytes(word))
    }

    fn read(&self, into: &mut [u8], at: u64) -> Result<(), Error> {
        self.file.read_exact_at(into, at).map_err(|source| io("read", &self.path, source))
    }

    fn fault_of(&self, number: u64, what: &str) -> Error {
        self.fault(&format!("has a damaged block {number} ({what}): copy or export it again"))
    }

    fn fault(&self, what: &str) -> Error {
        file(&self.path, what)
    }
}
