//! Receipts and logs as geth 1.17 writes them (`MarshalReceipt`, `types.Log`).

use super::block::Block;
use super::log_json::LogWriter;
use super::transaction::effective_gas_price;
use alloy::consensus::{Eip658Value, ReceiptEnvelope, Transaction as _};
use alloy::eips::eip2718::Encodable2718 as _;
use alloy::primitives::TxKind;
use alloy::rlp::{self, Decodable};
use maidenlane_jsonrpc::Json;
use maidenlane_jsonrpc::json::{Object, push_data, push_list};

/// The receipts of one block, decoded, with what depends on their place.
#[derive(Debug)]
pub(crate) struct Receipts {
    items: Vec<ReceiptEnvelope>,
    /// Index in the block of each receipt's first log.
    first_log: Vec<usize>,
}

/// Price of a unit of blob gas, or `None` before Cancun.
pub(crate) type BlobPrice = Option<u128>;

impl Receipts {
    /// Decodes the RLP list of consensus receipts.
    pub(crate) fn decode(mut bytes: &[u8]) -> Result<Self, rlp::Error> {
        let items: Vec<ReceiptEnvelope> = Vec::decode(&mut bytes)?;
        let mut next = 0;
        let first_log = items
            .iter()
            .map(|receipt| {
                let first = next;
                next += receipt.logs().len();
                first
            })
            .collect();
        if bytes.is_empty() { Ok(Self { items, first_log }) } else { Err(rlp::Error::UnexpectedLength) }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// All, as `eth_getBlockReceipts` gives them.
    pub(crate) fn json(&self, block: &Block, blob_price: BlobPrice) -> Json {
        let mut out = String::with_capacity(self.items.len() * 1_500 + 2);
        push_list(&mut out, 0..self.items.len(), |out, index| self.write(out, block, index, blob_price));
        Json::Owned(out)
    }

    /// One, as `eth_getTransactionReceipt` gives it.
    pub(crate) fn one(&self, block: &Block, index: usize, blob_price: BlobPrice) -> Json {
        let mut out = String::new();
        self.write(&mut out, block, index, blob_price);
        Json::Owned(out)
    }

    fn write(&self, out: &mut String, block: &Block, index: usize, blob_price: BlobPrice) {
        let (Some(receipt), Some(tx), Some(from)) =
            (self.items.get(index), block.transactions.get(index), block.sender(index))
        else {
            out.push_str("null");
            return;
        };
        let used = self.used(index);
        let mut object = Object::new(out);
        object.data("blockHash", block.hash.as_slice());
        object.quantity("blockNumber", block.header.number);
        object.data("transactionHash", tx.tx_hash().as_slice());
        object.quantity("transactionIndex", u64::try_from(index).unwrap_or(u64::MAX));
        object.data("from", from.as_slice());
        match tx.kind() {
            TxKind::Call(to) => {
                object.data("to", to.as_slice());
                object.raw("contractAddress", "null");
            }
            TxKind::Create => {
                object.raw("to", "null");
                object.data("contractAddress", from.create(tx.nonce()).as_slice());
            }
        }
        object.quantity("gasUsed", used);
        object.quantity("cumulativeGasUsed", receipt.cumulative_gas_used());
        let first = self.first_log.get(index).copied().unwrap_or_default();
        let writer = LogWriter::of(block, index);
        object.list("logs", receipt.logs().iter().enumerate(), |out, (position, log)| {
            writer.write(out, &log.address, log.topics(), &log.data.data, first + position, false);
        });
        object.data("logsBloom", receipt.logs_bloom().as_slice());
        object.quantity("type", u64::from(u8::from(tx.tx_type())));
        let price = effective_gas_price(tx, block.header.base_fee_per_gas);
        object.big("effectiveGasPrice", &price.to_be_bytes());
        match status(receipt) {
            Eip658Value::PostState(root) => object.data("root", root.as_slice()),
            Eip658Value::Eip658(success) => object.quantity("status", u64::from(success)),
        }
        if let Some(gas) = tx.blob_gas_used() {
            object.quantity("blobGasUsed", gas);
            object.big("blobGasPrice", &blob_price.unwrap_or_default().to_be_bytes());
        }
        object.end();
    }

    /// Gas that the transaction at `index` used: receipts hold sums.
    fn used(&self, index: usize) -> u64 {
        let sum = |index| self.items.get(index).map_or(0, ReceiptEnvelope::cumulative_gas_used);
        sum(index).saturating_sub(index.checked_sub(1).map_or(0, sum))
    }

    /// Gas that each transaction used.
    pub(crate) fn gas_used(&self) -> impl Iterator<Item = u64> {
        (0..self.items.len()).map(|index| self.used(index))
    }

    /// Each receipt as `debug_getRawReceipts` gives it: typed ones as `type || payload`.
    pub(crate) fn raw(&self) -> Json {
        let mut out = String::new();
        push_list(&mut out, &self.items, |out, receipt| {
            push_data(out, &receipt.encoded_2718());
        });
        Json::Owned(out)
    }
}

fn status(receipt: &ReceiptEnvelope) -> Eip658Value {
    receipt.as_receipt().map_or(Eip658Value::Eip658(false), |receipt| receipt.status)
}
