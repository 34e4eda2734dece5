//! Sparse index of a segment: `(offset:u64, byte:u64)` pairs, one for every so many bytes of frames.
//!
//! It is a hint. A reader checks the frame it points at and walks from the segment's front if that is not the wanted
//! one, so the index needs no checksum and no sync, and losing it costs time only.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::files;
use super::frame::{HEADER_BYTES, u64_at};

/// Bytes of frames between two pairs, at least.
const EVERY_BYTES: u64 = 64 << 10;
const PAIR_BYTES: u64 = 16;
/// Size beyond which an index is nonsense: a segment would have to hold a terabyte.
const INDEX_MAX_BYTES: u64 = 256 << 20;

/// Writer of the index of the active segment.
#[derive(Debug)]
pub(super) struct Writer {
    file: Option<File>,
    /// Place of the next pair: half a pair left by a full disk is overwritten.
    at: u64,
    last_pos: u64,
}

impl Writer {
    /// Goes on with the index of segment `base`, whose frames end at `pos`.
    pub(super) fn open(dir: &Path, base: u64, pos: u64) -> Self {
        let path = files::index_path(dir, base);
        let file = files::creating().truncate(false).open(path).ok();
        let bytes = file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |meta| meta.len());
        Self { file, at: bytes - bytes % PAIR_BYTES, last_pos: pos }
    }

    /// Notes that the frame `offset` begins at `pos`.
    pub(super) fn note(&mut self, offset: u64, pos: u64) {
        if pos.saturating_sub(self.last_pos) < EVERY_BYTES {
            return;
        }
        let pair = [offset.to_le_bytes(), pos.to_le_bytes()].concat();
        // A hint that cannot be written, because the disk is full, is done without.
        if self.file.as_ref().is_some_and(|file| file.write_all_at(&pair, self.at).is_ok()) {
            self.at += PAIR_BYTES;
            self.last_pos = pos;
        }
    }
}

/// Byte of the last indexed frame at or before `offset`; the segment's front if there is none.
pub(super) fn look_up(dir: &Path, base: u64, offset: u64) -> (u64, u64) {
    let path = files::index_path(dir, base);
    let small = fs::metadata(&path).is_ok_and(|meta| meta.len() <= INDEX_MAX_BYTES);
    let bytes = if small { fs::read(&path).unwrap_or_default() } else { Vec::new() };
    bytes
        .chunks_exact(16)
        .filter_map(|pair| Some((u64_at(pair, 0)?, u64_at(pair, 8)?)))
        .filter(|(at, pos)| (base..=offset).contains(at) && *pos > HEADER_BYTES)
        .max_by_key(|(at, _)| *at)
        .unwrap_or((base, HEADER_BYTES))
}
