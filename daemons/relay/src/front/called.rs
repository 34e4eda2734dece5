//! Answers about simulations. Amounts are decimal texts, as all the family has them: they exceed what numbers of JSON hold.

use crate::ids::bundle_hash;
use crate::simulation::outcome::{Outcome, Ran, Why, price, sent};
use crate::simulation::prepared::{Prepared, Step};
use crate::simulator::summary::{Summary, What};
use alloy::primitives::{I256, U256};
use maidenlane_jsonrpc::Json;
use maidenlane_jsonrpc::json::{Object, push_str};
use std::fmt::Display;

fn decimal(object: &mut Object<'_>, name: &str, value: impl Display) {
    push_str(object.value(name), &value.to_string());
}

fn number(object: &mut Object<'_>, name: &str, value: u64) {
    object.raw(name, &value.to_string());
}

/// Gain of the fee recipient, in all four ways to say it.
fn amounts(object: &mut Object<'_>, gas_price: &str, (gain, fees, gas): (I256, U256, u64)) {
    decimal(object, gas_price, price(gain, gas));
    decimal(object, "coinbaseDiff", gain);
    decimal(object, "ethSentToCoinbase", sent(gain, fees));
    decimal(object, "gasFees", fees);
}

/// Answer of `eth_callBundle` to a bundle of which all transactions ran.
pub(super) fn whole(parent: u64, bundle: &Prepared, outcome: &Outcome) -> Json {
    let hashes: Vec<_> = bundle.steps.iter().map(|step| step.hash).collect();
    Json::object(|object| {
        amounts(object, "bundleGasPrice", (outcome.gain(), outcome.fees(), outcome.gas_used()));
        object.data("bundleHash", bundle_hash(&hashes).as_slice());
        object.list("results", bundle.steps.iter().zip(&outcome.ran), |out, (step, ran)| {
            result(out, step, ran);
        });
        number(object, "stateBlockNumber", parent);
        number(object, "totalGasUsed", outcome.gas_used());
        if outcome.blob_gas() > 0 {
            number(object, "totalBlobGasUsed", outcome.blob_gas());
        }
    })
}

fn result(out: &mut String, step: &Step, ran: &Ran) {
    let mut object = Object::new(out);
    amounts(&mut object, "gasPrice", (ran.gain, ran.fees, ran.gas_used));
    object.data("fromAddress", step.tx.caller.as_slice());
    match step.to() {
        Some(to) => object.data("toAddress", to.as_slice()),
        // Clients with types cannot read the text "0x" of others as an address.
        None => object.raw("toAddress", "null"),
    }
    number(&mut object, "gasUsed", ran.gas_used);
    if ran.blob_gas > 0 {
        number(&mut object, "blobGasUsed", ran.blob_gas);
    }
    object.data("txHash", step.hash.as_slice());
    match &ran.problem {
        None => object.data("value", &ran.output),
        Some(problem) => {
            push_str(object.value("error"), problem);
            if !ran.output.is_empty() {
                object.data("revert", &ran.output);
            }
        }
    }
    object.end();
}

/// Part of the status of an order, for its owner.
pub(super) fn summary(out: &mut String, summary: &Summary) {
    let mut object = Object::new(out);
    let stop = summary.stop.as_ref().map(|stop| stop.reveal());
    let status = match stop.map(|stop| stop.why) {
        None => "whole",
        Some(Why::Waits) => "waits",
        Some(_) => "failed",
    };
    push_str(object.value("status"), status);
    object.quantity("blockNumber", summary.block);
    object.data("parentHash", summary.parent.hash.as_slice());
    number(&mut object, "atMs", summary.at_ms);
    if let Some(stop) = stop {
        number(&mut object, "index", u64::try_from(stop.index).unwrap_or(u64::MAX));
        push_str(object.value("error"), &stop.problem);
        if !stop.output.is_empty() {
            object.data("revert", &stop.output);
        }
    } else {
        let (fees, gas) = (*summary.fees.reveal(), summary.gas_used);
        amounts(&mut object, "bundleGasPrice", (summary.gain(), fees, gas));
        number(&mut object, "totalGasUsed", gas);
    }
    object.list("results", &summary.each, |out, each| {
        let mut object = Object::new(out);
        let what = match each.what {
            What::Succeeds => "succeeds",
            What::Fails => "fails",
            What::Dropped => "dropped",
            What::NotRun => "notRun",
        };
        push_str(object.value("status"), what);
        number(&mut object, "gasUsed", each.gas_used);
        decimal(&mut object, "coinbaseDiff", each.gain.reveal());
        object.end();
    });
    object.end();
}
