//! Databases that cannot be used, and a look at all that is stored.

use super::{Error, Facts, Store, View, tables};
use maidenlane_chain::{B256, BlockRef, keccak256};
use std::path::Path;

const CACHE_BYTES: usize = 8 << 20;

/// Table, key, value.
type Row = (&'static str, Vec<u8>, Vec<u8>);

/// Every row that only the canonical chain may decide: two replicas of one chain have the same, whatever they went
/// through.
pub(crate) fn canonical_rows(view: &View) -> Vec<Row> {
    let tables = [
        tables::ACCOUNTS,
        tables::SLOTS,
        tables::ACCOUNT_HISTORY,
        tables::SLOT_HISTORY,
        tables::CANONICAL,
        tables::TRANSACTIONS,
        tables::LOGS,
        tables::UNDO,
    ];
    let mut all = Vec::new();
    for table in tables {
        for row in view.rows(table, &[]).unwrap() {
            let (key, value) = row.unwrap();
            all.push((table, key.into_vec(), value.into_vec()));
        }
    }
    all
}

/// An error with its causes.
pub(crate) fn text(error: &dyn std::error::Error) -> String {
    let mut causes = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.join(": ")
}

/// Makes a database, lets `spoil` at its files, and opens it again: the error names the database.
fn check_spoilt(spoil: impl FnOnce(&Path), expect: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    drop(Store::open(&path, CACHE_BYTES).unwrap());
    spoil(&path);
    let refused = text(&Store::open(&path, CACHE_BYTES).unwrap_err());
    assert!(refused.contains(path.to_str().unwrap()) && refused.contains(expect), "{refused}");
}

fn put_meta(path: &Path, key: &[u8], value: &[u8]) {
    let store = Store::open(path, CACHE_BYTES).unwrap();
    store.db.put_cf(store.table(tables::META).unwrap(), key, value).unwrap();
}

#[test]
fn another_format_is_refused() {
    check_spoilt(
        |path| put_meta(path, tables::META_FORMAT, &99_u32.to_be_bytes()),
        "has format 99, this build reads 1; restore a snapshot",
    );
    check_spoilt(|path| put_meta(path, tables::META_FORMAT, b"x"), "format in");
}

#[test]
fn facts_that_are_none_are_refused() {
    check_spoilt(|path| put_meta(path, tables::META_FACTS, b"{"), "facts in");
}

#[test]
fn a_spoilt_current_file_is_refused() {
    check_spoilt(|path| std::fs::write(path.join("CURRENT"), "rubbish").unwrap(), "restore a snapshot");
    check_spoilt(
        |path| std::fs::write(path.join("CURRENT"), "MANIFEST-777777\n").unwrap(),
        "open the database",
    );
}

#[test]
fn damage_in_a_table_is_told_where_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let store = Store::open(&path, CACHE_BYTES).unwrap();
    let table = store.table(tables::SLOTS).unwrap();
    let keys: Vec<B256> = (0..2_000_u32).map(|at| keccak256(at.to_be_bytes())).collect();
    for key in &keys {
        store.db.put_cf(table, tables::slot_key(*key, *key), key).unwrap();
    }
    let batch = store.batch(Facts { head: Some(BlockRef::default()), ..Facts::default() }, 1, None);
    store.write(batch).unwrap();
    store
        .db
        .put_cf(store.table(tables::HEADERS).unwrap(), tables::block_key(BlockRef::default()), [0])
        .unwrap();
    store.db.flush_cf(table).unwrap();
    drop(store);
    let files = std::fs::read_dir(&path).unwrap().map(|file| file.unwrap().path());
    let file = files.filter(|file| file.extension().is_some_and(|name| name == "sst")).max().unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    // The first blocks hold the rows; what RocksDB needs for opening stands at the end.
    bytes[100..60_000].fill(0x5a);
    std::fs::write(&file, bytes).unwrap();
    let store = Store::open(&path, CACHE_BYTES).unwrap();
    let view = store.view().unwrap().unwrap();
    assert!(store.sound().is_ok());
    let refused = keys.iter().find_map(|key| view.slot(*key, *key, None).err()).unwrap();
    let refused = text(&refused);
    assert!(refused.contains(path.to_str().unwrap()) && refused.contains("Corruption"), "{refused}");
    // Whoever ends the daemon is told which file it is.
    let told = text(&store.sound().unwrap_err());
    assert!(told.contains(file.file_name().unwrap().to_str().unwrap()), "{told}");
}

#[test]
fn a_database_has_one_user() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Store::open(dir.path(), CACHE_BYTES).unwrap();
    assert!(matches!(Store::open(dir.path(), CACHE_BYTES), Err(Error::InUse { .. })));
}
