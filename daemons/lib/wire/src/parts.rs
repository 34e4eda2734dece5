//! Parts of records that are too large for one log entry.

use crate::avro::DecodeError;
use crate::record::{Part, Record, Stamp, Stamped};
use crate::{Kind, encode, heading, packed};
use maidenlane_chain::Bytes;

/// Length of an encoding beyond which a record is compressed and split, so that no entry comes near the 1 MB that Kafka
/// takes by default.
pub const ENTRY_MAX_BYTES: usize = 900_000;
/// Maximum length of a record before compression: a bound for a reader's allocations.
pub const RECORD_MAX_BYTES: u64 = 512 << 20;
/// Bytes of a part besides its slice: marker, fingerprint, stamp, numbers.
const PART_OVERHEAD_BYTES: usize = 128;

/// Log entries of one record: itself, or its parts. `stamp` is the record's own; parts take `seq`, `seq + 1`, … and all
/// but the last say `more`. Returns the entries and the next free `seq`.
///
/// # Errors
/// When the record exceeds [`RECORD_MAX_BYTES`].
pub fn entries(stamp: Stamp, record: Record) -> Result<(Vec<Vec<u8>>, u64), DecodeError> {
    entries_of(stamp, record, ENTRY_MAX_BYTES)
}

fn entries_of(
    stamp: Stamp,
    record: Record,
    entry_max_bytes: usize,
) -> Result<(Vec<Vec<u8>>, u64), DecodeError> {
    let whole = encode(&Stamped { stamp, record });
    if whole.len() <= entry_max_bytes {
        return Ok((vec![whole], stamp.seq + 1));
    }
    let whole_len = whole.len() as u64;
    if whole_len > RECORD_MAX_BYTES {
        return Err(DecodeError::Parts { what: "the record exceeds 512 MiB" });
    }
    let packed = packed::pack(&whole)?;
    let slices = packed.chunks(entry_max_bytes.saturating_sub(PART_OVERHEAD_BYTES).max(1));
    let count = u32::try_from(slices.len()).map_err(|_| DecodeError::Parts { what: "too many parts" })?;
    let mut seq = stamp.seq;
    let entries = slices
        .zip(0..count)
        .map(|(slice, index)| {
            let more = stamp.more || index + 1 < count;
            let part = Part { index, count, whole_len, data: Bytes::copy_from_slice(slice) };
            let entry = encode(&Stamped { stamp: Stamp { seq, more, ..stamp }, record: Record::Part(part) });
            seq += 1;
            entry
        })
        .collect();
    Ok((entries, seq))
}

/// Joiner of parts. Holds at most one unfinished set.
///
/// # Correctness
/// Compressed bytes are held for one set only, and never more than [`RECORD_MAX_BYTES`]; the record itself is
/// allocated as it is decompressed, up to the length that was announced.
#[derive(Debug, Default)]
pub struct Joiner {
    open: Option<Set>,
    /// True if something whole, or a first part, was seen.
    begun: bool,
}

#[derive(Debug)]
struct Set {
    first: Stamp,
    count: u32,
    whole_len: u64,
    next: u32,
    packed: Vec<u8>,
}

impl Joiner {
    /// Takes a record that counts and came in one piece.
    ///
    /// # Errors
    /// When a part of the same writer is due.
    pub fn interrupt(&mut self, stamp: &Stamp) -> Result<(), DecodeError> {
        self.begun = true;
        match self.set_of(stamp) {
            Some(_) => Err(DecodeError::Parts { what: "a record stands where a part is due" }),
            None => Ok(()),
        }
    }

    /// Takes a part that counts, in log order; returns the encoding of its record once it is whole.
    ///
    /// A set that an older writer left unfinished is dropped, and a first part begins anew. Later parts at the very
    /// beginning are skipped: reading began in the middle of their set.
    ///
    /// # Errors
    /// When parts of one writer do not follow each other or do not make a record.
    pub fn join(&mut self, stamp: &Stamp, part: &Part) -> Result<Option<Vec<u8>>, DecodeError> {
        let mut set = match self.set_of(stamp) {
            _ if part.index == 0 => Set::begin(*stamp, part)?,
            Some(set) => set,
            None if self.begun => return Err(DecodeError::Parts { what: "the first part is missing" }),
            None => return Ok(None),
        };
        self.begun = true;
        if part.index != set.next || part.count != set.count || part.whole_len != set.whole_len {
            return Err(DecodeError::Parts { what: "a part is missing or out of order" });
        }
        let packed_len = (set.packed.len() as u64).saturating_add(part.data.len() as u64);
        if packed_len > RECORD_MAX_BYTES {
            return Err(DecodeError::Parts { what: "the parts exceed 512 MiB" });
        }
        set.packed.extend_from_slice(&part.data);
        set.next = set.next.saturating_add(1);
        if set.next < set.count {
            self.open = Some(set);
            return Ok(None);
        }
        set.finish().map(Some)
    }

    /// The open set, if it is of the writer of `stamp`; another's is dropped.
    fn set_of(&mut self, stamp: &Stamp) -> Option<Set> {
        let same = |set: &Set| (set.first.epoch, set.first.writer) == (stamp.epoch, stamp.writer);
        self.open.take().filter(same)
    }
}

impl Set {
    fn begin(first: Stamp, part: &Part) -> Result<Self, DecodeError> {
        if part.count == 0 || part.whole_len > RECORD_MAX_BYTES {
            return Err(DecodeError::Parts { what: "the set is empty or exceeds 512 MiB" });
        }
        Ok(Self { first, count: part.count, whole_len: part.whole_len, next: 0, packed: Vec::new() })
    }

    fn finish(self) -> Result<Vec<u8>, DecodeError> {
        let whole = packed::unpack(&self.packed, self.whole_len)?;
        if heading(&whole)?.kind == Kind::Part {
            return Err(DecodeError::Parts { what: "a part holds a part" });
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests;
