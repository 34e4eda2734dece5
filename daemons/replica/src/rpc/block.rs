//! A block as decoded from consensus bytes, and its JSON exactly as geth 1.17 writes it.

use super::transaction::{self, Place};
use alloy::consensus::{EthereumTxEnvelope, Header, TxEip4844};
use alloy::eips::eip2718::Encodable2718 as _;
use alloy::eips::eip4895::Withdrawal;
use alloy::primitives::{Address, B256};
use alloy::rlp::{self, Decodable, Encodable};
use maidenlane_chain::BlockRef;
use maidenlane_jsonrpc::Json;
use maidenlane_jsonrpc::json::{Object, push_data};
use std::sync::OnceLock;

/// A transaction as it stands in a block: blobs travel elsewhere.
pub(crate) type Transaction = EthereumTxEnvelope<TxEip4844>;

/// One decoded block.
#[derive(Debug)]
pub(crate) struct Block {
    /// keccak256 of the header's RLP.
    pub(crate) hash: B256,
    /// The header.
    pub(crate) header: Header,
    /// In order.
    pub(crate) transactions: Vec<Transaction>,
    /// Uncle headers.
    pub(crate) uncles: Vec<Header>,
    /// From Shanghai on.
    pub(crate) withdrawals: Option<Vec<Withdrawal>>,
    /// Bytes of the block's RLP.
    pub(crate) size: u64,
    /// Recovering costs 50 µs each, so each is done once, when it is first asked for.
    senders: Vec<OnceLock<Address>>,
}

