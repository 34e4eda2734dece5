//! `eth_callBundle`: a bundle in the next block, or in another one that the caller describes, at once.

use super::simulate::{Done, Wanted};
use super::{Front, called, refused, signer};
use crate::caller::Caller;
use crate::fields::{self, TXS_MAX, given, number};
use crate::refusal::Refusal;
use crate::simulation::next::Wishes;
use crate::simulation::outcome::Why;
use crate::simulation::prepared::Leave;
use alloy::primitives::U256;
use maidenlane_chain::B256;
use maidenlane_ethjson::params::{self, Selector};
use maidenlane_jsonrpc::{Args, Error, Json, codes};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::Duration;

/// Time of a call that names none, as everywhere.
const TIMEOUT_MS: u64 = 5_000;

/// The parameter, as it came.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Came<'a> {
    #[serde(borrow)]
    txs: Option<&'a RawValue>,
    #[serde(borrow)]
    block_number: Option<&'a RawValue>,
    #[serde(borrow)]
    state_block_number: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    coinbase: Option<&'a RawValue>,
    #[serde(borrow)]
    gas_limit: Option<&'a RawValue>,
    #[serde(borrow)]
    difficulty: Option<&'a RawValue>,
    #[serde(borrow)]
    base_fee: Option<&'a RawValue>,
    #[serde(borrow)]
    excess_blob_gas: Option<&'a RawValue>,
    #[serde(borrow)]
    timeout: Option<&'a RawValue>,
    #[serde(borrow)]
    transaction_index: Option<&'a RawValue>,
}

/// A number, where it is there.
pub(super) fn natural(field: &'static str, json: Option<&RawValue>) -> Result<Option<u64>, Refusal> {
    given(json).map(|json| number(field, json)).transpose()
}

/// The block whose state is meant, or the newest.
pub(super) fn state_of(field: &'static str, json: Option<&RawValue>) -> Result<Selector, Refusal> {
    let expected = "a number as 0x hex in quotes, a hash, or a name such as \"latest\"";
    given(json).map_or(Ok(Selector::LATEST), Selector::read).map_err(|_| Refusal::Type { field, expected })
}

/// Time that is wanted, in milliseconds.
pub(super) fn timeout_of(json: Option<&RawValue>) -> Result<Duration, Refusal> {
    let wanted_ms = natural("timeout", json)?.filter(|ms| *ms > 0);
    Ok(Duration::from_millis(wanted_ms.unwrap_or(TIMEOUT_MS)))
}

/// The difficulty, which the instruction of that name returns: its successor `PREVRANDAO` does so here.
fn randao(json: &str) -> Result<B256, Refusal> {
    let wide = number("difficulty", json).map(U256::from);
    let wide = wide.or_else(|refusal| params::big(json).map_err(|_| refusal))?;
    Ok(B256::from(wide))
}

fn read(json: &str, bytes_max: usize) -> Result<Wanted, Refusal> {
    let came: Came<'_> = params::read(json).map_err(|_| Refusal::NotAnObject)?;
    let expected = "a list of 0x hex texts";
    let txs = given(came.txs)
        .map_or(Ok(Vec::new()), |json| fields::all("txs", json, TXS_MAX, expected, fields::bytes))?;
    if txs.is_empty() {
        return Err(Refusal::NoTransactions);
    }
    let block = natural("blockNumber", came.block_number)?.filter(|block| *block > 0);
    let number = Some(block.ok_or(Refusal::NoBlock)?);
    // A bundle stands at the top of its block.
    if given(came.transaction_index).is_some() {
        return Err(Refusal::Unsupported { field: "transactionIndex" });
    }
    let wishes = Wishes {
        number,
        timestamp: natural("timestamp", came.timestamp)?,
        fee_recipient: given(came.coinbase).map(|json| fields::address("coinbase", json)).transpose()?,
        gas_limit: natural("gasLimit", came.gas_limit)?,
        base_fee: natural("baseFee", came.base_fee)?,
        randao: given(came.difficulty).map(randao).transpose()?,
        excess_blob_gas: natural("excessBlobGas", came.excess_blob_gas)?,
    };
    let state = state_of("stateBlockNumber", came.state_block_number)?;
    // Each may fail and stay: the caller wants to see how.
    let leaves = vec![Leave::Revert; txs.len()];
    let wanted = Wanted { txs, leaves, wishes, state, timeout: timeout_of(came.timeout)? };
    wanted.bounded(bytes_max).map(|()| wanted)
}

impl Front {
    pub(super) async fn call_bundle(
        &self,
        caller: &Caller,
        params: Option<&RawValue>,
    ) -> Result<Json, Error> {
        signer(caller)?;
        let json = Args::parse(params, 1)?.required(Ok)?;
        let wanted = read(json, self.0.terms.order_bytes)?;
        self.simulate(caller, wanted, answer).await
    }
}

fn answer(done: &Done) -> Result<Json, Error> {
    let Some(stop) = &done.outcome.stop else {
        return Ok(called::whole(done.parent, &done.bundle, &done.outcome));
    };
    let reason = if stop.why == Why::Waits { "nonceTooHigh" } else { "notExecutable" };
    Err(refused(codes::SERVER, reason, format!("err: {}; txhash {}", stop.problem, stop.hash)))
}
