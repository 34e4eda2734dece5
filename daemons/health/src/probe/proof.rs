//! Proofs of balances: whoever serves them decides who is right about a state.

use super::batch::{batch, call, read};
use alloy::rpc::types::{EIP1186AccountProofResponse, Header};
use alloy_trie::Nibbles;
use alloy_trie::proof::verify_proof;
use maidenlane_chain::{Account, Address, B256, U256, keccak256};
use maidenlane_jsonrpc::client::Client;
use serde_json::json;

/// True if proofs against the root in the block's header say the same as the balances that were told, false if they say
/// otherwise; `None` where it serves none, or its header is not the block's.
pub(super) async fn proven(
    client: &Client,
    block: B256,
    accounts: &[Address],
    balances: &[U256],
) -> Option<bool> {
    let mut calls = vec![call("eth_getBlockByHash", &json!([block, false]))];
    calls.extend(
        accounts.iter().map(|account| call("eth_getProof", &json!([account, [], {"blockHash": block}]))),
    );
    // Refusals are answers: not everybody serves proofs.
    let mut answers = batch(client, calls).await.ok()?.into_iter();
    let header: Header = read::<Option<Header>>(&answers.next()?)??;
    if header.inner.hash_slow() != block {
        return None;
    }
    for ((account, balance), answer) in accounts.iter().zip(balances).zip(answers) {
        let proof: EIP1186AccountProofResponse = read(&answer)?;
        if !holds(header.inner.state_root, *account, *balance, &proof)? {
            return Some(false);
        }
    }
    Some(true)
}

/// True if the account has that balance under the root; `None` if the proof proves nothing.
fn holds(root: B256, account: Address, balance: U256, proof: &EIP1186AccountProofResponse) -> Option<bool> {
    let EIP1186AccountProofResponse { nonce, balance: stated, code_hash, storage_hash, .. } = *proof;
    let account_told = Account { nonce, balance: stated, storage_root: storage_hash, code_hash };
    let key = Nibbles::unpack(keccak256(account));
    let present =
        verify_proof(root, key, Some(alloy::rlp::encode(account_told.trie())), &proof.account_proof).is_ok();
    let absent = || verify_proof(root, key, None, &proof.account_proof).is_ok();
    match (present, stated.is_zero()) {
        (true, _) => Some(stated == balance),
        (false, true) if absent() => Some(balance.is_zero()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::holds;
    use alloy::rpc::types::EIP1186AccountProofResponse;
    use alloy_trie::proof::ProofRetainer;
    use alloy_trie::{HashBuilder, Nibbles, TrieAccount};
    use maidenlane_chain::{Address, B256, U256, keccak256};

    /// Root of a state of three accounts with balances 1, 2 and 3, and a proof of the account `of`.
    fn prove(of: Address) -> (B256, EIP1186AccountProofResponse) {
        let mut rows: Vec<_> = (1_u8..4)
            .map(|number| {
                let account = TrieAccount { balance: U256::from(number), ..TrieAccount::default() };
                (Nibbles::unpack(keccak256(Address::repeat_byte(number))), account)
            })
            .collect();
        rows.sort_by_key(|(key, _)| *key);
        let target = Nibbles::unpack(keccak256(of));
        let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(vec![target]));
        for (key, account) in &rows {
            builder.add_leaf(*key, &alloy::rlp::encode(account));
        }
        let root = builder.root();
        let found =
            rows.iter().find(|(key, _)| *key == target).map(|(_, account)| *account).unwrap_or_default();
        let nodes =
            builder.take_proof_nodes().into_nodes_sorted().into_iter().map(|(_, node)| node).collect();
        let proof = EIP1186AccountProofResponse {
            address: of,
            balance: found.balance,
            code_hash: found.code_hash,
            storage_hash: found.storage_root,
            account_proof: nodes,
            ..EIP1186AccountProofResponse::default()
        };
        (root, proof)
    }

    #[test]
    fn a_proof_tells_right_balances_from_wrong_ones() {
        let (there, gone) = (Address::repeat_byte(2), Address::repeat_byte(9));
        let (root, proof) = prove(there);
        assert_eq!(holds(root, there, U256::from(2), &proof), Some(true));
        assert_eq!(holds(root, there, U256::from(7), &proof), Some(false));
        // A forged proof proves nothing.
        let forged = EIP1186AccountProofResponse { balance: U256::from(7), ..proof.clone() };
        assert_eq!(holds(root, there, U256::from(7), &forged), None);
        assert_eq!(holds(B256::repeat_byte(1), there, U256::from(2), &proof), None);
        let (root, proof) = prove(gone);
        assert_eq!(holds(root, gone, U256::ZERO, &proof), Some(true));
        assert_eq!(holds(root, gone, U256::from(1), &proof), Some(false));
    }
}
