//! An account of the generated chain: signs what a test wants geth's pool to hold.

use alloy::consensus::transaction::RlpEcdsaEncodableTx;
use alloy::consensus::{SignableTransaction, TxEip1559, TxEip2930, TxEip4844, TxLegacy};
use alloy::eips::eip2718::Encodable2718;
use alloy::primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use alloy::rlp::{Encodable, Header};
use maidenlane_tests::rpc::Client;
use secp256k1::{Message, PublicKey, SECP256K1, SecretKey};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Of the generator: `tests/geth/chaingen/maker.go`.
const CHAIN_ID: u64 = 7001;
const SEED: u64 = 1;

const GWEI: u128 = 1_000_000_000;
const BLOB_BYTES: usize = 131_072;
const CELLS: usize = 128;
/// Commitment to a blob of zeros, and proof of each of its cells: the point at infinity.
const INFINITY: [u8; 48] = {
    let mut point = [0; 48];
    point[0] = 0xc0;
    point
};

/// Fields that these tests choose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    pub(crate) nonce: u64,
    pub(crate) value: U256,
    /// Fee cap in gwei.
    pub(crate) price: u64,
}

/// How a transaction is made.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Legacy,
    Listed,
    Dynamic,
    Creation,
    Blob,
}

/// One of the accounts that the generator gives money.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    key: SecretKey,
    pub(crate) address: Address,
}

/// A signed transaction.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) hash: B256,
    /// As it is sent, with blobs.
    pub(crate) raw: Bytes,
}

impl Account {
    pub(crate) fn new(index: u8) -> Self {
        let mut text = b"maidenlane chaingen".to_vec();
        text.extend(SEED.to_be_bytes());
        text.push(index);
        let key = SecretKey::from_byte_array(keccak256(&text).0).unwrap();
        let point = PublicKey::from_secret_key(SECP256K1, &key).serialize_uncompressed();
        let address = Address::from_word(keccak256(&point[1..]));
        Self { key, address }
    }

    /// The nonce behind all that geth's pool could put into the next block.
    pub(crate) fn next(&self, geth: &Client) -> u64 {
        geth.quantity("eth_getTransactionCount", &json!([self.address, "pending"])).unwrap()
    }

    /// Transaction of [`Kind::Dynamic`], not signed yet.
    pub(crate) fn dynamic(wish: Wish) -> TxEip1559 {
        let Wish { nonce, value, price } = wish;
        let cap = u128::from(price) * GWEI;
        TxEip1559 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: 21_000,
            max_fee_per_gas: cap,
            max_priority_fee_per_gas: cap / 10,
            to: TxKind::Call(Address::repeat_byte(7)),
            value,
            ..TxEip1559::default()
        }
    }

    pub(crate) fn sign(&self, kind: Kind, wish: Wish) -> Signed {
        let Wish { nonce, value, price } = wish;
        let (to, cap, dynamic) =
            (TxKind::Call(Address::repeat_byte(7)), u128::from(price) * GWEI, Self::dynamic(wish));
        match kind {
            Kind::Legacy => self.signed(TxLegacy {
                chain_id: Some(CHAIN_ID),
                nonce,
                gas_price: cap,
                gas_limit: 21_000,
                to,
                value,
                input: Bytes::new(),
            }),
            Kind::Listed => self.signed(TxEip2930 {
                chain_id: CHAIN_ID,
                nonce,
                gas_price: cap,
                gas_limit: 30_000,
                to,
                value,
                ..TxEip2930::default()
            }),
            Kind::Dynamic => self.signed(dynamic),
            Kind::Creation => {
                let input = Bytes::from_static(&[0x60, 0, 0x60, 0, 0xf3]);
                self.signed(TxEip1559 { to: TxKind::Create, gas_limit: 100_000, input, ..dynamic })
            }
            Kind::Blob => self.with_blob(nonce, cap),
        }
    }

    pub(crate) fn signed<T>(&self, tx: T) -> Signed
    where
        T: SignableTransaction<Signature> + RlpEcdsaEncodableTx + Send + Sync,
    {
        let signature = self.signature(tx.signature_hash());
        let signed = tx.into_signed(signature);
        Signed { hash: *signed.hash(), raw: signed.encoded_2718().into() }
    }

    fn signature(&self, hash: B256) -> Signature {
        let signed = SECP256K1.sign_ecdsa_recoverable(Message::from_digest(hash.0), &self.key);
        let (recovery, bytes) = signed.serialize_compact();
        let (r, s) = bytes.split_at(32);
        Signature::new(U256::from_be_slice(r), U256::from_be_slice(s), i32::from(recovery) == 1)
    }

    /// With one blob of zeros, and the proofs of its cells (EIP-7594).
    fn with_blob(&self, nonce: u64, cap: u128) -> Signed {
        let mut versioned = B256::from_slice(&Sha256::digest(INFINITY));
        versioned.0[0] = 1;
        let tx = TxEip4844 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: 21_000,
            max_fee_per_gas: cap,
            max_priority_fee_per_gas: 10 * GWEI,
            to: Address::repeat_byte(7),
            max_fee_per_blob_gas: 10 * GWEI,
            blob_versioned_hashes: vec![versioned],
            ..TxEip4844::default()
        };
        let Signed { hash, raw } = self.signed(tx);
        let mut payload = raw[1..].to_vec();
        1_u8.encode(&mut payload);
        vec![Bytes::from(vec![0; BLOB_BYTES])].encode(&mut payload);
        vec![Bytes::from(INFINITY.to_vec())].encode(&mut payload);
        vec![Bytes::from(INFINITY.to_vec()); CELLS].encode(&mut payload);
        let mut whole = vec![3];
        Header { list: true, payload_length: payload.len() }.encode(&mut whole);
        whole.extend(payload);
        Signed { hash, raw: whole.into() }
    }
}
