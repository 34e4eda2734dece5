//! Search in the log index: positions leap over each other, from chunk to chunk on the disk and from block to block
//! within, so the cost is that of the rarest position, not of the range.

use super::log_index_row::{self, Entries, Torn};
use super::{Error, View, tables};
use rocksdb::{DB, DBRawIteratorWithThreadMode};
use std::ops::{Range, RangeInclusive};

/// Terms of a search: a position is 0 (address) or 1–4 (topics), with at least one term each.
pub type Positions = [(u8, Vec<Vec<u8>>)];

/// Visitor of a block and the indexes of its logs that match; none from time to time, while nothing is found. Returns
/// false to end the search.
pub type Visitor<'a> = &'a mut dyn FnMut(u64, &[u32]) -> bool;

impl View {
    /// Calls `visit` with the blocks in `range` from the floor on, ascending, and the indexes of their logs that have, at
    /// every position, one of its terms. Returns the number of rows that were looked for.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn logs(
        &self,
        wanted: &Positions,
        range: RangeInclusive<u64>,
        visit: Visitor<'_>,
    ) -> Result<u64, Error> {
        let positions = wanted.iter().map(|(position, terms)| {
            Position(terms.iter().map(|term| Term::of(tables::term(*position, term))).collect())
        });
        let mut positions: Vec<Position> = positions.collect();
        let mut rows = Rows { view: self, cursor: self.cursor(tables::LOGS)?, sought: 0 };
        let first = self.facts().base.max(*range.start());
        let (mut block, mut common, mut other) = (first, Vec::new(), Vec::new());
        while let Some(next) = meet(&mut rows, &mut positions, block, *range.end(), visit)? {
            common.clear();
            for (index, position) in positions.iter().enumerate() {
                let set = if index == 0 { &mut common } else { &mut other };
                position.indexes(next, set).map_err(|Torn| self.damaged("log index"))?;
                if index > 0 {
                    common.retain(|log| other.binary_search(log).is_ok());
                }
            }
            let goes_on = common.is_empty() || visit(next, &common);
            match next.checked_add(1).filter(|_| goes_on) {
                Some(after) => block = after,
                None => break,
            }
        }
        Ok(rows.sought)
    }
}

/// The first block from `block` to `to` where all positions have an entry.
fn meet(
    rows: &mut Rows<'_>,
    positions: &mut [Position],
    mut block: u64,
    to: u64,
    visit: Visitor<'_>,
) -> Result<Option<u64>, Error> {
    let mut agreed = 0;
    let mut next = 0;
    while agreed < positions.len() {
        let sought = rows.sought;
        let Some(position) = positions.get_mut(next) else { break };
        let Some(nearest) = position.seek(rows, block)?.filter(|nearest| *nearest <= to) else {
            return Ok(None);
        };
        if rows.sought > sought && !visit(nearest, &[]) {
            return Ok(None);
        }
        agreed = if nearest == block { agreed + 1 } else { 1 };
        block = nearest;
        next = (next + 1) % positions.len();
    }
    Ok((!positions.is_empty()).then_some(block))
}

/// Table of rows, and the number of seeks in it.
struct Rows<'a> {
    view: &'a View,
    cursor: DBRawIteratorWithThreadMode<'a, DB>,
    sought: u64,
}

/// Alternatives at one position.
struct Position(Vec<Term>);

impl Position {
    /// The first block from `block` on where one of the terms has an entry.
    fn seek(&mut self, rows: &mut Rows<'_>, block: u64) -> Result<Option<u64>, Error> {
        let mut nearest = None;
        for term in &mut self.0 {
            term.seek(rows, block)?;
            nearest = [nearest, term.at].into_iter().flatten().min();
        }
        Ok(nearest)
    }

    /// Indexes of the logs in `block` that have one of the terms, ascending. All terms must stand there or beyond.
    fn indexes(&self, block: u64, out: &mut Vec<u32>) -> Result<(), Torn> {
        out.clear();
        for term in self.0.iter().filter(|term| term.at == Some(block)) {
            for index in log_index_row::indexes(term.list()) {
                out.push(index?);
            }
        }
        out.sort_unstable();
        out.dedup();
        Ok(())
    }
}

/// Cursor of one term, which stands at a block.
#[derive(Default)]
struct Term {
    prefix: Vec<u8>,
    /// Chunk whose row is held.
    chunk: Option<u64>,
    row: Vec<u8>,
    /// Place in the row at which the next entry begins.
    next: usize,
    /// Block at which it stands; none before the first look and after the last entry.
    at: Option<u64>,
    /// Range in the row of that block's list of logs.
    list: Range<usize>,
    ended: bool,
}

impl Term {
    fn of(prefix: Vec<u8>) -> Self {
        Self { prefix, ..Self::default() }
    }

    /// Goes on to the first entry from `block` on, unless it stands there or beyond.
    fn seek(&mut self, rows: &mut Rows<'_>, block: u64) -> Result<(), Error> {
        while !self.ended && self.at.is_none_or(|at| at < block) {
            if self.chunk.is_none_or(|chunk| chunk < log_index_row::of(block)) {
                self.load(rows, log_index_row::of(block))?;
            } else if !self.step().map_err(|Torn| rows.view.damaged("log index"))? {
                self.load(rows, self.chunk.map_or(0, |chunk| chunk.saturating_add(1)))?;
            }
        }
        Ok(())
    }

    /// Goes on to the next entry of the row. False where there is none.
    fn step(&mut self) -> Result<bool, Torn> {
        let row = self.row.get(self.next..).unwrap_or_default();
        let mut entries = Entries::of(row);
        let Some((block, list)) = entries.next()? else { return Ok(false) };
        self.next = self.row.len() - entries.left();
        self.list = self.next - list.len()..self.next;
        self.at = self.chunk.map(|chunk| chunk * log_index_row::BLOCKS + u64::from(block));
        Ok(true)
    }

    /// Loads the first row from `chunk` on.
    fn load(&mut self, rows: &mut Rows<'_>, chunk: u64) -> Result<(), Error> {
        rows.sought += 1;
        rows.cursor.seek(log_index_row::key(&self.prefix, chunk));
        rows.cursor.status().map_err(|source| rows.view.rocks(source))?;
        let found = rows
            .cursor
            .item()
            .filter(|(key, _)| key.len() == self.prefix.len() + 8 && key.starts_with(&self.prefix));
        let Some((key, row)) = found else {
            (self.ended, self.at) = (true, None);
            return Ok(());
        };
        self.chunk = tables::block_at_end(key);
        self.row.clear();
        self.row.extend_from_slice(row);
        self.next = 0;
        Ok(())
    }

    fn list(&self) -> &[u8] {
        self.row.get(self.list.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
