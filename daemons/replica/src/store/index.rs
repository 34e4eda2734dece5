//! The indexes over a block's contents: transactions by hash, logs by address and topic.

use super::write::{Batch, Store};
use super::{Error, tables};
use maidenlane_chain::block::Body;
use maidenlane_chain::{BlockRef, Receipts};
use std::collections::BTreeMap;

impl Store {
    /// Adds or removes a block's transactions and logs.
    pub(super) fn index(
        &self,
        batch: &mut Batch,
        block: BlockRef,
        body: &[u8],
        receipts: &[u8],
        add: bool,
    ) -> Result<(), Error> {
        let body = Body::parse(body).map_err(|_| self.damaged("body"))?;
        let table = self.table(tables::TRANSACTIONS)?;
        for (index, hash) in (0_u32..).zip(body.transaction_hashes()) {
            if add {
                batch.rows.put_cf(table, hash, tables::place(block.number, index));
            } else {
                batch.rows.delete_cf(table, hash);
            }
        }
        let receipts = Receipts::decode(receipts).map_err(|_| self.damaged("receipts"))?;
        let table = self.table(tables::LOGS)?;
        for ((position, term), indexes) in terms(&receipts) {
            let key = tables::at_block(&tables::term(position, term), block.number);
            if add {
                batch.rows.put_cf(table, key, indexes);
            } else {
                batch.rows.delete_cf(table, key);
            }
        }
        Ok(())
    }
}

/// Every term of a block's logs, by position, with the indexes of the logs that have it.
fn terms(receipts: &Receipts) -> BTreeMap<(u8, &[u8]), Vec<u8>> {
    let mut terms: BTreeMap<(u8, &[u8]), Vec<u8>> = BTreeMap::new();
    let logs = receipts.items().iter().flat_map(|receipt| receipt.logs());
    for (index, log) in (0_u32..).zip(logs) {
        let topics = (1_u8..).zip(log.topics().iter().map(|topic| topic.as_slice()));
        for term in std::iter::once((0, log.address.as_slice())).chain(topics) {
            terms.entry(term).or_default().extend_from_slice(&index.to_be_bytes());
        }
    }
    terms
}
