//! Blocks assembled from the results of their calls, and their JSON.

use alloy::consensus::proofs::{calculate_receipt_root, calculate_withdrawals_root};
use alloy::consensus::{Eip658Value, Header, Receipt, ReceiptEnvelope, TxType};
use alloy::eips::eip4895::Withdrawal;
use alloy::primitives::{Address, B256, Bloom, Bytes, Log};
use maidenlane_chain::{Block, Transaction};
use maidenlane_ethjson::block::BlockJson as _;
use maidenlane_ethjson::errors;
use maidenlane_ethjson::log_json::LogWriter;
use maidenlane_json::{Object, push_str};
use maidenlane_jsonrpc::{Json, codes};
use revm::context::result::ExecutionResult;

/// Error code of an EVM failure inside a simulated call.
const VM_ERROR: i32 = -32015;

/// Executed call of a simulated block.
pub(super) struct Called {
    from: Address,
    pub(super) transaction: Transaction,
    /// Encoded transaction, for the root.
    bytes: Bytes,
    result: ExecutionResult,
    /// Logs with their indexes in the block, ether transfers among them.
    logs: Vec<(usize, Log)>,
    receipt: ReceiptEnvelope,
    capped: bool,
}

/// Effects of a call on its block.
pub(super) struct Outcome {
    /// True when the call got less gas than it asked for.
    pub(super) capped: bool,
    /// Gas used in the block so far.
    pub(super) total: u64,
    /// State root after the call, before Byzantium.
    pub(super) root: Option<B256>,
}

impl Called {
    pub(super) fn new(
        from: Address,
        transaction: Transaction,
        bytes: Bytes,
        result: ExecutionResult,
        logs: Vec<(usize, Log)>,
        outcome: &Outcome,
    ) -> Self {
        let status = outcome.root.map_or(Eip658Value::Eip658(result.is_success()), Eip658Value::PostState);
        let of_receipt = if result.is_success() { result.logs().to_vec() } else { Vec::new() };
        let receipt = Receipt { status, cumulative_gas_used: outcome.total, logs: of_receipt };
        let receipt = envelope(transaction.tx_type(), receipt);
        Self { from, transaction, bytes, result, logs, receipt, capped: outcome.capped }
    }

    pub(super) fn used(&self) -> u64 {
        self.result.tx_gas_used()
    }

    pub(super) fn is_success(&self) -> bool {
        self.result.is_success()
    }

    pub(super) fn logs(&self) -> impl Iterator<Item = &Log> {
        self.logs.iter().map(|(_, log)| log)
    }

    /// Bytes of output and log data.
    pub(super) fn bytes_told(&self) -> usize {
        let output = self.result.output().map_or(0, |output| output.len());
        self.logs().map(|log| log.data.data.len()).fold(output, usize::saturating_add)
    }

    fn write(&self, out: &mut String, block: &Block, index: usize) {
        let mut object = Object::new(out);
        let output = match &self.result {
            ExecutionResult::Success { output, .. } => output.data().as_ref(),
            _ => &[],
        };
        object.data("returnData", output);
        let hash = block.transactions.get(index).map(|tx| *tx.tx_hash()).unwrap_or_default();
        let writer = LogWriter::of(block.at(), block.header.timestamp, index, &hash);
        object.list("logs", &self.logs, |out, (position, log)| {
            writer.write(out, &log.address, log.topics(), &log.data.data, *position, false);
        });
        object.quantity("gasUsed", self.used());
        let gas = self.result.gas();
        object.quantity("maxUsedGas", gas.total_gas_spent().max(gas.floor_gas()));
        object.quantity("status", u64::from(self.is_success()));
        match &self.result {
            ExecutionResult::Success { .. } => (),
            ExecutionResult::Revert { output, .. } => {
                let error = errors::reverted(output);
                let mut inner = Object::new(object.value("error"));
                push_str(inner.value("message"), &error.message);
                inner.raw("code", &codes::REVERTED.to_string());
                inner.data("data", output);
                inner.end();
            }
            ExecutionResult::Halt { reason, .. } => {
                let mut text = errors::halted(reason);
                if self.capped {
                    text.push_str(" (gas limit was capped by the RPC server's global gas cap)");
                }
                let mut inner = Object::new(object.value("error"));
                push_str(inner.value("message"), &text);
                inner.raw("code", &VM_ERROR.to_string());
                inner.end();
            }
        }
        object.end();
    }
}

/// Simulated block.
pub(super) struct Made {
    pub(super) block: Block,
    calls: Vec<Called>,
}

impl Made {
    /// Assembles a block: fills in the header's fields that follow from the calls.
    pub(super) fn new(mut header: Header, calls: Vec<Called>, withdrawals: Option<Vec<Withdrawal>>) -> Self {
        let bytes: Vec<&[u8]> = calls.iter().map(|called| called.bytes.as_ref()).collect();
        header.transactions_root = alloy_trie::root::ordered_trie_root_with_encoder(&bytes, |bytes, out| {
            out.extend_from_slice(bytes);
        });
        let receipts: Vec<&ReceiptEnvelope> = calls.iter().map(|called| &called.receipt).collect();
        header.receipts_root = calculate_receipt_root(&receipts);
        header.logs_bloom = receipts.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | *receipt.logs_bloom());
        header.withdrawals_root = withdrawals.as_deref().map(calculate_withdrawals_root);
        let transactions = calls.iter().map(|called| called.transaction.clone()).collect();
        let senders = calls.iter().map(|called| called.from).collect();
        Self { block: Block::made(header, transactions, &bytes, senders, withdrawals), calls }
    }

    pub(super) fn json(&self, full: bool) -> Json {
        self.block.json_with(full, |object| {
            object.list("calls", self.calls.iter().enumerate(), |out, (index, called)| {
                called.write(out, &self.block, index);
            });
        })
    }
}

fn envelope(kind: TxType, receipt: Receipt) -> ReceiptEnvelope {
    let receipt = receipt.with_bloom();
    match kind {
        TxType::Legacy => ReceiptEnvelope::Legacy(receipt),
        TxType::Eip2930 => ReceiptEnvelope::Eip2930(receipt),
        TxType::Eip1559 => ReceiptEnvelope::Eip1559(receipt),
        TxType::Eip4844 => ReceiptEnvelope::Eip4844(receipt),
        TxType::Eip7702 => ReceiptEnvelope::Eip7702(receipt),
    }
}
