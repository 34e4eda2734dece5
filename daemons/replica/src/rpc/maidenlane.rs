//! `maidenlane_…`: what only a deployment of ours can tell.

use super::Shared;
use crate::outcomes::kept::{History, Outcomes, Unknown};
use alloy::primitives::B256;
use maidenlane_chain::BlockRef;
use maidenlane_ethjson::params;
use maidenlane_json::{Object, push_list, push_str};
use maidenlane_jsonrpc::{Args, Error, Json, codes};
use maidenlane_wire::{Fate, Outcome};
use serde_json::value::RawValue;

/// `maidenlane_transactionStatus`: what became of a transaction, and when.
pub(crate) fn transaction_status(shared: &Shared, params: Option<&RawValue>) -> Result<Json, Error> {
    let hash = Args::parse(params, 1)?.required(params::hash)?;
    let history = outcomes(shared)?.history(hash).map_err(|unknown| match unknown {
        Unknown::NotYet => Error::new(codes::NOT_TAKEN, unknown.to_string()),
        Unknown::Store(_) => Error::internal(unknown.to_string()),
    })?;
    Ok(status(hash, &history))
}

/// Outcomes of transactions, where they are kept.
pub(super) fn outcomes(shared: &Shared) -> Result<&Outcomes, Error> {
    let text = "this deployment does not keep the outcomes of transactions";
    shared.outcomes.as_ref().ok_or_else(|| Error::server(text))
}

fn status(hash: B256, history: &History) -> Json {
    Json::object(|object| {
        object.data("hash", hash.as_slice());
        match history.newest() {
            Some(last) => push_str(object.value("status"), last.fate.name()),
            None => object.raw("status", "null"),
        }
        object.quantity("knownSince", history.since_ms);
        push_list(object.value("history"), &history.outcomes, write);
    })
}

fn write(out: &mut String, outcome: &Outcome) {
    let mut object = Object::new(out);
    push_str(object.value("fate"), outcome.fate.name());
    object.quantity("time", outcome.at_ms);
    object.quantity("round", outcome.round);
    match &outcome.fate {
        Fate::Received | Fate::Accepted | Fate::Expired => {}
        Fate::Sent { upstream, class, reason } => {
            push_str(object.value("upstream"), upstream);
            push_str(object.value("class"), class);
            if let Some(reason) = reason {
                push_str(object.value("reason"), reason);
            }
        }
        Fate::Rejected { class, reason } => {
            push_str(object.value("class"), class);
            push_str(object.value("reason"), reason);
        }
        Fate::Replaced { by, block: at } => {
            object.data("replacedBy", by.as_slice());
            block(&mut object, at);
        }
        Fate::Dropped { reason, by } => {
            push_str(object.value("reason"), reason);
            if let Some(by) = by {
                object.data("replacedBy", by.as_slice());
            }
        }
        Fate::Mined { block: at } | Fate::ReorgedOut { block: at } | Fate::Final { block: at } => {
            block(&mut object, at);
        }
    }
    object.end();
}

fn block(object: &mut Object<'_>, at: &BlockRef) {
    object.data("blockHash", at.hash.as_slice());
    object.quantity("blockNumber", at.number);
}
