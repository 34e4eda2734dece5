//! Indexes over a block's contents: transactions by hash, logs by address and topic.

use super::log_index_row::{self, List};
use super::write::{Batch, Store};
use super::{Error, tables};
use maidenlane_chain::block::Body;
use maidenlane_chain::receipts::ReceiptsError;
use maidenlane_chain::{B256, BlockRef, Logs};

impl Store {
    /// Adds a block's transactions and logs.
    pub(super) fn index(
        &self,
        batch: &mut Batch,
        block: BlockRef,
        body: &[u8],
        receipts: &[u8],
    ) -> Result<(), Error> {
        self.index_transactions(batch, block, body)?;
        let table = self.table(tables::LOGS)?;
        for (term, mut list) in self.terms(receipts)? {
            let key = log_index_row::key(&term, log_index_row::of(block.number));
            batch.rows.merge_cf(table, key, list.entry(block.number));
        }
        Ok(())
    }

    /// Adds a block's transactions.
    pub(super) fn index_transactions(
        &self,
        batch: &mut Batch,
        block: BlockRef,
        body: &[u8],
    ) -> Result<(), Error> {
        let table = self.table(tables::TRANSACTIONS)?;
        for (index, hash) in (0_u32..).zip(self.transaction_hashes(body)?) {
            batch.rows.put_cf(table, hash, tables::place(block.number, index));
        }
        Ok(())
    }

    /// Removes the head's transactions and logs. Every batch before this one must have been written.
    pub(super) fn unindex(
        &self,
        batch: &mut Batch,
        block: BlockRef,
        body: &[u8],
        receipts: &[u8],
    ) -> Result<(), Error> {
        let table = self.table(tables::TRANSACTIONS)?;
        for hash in self.transaction_hashes(body)? {
            batch.rows.delete_cf(table, hash);
        }
        let table = self.table(tables::LOGS)?;
        for (term, _) in self.terms(receipts)? {
            let key = log_index_row::key(&term, log_index_row::of(block.number));
            let row = self.get(tables::LOGS, &key)?.unwrap_or_default();
            match log_index_row::without(&row, block.number).map_err(|_| self.damaged("log index"))? {
                Some(left) => batch.rows.put_cf(table, key, left),
                None => batch.rows.delete_cf(table, key),
            }
        }
        Ok(())
    }

    fn transaction_hashes(&self, body: &[u8]) -> Result<Vec<B256>, Error> {
        let body = Body::parse(body).map_err(|_| self.damaged("body"))?;
        Ok(body.transaction_hashes())
    }

    fn terms(&self, receipts: &[u8]) -> Result<Vec<(Vec<u8>, List)>, Error> {
        terms(receipts).map_err(|_| self.damaged("receipts"))
    }
}

/// Every term of a block's logs, as [`tables::term`], with the indexes of the logs that have it.
pub(super) fn terms(receipts: &[u8]) -> Result<Vec<(Vec<u8>, List)>, ReceiptsError> {
    let mut all: Vec<(u8, &[u8], u32)> = Vec::new();
    for (index, log) in (0_u32..).zip(Logs::of(receipts)?) {
        let log = log?;
        all.push((0, log.address.as_slice(), index));
        all.extend((1..).zip(log.topics()).map(|(position, topic)| (position, topic.as_slice(), index)));
    }
    all.sort_unstable();
    let mut terms = Vec::new();
    for same in all.chunk_by(|left, right| (left.0, left.1) == (right.0, right.1)) {
        let Some((position, term, _)) = same.first() else { continue };
        let mut list = List::default();
        same.iter().for_each(|(_, _, index)| list.push(*index));
        terms.push((tables::term(*position, term), list));
    }
    Ok(terms)
}
