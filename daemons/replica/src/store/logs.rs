//! The search in the log index: positions leap over each other from block to block, so the cost is that of the
//! rarest position, not of the range.

use super::{Error, View, tables};
use rocksdb::{DB, DBRawIteratorWithThreadMode};
use std::collections::BTreeSet;

/// One term's rows, standing at a block.
struct Term<'a> {
    rows: DBRawIteratorWithThreadMode<'a, DB>,
    prefix: Vec<u8>,
    block: Option<u64>,
}

/// Alternatives at one position.
struct Position<'a>(Vec<Term<'a>>);

impl View {
    /// Blocks within `from..=to` and the indexes of their logs that have, at every position, one of its terms.
    /// A position is 0 (address) or 1–4 (topics) with at least one term. Ascending; stops after `most` logs.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn logs(
        &self,
        positions: &[(u8, Vec<Vec<u8>>)],
        from: u64,
        to: u64,
        most: usize,
    ) -> Result<Vec<(u64, Vec<usize>)>, Error> {
        let mut open = Vec::new();
        for (position, terms) in positions {
            let terms = terms.iter().map(|term| Term::open(self, *position, term));
            open.push(Position(terms.collect::<Result<_, _>>()?));
        }
        let (mut found, mut count, mut block) = (Vec::new(), 0, from);
        while count < most {
            let Some(next) = meet(self, &mut open, block, to)? else { break };
            let mut sets = open.iter().map(|position| position.indexes(next));
            let first = sets.next().unwrap_or_default();
            let common = sets.fold(first, |common, set| &common & &set);
            if !common.is_empty() {
                count += common.len();
                found.push((next, common.into_iter().collect()));
            }
            match next.checked_add(1) {
                Some(after) => block = after,
                None => break,
            }
        }
        Ok(found)
    }
}

/// The first block from `block` on where all positions have a row.
fn meet(view: &View, positions: &mut [Position<'_>], mut block: u64, to: u64) -> Result<Option<u64>, Error> {
    loop {
        let start = block;
        for position in positions.iter_mut() {
            match position.seek(view, block)? {
                Some(next) if next <= to => block = next,
                _ => return Ok(None),
            }
        }
        if block == start || positions.is_empty() {
            return Ok((!positions.is_empty()).then_some(block));
        }
    }
}

impl Position<'_> {
    fn seek(&mut self, view: &View, block: u64) -> Result<Option<u64>, Error> {
        let mut nearest = None;
        for term in &mut self.0 {
            term.seek(view, block)?;
            nearest = [nearest, term.block].into_iter().flatten().min();
        }
        Ok(nearest)
    }

    fn indexes(&self, block: u64) -> BTreeSet<usize> {
        let here = self.0.iter().filter(|term| term.block == Some(block));
        here.filter_map(|term| term.rows.value()).flat_map(tables::indexes).collect()
    }
}

impl<'a> Term<'a> {
    fn open(view: &'a View, position: u8, term: &[u8]) -> Result<Self, Error> {
        Ok(Self { rows: view.cursor(tables::LOGS)?, prefix: tables::term(position, term), block: Some(0) })
    }

    /// Stands at the first row from `block` on, if it is not there already.
    fn seek(&mut self, view: &View, block: u64) -> Result<(), Error> {
        if self.block.is_none() || (self.rows.valid() && self.block.is_some_and(|at| at >= block)) {
            return Ok(());
        }
        self.rows.seek(tables::at_block(&self.prefix, block));
        self.rows.status().map_err(|source| view.rocks(source))?;
        let key =
            self.rows.key().filter(|key| key.len() == self.prefix.len() + 8 && key.starts_with(&self.prefix));
        self.block = key.and_then(tables::block_at_end);
        Ok(())
    }
}
