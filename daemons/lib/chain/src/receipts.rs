//! Receipts as consensus bytes: legacy ones an RLP list, typed ones a byte string `type || payload`, with bloom and,
//! before Byzantium, the state root in the place of the status.

use crate::rlp::{as_list, items, raw_item, unwrapped};
use crate::{B256, Bytes};
use alloy::consensus::proofs::ordered_trie_root_encoded;
use alloy::consensus::{ReceiptEnvelope, TxType};
use alloy::eips::eip2718::Decodable2718 as _;
use alloy::primitives::{Bloom, Log, logs_bloom};
use alloy::rlp::{self, Decodable as _};
use std::ops::Range;

/// Fault in bytes that should be receipts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "fields are named in the texts")]
pub enum ReceiptsError {
    /// Not an RLP list of receipts.
    #[error("not a list of receipts")]
    Rlp(#[source] rlp::Error),
    /// A receipt of the list cannot be read.
    #[error("receipt {index} cannot be read: {reason}")]
    Receipt { index: usize, reason: String },
    /// A type that this build does not know.
    #[error("receipt {index} has the unknown type {ty}; upgrade to a version that knows it")]
    UnknownType { index: usize, ty: u8 },
    /// The bloom is not that of the logs.
    #[error("the bloom of receipt {index} is not that of its logs")]
    Bloom { index: usize },
    /// Cumulative gas falls.
    #[error("the cumulative gas of receipt {index} is below that of the one before")]
    Gas { index: usize },
}

/// Receipt with the values that follow from its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Consensus form of the receipt.
    pub envelope: ReceiptEnvelope,
    /// Gas of this transaction alone.
    pub gas_used: u64,
    /// Index in the block of its first log.
    pub first_log: usize,
}

impl Receipt {
    /// Logs of the transaction.
    #[must_use]
    pub fn logs(&self) -> &[Log] {
        self.envelope.logs()
    }
}

/// The receipts of one block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipts {
    items: Vec<Receipt>,
}

impl Receipts {
    /// Decodes without hashing: receipts in a store were checked against their header before, see [`Receipts::bloom`]
    /// and [`root`].
    ///
    /// # Errors
    /// Naming the receipt that is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReceiptsError> {
        let raw = split(bytes)?;
        let mut all = Vec::with_capacity(raw.len());
        let (mut gas, mut logs) = (0_u64, 0_usize);
        for (index, item) in raw.iter().enumerate() {
            let envelope = decode_one(index, item)?;
            let total = envelope.cumulative_gas_used();
            let gas_used = total.checked_sub(gas).ok_or(ReceiptsError::Gas { index })?;
            let first_log = logs;
            logs += envelope.logs().len();
            gas = total;
            all.push(Receipt { envelope, gas_used, first_log });
        }
        Ok(Self { items: all })
    }

    /// All receipts, in order.
    #[must_use]
    pub fn items(&self) -> &[Receipt] {
        &self.items
    }

    /// All blooms in one, each checked against its logs.
    ///
    /// # Errors
    /// [`ReceiptsError::Bloom`] for the first that is not that of its logs.
    pub fn bloom(&self) -> Result<Bloom, ReceiptsError> {
        let mut all = Bloom::ZERO;
        for (index, receipt) in self.items.iter().enumerate() {
            let stated = receipt.envelope.logs_bloom();
            if logs_bloom(receipt.logs()) != *stated {
                return Err(ReceiptsError::Bloom { index });
            }
            all |= *stated;
        }
        Ok(all)
    }

    /// Gas of the whole block.
    #[must_use]
    pub fn gas_used(&self) -> u64 {
        self.items.last().map_or(0, |last| last.envelope.cumulative_gas_used())
    }
}

/// Receipts as one RLP list, from each receipt's own encoding, as `debug_getRawReceipts` gives them.
#[must_use]
pub fn list_of(receipts: &[Bytes]) -> Bytes {
    let wrapped = |receipt: &Bytes| match receipt.first() {
        Some(0xc0..) => receipt.to_vec(),
        _ => rlp::encode(receipt),
    };
    let items: Vec<Vec<u8>> = receipts.iter().map(wrapped).collect();
    as_list(&items.iter().map(Vec::as_slice).collect::<Vec<_>>()).into()
}

