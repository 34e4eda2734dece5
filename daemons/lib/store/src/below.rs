//! Blocks below the floor, brought behind the head: downward, a group at a time, and shown when the floor is lowered.
//!
//! # Correctness
//! A view shows no content below its floor, so the rows of a group may come in batches of any size, and again after a
//! kill: equal blocks have equal rows. The batch that lowers the floor comes last; the write-ahead log keeps the order of
//! batches, so that whatever is left of it after a power cut, no floor is below a block that is not whole.
//!
//! A row of the log index holds 256 blocks and grows at its end. So a group ends where such a chunk begins, and in the
//! chunk that the floor cuts, what is below goes in front of what is there, which only the one writer may do: the head
//! may be in the same chunk, and appends to the same rows. What an earlier attempt has put in front already is replaced.

use super::index::terms;
use super::write::{Batch, Store};
use super::{Error, log_index_row, tables};
use maidenlane_chain::receipts::ReceiptsError;
use maidenlane_chain::{Address, BlockRef, Bytes};
use std::collections::BTreeMap;
use std::iter;

/// Size at which a piece takes no further block or row, in bytes: a millisecond or two of the writer's time.
const PIECE_BYTES: usize = if cfg!(test) { 2_000 } else { 512 << 10 };

/// A whole block from before a database's beginning, checked by who brings it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastBlock {
    /// Number and hash.
    pub at: BlockRef,
    /// RLP of the header.
    pub header: Bytes,
    /// RLP of the body.
    pub body: Bytes,
    /// Consensus receipts, one RLP list.
    pub receipts: Bytes,
    /// Senders of the transactions, in order.
    pub senders: Vec<Address>,
}

impl PastBlock {
    /// Size in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.header.len() + self.body.len() + self.receipts.len() + 20 * self.senders.len()
    }
}

/// Piece of a group, for one batch. All pieces of a group are written in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Blocks.
    Blocks(Vec<PastBlock>),
    /// Rows of the log index.
    Logs(LogRows),
    /// The floor, once everything above it is written.
    Floor(u64),
}

/// Entries of some terms for the blocks of a group, ascending, all of one chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRows {
    chunk: u64,
    rows: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Blocks below a floor, as they are collected: downward, and no further than one chunk of the log index.
#[derive(Debug)]
pub struct Group {
    blocks: Vec<PastBlock>,
    bytes: usize,
    /// Entries by term.
    logs: BTreeMap<Vec<u8>, Vec<u8>>,
    chunk: u64,
    lowest: u64,
}

impl Group {
    /// An empty group below `floor`, which is not 0.
    #[must_use]
    pub const fn below(floor: u64) -> Self {
        let chunk = log_index_row::of(floor.saturating_sub(1));
        Self { blocks: Vec::new(), bytes: 0, logs: BTreeMap::new(), chunk, lowest: floor }
    }

    /// The lowest block that belongs to the group.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.chunk * log_index_row::BLOCKS
    }

    /// The lowest block so far, or the floor.
    #[must_use]
    pub const fn lowest(&self) -> u64 {
        self.lowest
    }

    /// Adds the block below the lowest, and returns a piece once one is full.
    ///
    /// # Errors
    /// When the receipts cannot be read.
    pub fn add(&mut self, block: PastBlock) -> Result<Option<Piece>, ReceiptsError> {
        for (term, mut list) in terms(&block.receipts)? {
            self.logs.entry(term).or_default().splice(0..0, list.entry(block.at.number));
        }
        (self.lowest, self.bytes) = (block.at.number, self.bytes + block.bytes());
        self.blocks.push(block);
        let full = self.bytes >= PIECE_BYTES;
        Ok(full.then(|| {
            self.bytes = 0;
            Piece::Blocks(std::mem::take(&mut self.blocks))
        }))
    }

    /// The pieces that are left; the floor comes last.
    pub fn finish(self) -> impl Iterator<Item = Piece> {
        let Self { blocks, logs, chunk, lowest, .. } = self;
        let mut logs = logs.into_iter().peekable();
        let rows = iter::from_fn(move || {
            let (mut rows, mut bytes) = (Vec::new(), 0);
            while bytes < PIECE_BYTES
                && let Some(row) = logs.next()
            {
                bytes += row.0.len() + row.1.len();
                rows.push(row);
            }
            (!rows.is_empty()).then_some(Piece::Logs(LogRows { chunk, rows }))
        });
        let blocks = (!blocks.is_empty()).then_some(Piece::Blocks(blocks));
        blocks.into_iter().chain(rows).chain(iter::once(Piece::Floor(lowest)))
    }
}

impl Store {
    /// Adds a piece of the group below the floor. Every batch before this one must have been written.
    ///
    /// # Errors
    /// When a row that is there cannot be read.
    pub fn put_below(&self, batch: &mut Batch, piece: &Piece) -> Result<(), Error> {
        match piece {
            Piece::Blocks(blocks) => blocks.iter().try_for_each(|block| self.put_past_block(batch, block)),
            Piece::Logs(rows) => self.put_in_front(batch, rows),
            Piece::Floor(floor) => {
                batch.facts.base = batch.facts.base.min(*floor);
                Ok(())
            }
        }
    }

    fn put_past_block(&self, batch: &mut Batch, block: &PastBlock) -> Result<(), Error> {
        let PastBlock { at, header, body, receipts, senders } = block;
        self.put_block(batch, *at, header, body, receipts)?;
        self.index_transactions(batch, *at, body)?;
        // The genesis of a feed has no such row either.
        if at.number > 0 { self.put_senders(batch, *at, senders) } else { Ok(()) }
    }

    fn put_in_front(&self, batch: &mut Batch, LogRows { chunk, rows }: &LogRows) -> Result<(), Error> {
        let (table, floor) = (self.table(tables::LOGS)?, batch.facts.base);
        let is_cut = log_index_row::of(floor) == *chunk;
        for (term, below) in rows {
            let key = log_index_row::key(term, *chunk);
            let mut row = below.clone();
            if is_cut && let Some(there) = self.get(tables::LOGS, &key)? {
                let above = log_index_row::from(&there, floor).map_err(|_| self.damaged("log index"))?;
                row.extend_from_slice(above);
            }
            batch.rows.put_cf(table, key, row);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
