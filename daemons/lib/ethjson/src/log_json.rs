//! JSON of a log, exactly as geth 1.17 writes it (`types.Log`). All but six of its fields are those of its transaction
//! and block: they are written once, and copied for each log.

use alloy::primitives::{Address, B256};
use maidenlane_chain::BlockRef;
use maidenlane_json::{push_data, push_list, push_quantity};

/// Writer of the logs of one transaction.
#[derive(Debug, Default)]
pub struct LogWriter {
    /// Text that all logs share: from "blockNumber" to the name "logIndex".
    repeated: String,
}

impl LogWriter {
    /// Writer for one transaction: of this block, at this place in it.
    pub fn of(block: BlockRef, timestamp: u64, transaction: usize, hash: &B256) -> Self {
        let mut writer = Self::default();
        writer.begin(block, timestamp, transaction, hash);
        writer
    }

    /// Goes on to another transaction: of this block, at this place in it.
    pub fn begin(&mut self, block: BlockRef, timestamp: u64, transaction: usize, hash: &B256) {
        let out = &mut self.repeated;
        out.clear();
        out.push_str(",\"blockNumber\":");
        push_quantity(out, block.number);
        out.push_str(",\"transactionHash\":");
        push_data(out, hash.as_slice());
        out.push_str(",\"transactionIndex\":");
        push_quantity(out, u64::try_from(transaction).unwrap_or(u64::MAX));
        out.push_str(",\"blockHash\":");
        push_data(out, block.hash.as_slice());
        out.push_str(",\"blockTimestamp\":");
        push_quantity(out, timestamp);
        out.push_str(",\"logIndex\":");
    }

    /// Writes one log; `index` counts through the block.
    pub fn write<'a>(
        &self,
        out: &mut String,
        address: &Address,
        topics: impl IntoIterator<Item = &'a B256>,
        data: &[u8],
        index: usize,
        removed: bool,
    ) {
        out.reserve(self.repeated.len() + data.len() * 2 + 512);
        out.push_str("{\"address\":");
        push_data(out, address.as_slice());
        out.push_str(",\"topics\":");
        push_list(out, topics, |out, topic| push_data(out, topic.as_slice()));
        out.push_str(",\"data\":");
        push_data(out, data);
        out.push_str(&self.repeated);
        push_quantity(out, u64::try_from(index).unwrap_or(u64::MAX));
        out.push_str(if removed { ",\"removed\":true}" } else { ",\"removed\":false}" });
    }
}
