//! A segment file of the spool.

use super::fresh::Frames;
use crate::error::Error;
use maidenlane_chain::B256;
use maidenlane_wire::frame::{self, Checked, Frame, FrameError, Heading};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes that are read at a time; a longer frame is read whole.
const CHUNK_BYTES: u64 = 4 << 20;
/// Length and checksum in front of a frame.
const PREFIX_BYTES: u64 = 8;
/// Smallest part that a disk writes.
const SECTOR_BYTES: u64 = 512;

/// INIT frame: what geth says of itself when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Init {
    /// Chain config as JSON.
    pub chain_config: String,
    /// Name and version.
    pub client_version: String,
}

/// A finding in bytes `offset..offset + len`.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) content: Content,
}

/// Content that was found.
#[derive(Debug)]
pub(super) enum Content {
    Init(Init),
    Genesis,
    Hole,
    /// A whole block; with `frames` if geth may have written them just now.
    Block {
        hash: B256,
        number: u64,
        parent: B256,
        origin_root: B256,
        root: B256,
        nodes: bool,
        frames: Option<Frames>,
    },
}

/// A block whose END has not come yet.
#[derive(Debug)]
struct Group {
    hash: B256,
    offset: u64,
    receipts: bool,
    state: Option<(B256, B256)>,
    nodes: bool,
    frames: Frames,
}

/// A segment file, scanned up to some byte.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    scanned: u64,
    group: Option<Group>,
    /// Highest block in it.
    newest: Option<u64>,
    /// True if nothing more will be written.
    closed: bool,
}

/// Bytes of the file from `start` on.
struct Window {
    start: u64,
    bytes: Vec<u8>,
    file_len: u64,
    /// True for the segment that geth writes to.
    live: bool,
}

