//! Secret keys with which a relay signs for itself.

use alloy::primitives::{Signature, U256};
use maidenlane_chain::{Address, B256, keccak256};
use secp256k1::ecdsa::RecoveryId;
use secp256k1::{Message, PublicKey, SECP256K1, SecretKey};
use std::fmt;

/// Secret key of an address.
#[derive(Clone)]
pub struct Key {
    secret: SecretKey,
    address: Address,
}

/// Number that is no secret key: 0, or not below the order of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the number is no key of the curve secp256k1: make another one, as with `openssl rand -hex 32`")]
pub struct NoKey;

impl Key {
    /// The key of these bytes.
    ///
    /// # Errors
    /// [`NoKey`].
    pub fn new(secret: [u8; 32]) -> Result<Self, NoKey> {
        let secret = SecretKey::from_byte_array(secret).map_err(|_| NoKey)?;
        let [_, point @ ..] = PublicKey::from_secret_key(SECP256K1, &secret).serialize_uncompressed();
        Ok(Self { secret, address: Address::from_word(keccak256(point)) })
    }

    /// Address that it signs for.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Signature of a digest. The same digest has the same one, always.
    #[must_use]
    pub fn sign(&self, digest: B256) -> Signature {
        let signature = SECP256K1.sign_ecdsa_recoverable(Message::from_digest(digest.0), &self.secret);
        let (parity, rs) = signature.serialize_compact();
        let (r, s) = rs.split_at(32);
        let number = |bytes: &[u8]| U256::from_be_slice(bytes);
        Signature::new(number(r), number(s), parity == RecoveryId::One)
    }
}

/// The address alone.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.address).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, NoKey};
    use maidenlane_chain::keccak256;
    use maidenlane_chain::transaction::recover;

    #[test]
    fn a_signature_is_the_key_s_and_always_the_same() {
        let key = Key::new([7; 32]).unwrap();
        let digest = keccak256("something");
        let signature = key.sign(digest);
        assert_eq!(recover(digest, &signature), Some(key.address()));
        assert_ne!(recover(keccak256("else"), &signature), Some(key.address()));
        assert_eq!(key.sign(digest), signature);
        assert!(signature.normalize_s().is_none(), "of the two forms the one that counts");
        assert!(!format!("{key:?}").contains("0707"), "nothing of the secret");
    }

    #[test]
    fn not_every_number_is_a_key() {
        assert_eq!(Key::new([0; 32]).map(|key| key.address()), Err(NoKey));
        assert_eq!(Key::new([255; 32]).map(|key| key.address()), Err(NoKey));
    }
}
