//! `eth_getProof`.

use crate::rpc::execute::refused;
use crate::rpc::tries::Tries;
use crate::rpc::{RequestView, Shared};
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::rlp::Decodable as _;
use maidenlane_ethjson::params::{self, Selector};
use maidenlane_ethjson::select;
use maidenlane_ethjson::unreadable;
use maidenlane_json::{Object, push_data, push_list};
use maidenlane_jsonrpc::{Args, Error, Json};
use maidenlane_state::trie::{EMPTY_ROOT_HASH, Walk};
use serde_json::value::RawValue;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// geth's limit of slots in one answer.
const KEYS_MAX: usize = 1_024;

/// Requested storage slot.
struct Slot {
    key: B256,
    /// True for a key that was given with all its bytes: it is rendered with all of them, any other as a quantity.
    whole: bool,
}

/// `eth_getProof`. Runs on the pool: it reads some ten nodes for every key.
pub(crate) async fn get(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 3)?;
    let address = args.required(params::address)?;
    let keys = args.required(|json| {
        serde_json::from_str::<Option<Vec<Option<String>>>>(json).map_err(|error| error.to_string())
    })?;
    let selector = args.optional(Selector::read)?.unwrap_or(Selector::LATEST);
    let keys = keys.unwrap_or_default();
    if keys.len() > KEYS_MAX {
        let (max, got) = (KEYS_MAX, keys.len());
        return Err(Error::params(format!("too many storage keys requested (max {max}, got {got})")));
    }
    let slots = keys.into_iter().map(|key| slot(&key.unwrap_or_default())).collect::<Result<Vec<_>, _>>()?;
    let (seen, there) = (Arc::clone(view), Arc::clone(shared));
    let job = move |gone: Arc<AtomicBool>| prove(&there, &seen, address, &slots, selector, &gone);
    shared.pool.run(view.owner(), job).await.map_err(refused)?
}

fn slot(text: &str) -> Result<Slot, Error> {
    let bytes = params::storage_key_bytes(text)?;
    Ok(Slot { key: B256::left_padding_from(&bytes), whole: bytes.len() == 32 })
}

fn prove(
    shared: &Shared,
    view: &RequestView,
    address: Address,
    slots: &[Slot],
    selector: Selector,
    gone: &AtomicBool,
) -> Result<Json, Error> {
    let state = select::state(view.source(), selector)?;
    let tries = Tries::kept(view, &state)?.noted(&shared.blocks);
    let key = keccak256(address);
    let (path, account) = tries.account_path(key).map_err(unreadable)?;
    let storage_root = account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
    let mut proofs = Vec::with_capacity(slots.len());
    for slot in slots {
        if gone.load(Ordering::Relaxed) {
            return Err(Error::internal("nobody waits any more"));
        }
        proofs.push((slot, tries.walk(Some(key), storage_root, keccak256(slot.key)).map_err(unreadable)?));
    }
    let mut out = String::new();
    let mut object = Object::new(&mut out);
    object.data("address", address.as_slice());
    push_nodes(object.value("accountProof"), &path.nodes);
    // As in geth, a missing account has hashes of zeros and not those of no code and an empty trie.
    object.big("balance", &account.map(|account| account.balance).unwrap_or_default().to_be_bytes::<32>());
    object.data("codeHash", account.map(|account| account.code_hash).unwrap_or_default().as_slice());
    object.quantity("nonce", account.map(|account| account.nonce).unwrap_or_default());
    object.data("storageHash", account.map(|account| account.storage_root).unwrap_or_default().as_slice());
    object.list("storageProof", &proofs, |out, (slot, path)| push_slot(out, slot, path));
    object.end();
    Ok(Json::Owned(out))
}

fn push_slot(out: &mut String, slot: &Slot, path: &Walk) {
    let mut object = Object::new(out);
    if slot.whole {
        object.data("key", slot.key.as_slice());
    } else {
        object.big("key", slot.key.as_slice());
    }
    let value = path.value.as_deref().map(|leaf| U256::decode(&mut &*leaf).unwrap_or_default());
    object.big("value", &value.unwrap_or_default().to_be_bytes::<32>());
    push_nodes(object.value("proof"), &path.nodes);
    object.end();
}

fn push_nodes(out: &mut String, nodes: &[Bytes]) {
    push_list(out, nodes, |out, node| push_data(out, node));
}

#[cfg(test)]
mod tests;
