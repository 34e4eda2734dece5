//! Blocks as consensus bytes: taken apart, and checked against their header.

use crate::receipts::{self, Receipts, ReceiptsError};
use crate::rlp::{as_list, items, raw_item, unwrapped};
use crate::{B256, Bytes, keccak256};
use alloy::consensus::proofs::ordered_trie_root_encoded;
use alloy::consensus::{Header, TxType};
use alloy::rlp::{self, Decodable};

/// Fault in bytes that should be a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "fields are named in the texts")]
pub enum BlockError {
    /// Not the RLP of a block, or of one with fields that this build does not know.
    #[error("cannot read the {what}; if it is of a later fork, upgrade")]
    Rlp {
        what: &'static str,
        #[source]
        source: rlp::Error,
    },
    /// A transaction type that this build does not know.
    #[error("transaction {index} has the unknown type {ty}; upgrade to a version that knows it")]
    UnknownType { index: usize, ty: u8 },
    /// Content and header disagree.
    #[error("the {what} is {found} where the header says {stated}")]
    Mismatch {
        /// Name of the header's field.
        what: &'static str,
        stated: String,
        found: String,
    },
    /// The receipts cannot be read, or disagree with themselves.
    #[error("bad receipts")]
    Receipts(#[from] ReceiptsError),
}

/// Hash of the block whose header this is.
#[must_use]
pub fn block_hash(header: &[u8]) -> B256 {
    keccak256(header)
}

/// Reads a header.
///
/// # Errors
/// When it is none, or has fields of a later fork.
pub fn decode_header(mut header: &[u8]) -> Result<Header, BlockError> {
    let decoded = Header::decode(&mut header).map_err(broken("header"))?;
    if header.is_empty() { Ok(decoded) } else { Err(broken("header")(rlp::Error::UnexpectedLength)) }
}

/// Takes a block `[header, transactions, uncles, withdrawals?]` apart into header and body
/// `[transactions, uncles, withdrawals?]`, both RLP.
///
/// # Errors
/// When the bytes are no list, or do not begin with one.
pub fn split(block: &[u8]) -> Result<(Bytes, Bytes), BlockError> {
    let mut after = block;
    let mut list = rlp::Header::decode_bytes(&mut after, true).map_err(broken("block"))?;
    let header = raw_item(&mut list).map_err(broken("header"))?;
    let is_list = header.first().is_some_and(|first| *first >= 0xc0);
    if !after.is_empty() || !is_list {
        return Err(broken("block")(rlp::Error::UnexpectedLength));
    }
    Ok((Bytes::copy_from_slice(header), Bytes::from(as_list(&[list]))))
}

/// Puts header and body together again.
///
/// # Errors
/// When the body is no list.
pub fn join(header: &[u8], mut body: &[u8]) -> Result<Bytes, BlockError> {
    let content = rlp::Header::decode_bytes(&mut body, true).map_err(broken("body"))?;
    Ok(Bytes::from(as_list(&[header, content])))
}

/// A body's items, borrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body<'a> {
    /// Each transaction as its hash and the transactions root cover it: RLP list, or `type || payload`.
    pub transactions: Vec<&'a [u8]>,
    /// RLP list of uncle headers.
    pub uncles: &'a [u8],
    /// RLP of each withdrawal, from Shanghai on.
    pub withdrawals: Option<Vec<&'a [u8]>>,
}

impl<'a> Body<'a> {
    /// Takes a body apart.
    ///
    /// # Errors
    /// When the bytes are no body, or hold a transaction of an unknown type.
    pub fn parse(mut body: &'a [u8]) -> Result<Self, BlockError> {
        let mut list = rlp::Header::decode_bytes(&mut body, true).map_err(broken("body"))?;
        let transactions = items(&mut list, unwrapped).map_err(broken("transactions"))?;
        for (index, transaction) in transactions.iter().enumerate() {
            match transaction.first() {
                Some(0xc0..) => {}
                Some(ty) if *ty != 0 && TxType::try_from(*ty).is_ok() => {}
                Some(ty) => return Err(BlockError::UnknownType { index, ty: *ty }),
                None => return Err(broken("transactions")(rlp::Error::InputTooShort)),
            }
        }
        let uncles = raw_item(&mut list).map_err(broken("uncles"))?;
        let withdrawals = (!list.is_empty())
            .then(|| items(&mut list, raw_item))
            .transpose()
            .map_err(broken("withdrawals"))?;
        if list.is_empty() && body.is_empty() {
            Ok(Self { transactions, uncles, withdrawals })
        } else {
            Err(broken("body")(rlp::Error::UnexpectedLength))
        }
    }

    /// Hashes of the transactions, in order.
    #[must_use]
    pub fn transaction_hashes(&self) -> Vec<B256> {
        self.transactions.iter().map(keccak256).collect()
    }

    /// Checks the body against its header: transactions root, uncles hash, withdrawals root.
    ///
    /// # Errors
    /// Naming the first field that differs.
    pub fn check(&self, header: &Header) -> Result<(), BlockError> {
        let root = ordered_trie_root_encoded(&self.transactions);
        same("transactions root", header.transactions_root, root)?;
        same("uncles hash", header.ommers_hash, keccak256(self.uncles))?;
        let withdrawals = self.withdrawals.as_ref().map(|items| ordered_trie_root_encoded(items));
        let text = |root: Option<B256>| root.map_or_else(|| "none".to_owned(), |root| root.to_string());
        same("withdrawals root", Text(text(header.withdrawals_root)), Text(text(withdrawals)))
    }
}

#[derive(PartialEq)]
struct Text(String);

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks everything about a block that its header can prove without state: its hash, body and receipts.
///
/// # Errors
/// Naming what differs.
pub fn check(hash: B256, header: &[u8], body: &[u8], receipts: &[u8]) -> Result<Header, BlockError> {
    let decoded = decode_header(header)?;
    same("block hash", hash, block_hash(header))?;
    let body = Body::parse(body)?;
    body.check(&decoded)?;
    check_receipts(&decoded, body.transactions.len(), receipts)?;
    Ok(decoded)
}

/// Checks receipts against the header: their number, root, bloom and gas.
///
/// # Errors
/// Naming what differs.
pub fn check_receipts(header: &Header, transactions: usize, receipts: &[u8]) -> Result<(), BlockError> {
    let root = receipts::root(receipts)?;
    let receipts = Receipts::decode(receipts)?;
    same("number of receipts", transactions, receipts.items().len())?;
    same("receipts root", header.receipts_root, root)?;
    same("logs bloom", header.logs_bloom, receipts.bloom()?)?;
    same("gas used", header.gas_used, receipts.gas_used())
}

fn same<T: PartialEq + std::fmt::Display>(what: &'static str, stated: T, found: T) -> Result<(), BlockError> {
    if stated == found {
        return Ok(());
    }
    Err(BlockError::Mismatch { what, stated: stated.to_string(), found: found.to_string() })
}

fn broken(what: &'static str) -> impl Fn(rlp::Error) -> BlockError {
    move |source| BlockError::Rlp { what, source }
}

#[cfg(test)]
mod tests;
