//! Accounts as geth's slim RLP: `[nonce, balance, storageRoot | "", codeHash | ""]`, empty for the usual values.

use crate::{B256, Bytes, U256};
use alloy::consensus::constants::KECCAK_EMPTY;
use alloy::consensus::{EMPTY_ROOT_HASH, TrieAccount};
use alloy::rlp::{self, Decodable, Encodable};

/// Fields of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Transactions sent, or contracts made.
    pub nonce: u64,
    /// Wei.
    pub balance: U256,
    /// Root of its storage trie.
    pub storage_root: B256,
    /// keccak256 of its code.
    pub code_hash: B256,
}

impl Default for Account {
    fn default() -> Self {
        Self { nonce: 0, balance: U256::ZERO, storage_root: EMPTY_ROOT_HASH, code_hash: KECCAK_EMPTY }
    }
}

impl Account {
    /// Reads slim RLP.
    ///
    /// # Errors
    /// When the bytes are something else.
    pub fn decode_slim(mut bytes: &[u8]) -> Result<Self, rlp::Error> {
        let mut list = rlp::Header::decode_bytes(&mut bytes, true)?;
        let account = Self {
            nonce: Decodable::decode(&mut list)?,
            balance: Decodable::decode(&mut list)?,
            storage_root: hash_or(&mut list, EMPTY_ROOT_HASH)?,
            code_hash: hash_or(&mut list, KECCAK_EMPTY)?,
        };
        if list.is_empty() && bytes.is_empty() { Ok(account) } else { Err(rlp::Error::UnexpectedLength) }
    }

    /// Writes slim RLP.
    #[must_use]
    pub fn encode_slim(&self) -> Bytes {
        let short = |hash: B256, usual: B256| if hash == usual { Vec::new() } else { hash.to_vec() };
        let mut payload = Vec::with_capacity(112);
        self.nonce.encode(&mut payload);
        self.balance.encode(&mut payload);
        short(self.storage_root, EMPTY_ROOT_HASH).as_slice().encode(&mut payload);
        short(self.code_hash, KECCAK_EMPTY).as_slice().encode(&mut payload);
        let mut out = Vec::with_capacity(payload.len() + 3);
        rlp::Header { list: true, payload_length: payload.len() }.encode(&mut out);
        out.extend_from_slice(&payload);
        out.into()
    }

    /// The account as the state trie holds it.
    #[must_use]
    pub fn trie(&self) -> TrieAccount {
        TrieAccount::new(self.nonce, self.balance, self.storage_root, self.code_hash)
    }
}

fn hash_or(list: &mut &[u8], usual: B256) -> Result<B256, rlp::Error> {
    let bytes = rlp::Header::decode_bytes(list, false)?;
    if bytes.is_empty() { Ok(usual) } else { B256::try_from(bytes).map_err(|_| rlp::Error::UnexpectedLength) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slim_rlp_is_geths() {
        let account = Account { nonce: 1, balance: U256::from(0x1234), ..Account::default() };
        assert_eq!(account.encode_slim().as_ref(), [0xc6, 1, 0x82, 0x12, 0x34, 0x80, 0x80]);
        let contract =
            Account { storage_root: B256::repeat_byte(7), code_hash: B256::repeat_byte(9), ..account };
        for account in [account, contract, Account::default()] {
            assert_eq!(Account::decode_slim(&account.encode_slim()), Ok(account));
        }
        assert!(Account::decode_slim(&[0xc6, 1, 0x82, 0x12, 0x34, 0x80, 0x80, 0]).is_err());
    }
}
