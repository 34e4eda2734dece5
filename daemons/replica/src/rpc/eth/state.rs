//! Reads of accounts, code and slots.

use crate::rpc::request_view::RequestView;
use crate::rpc::{Shared, txpool};
use alloy::primitives::{Address, B256, Bytes, keccak256};
use maidenlane_ethjson::params::{self, Selector, Tag};
use maidenlane_ethjson::select::{self, StateOf};
use maidenlane_ethjson::unreadable;
use maidenlane_json::{Object, push_data};
use maidenlane_jsonrpc::{Args, Error, Json, codes};
use maidenlane_state::{Account, StateView};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// geth's limit of slots in one `eth_getStorageValues`.
const SLOTS_MAX: usize = 1_024;

fn selected(view: &RequestView, args: &mut Args<'_>) -> Result<StateOf, Error> {
    let selector = args.optional(Selector::read)?.unwrap_or(Selector::LATEST);
    select::state(view.source(), selector)
}

fn account(view: &RequestView, params: Option<&RawValue>) -> Result<Option<Account>, Error> {
    let mut args = Args::parse(params, 2)?;
    let address = args.required(params::address)?;
    let state = selected(view, &mut args)?;
    view.source().account(keccak256(address), state.at).map_err(unreadable)
}

/// `eth_getBalance`.
pub(crate) fn balance(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    let balance = account(view, params)?.unwrap_or(NONE).balance;
    let mut out = String::with_capacity(70);
    maidenlane_json::push_big(&mut out, &balance.to_be_bytes::<32>());
    Ok(Json::Owned(out))
}

/// `eth_getTransactionCount`. Without the master's pool, "pending" counts what is mined.
pub(crate) fn transaction_count(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let mined = account(view, params)?.unwrap_or(NONE).nonce;
    let mut args = Args::parse(params, 2)?;
    let sender = args.required(params::address)?;
    match (&shared.mempool, args.optional(Selector::read)?) {
        (Some(pool), Some(Selector::Tag(Tag::Pending))) => {
            Ok(Json::quantity(txpool::next_nonce(pool, sender, mined)?))
        }
        _ => Ok(Json::quantity(mined)),
    }
}

/// `eth_getCode`.
pub(crate) fn code(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    let hash = account(view, params)?.unwrap_or(NONE).code_hash;
    Ok(Json::data(&code_of(view.source(), hash)?))
}

/// The code that an account names by its hash.
pub(crate) fn code_of(source: &dyn StateView, hash: B256) -> Result<Bytes, Error> {
    if hash == NONE.code_hash {
        return Ok(Bytes::new());
    }
    source.code(hash).map_err(unreadable)?.ok_or_else(|| Error::internal(format!("code {hash} is missing")))
}

/// An account that does not exist.
const NONE: Account = Account {
    nonce: 0,
    balance: alloy::primitives::U256::ZERO,
    code_hash: alloy::primitives::KECCAK256_EMPTY,
};

fn slot(view: &RequestView, state: &StateOf, address: Address, key: B256) -> Result<[u8; 32], Error> {
    Ok(view.source().slot(keccak256(address), keccak256(key), state.at).map_err(unreadable)?.to_be_bytes())
}

/// `eth_getStorageAt`. As in geth, an unknown block is reported before a malformed key.
pub(crate) fn storage_at(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    let mut args = Args::parse(params, 3)?;
    let address = args.required(params::address)?;
    let key = args.required(params::plain)?;
    let state = selected(view, &mut args)?;
    let key = params::storage_key(&key)?;
    Ok(Json::data(&slot(view, &state, address, key)?))
}

/// `eth_getStorageValues`.
pub(crate) fn storage_values(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    type SlotsByAddress = BTreeMap<Address, Option<Vec<B256>>>;
    let mut args = Args::parse(params, 2)?;
    let wanted: SlotsByAddress =
        args.required(|json| serde_json::from_str(json).map_err(|e| e.to_string()))?;
    let selector = args.optional(Selector::read)?.unwrap_or(Selector::LATEST);
    match wanted.values().flatten().map(Vec::len).sum::<usize>() {
        0 => return Err(Error::params("empty request")),
        more if more > SLOTS_MAX => {
            return Err(Error::new(codes::CLIENT_LIMIT, format!("too many slots (max {SLOTS_MAX})")));
        }
        _ => (),
    }
    let state = select::state(view.source(), selector)?;
    let mut out = String::new();
    let mut object = Object::new(&mut out);
    for (address, keys) in &wanted {
        let mut values = Vec::with_capacity(keys.as_ref().map_or(0, Vec::len));
        for key in keys.iter().flatten() {
            values.push(slot(view, &state, *address, *key)?);
        }
        object.list(&format!("{address:#x}"), &values, |out, value| push_data(out, value));
    }
    object.end();
    Ok(Json::Owned(out))
}
