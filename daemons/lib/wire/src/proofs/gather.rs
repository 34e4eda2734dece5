//! Gatherer that puts the parts of node sets together again.

use super::{NodePart, NodeSet, SLICE_BYTES, count, digest};
use crate::avro::DecodeError;
use crate::packed;
use crate::parts::RECORD_MAX_BYTES;
use crate::record::Part;
use maidenlane_chain::{B256, BlockRef};

/// Number of unfinished sets that are held: a writer has one, and a second one may be on its way out.
const OPEN_MAX: usize = 4;

/// Gatherer: takes the entries of the topic in log order, gives sets.
///
/// # Correctness
/// Several writers may stand in the topic, one within the other, and any may have died in the middle of a set.
/// Equal sets have equal slices whoever compressed them, so it does not matter who sent which: a slice that is there
/// already is passed over, one that leaves a gap drops what there is of its set. All that is held is bounded by
/// [`RECORD_MAX_BYTES`], whatever the entries announce; to keep to it, the oldest set is dropped.
#[derive(Debug, Default)]
pub struct Gatherer {
    /// Unfinished sets, oldest first.
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    block: BlockRef,
    digest: B256,
    count: u32,
    whole_len: u64,
    next: u32,
    bytes: Vec<u8>,
}

impl Gatherer {
    /// Takes one entry; returns the set that it makes whole, checked against its digest.
    ///
    /// A set that was whole before is returned again if all of it comes again. Parts whose beginning was not read are
    /// passed over.
    ///
    /// # Errors
    /// When the entry is not a slice of its set, or its set is not the announced one. Reading can go on behind it.
    pub fn push(&mut self, entry: &NodePart) -> Result<Option<NodeSet>, DecodeError> {
        let NodePart { block, digest, part } = entry;
        let same =
            |open: &Open| (open.block, open.digest, open.whole_len) == (*block, *digest, part.whole_len);
        let mut open = match self.open.iter().position(same) {
            Some(at) => self.open.remove(at),
            None if part.index == 0 => Open::begin(*block, *digest, part)?,
            None => return Ok(None),
        };
        if part.index > open.next {
            return Ok(None);
        }
        if part.index == open.next {
            open.take(part)?;
        }
        if open.next == open.count {
            return open.finish().map(Some);
        }
        self.open.push(open);
        self.shed();
        Ok(None)
    }

    fn shed(&mut self) {
        let held = |open: &[Open]| open.iter().map(|open| open.bytes.len() as u64).sum::<u64>();
        while self.open.len() > OPEN_MAX || held(&self.open) > RECORD_MAX_BYTES {
            self.open.remove(0);
        }
    }
}

impl Open {
    fn begin(block: BlockRef, digest: B256, part: &Part) -> Result<Self, DecodeError> {
        let whole_len = part.whole_len;
        if whole_len == 0 || whole_len > RECORD_MAX_BYTES || part.count != count(whole_len)? {
            return Err(DecodeError::Parts {
                what: "the set of nodes is empty, exceeds 512 MiB or is cut otherwise",
            });
        }
        Ok(Self { block, digest, count: part.count, whole_len, next: 0, bytes: Vec::new() })
    }

    fn take(&mut self, part: &Part) -> Result<(), DecodeError> {
        let left = self.whole_len.saturating_sub(self.bytes.len() as u64);
        self.bytes.extend(packed::unpack(&part.data, left.min(SLICE_BYTES as u64))?);
        self.next = self.next.saturating_add(1);
        Ok(())
    }

    fn finish(self) -> Result<NodeSet, DecodeError> {
        if digest(&self.bytes) != self.digest {
            return Err(DecodeError::Parts { what: "the set of nodes has another digest" });
        }
        let set = NodeSet::decode(&self.bytes)?;
        if set.block == self.block {
            Ok(set)
        } else {
            Err(DecodeError::Parts { what: "the set is another block's" })
        }
    }
}
