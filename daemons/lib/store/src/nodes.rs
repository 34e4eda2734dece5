//! Trie nodes: the latest, their past, and the undo of a block's.

use super::write::{Batch, Store};
use super::{Error, Facts, Proofs, SetPosition, View, tables};
use maidenlane_chain::{BlockRef, Bytes};
use maidenlane_state::trie::audit::place;
use maidenlane_state::trie::{Fault, Nibbles, NodeKey, Nodes, Owner};
use maidenlane_wire::NodeRow;
use rocksdb::WriteBatch;

/// End of the key ranges of these tables: their keys begin with 0 or 1, or with a block's number.
const BEYOND: [u8; 1] = [0xff];

impl Store {
    /// Writes the nodes of block 0: from here on they are kept.
    ///
    /// # Errors
    /// When a table is missing.
    pub fn begin_nodes(&self, batch: &mut Batch, nodes: &[(NodeKey, Bytes)]) -> Result<(), Error> {
        let table = self.table(tables::NODES)?;
        for (place, node) in nodes {
            batch.rows.put_cf(table, tables::node_key(place), node);
        }
        batch.facts.proofs = Some(Proofs::default());
        Ok(())
    }

    /// Writes the nodes of a block that is in the same batch. Every batch before this one must have been written: the
    /// nodes before are read from the store.
    ///
    /// # Errors
    /// When the nodes before cannot be read.
    pub fn put_nodes(
        &self,
        batch: &mut Batch,
        block: BlockRef,
        set: &[NodeRow],
        position: SetPosition,
    ) -> Result<(), Error> {
        let (latest, past) = (self.table(tables::NODES)?, self.table(tables::NODE_HISTORY)?);
        let keys: Vec<_> = set.iter().map(|row| tables::node_key(&place(row))).collect();
        for (row, key) in set.iter().zip(&keys) {
            match &row.after {
                Some(node) => batch.rows.put_cf(latest, key, node),
                None => batch.rows.delete_cf(latest, key),
            }
            let before = self.get(tables::NODES, key)?.unwrap_or_default();
            batch.rows.put_cf(past, tables::at_block(key, block.number), before);
        }
        let table = self.table(tables::NODE_UNDO)?;
        batch.rows.put_cf(table, tables::block_key(block), tables::keys(keys.into_iter()));
        batch.facts.proofs.get_or_insert_default().position = Some(position);
        Ok(())
    }

    /// Takes the nodes back to what they were before the block.
    pub(super) fn undo_nodes(&self, batch: &mut Batch, block: BlockRef) -> Result<(), Error> {
        let gone = || self.damaged("past trie nodes (the reorg is deeper than `proofs` keeps them)");
        let undo = tables::block_key(block);
        let keys = self.get(tables::NODE_UNDO, &undo)?.ok_or_else(gone)?;
        let keys = tables::keys_of(&keys).ok_or_else(|| self.damaged("undo keys of trie nodes"))?;
        for key in keys {
            let past = tables::at_block(key, block.number);
            let before = self.get(tables::NODE_HISTORY, &past)?.ok_or_else(gone)?;
            if before.is_empty() {
                batch.rows.delete_cf(self.table(tables::NODES)?, key);
            } else {
                batch.rows.put_cf(self.table(tables::NODES)?, key, before);
            }
            batch.rows.delete_cf(self.table(tables::NODE_HISTORY)?, past);
        }
        batch.rows.delete_cf(self.table(tables::NODE_UNDO)?, undo);
        Ok(())
    }

    /// Drops all nodes, and the claim to have them.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn drop_nodes(&self) -> Result<Facts, Error> {
        let facts = Facts { proofs: None, ..self.facts() };
        let mut rows = WriteBatch::default();
        for table in [tables::NODES, tables::NODE_HISTORY, tables::NODE_UNDO] {
            rows.delete_range_cf(self.table(table)?, &[][..], &BEYOND[..]);
        }
        self.write_rows(rows, facts.clone())?;
        Ok(facts)
    }
}

/// Source of the nodes as they are written now.
impl Nodes for Store {
    fn node(&self, owner: Owner, path: &Nibbles) -> Result<Option<Bytes>, Fault> {
        let key = tables::node_key(&NodeKey { owner, path: *path });
        Ok(self.get(tables::NODES, &key)?.map(Bytes::from))
    }
}

impl View {
    /// A trie node; `at` = after that block, `None` = after the head.
    ///
    /// # Errors
    /// When the database is damaged.
    pub fn node(&self, place: &NodeKey, at: Option<u64>) -> Result<Option<Bytes>, Error> {
        let value = self.value(tables::NODES, tables::NODE_HISTORY, &tables::node_key(place), at)?;
        Ok(value.map(Bytes::from))
    }
}
