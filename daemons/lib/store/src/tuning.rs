//! Options of RocksDB for each table.

use super::floors::Floors;
use super::tables;
use rocksdb::compaction_filter::Decision;
use rocksdb::{BlockBasedOptions, Cache, DBCompressionType, MergeOperands, Options};
use std::sync::atomic::Ordering;

/// Options of one table.
pub(super) fn options(table: &str, cache: &Cache, floors: &Floors) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    let mut options = Options::default();
    options.set_write_buffer_size(64 << 20);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_bottommost_compression_type(DBCompressionType::Zstd);
    match table {
        tables::ACCOUNTS
        | tables::SLOTS
        | tables::CODES
        | tables::NUMBERS
        | tables::TRANSACTIONS
        | tables::NODES => {
            blocks.set_bloom_filter(10.0, false);
            // Hashes, most of it: nothing to gain from compressing accounts, much to lose on reads.
            options.set_compression_type(DBCompressionType::None);
        }
        tables::LOGS => options.set_merge_operator_associative("append", append),
        tables::ACCOUNT_HISTORY | tables::SLOT_HISTORY | tables::NODE_HISTORY => {
            let nodes = table == tables::NODE_HISTORY;
            let floor = if nodes { floors.nodes() } else { floors.state() };
            options.set_compaction_filter("below the floor", move |_level, key, _value| {
                match tables::block_at_end(key) {
                    Some(block) if block <= floor.load(Ordering::Relaxed) => Decision::Remove,
                    _ => Decision::Keep,
                }
            });
        }
        _ => {}
    }
    options.set_block_based_table_factory(&blocks);
    options
}

/// Merges a row with the entries that blocks have added to it since, one after the other.
fn append(_key: &[u8], row: Option<&[u8]>, added: &MergeOperands) -> Option<Vec<u8>> {
    let parts = || row.into_iter().chain(added);
    let mut whole = Vec::with_capacity(parts().map(<[u8]>::len).sum());
    parts().for_each(|part| whole.extend_from_slice(part));
    Some(whole)
}