impl Segment {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, scanned: 0, group: None, newest: None, closed: false }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// True if every block in it is at or below `done` and nothing more will come.
    pub(super) fn reclaimable(&self, done: u64) -> bool {
        self.closed && self.newest.is_none_or(|newest| newest <= done)
    }

    pub(super) fn delete(&self) -> Result<(), Error> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(self.failed("delete", error)),
            _ => Ok(()),
        }
    }

    /// Passes everything new to `take`. True if a torn tail was skipped.
    ///
    /// # Correctness
    /// The hook writes a group in one call and, where that wrote a part, truncates the file to where the group began: what
    /// was passed over until then stands for nothing, and the next group begins in its midst. So a live segment counts
    /// as scanned up to the last whole group only.
    pub(super) fn scan(&mut self, live: bool, take: &mut dyn FnMut(Found)) -> Result<bool, Error> {
        if self.closed {
            return Ok(false);
        }
        let file_len = self.advance(live, take);
        if live && let Some(group) = self.group.take() {
            // The rest of a group may be on its way, or the disk refused it and the hook takes it all back.
            self.scanned = group.offset;
        }
        let torn = self.scanned < file_len? && !live;
        if torn {
            self.refuse_damage()?;
        }
        // Last: what a disk refused to read is looked at again.
        self.closed = !live;
        Ok(torn)
    }

    /// Takes whole frames up to the end of the file, or a bad one there. Returns the length of the file.
    fn advance(&mut self, live: bool, take: &mut dyn FnMut(Found)) -> Result<u64, Error> {
        let mut window = Window { start: self.scanned, bytes: Vec::new(), file_len: 0, live };
        let mut wanted = CHUNK_BYTES;
        loop {
            window.start = self.scanned;
            (window.bytes, window.file_len) = self.read(self.scanned, wanted)?;
            let before = self.scanned;
            let bad = self.walk(&window, take)?;
            let at_end = window.start.saturating_add(len_u64(&window.bytes)) >= window.file_len;
            if bad || at_end {
                return Ok(window.file_len);
            }
            wanted = if self.scanned == before { wanted.saturating_mul(2) } else { CHUNK_BYTES };
        }
    }

    /// Refuses damage in a file that is complete: only what a crash leaves may stand behind the last whole frame.
    fn refuse_damage(&self) -> Result<(), Error> {
        let (rest, _) = self.read(self.scanned, u64::MAX)?;
        if has_hole(self.scanned, &rest) || frame::is_torn_tail(&rest) {
            return Ok(());
        }
        let what = frame::read(&rest).err().unwrap_or(FrameError::Incomplete);
        Err(self.corrupt(self.scanned, format!("{what}, and whole frames follow")))
    }

    fn corrupt(&self, offset: u64, what: String) -> Error {
        Error::SpoolCorrupt { path: self.path.clone(), offset, what }
    }

    /// Takes the whole frames of `window`. True if it met a bad frame at the end of the file.
    fn walk(&mut self, window: &Window, take: &mut dyn FnMut(Found)) -> Result<bool, Error> {
        loop {
            let at = usize::try_from(self.scanned - window.start).unwrap_or(usize::MAX);
            let rest = window.bytes.get(at..).unwrap_or_default();
            let checked = frame::check(rest);
            match checked.and_then(|(frame, consumed)| Ok((frame, frame.heading()?, consumed))) {
                Err(FrameError::Incomplete) => return Ok(false),
                // Its checksum is right.
                Err(FrameError::Version { version }) => {
                    return Err(Error::SpoolNewer { path: self.path.clone(), offset: self.scanned, version });
                }
                Ok((frame, heading, consumed)) => {
                    let offset = self.scanned;
                    self.scanned = offset.saturating_add(u64::try_from(consumed).unwrap_or(u64::MAX));
                    self.note(offset, heading, window.live.then_some(frame), take);
                }
                Err(error) => {
                    return if self.at_tail(rest, window.file_len) || has_hole(self.scanned, rest) {
                        Ok(true)
                    } else {
                        Err(self.corrupt(self.scanned, error.to_string()))
                    };
                }
            }
        }
    }

    /// True if nothing but this bad frame, or zeros that a crash left, follows up to the file's end.
    fn at_tail(&self, rest: &[u8], file_len: u64) -> bool {
        let declared = rest.first_chunk::<4>().map_or(0, |len| u64::from(u32::from_le_bytes(*len)));
        let end = self.scanned.saturating_add(PREFIX_BYTES).saturating_add(declared);
        end >= file_len || rest.iter().all(|byte| *byte == 0)
    }

    /// Takes note of a frame, and of its bytes if they are to be kept.
    fn note(
        &mut self,
        offset: u64,
        heading: Heading,
        kept: Option<Checked<'_>>,
        take: &mut dyn FnMut(Found),
    ) {
        let len = self.scanned - offset;
        match heading {
            Heading::Init { chain_config, client_version } => {
                let init = Init { chain_config, client_version };
                take(Found { offset, len, content: Content::Init(init) });
            }
            Heading::Genesis => {
                self.newest = self.newest.max(Some(0));
                take(Found { offset, len, content: Content::Genesis });
            }
            Heading::Hole => take(Found { offset, len, content: Content::Hole }),
            Heading::Block { hash } => {
                let mut frames = Frames::default();
                kept.into_iter().for_each(|frame| frames.push(frame));
                self.group = Some(Group { hash, offset, receipts: false, state: None, nodes: false, frames });
            }
            Heading::Receipts { hash } => {
                if let Some(group) = self.group_of(hash, kept) {
                    group.receipts = true;
                }
            }
            Heading::State { hash, origin_root, root } => {
                if let Some(group) = self.group_of(hash, kept) {
                    group.state = Some((origin_root, root));
                }
            }
            Heading::Trie { hash } => {
                if let Some(group) = self.group_of(hash, kept) {
                    group.nodes = true;
                }
            }
            Heading::End { hash, parent, number } => {
                self.newest = self.newest.max(Some(number));
                let whole = self.group.take().filter(|group| group.hash == hash && group.receipts);
                let Some(Group { offset, state: Some((origin_root, root)), nodes, frames, .. }) = whole
                else {
                    return;
                };
                let frames = kept.map(|_| frames);
                let content = Content::Block { hash, number, parent, origin_root, root, nodes, frames };
                take(Found { offset, len: self.scanned - offset, content });
            }
            Heading::Failed => {}
        }
    }

    /// The open group, if it is of block `hash`; keeps one more of its frames.
    fn group_of(&mut self, hash: B256, kept: Option<Checked<'_>>) -> Option<&mut Group> {
        let group = self.group.as_mut().filter(|group| group.hash == hash)?;
        kept.into_iter().for_each(|frame| group.frames.push(frame));
        Some(group)
    }

    /// The frames in `len` bytes from `offset`.
    pub(super) fn frames(&self, offset: u64, len: u64) -> Result<Vec<Frame>, Error> {
        let (bytes, _) = self.read(offset, len)?;
        let (mut rest, mut frames) = (bytes.as_slice(), Vec::new());
        let corrupt = |what: String| self.corrupt(offset, what);
        while !rest.is_empty() {
            let (frame, consumed) = frame::read(rest).map_err(|error| corrupt(error.to_string()))?;
            frames.push(frame);
            rest = rest.get(consumed..).unwrap_or_default();
        }
        Ok(frames)
    }

    fn read(&self, offset: u64, len: u64) -> Result<(Vec<u8>, u64), Error> {
        let failed = |source| self.failed("read", source);
        let mut file = File::open(&self.path).map_err(failed)?;
        let file_len = file.metadata().map_err(failed)?.len();
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let mut bytes = Vec::new();
        // Not past the length just seen, or a frame that grows meanwhile would look as if more followed it.
        file.take(len.min(file_len.saturating_sub(offset))).read_to_end(&mut bytes).map_err(failed)?;
        Ok((bytes, file_len))
    }

    fn failed(&self, what: &'static str, source: std::io::Error) -> Error {
        Error::Spool { what, path: self.path.clone(), source }
    }
}

/// True if the bad frame at byte `at`, with which `rest` begins, lacks a sector that the disk was to write.
///
/// # Correctness
/// A power cut leaves such holes in what the hook had not synced, and may leave whole frames behind them. Those are of
/// blocks that geth has lost with them, and executes again. Were it another damage that looks so, the blocks would be
/// missed, and not read wrongly.
fn has_hole(at: u64, rest: &[u8]) -> bool {
    let declared = rest.first_chunk::<4>().map_or(0, |len| u64::from(u32::from_le_bytes(*len)));
    let to_sector = |bytes: u64| SECTOR_BYTES - at.saturating_add(bytes) % SECTOR_BYTES;
    // A hole in which the length itself lies, or one further on, with all of the last sector.
    let frame = if declared == 0 { 0 } else { PREFIX_BYTES.saturating_add(declared) };
    if frame > len_u64(rest) {
        return false;
    }
    let (head, span) = (to_sector(0), frame.saturating_add(to_sector(frame)));
    let [head, span] = [head, span].map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX).min(rest.len()));
    let (first, sectors) = rest.get(..span).unwrap_or_default().split_at(head);
    let sectors = sectors.chunks(usize::try_from(SECTOR_BYTES).unwrap_or(usize::MAX));
    std::iter::once(first).chain(sectors).any(|part| part.iter().all(|byte| *byte == 0))
}

fn len_u64(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
