//! Tests of databases that cannot be used, and of all that is stored.

use super::{Error, Facts, Keep, Past, Store, tables};
use maidenlane_chain::{Address, B256, BlockRef, keccak256};
use std::path::Path;

const CACHE_BYTES: usize = 8 << 20;
pub(crate) const KEEP: Keep = Keep { undo_blocks: 128, history: Past::All, proofs: None };

/// An error with its causes.
fn text(error: &dyn std::error::Error) -> String {
    let mut causes = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.join(": ")
}

/// Makes a database, lets `spoil` change its files, and opens it again: the error names the database.
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
        "has format 99, this build reads 2; restore a snapshot",
    );
    check_spoilt(|path| put_meta(path, tables::META_FORMAT, b"x"), "format in");
}

#[test]
fn facts_that_are_none_are_refused() {
    check_spoilt(|path| put_meta(path, tables::META_FACTS, b"{"), "facts in");
}

#[test]
fn facts_of_a_version_that_had_fewer_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = || Store::open(dir.path(), CACHE_BYTES).unwrap();
    let facts =
        Facts { chain_id: 7, client_version: "Geth/v1".into(), network_id: Some(8), ..Facts::default() };
    let opened = store();
    opened.write(opened.batch(facts.clone(), KEEP)).unwrap();
    drop(opened);
    assert_eq!(store().facts(), facts);
    let mut before = serde_json::to_value(&facts).unwrap();
    before.as_object_mut().unwrap().remove("network_id").unwrap();
    put_meta(dir.path(), tables::META_FACTS, before.to_string().as_bytes());
    assert_eq!(store().facts(), Facts { network_id: None, ..facts });
}

#[test]
fn a_database_that_tells_no_gaps_may_lack_the_senders_of_all_its_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let head = Some(BlockRef::new(7, B256::ZERO));
    let gaps = |base: u64, head: Option<BlockRef>| {
        drop(Store::open(dir.path(), CACHE_BYTES).unwrap());
        let mut before = serde_json::to_value(Facts { base, head, ..Facts::default() }).unwrap();
        before.as_object_mut().unwrap().remove("sender_gaps").unwrap();
        put_meta(dir.path(), tables::META_FACTS, before.to_string().as_bytes());
        Store::open(dir.path(), CACHE_BYTES).unwrap().facts().sender_gaps.newest()
    };
    assert_eq!([gaps(0, head), gaps(5, head), gaps(0, None)], [Some(1..8), Some(5..8), None]);
}

#[test]
fn a_block_without_senders_is_a_gap_until_it_is_filled_or_undone() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), CACHE_BYTES).unwrap();
    let [parent, block] = [8, 9].map(|number| BlockRef::new(number, B256::repeat_byte(1)));
    let missing = || store.facts().sender_gaps.newest();
    let come = |senders| {
        let record = maidenlane_wire::Advance { senders, ..advance(block, parent.hash) };
        change(&store, |batch| store.advance(batch, &record));
    };
    let leave = || change(&store, |batch| store.undo(batch, block, parent.hash).map(drop));
    come(Some(Vec::new()));
    assert_eq!(missing(), None);
    leave();
    come(None);
    assert_eq!(missing(), Some(9..10));
    leave();
    assert_eq!(missing(), None, "it is no more");
    come(None);
    let told = [(block, vec![Address::repeat_byte(7)])];
    change(&store, |batch| store.fill_senders(batch, &(9..10), &told));
    assert_eq!(missing(), None);
    assert_eq!(store.view().unwrap().senders(block).unwrap().as_ref(), Some(&told[0].1));
    assert!(store.is_canonical(block).unwrap() && !store.is_canonical(parent).unwrap());
}

