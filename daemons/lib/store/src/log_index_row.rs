//! Row of the log index: the positions of a term in the logs of [`BLOCKS`] blocks.
//!
//! ```text
//! row   = entry*, ascending by block
//! entry = block within the chunk (u8), length of the rest (varint), index of a log (varint),
//!         distances to the next (varint*)
//! ```
//!
//! A block appends its entry with a RocksDB merge, which reads nothing; undoing one, which is rare, reads the row and
//! writes it again without the last entry.

use super::tables;

/// Number of blocks in a chunk: as many as a byte can number.
pub(super) const BLOCKS: u64 = 256;

/// The chunk that holds a block.
pub(super) const fn of(block: u64) -> u64 {
    block / BLOCKS
}

/// The row of a term, given as [`tables::term`], in a chunk.
pub(super) fn key(term: &[u8], chunk: u64) -> Vec<u8> {
    tables::at_block(term, chunk)
}

/// The indexes of one block's logs that have a term, as they are collected, ascending.
#[derive(Debug, Default)]
pub(super) struct List {
    bytes: Vec<u8>,
    last: u32,
}

impl List {
    /// Appends an index.
    pub(super) fn push(&mut self, index: u32) {
        push_varint(&mut self.bytes, index.wrapping_sub(self.last));
        self.last = index;
    }

    /// The block's entry. Empties the list.
    pub(super) fn entry(&mut self, block: u64) -> Vec<u8> {
        let mut entry = Vec::with_capacity(self.bytes.len() + 6);
        entry.extend(place(block));
        push_varint(&mut entry, u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
        entry.append(&mut self.bytes);
        self.last = 0;
        entry
    }
}

/// Number of a block within its chunk.
fn place(block: u64) -> Option<u8> {
    u8::try_from(block % BLOCKS).ok()
}

/// Part of a row that is left when `block`, the last that it may hold, is undone. `None` if nothing is.
pub(super) fn without(row: &[u8], block: u64) -> Result<Option<&[u8]>, Torn> {
    let mut entries = Entries::of(row);
    let mut kept = 0;
    while let Some((at, _)) = entries.next()? {
        if Some(at) == place(block) {
            break;
        }
        kept = row.len() - entries.left();
    }
    Ok(row.get(..kept).filter(|row| !row.is_empty()))
}

/// Part of a row from `block` on.
pub(super) fn from(row: &[u8], block: u64) -> Result<&[u8], Torn> {
    let mut entries = Entries::of(row);
    let mut before = 0;
    while let Some((at, _)) = entries.next()? {
        if Some(at) >= place(block) {
            break;
        }
        before = row.len() - entries.left();
    }
    Ok(row.get(before..).unwrap_or_default())
}

/// Error of a row that cannot be read: the disk, or a fault of ours.
#[derive(Debug)]
pub(super) struct Torn;

/// Iterator over the entries of a row.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    rest: &'a [u8],
}

impl<'a> Entries<'a> {
    pub(super) const fn of(row: &'a [u8]) -> Self {
        Self { rest: row }
    }

    /// The next block within the chunk, and the indexes of its logs, to be read by [`indexes`].
    pub(super) fn next(&mut self) -> Result<Option<(u8, &'a [u8])>, Torn> {
        let Some((block, mut rest)) = self.rest.split_first() else { return Ok(None) };
        let len = take_varint(&mut rest).and_then(|len| usize::try_from(len).ok()).ok_or(Torn)?;
        let (list, rest) = rest.split_at_checked(len).ok_or(Torn)?;
        self.rest = rest;
        Ok(Some((*block, list)))
    }

    /// Number of bytes behind the entry that was read last.
    pub(super) const fn left(&self) -> usize {
        self.rest.len()
    }
}

/// Reads the indexes of an entry.
pub(super) fn indexes(mut list: &[u8]) -> impl Iterator<Item = Result<u32, Torn>> {
    let mut last = 0_u32;
    std::iter::from_fn(move || {
        if list.is_empty() {
            return None;
        }
        let Some(index) = take_varint(&mut list).and_then(|step| last.checked_add(step)) else {
            list = &[];
            return Some(Err(Torn));
        };
        last = index;
        Some(Ok(index))
    })
}

/// Appends a number as a varint: seven bits a byte, the lowest first; the highest bit says that more follow.
fn push_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0_u64;
    for shift in (0..u32::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return u32::try_from(value).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Entries, List, Torn, from, indexes, without};

    fn entry(block: u64, logs: &[u32]) -> Vec<u8> {
        let mut list = List::default();
        logs.iter().for_each(|index| list.push(*index));
        list.entry(block)
    }

    fn read(row: &[u8]) -> Result<Vec<(u8, Vec<u32>)>, Torn> {
        let (mut entries, mut all) = (Entries::of(row), Vec::new());
        while let Some((block, list)) = entries.next()? {
            all.push((block, indexes(list).collect::<Result<_, _>>()?));
        }
        Ok(all)
    }

    #[test]
    fn bytes_are_pinned() {
        assert_eq!(entry(258, &[0, 1, 129, 400]), [2, 6, 0, 1, 0x80, 1, 0x8f, 2]);
    }

    #[test]
    fn what_blocks_append_is_read_back_and_taken_back() {
        let blocks: [(u64, &[u32]); 4] =
            [(512, &[0]), (514, &[3, 4, 5, 70_000]), (700, &[u32::MAX]), (767, &[0, u32::MAX])];
        let mut row = Vec::new();
        let mut before = Vec::new();
        for (block, logs) in blocks {
            before.push(row.clone());
            row.extend(entry(block, logs));
        }
        let place = |block: u64| u8::try_from(block % 256).unwrap();
        let expect: Vec<_> = blocks.iter().map(|(block, logs)| (place(*block), logs.to_vec())).collect();
        assert_eq!(read(&row).unwrap(), expect);
        for ((block, _), before) in blocks.iter().zip(&before) {
            assert_eq!(from(&row, *block).unwrap(), &row[before.len()..]);
        }
        assert_eq!(from(&row, 513).unwrap(), &row[before[1].len()..], "between two entries");
        assert_eq!(from(&entry(3, &[1]), 4).unwrap(), b"");
        for ((block, _), before) in blocks.iter().zip(&before).rev() {
            let left = without(&row, *block).unwrap().unwrap_or_default().to_vec();
            assert_eq!(&left, before);
            row = left;
        }
        // Nothing to take back is no harm.
        assert_eq!(without(&entry(3, &[1]), 4).unwrap(), Some(&entry(3, &[1])[..]));
    }

    #[test]
    fn what_is_torn_is_no_row() {
        let row = entry(1, &[5, 300]);
        for len in 1..row.len() {
            assert!(read(&row[..len]).is_err(), "{len}");
        }
        // A number that never ends, one that is too large, and a sum that is.
        for list in [&[0x80][..], &[0xff, 0xff, 0xff, 0xff, 0x1f], &[0xff, 0xff, 0xff, 0xff, 0x0f, 1]] {
            let mut row = vec![0, u8::try_from(list.len()).unwrap()];
            row.extend(list);
            assert!(read(&row).is_err(), "{list:?}");
        }
    }
}
