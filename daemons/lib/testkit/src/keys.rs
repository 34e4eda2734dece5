//! Accounts with keys, whose transactions real nodes take.

use alloy::consensus::transaction::RlpEcdsaEncodableTx;
use alloy::consensus::{SignableTransaction, Signed};
use alloy::eips::eip2718::Encodable2718;
use alloy::eips::eip7702::{Authorization, SignedAuthorization};
use alloy::primitives::{Address, B256, Bytes, Signature, U256, keccak256};
use secp256k1::{Message, PublicKey, SECP256K1, SecretKey};

/// Accounts of the generated chains, and their chain's id: as `tests/geth/chaingen` has them.
const ACCOUNTS: u8 = 8;
/// EIP-155 id of the generated chains.
pub const CHAIN_ID: u64 = 7_001;
/// Seed of the generator, where none is given.
const SEED: u64 = 1;

/// An account's key.
#[derive(Debug)]
pub struct Key {
    secret: SecretKey,
    /// The account.
    pub address: Address,
}

impl Key {
    /// Account of this key.
    #[must_use]
    pub fn new(secret: B256) -> Self {
        let secret = SecretKey::from_byte_array(secret.0).unwrap();
        let [_, point @ ..] = PublicKey::from_secret_key(SECP256K1, &secret).serialize_uncompressed();
        Self { secret, address: Address::from_word(keccak256(point)) }
    }

    /// Accounts of the generated chains, all rich.
    #[must_use]
    pub fn of_generated_chains() -> Vec<Self> {
        let text =
            |account: u8| [b"maidenlane chaingen".as_slice(), &SEED.to_be_bytes(), &[account]].concat();
        (0..ACCOUNTS).map(|account| Self::new(keccak256(text(account)))).collect()
    }

    /// Signs a transaction: its hash, and its bytes as nodes take them.
    #[must_use]
    pub fn sign<T>(&self, tx: T) -> (B256, Bytes)
    where
        T: SignableTransaction<Signature> + RlpEcdsaEncodableTx,
        Signed<T>: Encodable2718,
    {
        let signature = self.signature(tx.signature_hash());
        let signed = tx.into_signed(signature);
        (*signed.hash(), signed.encoded_2718().into())
    }

    /// Signs a delegation of the account's code (EIP-7702).
    #[must_use]
    pub fn authorize(&self, authorization: Authorization) -> SignedAuthorization {
        let signature = self.signature(authorization.signature_hash());
        authorization.into_signed(signature)
    }

    fn signature(&self, digest: B256) -> Signature {
        let signature = SECP256K1.sign_ecdsa_recoverable(Message::from_digest(digest.0), &self.secret);
        let (parity, rs) = signature.serialize_compact();
        let (r, s) = rs.split_at(32);
        Signature::new(U256::from_be_slice(r), U256::from_be_slice(s), i32::from(parity) == 1)
    }
}
