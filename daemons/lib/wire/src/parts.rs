//! Records too large for one log entry travel in parts.

use crate::avro::DecodeError;
use crate::record::{Part, Record, Stamp, Stamped};
use crate::{decode, encode};
use maidenlane_chain::Bytes;
use std::io::Read;

/// A record whose encoding is longer than this is compressed and split, so that no entry comes near the 1 MB that
/// Kafka takes by default.
pub const ENTRY_MAX_BYTES: usize = 900_000;
/// No record is larger than this before compression: a bound for what a reader allocates.
pub const RECORD_MAX_BYTES: u64 = 1 << 30;
const LEVEL: i32 = 1;

/// The log entries of one record: itself, or its parts. `stamp` is the record's own; parts take `seq`, `seq + 1`, …
/// and all but the last say `more`. Returns the entries and the next free `seq`.
///
/// # Errors
/// When the record exceeds [`RECORD_MAX_BYTES`].
pub fn entries(stamp: Stamp, record: Record) -> Result<(Vec<Vec<u8>>, u64), DecodeError> {
    let whole = encode(&Stamped { stamp, record });
    if whole.len() <= ENTRY_MAX_BYTES {
        return Ok((vec![whole], stamp.seq + 1));
    }
    let whole_len = whole.len() as u64;
    if whole_len > RECORD_MAX_BYTES {
        return Err(DecodeError::Parts { what: "the record exceeds 1 GiB" });
    }
    let packed = zstd::bulk::compress(&whole, LEVEL)
        .map_err(|_| DecodeError::Parts { what: "the record cannot be compressed" })?;
    let slices = packed.chunks(ENTRY_MAX_BYTES);
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

/// Puts parts together again. Holds at most one unfinished set.
#[derive(Debug, Default)]
pub struct Joiner {
    open: Option<Set>,
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
    /// Takes one entry in log order; gives back the record once it is whole. A record that came in parts carries
    /// the stamp of its *last* part, so that `seq` stays dense for whoever counts.
    ///
    /// Parts of another epoch or writer than the open set begin anew: the older writer died before it finished.
    ///
    /// # Errors
    /// When parts of one writer do not follow each other or do not make a record.
    pub fn push(&mut self, entry: Stamped) -> Result<Option<Stamped>, DecodeError> {
        let Record::Part(part) = entry.record else {
            self.open = None;
            return Ok(Some(entry));
        };
        let same = |set: &Set| set.first.epoch == entry.stamp.epoch && set.first.writer == entry.stamp.writer;
        if part.index == 0 {
            self.open = Some(Set::begin(entry.stamp, &part)?);
        }
        let Some(set) = self.open.as_mut().filter(|set| same(set)) else {
            self.open = None;
            return Err(DecodeError::Parts { what: "the first part is missing" });
        };
        if part.index != set.next || part.count != set.count || part.whole_len != set.whole_len {
            self.open = None;
            return Err(DecodeError::Parts { what: "a part is missing or out of order" });
        }
        set.packed.extend_from_slice(&part.data);
        set.next += 1;
        if set.next < set.count {
            return Ok(None);
        }
        match self.open.take() {
            Some(set) => set.finish(entry.stamp).map(Some),
            None => Ok(None),
        }
    }

    /// Whether a set has begun and not ended.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open.is_some()
    }
}

impl Set {
    fn begin(first: Stamp, part: &Part) -> Result<Self, DecodeError> {
        if part.count == 0 || part.whole_len > RECORD_MAX_BYTES {
            return Err(DecodeError::Parts { what: "the set is empty or exceeds 1 GiB" });
        }
        Ok(Self { first, count: part.count, whole_len: part.whole_len, next: 0, packed: Vec::new() })
    }

    fn finish(self, last: Stamp) -> Result<Stamped, DecodeError> {
        let corrupt = DecodeError::Parts { what: "the compressed bytes are corrupt or of another length" };
        let mut whole = Vec::new();
        let decoder =
            zstd::stream::read::Decoder::new(self.packed.as_slice()).map_err(|_| corrupt.clone())?;
        decoder.take(self.whole_len + 1).read_to_end(&mut whole).map_err(|_| corrupt.clone())?;
        if whole.len() as u64 != self.whole_len {
            return Err(corrupt);
        }
        let stamped = decode(&whole)?;
        if matches!(stamped.record, Record::Part(_)) {
            return Err(DecodeError::Parts { what: "a part holds a part" });
        }
        Ok(Stamped { stamp: Stamp { more: stamped.stamp.more, ..last }, record: stamped.record })
    }
}
