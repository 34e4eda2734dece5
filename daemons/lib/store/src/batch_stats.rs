//! Content of a batch, table by table: the benchmarks report it and write it again.

use super::{Batch, Error, Facts, Keep, Past, Store, tables};
use rocksdb::WriteBatchIteratorCf;

type Row = (Vec<u8>, Change);

#[derive(Debug)]
enum Change {
    Put(Vec<u8>),
    Merge(Vec<u8>),
    Delete,
}

impl Change {
    const fn value(&self) -> &[u8] {
        match self {
            Self::Put(value) | Self::Merge(value) => value.as_slice(),
            Self::Delete => &[],
        }
    }
}

/// The rows that a batch writes to one table.
#[derive(Debug)]
pub struct TableRows {
    /// Name of the table.
    pub table: &'static str,
    rows: Vec<Row>,
}

impl TableRows {
    /// Number of rows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// Bytes of keys and values together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rows.iter().map(|(key, change)| key.len() + change.value().len()).sum()
    }
}

impl Batch {
    /// Rows of the batch, one item per table that has any.
    #[must_use]
    pub fn by_table(&self) -> Vec<TableRows> {
        let mut sorted = Sorted::default();
        self.rows.iterate_cf(&mut sorted);
        let all = tables::TABLES.into_iter().zip(sorted.0).map(|(table, rows)| TableRows { table, rows });
        all.filter(|table| table.count() > 0).collect()
    }
}

impl Store {
    /// A batch of these rows and of nothing else.
    ///
    /// # Errors
    /// When a table is missing.
    pub fn batch_of(&self, tables: &[TableRows]) -> Result<Batch, Error> {
        let keep = Keep { undo_blocks: 0, history: Past::All, proofs: None };
        let mut batch = self.batch(Facts::default(), keep);
        for TableRows { table, rows } in tables {
            let table = self.table(table)?;
            for (key, change) in rows {
                match change {
                    Change::Put(value) => batch.rows.put_cf(table, key, value),
                    Change::Merge(value) => batch.rows.merge_cf(table, key, value),
                    Change::Delete => batch.rows.delete_cf(table, key),
                }
            }
        }
        Ok(batch)
    }
}

/// Rows by table, in the order of [`tables::TABLES`].
#[derive(Default)]
struct Sorted([Vec<Row>; tables::TABLES.len()]);

impl Sorted {
    /// Adds a row. RocksDB numbers the tables of a new database from 1 in the order in which they were created; 0 is
    /// its own "default".
    fn push(&mut self, id: u32, row: Row) {
        let index = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
        if let Some(rows) = index.and_then(|index| self.0.get_mut(index)) {
            rows.push(row);
        }
    }
}

impl WriteBatchIteratorCf for Sorted {
    fn put_cf(&mut self, cf_id: u32, key: &[u8], value: &[u8]) {
        self.push(cf_id, (key.to_vec(), Change::Put(value.to_vec())));
    }

    fn delete_cf(&mut self, cf_id: u32, key: &[u8]) {
        self.push(cf_id, (key.to_vec(), Change::Delete));
    }

    fn merge_cf(&mut self, cf_id: u32, key: &[u8], value: &[u8]) {
        self.push(cf_id, (key.to_vec(), Change::Merge(value.to_vec())));
    }
}

#[cfg(test)]
mod tests {
    use super::{Store, tables};
    use crate::{Facts, tests::KEEP};

    #[test]
    fn every_row_comes_back_under_its_own_table() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), 8 << 20).unwrap();
        let mut batch = store.batch(Facts::default(), KEEP);
        for name in tables::TABLES {
            batch.rows.put_cf(store.table(name).unwrap(), name, "value");
            batch.rows.delete_cf(store.table(name).unwrap(), "gone");
        }
        let sorted = batch.by_table();
        assert_eq!(sorted.len(), tables::TABLES.len());
        for of_table in sorted {
            let name = of_table.table;
            assert_eq!((of_table.count(), of_table.bytes()), (2, name.len() + "value".len() + "gone".len()));
            store.write(store.batch_of(&[of_table]).unwrap()).unwrap();
            assert_eq!(store.get(name, name.as_bytes()).unwrap().as_deref(), Some(&b"value"[..]));
        }
    }
}
