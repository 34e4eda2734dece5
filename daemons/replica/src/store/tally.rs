//! What a batch holds, table by table: what the benchmarks report.

use super::{Batch, Error, Store, tables};
use rocksdb::WriteBatchIteratorCf;

impl Batch {
    /// How many rows it writes or deletes.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.rows.len()
    }
}

impl Store {
    /// The same rows in one batch per table that has any.
    ///
    /// # Errors
    /// When a table is missing.
    pub fn by_table(&self, batch: &Batch) -> Result<Vec<(&'static str, Batch)>, Error> {
        let mut sorted = Sorted::default();
        batch.rows.iterate_cf(&mut sorted);
        let mut batches = Vec::new();
        for (name, rows) in tables::TABLES.iter().zip(sorted.0) {
            let table = self.table(name)?;
            let mut of_table = self.batch(self.facts()?, 0, None);
            for (key, value) in &rows {
                match value {
                    Some(value) => of_table.rows.put_cf(table, key, value),
                    None => of_table.rows.delete_cf(table, key),
                }
            }
            if !rows.is_empty() {
                batches.push((*name, of_table));
            }
        }
        Ok(batches)
    }
}

type Row = (Vec<u8>, Option<Vec<u8>>);

/// Rows by table, in the order of [`tables::TABLES`].
#[derive(Default)]
struct Sorted([Vec<Row>; tables::TABLES.len()]);

impl Sorted {
    /// RocksDB numbers the tables of a new database from 1 in the order in which they were created; 0 is its own
    /// "default".
    fn push(&mut self, id: u32, row: Row) {
        let index = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
        if let Some(rows) = index.and_then(|index| self.0.get_mut(index)) {
            rows.push(row);
        }
    }
}

impl WriteBatchIteratorCf for Sorted {
    fn put_cf(&mut self, cf_id: u32, key: &[u8], value: &[u8]) {
        self.push(cf_id, (key.to_vec(), Some(value.to_vec())));
    }

    fn delete_cf(&mut self, cf_id: u32, key: &[u8]) {
        self.push(cf_id, (key.to_vec(), None));
    }

    fn merge_cf(&mut self, _cf_id: u32, _key: &[u8], _value: &[u8]) {}
}

#[cfg(test)]
mod tests {
    use super::{Store, tables};
    use crate::store::Facts;

    #[test]
    fn every_row_comes_back_under_its_own_table() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), 8 << 20).unwrap();
        let mut batch = store.batch(Facts::default(), 1, None);
        for name in tables::TABLES {
            batch.rows.put_cf(store.table(name).unwrap(), name, "value");
            batch.rows.delete_cf(store.table(name).unwrap(), "gone");
        }
        let sorted = store.by_table(&batch).unwrap();
        assert_eq!(sorted.len(), tables::TABLES.len());
        for (name, of_table) in sorted {
            assert_eq!(of_table.keys(), 2);
            store.write(of_table).unwrap();
            assert_eq!(store.get(name, name.as_bytes()).unwrap().as_deref(), Some(&b"value"[..]));
        }
    }
}