#[test]
fn a_database_from_before_a_table_gets_it_and_an_older_build_refuses_it_then() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = rocksdb::Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    let older = || {
        let known = tables::TABLES.into_iter().filter(|table| *table != tables::SENDERS);
        rocksdb::DB::open_cf(&options, dir.path(), known)
    };
    drop(older().unwrap());
    let store = Store::open(dir.path(), CACHE_BYTES).unwrap();
    let block = BlockRef::new(1, B256::repeat_byte(1));
    let record = maidenlane_wire::Advance { senders: None, ..advance(block, B256::ZERO) };
    change(&store, |batch| store.advance(batch, &record));
    assert_eq!(store.view().unwrap().senders(block).unwrap(), None, "a feed of before");
    drop(store);
    assert!(older().unwrap_err().to_string().contains("senders"));
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
    let batch = store.batch(Facts { head: Some(BlockRef::default()), ..Facts::default() }, KEEP);
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
    let view = store.view().unwrap();
    assert!(store.sound().is_ok());
    let refused = keys.iter().find_map(|key| view.slot(*key, *key, None).err()).unwrap();
    let refused = text(&refused);
    assert!(refused.contains(path.to_str().unwrap()) && refused.contains("Corruption"), "{refused}");
    // The loop that ends the daemon learns which file it is.
    let visit = text(&store.sound().unwrap_err());
    assert!(visit.contains(file.file_name().unwrap().to_str().unwrap()), "{visit}");
}

#[test]
fn a_database_has_one_user() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Store::open(dir.path(), CACHE_BYTES).unwrap();
    assert!(matches!(Store::open(dir.path(), CACHE_BYTES), Err(Error::InUse { .. })));
}

pub(crate) fn advance(block: BlockRef, parent: B256) -> maidenlane_wire::Advance {
    maidenlane_wire::Advance {
        block,
        parent,
        header: block.hash.to_vec().into(),
        // No transactions, no uncles; no receipts.
        body: vec![0xc2, 0xc0, 0xc0].into(),
        receipts: vec![0xc0].into(),
        rows: maidenlane_wire::Rows::default(),
        proofs: None,
        senders: Some(Vec::new()),
    }
}

/// Writes one batch.
pub(crate) fn change(store: &Store, change: impl FnOnce(&mut super::Batch) -> Result<(), Error>) {
    let mut batch = store.batch(store.facts(), KEEP);
    change(&mut batch).unwrap();
    store.write(batch).unwrap();
}

#[test]
fn an_undone_block_is_whole_by_its_hash_until_it_is_final_with_a_margin() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), CACHE_BYTES).unwrap();
    let base = BlockRef::new(9, B256::repeat_byte(9));
    let [gone, came] = [1, 2].map(|byte| BlockRef::new(10, B256::repeat_byte(byte)));
    let check = |block: BlockRef, expect: Option<(u64, bool)>| {
        let view = store.view().unwrap();
        assert_eq!(view.find(block.hash).unwrap(), expect);
        for part in [view.header(block), view.body(block), view.receipts(block)] {
            assert_eq!(part.unwrap().is_some(), expect.is_some());
        }
        assert_eq!(view.senders(block).unwrap().is_some(), expect.is_some());
    };
    let finalize = |number: u64| {
        let finalized = Some(BlockRef::new(number, B256::ZERO));
        change(&store, |batch| store.finality(batch, &maidenlane_wire::Final { safe: None, finalized }));
    };
    change(&store, |batch| store.advance(batch, &advance(base, B256::ZERO)));
    change(&store, |batch| store.advance(batch, &advance(gone, base.hash)));
    check(gone, Some((10, true)));
    change(&store, |batch| store.undo(batch, gone, base.hash).map(drop));
    change(&store, |batch| store.advance(batch, &advance(came, base.hash)));
    check(gone, Some((10, false)));
    finalize(73);
    check(gone, Some((10, false)));
    finalize(74);
    check(gone, None);
    check(came, Some((10, true)));
}

#[test]
fn a_block_below_what_can_be_undone_is_refused_with_the_cause() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), CACHE_BYTES).unwrap();
    let block = |number: u64| BlockRef::new(number, keccak256(number.to_be_bytes()));
    // Undo rows go many blocks at a time, and never of the last `undo_blocks`.
    let head = 1_023 + KEEP.undo_blocks;
    for number in 1..=head {
        change(&store, |batch| store.advance(batch, &advance(block(number), block(number - 1).hash)));
    }
    let undo = |number: u64| {
        let mut batch = store.batch(store.facts(), KEEP);
        store.undo(&mut batch, block(number), block(number - 1).hash).map(drop)
    };
    assert!(text(&undo(1_023).unwrap_err()).contains("undo rows (the reorg is too deep)"));
    undo(1_024).unwrap();
}
