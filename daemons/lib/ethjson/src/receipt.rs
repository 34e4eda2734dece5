//! Receipts and logs as geth 1.17 writes them (`MarshalReceipt`, `types.Log`).

use crate::block::BlockJson as _;
use crate::log_json::LogWriter;
use crate::transaction::Included;
use alloy::consensus::{Eip658Value, ReceiptEnvelope, Transaction as _};
use alloy::primitives::{Bytes, TxKind};
use maidenlane_chain::Block;
use maidenlane_chain::BlockRef;
use maidenlane_chain::receipts::{self, ReceiptSpan, ReceiptsError};
use maidenlane_chain::transaction::effective_gas_price;
use maidenlane_json::{Object, push_data, push_list};
use maidenlane_jsonrpc::Json;

/// Receipts of one block as they are stored, with the range of each: only what is asked for is decoded.
#[derive(Debug)]
pub struct Receipts {
    bytes: Bytes,
    spans: Vec<ReceiptSpan>,
}

/// Price of a unit of blob gas, or `None` before Cancun.
pub type BlobPrice = Option<u128>;

impl Receipts {
    /// Finds the range of each receipt in an RLP list of consensus receipts.
    pub fn read(bytes: Bytes) -> Result<Self, ReceiptsError> {
        Ok(Self { spans: receipts::spans(&bytes)?, bytes })
    }

    /// Number of receipts.
    pub fn count(&self) -> usize {
        self.spans.len()
    }

    /// Bytes that they take in memory.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.spans.len() * size_of::<ReceiptSpan>()
    }

    /// Result of `eth_getBlockReceipts`: all receipts.
    pub fn json(&self, block: &Block, blob_price: BlobPrice) -> Result<Json, ReceiptsError> {
        let mut out = String::with_capacity(self.spans.len() * 1_500 + 2);
        out.push('[');
        for index in 0..self.spans.len() {
            if index > 0 {
                out.push(',');
            }
            let included = block.included(index).ok_or_else(|| missing(index))?;
            self.write(&mut out, &included, blob_price)?;
        }
        out.push(']');
        Ok(Json::Owned(out))
    }

    /// Result of `eth_getTransactionReceipt`: one receipt.
    pub fn one(&self, of: &Included<'_>, blob_price: BlobPrice) -> Result<Json, ReceiptsError> {
        let mut out = String::with_capacity(1_500);
        self.write(&mut out, of, blob_price)?;
        Ok(Json::Owned(out))
    }

    fn raw_one(&self, span: &ReceiptSpan) -> &[u8] {
        self.bytes.get(span.at.clone()).unwrap_or_default()
    }

    fn write(
        &self,
        out: &mut String,
        &Included { tx, from, place }: &Included<'_>,
        blob_price: BlobPrice,
    ) -> Result<(), ReceiptsError> {
        let index = place.index;
        let span = self.spans.get(index).ok_or_else(|| missing(index))?;
        let receipt = &receipts::decode_one(index, self.raw_one(span))?;
        let mut object = Object::new(out);
        object.data("blockHash", place.block.as_slice());
        object.quantity("blockNumber", place.number);
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
        object.quantity("gasUsed", span.gas_used);
        object.quantity("cumulativeGasUsed", receipt.cumulative_gas_used());
        let block = BlockRef::new(place.number, place.block);
        let writer = LogWriter::of(block, place.timestamp, index, tx.tx_hash());
        object.list("logs", receipt.logs().iter().enumerate(), |out, (position, log)| {
            writer.write(out, &log.address, log.topics(), &log.data.data, span.first_log + position, false);
        });
        object.data("logsBloom", receipt.logs_bloom().as_slice());
        object.quantity("type", u64::from(u8::from(tx.tx_type())));
        let price = effective_gas_price(tx, place.base_fee);
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
        Ok(())
    }

    /// Gas used by each transaction.
    pub fn gas_used(&self) -> impl Iterator<Item = u64> {
        self.spans.iter().map(|span| span.gas_used)
    }

    /// Result of `debug_getRawReceipts`: typed receipts as `type || payload`.
    pub fn raw(&self) -> Json {
        let mut out = String::new();
        push_list(&mut out, &self.spans, |out, span| push_data(out, self.raw_one(span)));
        Json::Owned(out)
    }
}

fn missing(index: usize) -> ReceiptsError {
    ReceiptsError::Receipt { index, reason: "not as many receipts as transactions".into() }
}

fn status(receipt: &ReceiptEnvelope) -> Eip658Value {
    receipt.as_receipt().map_or(Eip658Value::Eip658(false), |receipt| receipt.status)
}
