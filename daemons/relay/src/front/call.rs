//! `eth_callBundle`: a bundle in the next block, or in another one that the caller describes, at once.

use super::{Front, called, refused, signer, stale};
use crate::caller::Caller;
use crate::fields::{self, TXS_MAX, number};
use crate::redacted::Redacted;
use crate::refusal::Refusal;
use crate::simulation::next::{self, Wishes};
use crate::simulation::outcome::{Outcome, Why};
use crate::simulation::prepared::{Leave, Prepared, Unprepared};
use crate::simulation::run::Made;
use maidenlane_chain::{B256, Bytes};
use maidenlane_ethjson::params::{self, Selector};
use maidenlane_ethjson::select::{self, StateOf};
use maidenlane_evm::Failure;
use maidenlane_evm::budget::{Budget, Spent};
use maidenlane_evm::pool::Refused;
use maidenlane_jsonrpc::{Args, Error, Json, codes};
use maidenlane_service::with_causes;
use maidenlane_state::StateView;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::{Duration, Instant};

/// Time of a call that names none, as everywhere.
const TIMEOUT_MS: u64 = 5_000;
/// Time in which an overdue run may report that itself.
const GRACE: Duration = Duration::from_millis(100);
/// Time for runs to come back at the end.
const QUIET: Duration = Duration::from_secs(2);

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

/// The parameter, read.
struct Asked {
    txs: Vec<Bytes>,
    wishes: Wishes,
    state: Selector,
    timeout: Duration,
}

/// JSON of a field, where it is there.
fn given(field: Option<&RawValue>) -> Option<&str> {
    field.map(RawValue::get).filter(|json| *json != "null")
}

impl Asked {
    fn read(json: &str, bytes_max: usize) -> Result<Self, Error> {
        let came: Came<'_> = params::read(json).map_err(|_| Refusal::NotAnObject)?;
        let natural = |field: &'static str, json: Option<&RawValue>| -> Result<Option<u64>, Refusal> {
            given(json).map(|json| number(field, json)).transpose()
        };
        let expected = "a list of 0x hex texts";
        let txs = given(came.txs)
            .map_or(Ok(Vec::new()), |json| fields::all("txs", json, TXS_MAX, expected, fields::bytes))?;
        if txs.is_empty() {
            return Err(Refusal::NoTransactions.into());
        }
        let bytes: usize = txs.iter().map(|tx| tx.len()).sum();
        if bytes > bytes_max {
            return Err(Refusal::TooLarge { bytes, most: bytes_max }.into());
        }
        let block = natural("blockNumber", came.block_number)?.filter(|block| *block > 0);
        // A bundle stands at the top of its block.
        if given(came.transaction_index).is_some() {
            return Err(Refusal::Unsupported { field: "transactionIndex" }.into());
        }
        let wishes = Wishes {
            number: Some(block.ok_or(Refusal::NoBlock)?),
            timestamp: natural("timestamp", came.timestamp)?,
            fee_recipient: given(came.coinbase).map(|json| fields::address("coinbase", json)).transpose()?,
            gas_limit: natural("gasLimit", came.gas_limit)?,
            base_fee: natural("baseFee", came.base_fee)?,
            randao: given(came.difficulty).map(randao).transpose()?,
            excess_blob_gas: natural("excessBlobGas", came.excess_blob_gas)?,
        };
        let expected = "a number as 0x hex in quotes, a hash, or a name such as \"latest\"";
        let wrong = |_| Refusal::Type { field: "stateBlockNumber", expected };
        let state =
            given(came.state_block_number).map_or(Ok(Selector::LATEST), Selector::read).map_err(wrong)?;
        let timeout_ms = natural("timeout", came.timeout)?.filter(|ms| *ms > 0).unwrap_or(TIMEOUT_MS);
        Ok(Self { txs, wishes, state, timeout: Duration::from_millis(timeout_ms) })
    }
}

/// The difficulty, which the instruction of that name returns: its successor `PREVRANDAO` does so here.
fn randao(json: &str) -> Result<B256, Refusal> {
    let wide = number("difficulty", json).map(alloy::primitives::U256::from);
    let wide = wide.or_else(|refusal| params::big(json).map_err(|_| refusal))?;
    Ok(B256::from(wide))
}

