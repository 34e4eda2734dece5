//! `mev_sendBundle` and `mev_simBundle`: trees of transactions whose parts get something of what the others earn.

use super::call::{natural, state_of, timeout_of};
use super::simulate::{Done, Wanted};
use super::{Front, answers, signer};
use crate::caller::Caller;
use crate::fields::{self, given};
use crate::share::order::order;
use crate::share::refunds::profit;
use crate::share::tree::{Part, Tree};
use crate::simulation::next::Wishes;
use crate::simulation::outcome::{Ran, Why, price};
use alloy::primitives::{I256, Log};
use maidenlane_ethjson::params;
use maidenlane_jsonrpc::json::{Object, push_data, push_list, push_str};
use maidenlane_jsonrpc::{Args, Error, Json};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The second parameter of `mev_simBundle`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block<'a> {
    #[serde(borrow)]
    parent_block: Option<&'a RawValue>,
    #[serde(borrow)]
    block_number: Option<&'a RawValue>,
    #[serde(borrow)]
    coinbase: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    gas_limit: Option<&'a RawValue>,
    #[serde(borrow)]
    base_fee: Option<&'a RawValue>,
    #[serde(borrow)]
    timeout: Option<&'a RawValue>,
}

impl Front {
    pub(super) async fn send_share(&self, caller: &Caller, params: Option<&RawValue>) -> Result<Json, Error> {
        let with = self.circumstances(caller)?;
        let json = Args::parse(params, 1)?.required(Ok)?;
        let checked = order(&Tree::read(json)?, &with)?;
        let told = answers::Taken::of(&checked);
        Ok(told.answer(self.take(checked).await?))
    }

    pub(super) async fn sim_share(&self, caller: &Caller, params: Option<&RawValue>) -> Result<Json, Error> {
        signer(caller)?;
        let mut args = Args::parse(params, 2)?;
        let tree = Tree::read(args.required(Ok)?)?;
        let block: Block<'_> = args.optional(params::read)?.unwrap_or_default();
        let (txs, leaves) = tree.transactions().into_iter().map(|(raw, leave)| (raw.clone(), leave)).unzip();
        let wishes = Wishes {
            number: natural("blockNumber", block.block_number)?,
            timestamp: natural("timestamp", block.timestamp)?,
            fee_recipient: given(block.coinbase).map(|json| fields::address("coinbase", json)).transpose()?,
            gas_limit: natural("gasLimit", block.gas_limit)?,
            base_fee: natural("baseFee", block.base_fee)?,
            ..Wishes::default()
        };
        let (state, timeout) = (state_of("parentBlock", block.parent_block)?, timeout_of(block.timeout)?);
        let wanted = Wanted { txs, leaves, wishes, state, timeout };
        wanted.bounded(self.0.terms.order_bytes)?;
        self.simulate(caller, wanted, move |done| Ok(told(&tree, done))).await
    }
}

/// Answer about a tree that was simulated.
fn told(tree: &Tree, done: &Done) -> Json {
    let signers: Vec<_> = done.bundle.steps.iter().map(|step| step.tx.caller).collect();
    let (outcome, stop) = (&done.outcome, done.outcome.stop.as_ref());
    let earned = profit(tree, &signers, outcome, done.base_fee);
    Json::object(|object| {
        let is_whole = stop.is_none() && earned.is_ok();
        object.raw("success", if is_whole { "true" } else { "false" });
        match (stop, &earned) {
            (Some(stop), _) => {
                let invalid = matches!(stop.why, Why::Invalid | Why::Waits);
                let error = if invalid { &stop.problem } else { "bundle transaction failed" };
                push_str(object.value("error"), error);
                push_str(object.value("execError"), &stop.problem);
                if !stop.output.is_empty() {
                    object.data("revert", &stop.output);
                }
            }
            (None, Err(negative)) => push_str(object.value("error"), &negative.to_string()),
            (None, Ok(_)) => {}
        }
        let (profit, refundable) =
            earned.as_ref().map_or((I256::ZERO, I256::ZERO), |all| (all.profit, all.refundable));
        object.quantity("stateBlock", done.parent);
        signed(object, "mevGasPrice", price(outcome.gain(), outcome.gas_used()));
        signed(object, "profit", if stop.is_some() { I256::ZERO } else { profit });
        signed(object, "refundableValue", if stop.is_some() { I256::ZERO } else { refundable });
        object.quantity("gasUsed", outcome.gas_used());
        if stop.is_none() {
            logs(object.value("logs"), tree, &outcome.ran, &mut 0);
        }
    })
}

/// A quantity, with a sign where the fee recipient loses.
fn signed(object: &mut Object<'_>, name: &str, value: I256) {
    if value.is_negative() {
        push_str(object.value(name), &format!("-{:#x}", value.unsigned_abs()));
    } else {
        object.big(name, &value.into_raw().to_be_bytes::<32>());
    }
}

/// Logs of each part, as deep as the tree is. `next` is the index of the next transaction.
fn logs(out: &mut String, tree: &Tree, ran: &[Ran], next: &mut usize) {
    push_list(out, &tree.parts, |out, part| {
        let mut object = Object::new(out);
        match part {
            Part::Transaction(..) => {
                let ran = ran.iter().find(|ran| ran.index == *next);
                *next += 1;
                object.list("txLogs", ran.map(|ran| &ran.logs).into_iter().flatten(), log);
            }
            Part::Tree(inner) => logs(object.value("bundleLogs"), inner, ran, next),
        }
        object.end();
    });
}

fn log(out: &mut String, log: &Log) {
    let mut object = Object::new(out);
    object.data("address", log.address.as_slice());
    object.list("topics", log.topics(), |out, topic| push_data(out, topic.as_slice()));
    object.data("data", &log.data.data);
    object.end();
}
