//! Transactions as they stand in blocks, and their signers.

use alloy::consensus::{EthereumTxEnvelope, Transaction as _, TxEip4844};
use alloy::primitives::{Address, B256, Signature, keccak256};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, SECP256K1};

/// A transaction as it stands in a block: blobs travel elsewhere.
pub type Transaction = EthereumTxEnvelope<TxEip4844>;

/// Signer of `tx`; the zero address, as in geth, where the signature is invalid.
///
/// libsecp256k1, which the EVM links anyway, takes a fifth of the time of alloy's pure Rust default.
#[must_use]
pub fn sender(tx: &Transaction) -> Address {
    recovered(tx).unwrap_or_default()
}

/// Signer of a transaction that may yet go into a block: from Homestead on, only the lower half of the curve counts.
#[must_use]
pub fn signer(tx: &Transaction) -> Option<Address> {
    if tx.signature().normalize_s().is_some() { None } else { recovered(tx) }
}

fn recovered(tx: &Transaction) -> Option<Address> {
    recover(tx.signature_hash(), tx.signature())
}

/// Signer of a digest; `None` where the signature is invalid.
#[must_use]
pub fn recover(digest: B256, signature: &Signature) -> Option<Address> {
    let mut rs = [0; 64];
    let (r, s) = rs.split_at_mut(32);
    r.copy_from_slice(&signature.r().to_be_bytes::<32>());
    s.copy_from_slice(&signature.s().to_be_bytes::<32>());
    let parity = if signature.v() { RecoveryId::One } else { RecoveryId::Zero };
    let signature = RecoverableSignature::from_compact(&rs, parity).ok()?;
    let key = SECP256K1.recover_ecdsa(Message::from_digest(digest.0), &signature).ok()?;
    let [_, point @ ..] = key.serialize_uncompressed();
    Some(Address::from_word(keccak256(point)))
}

/// Price of one unit of gas: `min(tip + base fee, cap)`.
#[must_use]
pub fn effective_gas_price(tx: &Transaction, base_fee: Option<u64>) -> u128 {
    match (tx.max_priority_fee_per_gas(), base_fee) {
        (Some(tip), Some(base_fee)) => tip.saturating_add(u128::from(base_fee)).min(tx.max_fee_per_gas()),
        // Legacy and EIP-2930: alloy gives the gas price here.
        _ => tx.max_fee_per_gas(),
    }
}
