//! Audit of published rows: the master proves some of the rows that it made us publish.
//!
//! # Why
//! Roots that geth reports say nothing about rows that we normalised: a slot filed under the wrong key would join
//! up with every header. A Merkle proof of the value under *our* key catches it.

use alloy::primitives::U256;
use alloy::rlp::{Decodable, Encodable, Header as Prefix};
use alloy::rpc::types::EIP1186AccountProofResponse;
use alloy_trie::proof::verify_proof;
use alloy_trie::{EMPTY_ROOT_HASH, KECCAK_EMPTY, Nibbles, TrieAccount};
use maidenlane_chain::{Address, B256, Bytes, keccak256};
use maidenlane_wire::Rows;

/// A changed key whose value the master is to prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The account.
    pub address: Address,
    /// Slim RLP after the block, as the rows have it.
    pub account: Option<Bytes>,
    /// Slot of the account: plain slot, hashed key and value after the block.
    pub slot: Option<(B256, B256, Option<Bytes>)>,
}

/// Up to `count` changed keys to be proved, chosen by `pick`, which gives a number below its argument.
pub fn choose(rows: &Rows, count: usize, mut pick: impl FnMut(usize) -> usize) -> Vec<Question> {
    if rows.accounts.is_empty() {
        return Vec::new();
    }
    let question = |_| {
        let row = rows.accounts.get(pick(rows.accounts.len()))?;
        let of_account = rows.storage.iter().find(|storage| storage.address == row.address);
        let slots = of_account.map_or(&[][..], |storage| &storage.slots);
        // A destroyed account has no storage to prove anything in.
        let slot = if slots.is_empty() || row.after.is_none() { None } else { slots.get(pick(slots.len())) };
        let slot = slot.and_then(|slot| Some((slot.plain?, slot.key, slot.after.clone())));
        Some(Question { address: row.address, account: row.after.clone(), slot })
    };
    (0..count.min(rows.accounts.len())).filter_map(question).collect()
}

/// Checks the master's proof against the header's state root.
///
/// # Errors
/// Names what does not fit.
pub fn verify(question: &Question, root: B256, proof: &EIP1186AccountProofResponse) -> Result<(), String> {
    let account = question.account.as_ref().map(fat).transpose()?;
    let value = account.as_ref().map(alloy::rlp::encode);
    verify_proof(root, Nibbles::unpack(keccak256(question.address)), value, &proof.account_proof)
        .map_err(|error| format!("account {}: {error}", question.address))?;
    let (Some((plain, key, value)), Some(account)) = (&question.slot, account) else { return Ok(()) };
    let slots = &proof.storage_proof;
    let of_slot = slots.iter().find(|slot| slot.key.as_b256() == *plain);
    let of_slot = of_slot.ok_or_else(|| format!("account {}: no proof of slot {plain}", question.address))?;
    let value = value.as_ref().map(|value| {
        let mut out = Vec::new();
        value.as_ref().encode(&mut out);
        out
    });
    verify_proof(account.storage_root, Nibbles::unpack(key), value, &of_slot.proof)
        .map_err(|error| format!("slot {plain} of {}: {error}", question.address))
}

/// The full account (with root and code hash) of a slim RLP.
fn fat(slim: &Bytes) -> Result<TrieAccount, String> {
    let wrong = |error: alloy::rlp::Error| format!("slim account: {error}");
    let mut list = Prefix::decode_bytes(&mut slim.as_ref(), true).map_err(wrong)?;
    let nonce = u64::decode(&mut list).map_err(wrong)?;
    let balance = U256::decode(&mut list).map_err(wrong)?;
    let mut hash_or = |empty: B256| -> Result<B256, String> {
        let bytes = Prefix::decode_bytes(&mut list, false).map_err(wrong)?;
        if bytes.is_empty() { Ok(empty) } else { B256::try_from(bytes).map_err(|error| error.to_string()) }
    };
    let (storage_root, code_hash) = (hash_or(EMPTY_ROOT_HASH)?, hash_or(KECCAK_EMPTY)?);
    Ok(TrieAccount { nonce, balance, storage_root, code_hash })
}

#[cfg(test)]
mod tests;
