//! The spool: the frames that the hook in geth wrote, indexed by block hash.
//!
//! geth may be writing while we read, and may have been killed while it wrote. A frame that is not whole at the end
//! of the newest segment is awaited; at the end of an older one it is a torn tail and skipped; a bad frame with
//! more behind it is corruption. Whether a block is missing is not decided here but by the chain of hashes.

mod fresh;
mod segment;

use crate::error::Error;
use crate::failpoints;
use crate::follow::Lineage;
use fresh::Fresh;
use maidenlane_chain::{Address, B256, Bytes};
use maidenlane_service::failpoint;
use maidenlane_wire::NodeRow;
use maidenlane_wire::frame::{Allocation, Frame, State};
use segment::{Content, Segment};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::{Path, PathBuf};

pub use segment::Init;

/// Bytes of frames kept from when they were found to when they are published.
const FRESH_MAX_BYTES: usize = 64 << 20;

/// A block in the index: the place of its frames, and what is needed to join it to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indexed {
    span: Span,
    /// Height.
    pub number: u64,
    /// Parent hash.
    pub parent: B256,
    /// State root before.
    pub origin_root: B256,
    /// State root after.
    pub root: B256,
    /// True if trie nodes are among its frames.
    pub nodes: bool,
}

/// Block 0 and its allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// The block's RLP.
    pub block: Bytes,
    /// The allocation.
    pub alloc: Vec<Allocation>,
}

/// The frames of one executed block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// The block's RLP.
    pub block: Bytes,
    /// Senders of the transactions, unless an older hook wrote the frames.
    pub senders: Option<Vec<Address>>,
    /// Receipts: consensus RLP list.
    pub receipts: Bytes,
    /// State changes.
    pub state: State,
    /// The trie nodes that it changed, if the hook was set to write them.
    pub nodes: Option<Vec<NodeRow>>,
}

/// Bytes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    segment: u64,
    offset: u64,
    len: u64,
}

/// Result of a scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Blocks whose frames are now complete.
    pub blocks: usize,
    /// Hash of the last of them.
    pub newest: Option<B256>,
    /// Number of HOLE frames, by which the hook says that it lost frames.
    pub holes: usize,
    /// Number of torn tails that were skipped.
    pub torn: usize,
}

/// The index of a spool directory.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    segments: BTreeMap<u64, Segment>,
    blocks: HashMap<B256, Indexed>,
    /// One block per pair of state roots, whose rows serve any other block with the same pair.
    by_roots: HashMap<(B256, B256), B256>,
    init: Option<Init>,
    genesis: Option<Span>,
    /// True if a HOLE stands behind the last block.
    ends_in_hole: bool,
    /// Blocks that left no frames and took the rows of a twin, with their parents; newest last.
    lent: VecDeque<(B256, Executed)>,
    fresh: Fresh,
}

/// Lent blocks kept: they are rare, and published at once.
const LENT_MAX: usize = 64;

impl Lineage for Spool {
    fn parent(&self, hash: &B256) -> Option<B256> {
        let lent = || self.lent.iter().find(|(_, lent)| lent.state.hash == *hash).map(|(parent, _)| *parent);
        self.blocks.get(hash).map(|indexed| indexed.parent).or_else(lent)
    }
}