impl Block {
    /// Decodes a header and a body `[transactions, uncles, withdrawals?]`.
    pub(crate) fn decode(hash: B256, header: &[u8], body: &[u8]) -> Result<Self, rlp::Error> {
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

    /// A block that was made here. `bytes` are those of its transactions, whose `senders` no signature tells.
    pub(crate) fn made(
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

    /// Its number and hash.
    pub(crate) fn at(&self) -> BlockRef {
        BlockRef::new(self.header.number, self.hash)
    }

    /// Who sent each transaction, in order.
    pub(crate) fn senders(&self) -> impl Iterator<Item = Address> {
        (0..self.transactions.len()).filter_map(|index| self.sender(index))
    }

    /// Who sent the transaction at `index`.
    pub(crate) fn sender(&self, index: usize) -> Option<Address> {
        let (sender, tx) = (self.senders.get(index)?, self.transactions.get(index)?);
        Some(*sender.get_or_init(|| transaction::sender(tx)))
    }

    /// Where a transaction of this block stands.
    pub(crate) fn place(&self, index: usize) -> Place {
        Place {
            block: self.hash,
            number: self.header.number,
            timestamp: self.header.timestamp,
            base_fee: self.header.base_fee_per_gas,
            index,
        }
    }

    /// `eth_getTransactionBy…`: null where there is none at `index`.
    pub(crate) fn transaction_json(&self, index: usize) -> Json {
        match (self.transactions.get(index), self.sender(index)) {
            (Some(tx), Some(from)) => {
                Json::object(|object| transaction::write(object, tx, from, &self.place(index)))
            }
            _ => Json::NULL,
        }
    }

    /// A transaction's bytes as it was sent, without blobs.
    pub(crate) fn raw_transaction(&self, index: usize) -> Json {
        self.transactions.get(index).map_or(Json::Static("\"0x\""), |tx| Json::data(&tx.encoded_2718()))
    }

    /// `eth_getBlockBy…`.
    pub(crate) fn json(&self, full: bool) -> Json {
        self.json_with(full, |_| ())
    }

    /// The same with more fields.
    pub(crate) fn json_with(&self, full: bool, more: impl FnOnce(&mut Object<'_>)) -> Json {
        Json::object(|object| {
            write_header(object, &self.header, self.hash);
            object.quantity("size", self.size);
            if full {
                let items = self.transactions.iter().zip(self.senders()).enumerate();
                object.list("transactions", items, |out, (index, (tx, from))| {
                    let mut object = Object::new(out);
                    transaction::write(&mut object, tx, from, &self.place(index));
                    object.end();
                });
            } else {
                object.list("transactions", &self.transactions, |out, tx| {
                    push_data(out, tx.tx_hash().as_slice());
                });
            }
            object.list("uncles", &self.uncles, |out, uncle| push_data(out, uncle.hash_slow().as_slice()));
            if let Some(withdrawals) = &self.withdrawals {
                object.list("withdrawals", withdrawals, write_withdrawal);
            }
            more(object);
        })
    }

    /// `eth_getUncleBy…`: null where there is none at `index`.
    pub(crate) fn uncle_json(&self, index: usize) -> Json {
        let Some(uncle) = self.uncles.get(index) else { return Json::NULL };
        Json::object(|object| {
            write_header(object, uncle, uncle.hash_slow());
            // As a block of its own: header and two empty lists.
            object.quantity("size", list_len(uncle.length() + 2));
            object.raw("uncles", "[]");
        })
    }
}

/// `eth_getHeaderBy…`.
pub(crate) fn header_json(header: &Header, hash: B256) -> Json {
    Json::object(|object| write_header(object, header, hash))
}

/// A header as geth writes its own: with null for what its fork does not have.
pub(crate) fn own_header_json(header: &Header, hash: B256) -> Json {
    Json::object(|object| write_fields(object, header, hash, |object, name| object.raw(name, "null")))
}

/// Length of an RLP list with this payload, head included.
fn list_len(payload: usize) -> u64 {
    let head = rlp::Header { list: true, payload_length: payload }.length();
    u64::try_from(payload + head).unwrap_or(u64::MAX)
}

/// The whole block's RLP from the parts that are stored.
pub(crate) fn raw(header: &[u8], body: &[u8]) -> Result<Vec<u8>, rlp::Error> {
    let mut rest = body;
    rlp::Header::decode(&mut rest)?;
    let payload_length = header.len() + rest.len();
    let mut out = Vec::with_capacity(payload_length + 9);
    rlp::Header { list: true, payload_length }.encode(&mut out);
    out.extend_from_slice(header);
    out.extend_from_slice(rest);
    Ok(out)
}

fn write_header(object: &mut Object<'_>, header: &Header, hash: B256) {
    write_fields(object, header, hash, |_, _| ());
}

/// `absent` says what is written of a field that the header's fork does not have.
fn write_fields(
    object: &mut Object<'_>,
    header: &Header,
    hash: B256,
    absent: impl Fn(&mut Object<'_>, &str),
) {
    object.quantity("number", header.number);
    object.data("hash", hash.as_slice());
    object.data("parentHash", header.parent_hash.as_slice());
    object.data("nonce", header.nonce.as_slice());
    object.data("mixHash", header.mix_hash.as_slice());
    object.data("sha3Uncles", header.ommers_hash.as_slice());
    object.data("logsBloom", header.logs_bloom.as_slice());
    object.data("stateRoot", header.state_root.as_slice());
    object.data("miner", header.beneficiary.as_slice());
    object.big("difficulty", &header.difficulty.to_be_bytes::<32>());
    object.data("extraData", &header.extra_data);
    object.quantity("gasLimit", header.gas_limit);
    object.quantity("gasUsed", header.gas_used);
    object.quantity("timestamp", header.timestamp);
    object.data("transactionsRoot", header.transactions_root.as_slice());
    object.data("receiptsRoot", header.receipts_root.as_slice());
    let quantities = [
        ("baseFeePerGas", header.base_fee_per_gas),
        ("blobGasUsed", header.blob_gas_used),
        ("excessBlobGas", header.excess_blob_gas),
        ("slotNumber", header.slot_number),
    ];
    for (name, value) in quantities {
        match value {
            Some(value) => object.quantity(name, value),
            None => absent(object, name),
        }
    }
    let hashes = [
        ("withdrawalsRoot", header.withdrawals_root),
        ("parentBeaconBlockRoot", header.parent_beacon_block_root),
        ("requestsHash", header.requests_hash),
        ("blockAccessListHash", header.block_access_list_hash),
    ];
    for (name, value) in hashes {
        match value {
            Some(value) => object.data(name, value.as_slice()),
            None => absent(object, name),
        }
    }
}

fn write_withdrawal(out: &mut String, withdrawal: &Withdrawal) {
    let mut object = Object::new(out);
    object.quantity("index", withdrawal.index);
    object.quantity("validatorIndex", withdrawal.validator_index);
    object.data("address", withdrawal.address.as_slice());
    object.quantity("amount", withdrawal.amount);
    object.end();
}

#[cfg(test)]
mod tests;
