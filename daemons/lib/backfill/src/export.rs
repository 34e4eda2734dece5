//! File of `geth export`: blocks one after the other, without receipts and without an index.
//!
//! It is read backwards, so where every 256th block begins is noted when it is opened: two small reads for each block.

use crate::error::{Error, file, io};
use crate::source::{Found, Source};
use alloy::rlp::{self, Decodable as _};
use maidenlane_chain::{BlockRef, Bytes, block};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Blocks between two marks.
const MARK_BLOCKS: u64 = 256;
/// Beginning of a block that holds the number in its header: all before it has some 500 bytes.
const HEAD_BYTES: usize = 1024;
/// Largest block.
const BLOCK_BYTES_MAX: u64 = 256 << 20;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// An open file.
#[derive(Debug)]
pub(crate) struct Export {
    path: PathBuf,
    file: File,
    bytes: u64,
    first: u64,
    /// Offset of every 256th block from the first on.
    marks: Vec<u64>,
    /// Number of the first block behind a mark, and the offsets of all up to the next mark.
    near: (u64, Vec<u64>),
    /// Number behind that of the last block.
    end: u64,
}

impl Export {
    /// Opens a file and notes where its blocks are, unless `stop` says that nobody waits for that any more.
    pub(crate) fn open(path: &Path, stop: &dyn Fn() -> bool) -> Result<Self, Error> {
        let opened = File::open(path).and_then(|file| file.metadata().map(|about| (about.len(), file)));
        let (bytes, opened) = opened.map_err(|source| io("open", path, source))?;
        let (marks, near) = (Vec::new(), (0, Vec::new()));
        let mut export = Self { path: path.to_owned(), file: opened, bytes, first: 0, marks, near, end: 0 };
        if export.head(0)?.starts_with(&GZIP) {
            return Err(file(path, "is compressed, and is read backwards: decompress it by gunzip"));
        }
        let mut at = 0;
        while at < bytes {
            let (number, next) = export.step(at)?;
            if at == 0 {
                (export.first, export.end) = (number, number);
            } else if number != export.end {
                let what = format!("has block {number} where {} belongs: export it again", export.end);
                return Err(file(path, what));
            }
            if (number - export.first).is_multiple_of(MARK_BLOCKS) {
                if stop() {
                    return Err(Error::Stopped);
                }
                export.marks.push(at);
            }
            (at, export.end) = (next, number + 1);
        }
        Ok(export)
    }

    /// Number of the block at an offset, and the offset behind it.
    fn step(&self, at: u64) -> Result<(u64, u64), Error> {
        let head = self.head(at)?;
        let read =
            numbered(&head).filter(|(_, length)| *length <= BLOCK_BYTES_MAX && at + length <= self.bytes);
        let (number, length) = read.ok_or_else(|| {
            let what = format!("has no whole block at byte {at}: export it again");
            file(&self.path, what)
        })?;
        Ok((number, at + length))
    }

    fn head(&self, at: u64) -> Result<Vec<u8>, Error> {
        let left = usize::try_from(self.bytes - at).unwrap_or(usize::MAX);
        let mut head = vec![0; HEAD_BYTES.min(left)];
        self.read(&mut head, at)?;
        Ok(head)
    }

    fn read(&self, into: &mut [u8], at: u64) -> Result<(), Error> {
        self.file.read_exact_at(into, at).map_err(|source| io("read", &self.path, source))
    }

    /// Offset of a block and of what is behind it; `None` where the file has it not.
    fn place(&mut self, number: u64) -> Result<Option<(u64, u64)>, Error> {
        let Some(index) = number.checked_sub(self.first).filter(|_| number < self.end) else {
            return Ok(None);
        };
        let from = number - index % MARK_BLOCKS;
        if self.near.0 != from || self.near.1.is_empty() {
            let mark = usize::try_from(index / MARK_BLOCKS).ok().and_then(|mark| self.marks.get(mark));
            let Some(mark) = mark else { return Ok(None) };
            let mut all = vec![*mark];
            for _ in from..self.end.min(from + MARK_BLOCKS) {
                let last = all.last().copied().unwrap_or(*mark);
                all.push(self.step(last)?.1);
            }
            self.near = (from, all);
        }
        let index = usize::try_from(number - from).unwrap_or(usize::MAX);
        Ok(self.near.1.get(index).copied().zip(self.near.1.get(index.saturating_add(1)).copied()))
    }
}

impl Source for Export {
    fn block(&mut self, at: BlockRef) -> Result<Option<Found>, Error> {
        let Some((begin, end)) = self.place(at.number)? else { return Ok(None) };
        let mut whole = vec![0; usize::try_from(end - begin).unwrap_or(usize::MAX)];
        self.read(&mut whole, begin)?;
        let (header, body) = block::split(&whole).map_err(|source| Error::Block { block: at, source })?;
        Ok(Some(Found { header, body, receipts: None }))
    }

    fn receipts(&mut self, _: BlockRef) -> Result<Option<Bytes>, Error> {
        Ok(None)
    }
}

/// Number and length of the block that begins like this.
fn numbered(head: &[u8]) -> Option<(u64, u64)> {
    let (mut block, length) = content(head)?;
    let (mut header, _) = content(block)?;
    // Parent, uncles, coinbase, three roots, bloom, difficulty.
    for _ in 0..8 {
        rlp::Header::decode_bytes(&mut header, false).ok()?;
    }
    block = header;
    Some((u64::decode(&mut block).ok()?, length))
}

/// Beginning of the content of a list that may be cut off, and the length of the whole list.
fn content(list: &[u8]) -> Option<(&[u8], u64)> {
    let (first, rest) = list.split_first()?;
    let short = first.checked_sub(0xc0)?;
    let Some(length_bytes) = short.checked_sub(55).map(usize::from).filter(|bytes| *bytes > 0) else {
        return Some((rest, 1 + u64::from(short)));
    };
    let (length, content) = rest.split_at_checked(length_bytes)?;
    let length =
        length.iter().try_fold(0_u64, |all, byte| all.checked_mul(256)?.checked_add(u64::from(*byte)))?;
    Some((content, length.checked_add(1 + u64::try_from(length_bytes).ok()?)?))
}
