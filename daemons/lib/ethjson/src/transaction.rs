//! JSON of a transaction, exactly as geth 1.17 writes it (`internal/ethapi`, `RPCTransaction`).

use alloy::consensus::{Header, Transaction as _};
use alloy::eips::eip2718::Encodable2718 as _;
use alloy::eips::eip2930::AccessList;
use alloy::eips::eip7702::SignedAuthorization;
use alloy::primitives::{Address, B256, U256};
use maidenlane_chain::Transaction;
use maidenlane_chain::transaction::effective_gas_price;
use maidenlane_json::{Object, push_data};
use maidenlane_jsonrpc::Json;

/// Position of a transaction in the chain.
#[derive(Clone, Copy, Debug)]
pub struct Inclusion {
    /// Hash of the block.
    pub block: B256,
    /// Number of the block.
    pub number: u64,
    /// Timestamp of the block.
    pub timestamp: u64,
    /// Base fee of the block, from London on.
    pub base_fee: Option<u64>,
    /// Index of the transaction in the block.
    pub index: usize,
}

impl Inclusion {
    /// Position in the block of this header and hash.
    #[must_use]
    pub fn of(header: &Header, block: B256, index: usize) -> Self {
        let (number, timestamp, base_fee) = (header.number, header.timestamp, header.base_fee_per_gas);
        Self { block, number, timestamp, base_fee, index }
    }
}

/// Transaction of a block.
#[derive(Clone, Copy, Debug)]
pub struct Included<'a> {
    /// The transaction.
    pub tx: &'a Transaction,
    /// Sender of it.
    pub from: Address,
    /// Position of it.
    pub place: Inclusion,
}

impl Included<'_> {
    /// Result of `eth_getTransactionBy…`.
    #[must_use]
    pub fn json(&self) -> Json {
        Json::object(|object| write(object, self.tx, self.from, Some(&self.place)))
    }
}

/// Bytes of a transaction as it was sent, without blobs.
#[must_use]
pub fn raw(tx: &Transaction) -> Json {
    Json::data(&tx.encoded_2718())
}

/// Writes all fields of a transaction; one that no block holds has no place.
pub fn write(object: &mut Object<'_>, tx: &Transaction, from: Address, place: Option<&Inclusion>) {
    let big = |n: u128| n.to_be_bytes();
    match place {
        Some(place) => {
            object.data("blockHash", place.block.as_slice());
            object.quantity("blockNumber", place.number);
            object.quantity("blockTimestamp", place.timestamp);
        }
        None => {
            for name in ["blockHash", "blockNumber", "blockTimestamp"] {
                object.raw(name, "null");
            }
        }
    }
    object.data("from", from.as_slice());
    object.quantity("gas", tx.gas_limit());
    object.big("gasPrice", &big(effective_gas_price(tx, place.and_then(|place| place.base_fee))));
    if let Some(tip) = tx.max_priority_fee_per_gas() {
        object.big("maxFeePerGas", &big(tx.max_fee_per_gas()));
        object.big("maxPriorityFeePerGas", &big(tip));
    }
    if let Some(fee) = tx.max_fee_per_blob_gas() {
        object.big("maxFeePerBlobGas", &big(fee));
    }
    object.data("hash", tx.tx_hash().as_slice());
    object.data("input", tx.input());
    object.quantity("nonce", tx.nonce());
    match tx.to() {
        Some(to) => object.data("to", to.as_slice()),
        None => object.raw("to", "null"),
    }
    match place {
        Some(place) => object.quantity("transactionIndex", u64::try_from(place.index).unwrap_or(u64::MAX)),
        None => object.raw("transactionIndex", "null"),
    }
    object.big("value", &tx.value().to_be_bytes::<32>());
    object.quantity("type", u64::from(u8::from(tx.tx_type())));
    if let Some(list) = tx.access_list() {
        write_access_list(object.value("accessList"), list);
    }
    // Without replay protection there is none, and geth leaves out an explicit zero in a legacy transaction.
    if let Some(id) = tx.chain_id().filter(|id| *id != 0 || !tx.is_legacy()) {
        object.quantity("chainId", id);
    }
    if let Some(hashes) = tx.blob_versioned_hashes().filter(|hashes| !hashes.is_empty()) {
        object.list("blobVersionedHashes", hashes, |out, hash| push_data(out, hash.as_slice()));
    }
    if let Some(list) = tx.authorization_list().filter(|list| !list.is_empty()) {
        object.list("authorizationList", list, write_authorization);
    }
    write_signature(object, tx);
}

/// Chain id that geth reads out of a legacy transaction with nothing where the signature should be.
const UNSIGNED_CHAIN_ID: u64 = 0x7fff_ffff_ffff_ffee;

fn write_signature(object: &mut Object<'_>, tx: &Transaction) {
    let signature = tx.signature();
    if tx.is_legacy() && signature.r().is_zero() && signature.s().is_zero() {
        object.quantity("chainId", UNSIGNED_CHAIN_ID);
        for name in ["v", "r", "s"] {
            object.quantity(name, 0);
        }
        return;
    }
    let parity = u64::from(signature.v());
    if tx.is_legacy() {
        let v = match tx.chain_id() {
            Some(id) => U256::from(id) * U256::from(2) + U256::from(35 + parity),
            None => U256::from(27 + parity),
        };
        object.big("v", &v.to_be_bytes::<32>());
    } else {
        object.quantity("v", parity);
    }
    object.big("r", &signature.r().to_be_bytes::<32>());
    object.big("s", &signature.s().to_be_bytes::<32>());
    if !tx.is_legacy() {
        object.quantity("yParity", parity);
    }
}

/// Writes an access list.
pub fn write_access_list(out: &mut String, list: &AccessList) {
    maidenlane_json::push_list(out, list.iter(), |out, item| {
        let mut object = Object::new(out);
        object.data("address", item.address.as_slice());
        object.list("storageKeys", &item.storage_keys, |out, key| push_data(out, key.as_slice()));
        object.end();
    });
}

/// Writes one authorization.
pub fn write_authorization(out: &mut String, signed: &SignedAuthorization) {
    let mut object = Object::new(out);
    object.big("chainId", &signed.inner().chain_id.to_be_bytes::<32>());
    object.data("address", signed.inner().address.as_slice());
    object.quantity("nonce", signed.inner().nonce);
    object.quantity("yParity", u64::from(signed.y_parity()));
    object.big("r", &signed.r().to_be_bytes::<32>());
    object.big("s", &signed.s().to_be_bytes::<32>());
    object.end();
}
