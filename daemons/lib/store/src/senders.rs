//! Senders of transactions: as the feed tells them, or as they are recovered later.

use super::write::{Batch, Store};
use super::{Error, View, tables};
use maidenlane_chain::{Address, BlockRef};
use std::ops::Range;

impl Store {
    /// Adds the senders that came with the new head; notes a gap where none did.
    pub(super) fn put_told(
        &self,
        batch: &mut Batch,
        block: BlockRef,
        told: Option<&[Address]>,
    ) -> Result<(), Error> {
        match told {
            Some(senders) => self.put_senders(batch, block, senders),
            None => {
                batch.facts.sender_gaps.add(block.number);
                Ok(())
            }
        }
    }

    /// Adds senders that were recovered, and closes the gap in `blocks`: each of them has its row now, or had it, or can
    /// have none.
    ///
    /// # Errors
    /// When a table is missing.
    pub fn fill_senders(
        &self,
        batch: &mut Batch,
        blocks: &Range<u64>,
        recovered: &[(BlockRef, Vec<Address>)],
    ) -> Result<(), Error> {
        batch.facts.sender_gaps.close(blocks);
        recovered.iter().try_for_each(|(block, senders)| self.put_senders(batch, *block, senders))
    }

    /// True if the block is on the chain as it is written now.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn is_canonical(&self, block: BlockRef) -> Result<bool, Error> {
        let hash = self.get(tables::CANONICAL, &block.number.to_be_bytes())?;
        Ok(hash.is_some_and(|hash| hash == block.hash.as_slice()))
    }

    pub(super) fn put_senders(
        &self,
        batch: &mut Batch,
        block: BlockRef,
        senders: &[Address],
    ) -> Result<(), Error> {
        let row: Vec<u8> = senders.iter().flatten().copied().collect();
        batch.rows.put_cf(self.table(tables::SENDERS)?, tables::block_key(block), row);
        Ok(())
    }
}

impl View {
    /// Senders of a block's transactions, in order; `None` where they must be recovered.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn senders(&self, block: BlockRef) -> Result<Option<Vec<Address>>, Error> {
        let Some(row) = self.get(tables::SENDERS, &tables::block_key(block))? else { return Ok(None) };
        let (senders, []) = row.as_chunks() else { return Err(self.damaged("senders")) };
        Ok(Some(senders.iter().map(Address::from).collect()))
    }
}
