//! JSON of a block, exactly as geth 1.17 writes it.

use crate::transaction::{self, Included, Inclusion};
use alloy::consensus::Header;
use alloy::eips::eip4895::Withdrawal;
use alloy::primitives::B256;
use maidenlane_chain::Block;
use maidenlane_chain::decoded::bare_size;
use maidenlane_json::{Object, push_data};
use maidenlane_jsonrpc::Json;

/// JSON forms of a block and its parts.
pub trait BlockJson {
    /// Position of a transaction in this block.
    fn place(&self, index: usize) -> Inclusion;
    /// A transaction with its place, if there is one at `index`.
    fn included(&self, index: usize) -> Option<Included<'_>>;
    /// Result of `eth_getBlockBy…`, with more fields.
    fn json_with(&self, full: bool, more: impl FnOnce(&mut Object<'_>)) -> Json;
    /// Result of `eth_getUncleBy…`: null where there is none at `index`.
    fn uncle_json(&self, index: usize) -> Json;

    /// Result of `eth_getBlockBy…`.
    fn json(&self, full: bool) -> Json {
        self.json_with(full, |_| ())
    }
}

impl BlockJson for Block {
    fn place(&self, index: usize) -> Inclusion {
        Inclusion::of(&self.header, self.hash, index)
    }

    fn included(&self, index: usize) -> Option<Included<'_>> {
        let (tx, from) = (self.transactions.get(index)?, self.sender(index)?);
        Some(Included { tx, from, place: self.place(index) })
    }

    fn json_with(&self, full: bool, more: impl FnOnce(&mut Object<'_>)) -> Json {
        Json::object(|object| {
            write_header(object, &self.header, self.hash);
            object.quantity("size", self.size);
            if full {
                let items = self.transactions.iter().zip(self.senders()).enumerate();
                object.list("transactions", items, |out, (index, (tx, from))| {
                    let mut object = Object::new(out);
                    transaction::write(&mut object, tx, from, Some(&self.place(index)));
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

    fn uncle_json(&self, index: usize) -> Json {
        let Some(uncle) = self.uncles.get(index) else { return Json::NULL };
        Json::object(|object| {
            write_header(object, uncle, uncle.hash_slow());
            // As a block of its own.
            object.quantity("size", bare_size(uncle));
            object.raw("uncles", "[]");
        })
    }
}

/// Result of `eth_getHeaderBy…`.
pub fn header_json(header: &Header, hash: B256) -> Json {
    Json::object(|object| write_header(object, header, hash))
}

/// A header as geth writes its own: with null for what its fork does not have.
pub fn own_header_json(header: &Header, hash: B256) -> Json {
    Json::object(|object| write_fields(object, header, hash, |object, name| object.raw(name, "null")))
}

fn write_header(object: &mut Object<'_>, header: &Header, hash: B256) {
    write_fields(object, header, hash, |_, _| ());
}

/// Writes the fields of a header. `absent` writes a field that the header's fork does not have.
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
