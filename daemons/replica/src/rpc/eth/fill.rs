//! `eth_fillTransaction`: the fields that a transaction lacks, by geth's defaults.

use super::estimate;
use crate::rpc::call_context::CallContext;
use crate::rpc::execute::Stop;
use crate::rpc::request_view::RequestView;
use crate::rpc::{Shared, txpool};
use alloy::consensus::{Header, Transaction as _};
use alloy::primitives::{U256, keccak256};
use maidenlane_chain::Rules;
use maidenlane_chain::Transaction;
use maidenlane_ethjson::call_args::{CallArgs, StateOverrides};
use maidenlane_ethjson::params::{self, Big, Selector};
use maidenlane_ethjson::select;
use maidenlane_ethjson::transaction::{write_access_list, write_authorization};
use maidenlane_ethjson::unsigned;
use maidenlane_evm::budget::Budget;
use maidenlane_evm::rules::EvmRules as _;
use maidenlane_json::{Object, push_data};
use maidenlane_jsonrpc::{Args, Error, Json};
use maidenlane_state::At;
use revm::primitives::hardfork::SpecId;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Most blobs in one transaction.
const BLOBS_MAX: usize = 6;

/// Member of the parameter beside those of a call: not served.
#[derive(Debug, Default, Deserialize)]
struct Blobs {
    blobs: Option<Vec<IgnoredAny>>,
}

/// `eth_fillTransaction`.
pub(crate) fn transaction(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    budget: &mut Budget,
) -> Result<Json, Stop> {
    let mut args = Args::parse(params, 1)?;
    let both =
        |json: &str| Ok((params::read::<Option<CallArgs>>(json)?, params::read::<Option<Blobs>>(json)?));
    let (wanted, blobs) = args.required(both)?;
    let mut wanted = wanted.unwrap_or_default();
    if let Some(blobs) = blobs.unwrap_or_default().blobs {
        if !blobs.is_empty() {
            let text = "blobs are not filled in by a replica; give blobVersionedHashes";
            return Err(Error::server(text).into());
        }
        wanted.blob_versioned_hashes = Some(Vec::new());
    }
    let (rules, header) = (&view.head().rules, &view.head().header);
    fees(&mut wanted, rules, header, || shared.fees.suggestion_within(shared, view, budget))?;
    let nonce = match wanted.nonce {
        Some(nonce) => nonce.0,
        None => {
            let sender = wanted.from.unwrap_or_default();
            let account = view.source().account(keccak256(sender), At::Latest)?;
            let mined = account.map_or(0, |account| account.nonce);
            match &shared.mempool {
                Some(pool) => txpool::next_nonce(pool, sender, mined)?,
                None => mined,
            }
        }
    };
    check(&wanted)?;
    let gas = match wanted.gas {
        Some(gas) => gas.0,
        None => {
            let state = select::state(view.source(), Selector::LATEST)?;
            let context = CallContext { state, overrides: StateOverrides::default(), block: None };
            // The chain is checked last, and the nonce does not matter.
            let call = CallArgs { chain_id: None, nonce: None, ..wanted.clone() };
            estimate::gas(shared, view, call, context, budget)?
        }
    };
    wanted.check_chain(rules)?;
    let dynamic = wanted.gas_price.is_none();
    let (tx, bytes) = unsigned::transaction(&wanted, nonce, gas, rules.chain_id(), dynamic)?;
    Ok(Json::object(|object| {
        object.data("raw", &bytes);
        write(object.value("tx"), &tx);
    }))
}

fn check(wanted: &CallArgs) -> Result<(), Error> {
    let (data, input) = (&wanted.data, &wanted.input);
    if let (Some(data), Some(input)) = (data, input)
        && data.0 != input.0
    {
        let cure = "Please use \"input\" to pass transaction call data";
        return Err(Error::server(format!("both \"data\" and \"input\" are set and not equal. {cure}")));
    }
    if let Some(hashes) = &wanted.blob_versioned_hashes {
        let have = hashes.len();
        if have == 0 {
            return Err(Error::server("need at least 1 blob for a blob transaction"));
        }
        if have > BLOBS_MAX {
            let text = format!("too many blobs in transaction (have={have}, max={BLOBS_MAX})");
            return Err(Error::server(text));
        }
    }
    if wanted.to().is_some() {
        return Ok(());
    }
    if wanted.blob_versioned_hashes.is_some() {
        return Err(Error::server("missing \"to\" in blob transaction"));
    }
    if input.as_ref().or(data.as_ref()).is_none_or(|data| data.0.is_empty()) {
        return Err(Error::server("contract creation without any data provided"));
    }
    if wanted.authorization_list.as_ref().is_some_and(|list| !list.is_empty()) {
        let text = "authorizationList provided for contract creation, but \"to\" field is missing";
        return Err(Error::server(text));
    }
    Ok(())
}