impl Front {
    pub(super) async fn call_bundle(
        &self,
        caller: &Caller,
        params: Option<&RawValue>,
    ) -> Result<Json, Error> {
        let signer = signer(caller)?;
        let account = Redacted::new(caller.identity().map_or_else(|| signer.to_string(), str::to_owned));
        if let Some(reason) = self.0.chain.fitness().stale {
            return Err(stale(&reason));
        }
        let json = Args::parse(params, 1)?.required(Ok)?;
        let asked = Asked::read(json, self.0.terms.order_bytes)?;
        if !self.0.simulator.allows(&account) {
            let text = "your simulations have used up their gas: ask again in some seconds";
            return Err(refused(codes::LIMIT_EXCEEDED, "gasUsedUp", text.to_owned()));
        }
        let view = self.0.chain.view();
        let state = select::state(&*view, asked.state)?;
        let timeout = asked.timeout.min(self.0.simulator.terms().timeout);
        let (front, owner, deadline) = (self.clone(), account.clone(), Instant::now() + timeout);
        let job = move |cancelled| {
            front.called(&*view, &state, &asked, &account, Budget::until(deadline, cancelled))
        };
        let run = tokio::time::timeout_at((deadline + GRACE).into(), self.0.calls.run(&owner, job));
        match run.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(Refused::Full)) => {
                let text = "too many bundles are being simulated at once: ask again";
                Err(refused(codes::LIMIT_EXCEEDED, "tooManySimulations", text.to_owned()))
            }
            Ok(Err(Refused::Panicked)) => Err(Error::internal("the simulation failed inside this relay")),
            Err(_) => Err(late(timeout)),
        }
    }

    /// Waits until what still runs for callers has ended.
    pub(crate) async fn quiet(&self) {
        self.0.calls.quiet(QUIET).await;
    }

    fn called(
        &self,
        view: &dyn StateView,
        state: &StateOf,
        asked: &Asked,
        account: &Redacted<String>,
        mut budget: Budget,
    ) -> Result<Json, Error> {
        let (rules, parent, simulator) = (&view.head().rules, &state.header, &self.0.simulator);
        let header = next::header(rules, parent, simulator.terms().block_time_s, &asked.wishes);
        if asked.wishes.timestamp.is_some_and(|timestamp| timestamp <= parent.timestamp) {
            return Err(Refusal::NotAfterParent { parent_s: parent.timestamp }.into());
        }
        if let Some(fork) = rules.unknown_at(&header) {
            let text =
                format!("fork {fork} is active and this build does not execute it: install a newer one");
            return Err(refused(codes::UNKNOWN_FORK, "unknownFork", text));
        }
        let at = (state.at, parent.number.saturating_add(1));
        let done = Prepared::new(&asked.txs, |_| Leave::Revert, &mut budget).and_then(|bundle| {
            let block = Made::begin(&header, rules, view, at, simulator.codes(), &mut budget);
            let outcome = block.and_then(|block| block.run(&bundle, &mut budget));
            Ok((outcome.map_err(Unprepared::Failed)?, bundle))
        });
        match done {
            Ok((outcome, bundle)) => {
                simulator.charge(account, outcome.gas_used());
                answer(parent.number, &bundle, &outcome)
            }
            Err(Unprepared::Refused(refusal)) => Err(refusal.into()),
            Err(Unprepared::Failed(Failure::Spent(spent))) => {
                // What it used is not known: as much as a block has.
                simulator.charge(account, header.gas_limit.min(parent.gas_limit));
                Err(match spent {
                    Spent::Time => late(asked.timeout.min(simulator.terms().timeout)),
                    Spent::Cancelled => Error::server("execution aborted"),
                })
            }
            Err(Unprepared::Failed(Failure::Read(fault))) => {
                tracing::error!("the state cannot be read: {}", with_causes(&fault));
                Err(Error::internal("the state cannot be read"))
            }
            Err(Unprepared::Failed(_)) => Err(Error::internal("the EVM refused to run the bundle")),
        }
    }
}

fn answer(parent: u64, bundle: &Prepared, outcome: &Outcome) -> Result<Json, Error> {
    match &outcome.stop {
        None => Ok(called::whole(parent, bundle, outcome)),
        Some(stop) => {
            let reason = if stop.why == Why::Waits { "nonceTooHigh" } else { "notExecutable" };
            Err(refused(codes::SERVER, reason, format!("err: {}; txhash {}", stop.problem, stop.hash)))
        }
    }
}

fn late(timeout: Duration) -> Error {
    refused(codes::SERVER, "simulationTimeout", format!("execution aborted (timeout = {timeout:?})"))
}
