//! Walk through the frames of one segment file up to a limit, and search for a log's real end.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::files::{self, corrupt, failed, segment_path};
use super::frame::{FRAME_MAX_BYTES, Frame, HEADER_BYTES, Header, Parsed, needed_bytes, parse};
use super::mark::Mark;
use crate::Error;

const CHUNK_BYTES: usize = 256 << 10;

/// A place in a segment file, with what was read ahead of it.
#[derive(Debug)]
pub(super) struct Walk {
    file: File,
    path: PathBuf,
    /// Byte of the next frame.
    pos: u64,
    /// Bytes from `pos` on are `buf[start..]`.
    buf: Vec<u8>,
    start: usize,
}

/// Outcome of one step.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// A frame; the walk stands behind it.
    Frame(Frame<'a>),
    /// The walk has reached the limit.
    End,
    /// Bytes that are no frame; the walk does not pass them.
    Bad(String),
}

impl Walk {
    /// Opens the segment `base` in `dir` at byte `pos`.
    pub(super) fn open(dir: &Path, base: u64, pos: u64) -> Result<(Self, Header), Error> {
        let (file, header) = files::open_segment(dir, base, false)?;
        let path = segment_path(dir, base);
        Ok((Self { file, path, pos: pos.max(HEADER_BYTES), buf: Vec::new(), start: 0 }, header))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn pos(&self) -> u64 {
        self.pos
    }

    /// Returns to an earlier place, forgetting what was read ahead unless it still lies there.
    pub(super) fn back_to(&mut self, pos: u64) {
        let by = usize::try_from(self.pos.saturating_sub(pos)).unwrap_or(usize::MAX);
        if by <= self.start {
            self.start -= by;
        } else {
            self.buf.clear();
            self.start = 0;
        }
        self.pos = pos;
    }

    pub(super) fn file_bytes(&self) -> Result<u64, Error> {
        self.file.metadata().map(|meta| meta.len()).map_err(|error| failed("stat", &self.path, error))
    }

    /// Reads the frame at the place. Bytes at `limit` and behind are never looked at.
    pub(super) fn step(&mut self, limit: u64) -> Result<Step<'_>, Error> {
        if self.pos >= limit {
            return Ok(Step::End);
        }
        // What was read ahead may hold the front of this frame only.
        let mut wanted = needed_bytes(self.buf.get(self.start..).unwrap_or_default());
        while self.ahead() < wanted {
            self.fill(wanted, limit)?;
            let (ahead, needed) =
                (self.ahead(), needed_bytes(self.buf.get(self.start..).unwrap_or_default()));
            if ahead < wanted {
                return Ok(Step::Bad(format!("frame cut short, {ahead} of at least {needed} bytes")));
            }
            wanted = needed;
        }
        match parse(self.buf.get(self.start..).unwrap_or_default()) {
            Parsed::Frame(frame, bytes) => {
                self.start += bytes;
                self.pos += bytes as u64;
                Ok(Step::Frame(frame))
            }
            Parsed::Incomplete(needed) => Ok(Step::Bad(format!("frame cut short, {needed} bytes needed"))),
            Parsed::Bad(what) => Ok(Step::Bad(what)),
        }
    }

    fn ahead(&self) -> usize {
        self.buf.len().saturating_sub(self.start)
    }

    /// Reads ahead until `wanted` bytes or the limit.
    fn fill(&mut self, wanted: usize, limit: u64) -> Result<(), Error> {
        self.buf.drain(..self.start.min(self.buf.len()));
        self.start = 0;
        let room = usize::try_from(limit - self.pos).unwrap_or(usize::MAX);
        let goal = wanted.max(CHUNK_BYTES).min(room).min(FRAME_MAX_BYTES);
        let mut have = self.buf.len();
        if goal <= have {
            return Ok(());
        }
        self.buf.resize(goal, 0);
        while let Some(to) = self.buf.get_mut(have..).filter(|to| !to.is_empty()) {
            match self.file.read_at(to, self.pos + have as u64) {
                Ok(0) => break,
                Ok(bytes) => have += bytes,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buf.truncate(have);
                    return Err(failed("read", &self.path, error));
                }
            }
        }
        self.buf.truncate(have);
        Ok(())
    }
}

/// End of a log by its own bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) end: u64,
    pub(super) base: u64,
    pub(super) pos: u64,
    /// Bytes behind the end that are no frame: what a killed writer left.
    pub(super) torn_bytes: u64,
}