/// The receipts root of consensus bytes.
///
/// # Errors
/// When they are no list.
pub fn root(bytes: &[u8]) -> Result<B256, ReceiptsError> {
    Ok(ordered_trie_root_encoded(&split(bytes)?))
}

/// Each receipt's consensus bytes.
fn split(mut bytes: &[u8]) -> Result<Vec<&[u8]>, ReceiptsError> {
    let raw = items(&mut bytes, unwrapped).map_err(ReceiptsError::Rlp)?;
    if bytes.is_empty() { Ok(raw) } else { Err(ReceiptsError::Rlp(rlp::Error::UnexpectedLength)) }
}

/// Range of one receipt in its block's list, with its gas and its first log, which depend on the receipts before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptSpan {
    /// Consensus bytes, within those of all: `type || payload`, or a list.
    pub at: Range<usize>,
    /// Gas of this transaction alone.
    pub gas_used: u64,
    /// Index in the block of its first log.
    pub first_log: usize,
}

/// Range of each receipt in a list. Blooms, topics and data are stepped over.
///
/// # Errors
/// Naming the receipt that is wrong.
pub fn spans(bytes: &[u8]) -> Result<Vec<ReceiptSpan>, ReceiptsError> {
    let (mut after, mut all) = (bytes, Vec::new());
    let mut rest = rlp::Header::decode_bytes(&mut after, true).map_err(ReceiptsError::Rlp)?;
    if !after.is_empty() {
        return Err(ReceiptsError::Rlp(rlp::Error::UnexpectedLength));
    }
    let (mut gas, mut logs) = (0_u64, 0_usize);
    while !rest.is_empty() {
        let index = all.len();
        let wrong = |error: rlp::Error| ReceiptsError::Receipt { index, reason: error.to_string() };
        let step = step(&mut rest).map_err(wrong)?;
        let end = bytes.len() - rest.len();
        let at = end.saturating_sub(step.item.len())..end;
        let gas_used = step.total_gas.checked_sub(gas).ok_or(ReceiptsError::Gas { index })?;
        all.push(ReceiptSpan { at, gas_used, first_log: logs });
        gas = step.total_gas;
        let mut list = step.logs;
        while !list.is_empty() {
            raw_item(&mut list).map_err(wrong)?;
            logs += 1;
        }
    }
    Ok(all)
}

/// A receipt whose fields are not decoded.
pub(crate) struct Step<'a> {
    /// Bytes of the receipt as EIP-2718 has them.
    pub(crate) item: &'a [u8],
    /// Gas of the block up to here.
    pub(crate) total_gas: u64,
    /// The content of its list of logs.
    pub(crate) logs: &'a [u8],
}

/// Takes the next receipt.
pub(crate) fn step<'a>(receipts: &mut &'a [u8]) -> rlp::Result<Step<'a>> {
    let item = unwrapped(receipts)?;
    let mut rest = match item.first() {
        Some(0xc0..) => item,
        _ => item.get(1..).unwrap_or_default(),
    };
    let mut receipt = rlp::Header::decode_bytes(&mut rest, true)?;
    // Status or root.
    raw_item(&mut receipt)?;
    let total_gas = u64::decode(&mut receipt)?;
    // The bloom.
    raw_item(&mut receipt)?;
    let logs = rlp::Header::decode_bytes(&mut receipt, true)?;
    if receipt.is_empty() && rest.is_empty() {
        Ok(Step { item, total_gas, logs })
    } else {
        Err(rlp::Error::UnexpectedLength)
    }
}

/// Decodes one receipt's consensus bytes.
///
/// # Errors
/// When they are none, or of an unknown type.
pub fn decode_one(index: usize, item: &[u8]) -> Result<ReceiptEnvelope, ReceiptsError> {
    if let Some(ty) = item.first().copied().filter(|first| *first < 0xc0 && TxType::try_from(*first).is_err())
    {
        return Err(ReceiptsError::UnknownType { index, ty });
    }
    ReceiptEnvelope::decode_2718_exact(item)
        .map_err(|error| ReceiptsError::Receipt { index, reason: error.to_string() })
}

#[cfg(test)]
pub(crate) mod tests;