impl Spool {
    /// An index that knows nothing yet of `dir`.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            segments: BTreeMap::new(),
            blocks: HashMap::new(),
            by_roots: HashMap::new(),
            init: None,
            genesis: None,
            ends_in_hole: false,
            lent: VecDeque::new(),
            fresh: Fresh::new(FRESH_MAX_BYTES),
        }
    }

    /// Looks for new frames. Calls `progress` after each segment that had some: a first look may read gigabytes.
    ///
    /// # Errors
    /// [`Error::SpoolCorrupt`], or when the directory cannot be read.
    pub fn scan(&mut self, progress: &mut dyn FnMut()) -> Result<Found, Error> {
        failpoint(failpoints::BEFORE_SPOOL_READ);
        let newest = self.list()?;
        let mut found = Found::default();
        let numbers: Vec<u64> = self.segments.keys().copied().collect();
        for number in numbers {
            let Some(mut segment) = self.segments.remove(&number) else { continue };
            let before = found.blocks;
            let result = segment.scan(Some(number) == newest, &mut |new| self.take(number, new, &mut found));
            self.segments.insert(number, segment);
            if result? {
                found.torn += 1;
            }
            if found.blocks > before {
                progress();
            }
        }
        failpoint(failpoints::AFTER_SPOOL_READ);
        Ok(found)
    }

    /// The newest INIT frame.
    ///
    /// # Errors
    /// [`Error::NoInit`].
    pub fn init(&self) -> Result<&Init, Error> {
        self.init.as_ref().ok_or_else(|| Error::NoInit(self.dir.clone()))
    }

    /// Index entry of a block.
    #[must_use]
    pub fn find(&self, hash: &B256) -> Option<&Indexed> {
        self.blocks.get(hash)
    }

    /// True if the hook lost frames after those of the last block.
    #[must_use]
    pub const fn ends_in_hole(&self) -> bool {
        self.ends_in_hole
    }

    /// A block with the same state roots before and after.
    #[must_use]
    pub fn twin(&self, origin_root: B256, root: B256) -> Option<B256> {
        self.by_roots.get(&(origin_root, root)).copied()
    }

    /// Number of blocks in the index.
    #[must_use]
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// True if the index holds no block.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// A block as it was executed.
    ///
    /// # Errors
    /// When its frames can no longer be read.
    pub fn load(&mut self, hash: &B256) -> Result<Option<Executed>, Error> {
        let Some(Indexed { span, .. }) = self.blocks.get(hash).copied() else {
            let lent = self.lent.iter().find(|(_, lent)| lent.state.hash == *hash);
            return Ok(lent.map(|(_, lent)| lent.clone()));
        };
        let frames = match self.fresh.take(hash) {
            Some(fresh) => fresh.decode().map_err(|error| Error::SpoolCorrupt {
                path: self.path(Some(span)),
                offset: span.offset,
                what: error.to_string(),
            })?,
            None => self.frames(span)?,
        };
        let (mut block, mut senders, mut receipts, mut state, mut nodes) = (None, None, None, None, None);
        for frame in frames {
            match frame {
                Frame::Block { block: raw, senders: told, .. } => (block, senders) = (Some(raw), told),
                Frame::Receipts { receipts: raw, .. } => receipts = Some(raw),
                Frame::State(frame) => state = Some(frame),
                Frame::Trie { nodes: rows, .. } => nodes = Some(rows),
                _ => {}
            }
        }
        Ok(block.zip(receipts).zip(state).map(|((block, receipts), state)| Executed {
            block,
            senders,
            receipts,
            state,
            nodes,
        }))
    }

    /// The file with a block's frames, or those that it was lent; the directory if neither is known.
    #[must_use]
    pub fn segment_of(&self, hash: &B256) -> PathBuf {
        let lent = self.lent.iter().find(|(_, lent)| lent.state.hash == *hash);
        let twin = lent.and_then(|(_, lent)| self.twin(lent.state.origin_root, lent.state.root));
        let indexed = self.blocks.get(hash).or_else(|| self.blocks.get(&twin?));
        self.path(indexed.map(|indexed| indexed.span))
    }

    /// The file with the GENESIS frame; the directory if there is none.
    #[must_use]
    pub fn segment_of_genesis(&self) -> PathBuf {
        self.path(self.genesis)
    }

    fn path(&self, span: Option<Span>) -> PathBuf {
        let segment = span.and_then(|span| self.segments.get(&span.segment));
        segment.map_or_else(|| self.dir.clone(), |segment| segment.path().to_owned())
    }

    /// Treats a block that left no frames as if it had.
    pub fn lend(&mut self, parent: B256, executed: Executed) {
        if self.lent.len() >= LENT_MAX {
            self.lent.pop_front();
        }
        self.lent.push_back((parent, executed));
    }

    /// The GENESIS frame, if the spool has one.
    ///
    /// # Errors
    /// When it can no longer be read.
    pub fn genesis(&self) -> Result<Option<Genesis>, Error> {
        let Some(span) = self.genesis else { return Ok(None) };
        Ok(self.frames(span)?.into_iter().find_map(|frame| match frame {
            Frame::Genesis { block, alloc } => Some(Genesis { block, alloc }),
            _ => None,
        }))
    }

    /// Deletes segments, except the newest, whose blocks are all at or below `done`: acknowledged by the log, and
    /// final or too deep ever to be undone.
    ///
    /// # Errors
    /// When a file cannot be deleted.
    pub fn reclaim(&mut self, done: u64) -> Result<usize, Error> {
        let Some(newest) = self.segments.keys().next_back().copied() else { return Ok(0) };
        let due =
            self.segments.iter().filter(|(number, segment)| **number < newest && segment.reclaimable(done));
        let due: Vec<u64> = due.map(|(number, _)| *number).collect();
        for number in &due {
            failpoint(failpoints::BEFORE_SPOOL_DELETE);
            let Some(segment) = self.segments.get(number) else { continue };
            segment.delete()?;
            self.segments.remove(number);
            self.blocks.retain(|_, indexed| indexed.span.segment != *number);
            let blocks = &self.blocks;
            self.by_roots.retain(|_, hash| blocks.contains_key(hash));
            self.genesis = self.genesis.filter(|span| span.segment != *number);
        }
        Ok(due.len())
    }

    /// Notes new segment files and returns the newest number.
    fn list(&mut self) -> Result<Option<u64>, Error> {
        let failed = |source| Error::Spool { what: "list", path: self.dir.clone(), source };
        for file in std::fs::read_dir(&self.dir).map_err(failed)? {
            let path = file.map_err(failed)?.path();
            let number = path.file_name().and_then(|name| name.to_str()).and_then(segment_number);
            if let Some(number) = number {
                self.segments.entry(number).or_insert_with(|| Segment::new(path));
            }
        }
        Ok(self.segments.keys().next_back().copied())
    }

    fn take(&mut self, segment: u64, new: segment::Found, found: &mut Found) {
        let span = Span { segment, offset: new.offset, len: new.len };
        match new.content {
            Content::Init(init) => {
                self.init = Some(init);
            }
            Content::Genesis => self.genesis = Some(span),
            Content::Hole => {
                self.ends_in_hole = true;
                found.holes += 1;
            }
            Content::Block { hash, number, parent, origin_root, root, nodes, frames } => {
                self.blocks.insert(hash, Indexed { span, number, parent, origin_root, root, nodes });
                self.by_roots.insert((origin_root, root), hash);
                if let Some(frames) = frames {
                    self.fresh.push(hash, frames);
                }
                self.ends_in_hole = false;
                found.blocks += 1;
                found.newest = Some(hash);
            }
        }
    }

    fn frames(&self, span: Span) -> Result<Vec<Frame>, Error> {
        match self.segments.get(&span.segment) {
            Some(segment) => segment.frames(span.offset, span.len),
            None => Ok(Vec::new()),
        }
    }
}

/// The number in `00000000000000000001.spool`.
fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".spool")?;
    if digits.len() == 20 { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