/// Walks from `mark` to the end.
///
/// # Errors
/// [`Error::Corrupt`] where bytes are damaged that had once been on disk, which a kill cannot explain.
pub(super) fn find_tail(dir: &Path, mark: &Mark) -> Result<Tail, Error> {
    let mut tail = Tail { end: mark.end, base: mark.base, pos: mark.pos.max(HEADER_BYTES), torn_bytes: 0 };
    loop {
        tail = tail_of_segment(dir, tail)?;
        let next = tail.end;
        if next == tail.base || !segment_path(dir, next).exists() {
            break;
        }
        if tail.torn_bytes > 0 {
            let what = format!("no frame, though segment {next} was begun after it");
            return Err(corrupt(&segment_path(dir, tail.base), tail.pos, what));
        }
        tail = Tail { end: next, base: next, pos: HEADER_BYTES, torn_bytes: 0 };
    }
    match files::bases(dir)?.into_iter().find(|base| *base > tail.base) {
        Some(base) => {
            let what =
                format!("holds the last frame before offset {}, yet there is a segment {base}", tail.end);
            Err(corrupt(&segment_path(dir, tail.base), tail.pos, what))
        }
        None => Ok(tail),
    }
}

fn tail_of_segment(dir: &Path, from: Tail) -> Result<Tail, Error> {
    let (mut walk, _) = Walk::open(dir, from.base, from.pos)?;
    let limit = walk.file_bytes()?;
    if limit < from.pos {
        let what = format!("ends here, though {} bytes had been on disk", from.pos);
        return Err(corrupt(walk.path(), limit, what));
    }
    let mut end = from.end;
    loop {
        let pos = walk.pos();
        match walk.step(limit)? {
            Step::Frame(frame) if frame.offset == end => end += 1,
            Step::Frame(frame) => {
                let what = format!("offset {} where {end} belongs", frame.offset);
                return Err(corrupt(walk.path(), pos, what));
            }
            Step::End => return Ok(Tail { end, base: from.base, pos, torn_bytes: 0 }),
            Step::Bad(what) => {
                refuse_damage(&walk, pos, limit, end, what)?;
                return Ok(Tail { end, base: from.base, pos, torn_bytes: limit - pos });
            }
        }
    }
}

/// Refuses damage: returns an error if a frame behind the bad one proves that the bad one had been on disk.
fn refuse_damage(walk: &Walk, bad: u64, limit: u64, end: u64, what: String) -> Result<(), Error> {
    let bytes = usize::try_from(limit - bad).unwrap_or(usize::MAX);
    let mut rest = vec![0; bytes];
    walk.file.read_exact_at(&mut rest, bad).map_err(|error| failed("read", &walk.path, error))?;
    let mut from = rest.as_slice();
    while let Some((_, shorter)) = from.split_first() {
        from = shorter;
        if let Parsed::Frame(frame, _) = parse_if_likely(from, end)
            && frame.batch > end
        {
            return Err(corrupt(
                &walk.path,
                bad,
                format!("{what}; offset {} stands behind it", frame.offset),
            ));
        }
    }
    Ok(())
}

/// Parses a frame; skips the checksum where the fields are unlikely, so that the search stays linear.
fn parse_if_likely(bytes: &[u8], end: u64) -> Parsed<'_> {
    let likely =
        |at| super::frame::u64_at(bytes, at).is_some_and(|offset| offset > end && offset - end < 1 << 32);
    if likely(8) && likely(16) { parse(bytes) } else { Parsed::Bad(String::new()) }
}

/// A walk that stands before the frame `wanted` of segment `base`, found with the index or, failing that, without.
pub(super) fn at_offset(dir: &Path, base: u64, wanted: u64, mark: &Mark) -> Result<Walk, Error> {
    let (near, pos) = super::index::look_up(dir, base, wanted);
    if pos > HEADER_BYTES
        && let Ok(Some(walk)) = forward(dir, base, (near, pos), wanted, mark)
    {
        return Ok(walk);
    }
    let front = forward(dir, base, (base, HEADER_BYTES), wanted, mark)?;
    front.ok_or_else(|| {
        corrupt(&segment_path(dir, base), HEADER_BYTES, format!("offset {wanted} is not in it"))
    })
}

/// Walks from the frame `from.0` at byte `from.1` to `wanted`; `None` if the frames are others.
fn forward(dir: &Path, base: u64, from: (u64, u64), wanted: u64, mark: &Mark) -> Result<Option<Walk>, Error> {
    let (mut walk, _) = Walk::open(dir, base, from.1)?;
    let limit = if base == mark.base { mark.pos } else { walk.file_bytes()? };
    let mut next = from.0;
    if limit < from.1 {
        return Ok(None);
    }
    while next < wanted {
        let pos = walk.pos();
        match walk.step(limit)? {
            Step::Frame(frame) if frame.offset == next => next += 1,
            Step::Frame(_) | Step::End => return Ok(None),
            Step::Bad(what) => return Err(corrupt(walk.path(), pos, what)),
        }
    }
    Ok(Some(walk))
}