/// An unsigned transaction as geth's `types.Transaction` writes itself: what a type does not have is null.
fn write(out: &mut String, tx: &Transaction) {
    let mut object = Object::new(out);
    let big = |n: u128| n.to_be_bytes();
    object.quantity("type", u64::from(u8::from(tx.tx_type())));
    if let Some(id) = tx.chain_id().filter(|_| !tx.is_legacy()) {
        object.quantity("chainId", id);
    }
    object.quantity("nonce", tx.nonce());
    match tx.to() {
        Some(to) => object.data("to", to.as_slice()),
        None => object.raw("to", "null"),
    }
    object.quantity("gas", tx.gas_limit());
    match tx.max_priority_fee_per_gas() {
        Some(tip) => {
            object.raw("gasPrice", "null");
            object.big("maxPriorityFeePerGas", &big(tip));
            object.big("maxFeePerGas", &big(tx.max_fee_per_gas()));
        }
        None => {
            object.big("gasPrice", &big(tx.max_fee_per_gas()));
            object.raw("maxPriorityFeePerGas", "null");
            object.raw("maxFeePerGas", "null");
        }
    }
    if let Some(fee) = tx.max_fee_per_blob_gas() {
        object.big("maxFeePerBlobGas", &big(fee));
    }
    object.big("value", &tx.value().to_be_bytes::<32>());
    object.data("input", tx.input());
    if let Some(list) = tx.access_list() {
        write_access_list(object.value("accessList"), list);
    }
    if let Some(hashes) = tx.blob_versioned_hashes().filter(|hashes| !hashes.is_empty()) {
        object.list("blobVersionedHashes", hashes, |out, hash| push_data(out, hash.as_slice()));
    }
    if let Some(list) = tx.authorization_list().filter(|list| !list.is_empty()) {
        object.list("authorizationList", list, write_authorization);
    }
    let signature: &[&str] = if tx.is_legacy() { &["v", "r", "s"] } else { &["v", "r", "s", "yParity"] };
    for name in signature {
        object.quantity(name, 0);
    }
    object.data("hash", tx.tx_hash().as_slice());
    object.end();
}

/// Sets the fees that were left open, for a transaction after the block of `header`; `tip` suggests one.
pub(crate) fn fees(
    wanted: &mut CallArgs,
    rules: &Rules,
    header: &Header,
    tip: impl FnOnce() -> Result<u128, Stop>,
) -> Result<(), Stop> {
    if wanted.max_fee_per_blob_gas.is_some_and(|fee| fee.0.is_zero()) {
        return Err(Error::server("maxFeePerBlobGas, if specified, must be non-zero").into());
    }
    let wants_blobs = wanted.blob_versioned_hashes.is_some() && wanted.max_fee_per_blob_gas.is_none();
    if wants_blobs && rules.spec(header).is_enabled_in(SpecId::CANCUN) {
        // Twice the price, so that the next few blocks still take it.
        let price = rules.blob_price(header).unwrap_or_default().saturating_mul(2);
        wanted.max_fee_per_blob_gas = Some(Big(U256::from(price)));
    }
    let (cap, given) = (wanted.max_fee_per_gas, wanted.max_priority_fee_per_gas);
    if wanted.gas_price.is_some() {
        if cap.is_some() || given.is_some() {
            return Err(
                Error::server("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified").into()
            );
        }
        if wanted.authorization_list.is_some() {
            return Err(Error::server("both gasPrice and authorizationList specified").into());
        }
        if wanted.gas_price.is_some_and(|price| price.0.is_zero()) && rules.is_london(header.number) {
            return Err(Error::server("gasPrice must be non-zero after london fork").into());
        }
        return Ok(());
    }
    if given.is_some() && cap.is_some_and(|cap| cap.0.is_zero()) {
        return Err(Error::server("maxFeePerGas must be non-zero").into());
    }
    if !rules.is_london(header.number) && (cap.is_none() || given.is_none()) {
        if cap.is_some() || given.is_some() {
            let text = "maxFeePerGas and maxPriorityFeePerGas are not valid before London is active";
            return Err(Error::server(text).into());
        }
        wanted.gas_price = Some(Big(U256::from(tip()?)));
        return Ok(());
    }
    let tip = given.map_or_else(|| tip().map(|tip| Big(U256::from(tip))), Ok)?;
    let twice = U256::from(header.base_fee_per_gas.unwrap_or_default()).saturating_mul(U256::from(2));
    let cap = cap.unwrap_or(Big(tip.0.saturating_add(twice)));
    if cap.0 < tip.0 {
        let text = format!("maxFeePerGas ({:#x}) < maxPriorityFeePerGas ({:#x})", cap.0, tip.0);
        return Err(Error::server(text).into());
    }
    (wanted.max_fee_per_gas, wanted.max_priority_fee_per_gas) = (Some(cap), Some(tip));
    Ok(())
}
