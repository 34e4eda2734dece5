//! A block decoded from consensus bytes, with its senders.

use crate::BlockRef;
use crate::rlp::raw_item;
use crate::transaction::{Transaction, sender};
use alloy::consensus::Header;
use alloy::eips::eip4895::Withdrawal;
use alloy::primitives::{Address, B256};
use alloy::rlp::{self, Decodable, Encodable};
use std::sync::OnceLock;

/// One decoded block.
#[derive(Debug)]
pub struct Block {
    /// keccak256 of the header's RLP.
    pub hash: B256,
    /// The header.
    pub header: Header,
    /// Transactions, in order.
    pub transactions: Vec<Transaction>,
    /// Uncle headers.
    pub uncles: Vec<Header>,
    /// Withdrawals, from Shanghai on.
    pub withdrawals: Option<Vec<Withdrawal>>,
    /// Length of the block's RLP in bytes.
    pub size: u64,
    /// Senders of the transactions. Recovering costs 11 µs each, so each is done once, when it is first asked for.
    senders: Vec<OnceLock<Address>>,
}

impl Block {
    /// Decodes a header and a body `[transactions, uncles, withdrawals?]`.
    ///
    /// # Errors
    /// When the bytes are something else, or have fields of a later fork.
    pub fn decode(hash: B256, header: &[u8], body: &[u8]) -> Result<Self, rlp::Error> {
        let mut rest = body;
        let list = rlp::Header::decode(&mut rest)?;
        if !list.list || list.payload_length != rest.len() {
            return Err(rlp::Error::UnexpectedLength);
        }
        let payload = header.len() + rest.len();
        let mut block = Self {
            hash,
            header: Header::decode(&mut &*header)?,
            transactions: Vec::decode(&mut rest)?,
            uncles: Vec::decode(&mut rest)?,
            withdrawals: if rest.is_empty() { None } else { Some(Vec::decode(&mut rest)?) },
            size: list_len(payload),
            senders: Vec::new(),
        };
        block.senders.resize(block.transactions.len(), OnceLock::new());
        // Later items (none today) would be a fork that this build does not know.
        if rest.is_empty() { Ok(block) } else { Err(rlp::Error::UnexpectedLength) }
    }

    /// Makes a block from its parts. `bytes` are those of its transactions; `senders` are given, as no signature has
    /// them.
    #[must_use]
    pub fn made(
        header: Header,
        transactions: Vec<Transaction>,
        bytes: &[&[u8]],
        senders: Vec<Address>,
        withdrawals: Option<Vec<Withdrawal>>,
    ) -> Self {
        let list = |payload: usize| payload + rlp::Header { list: true, payload_length: payload }.length();
        let item =
            |(tx, bytes): (&Transaction, &&[u8])| if tx.is_legacy() { bytes.len() } else { bytes.length() };
        let items: usize = transactions.iter().zip(bytes).map(item).sum();
        let withdrawn = withdrawals.as_ref().map_or(0, Encodable::length);
        let payload = header.length() + list(items) + list(0) + withdrawn;
        let (hash, size) = (header.hash_slow(), list_len(payload));
        let (uncles, senders) = (Vec::new(), senders.into_iter().map(OnceLock::from).collect());
        Self { hash, header, transactions, uncles, withdrawals, size, senders }
    }

    /// The same block with its senders, which somebody has kept; `None` if they are not as many as its transactions.
    #[must_use]
    pub fn sent_by(mut self, senders: Vec<Address>) -> Option<Self> {
        self.senders = senders.into_iter().map(OnceLock::from).collect();
        (self.senders.len() == self.transactions.len()).then_some(self)
    }

    /// Number and hash of the block.
    #[must_use]
    pub fn at(&self) -> BlockRef {
        BlockRef::new(self.header.number, self.hash)
    }

    /// Senders of the transactions, in order.
    pub fn senders(&self) -> impl Iterator<Item = Address> {
        (0..self.transactions.len()).filter_map(|index| self.sender(index))
    }

    /// Sender of the transaction at `index`.
    #[must_use]
    pub fn sender(&self, index: usize) -> Option<Address> {
        let (known, tx) = (self.senders.get(index)?, self.transactions.get(index)?);
        Some(*known.get_or_init(|| sender(tx)))
    }
}

/// Decodes one transaction of a body; `None` if there are fewer. Whatever stands before it is stepped over.
///
/// # Errors
/// When the bytes up to there are no body.
pub fn transaction_of(mut body: &[u8], index: usize) -> Result<Option<Transaction>, rlp::Error> {
    let mut items = rlp::Header::decode_bytes(&mut body, true)?;
    let mut transactions = rlp::Header::decode_bytes(&mut items, true)?;
    for _ in 0..index {
        if transactions.is_empty() {
            return Ok(None);
        }
        raw_item(&mut transactions)?;
    }
    if transactions.is_empty() { Ok(None) } else { Transaction::decode(&mut transactions).map(Some) }
}

/// Length in bytes of a block that has this header and nothing else, as geth sizes an uncle.
#[must_use]
pub fn bare_size(header: &Header) -> u64 {
    list_len(header.length() + 2)
}

/// Length of an RLP list with this payload, head included.
fn list_len(payload: usize) -> u64 {
    let head = rlp::Header { list: true, payload_length: payload }.length();
    u64::try_from(payload + head).unwrap_or(u64::MAX)
}
