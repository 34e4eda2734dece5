//! Subscribers to transactions that no node took, and to those that left a pool. Each notice is rendered once.

use alloy::consensus::transaction::SignerRecoverable as _;
use maidenlane_chain::B256;
use maidenlane_ethjson::{raw, transaction};
use maidenlane_json::{Object, push_str};
use maidenlane_jsonrpc::{Events, Json, Publisher, subscriptions::channel};
use maidenlane_wire::{Fate, Outcome};
use std::sync::{Arc, Mutex, PoisonError};

/// Reason for which a pool drops a transaction whose nonce a block has used, in the words of the original feed.
const NONCE_USED: &str = "low-nonce-txs";

/// Kind of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `rejectedTransactions`: no node took it, and none knew it already.
    Rejected,
    /// `droppedTransactions`: it left a pool, or never can leave it into a block any more.
    Dropped,
}

/// Subscribers of both kinds.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    subscribers: Mutex<Vec<(Kind, Publisher)>>,
}

impl Notices {
    /// Adds a subscriber.
    pub(crate) fn add(&self, kind: Kind) -> Events {
        let (publisher, events) = channel();
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        // Those whose clients left while nothing was told.
        subscribers.retain(|(_, publisher)| !publisher.is_closed());
        subscribers.push((kind, publisher));
        events
    }

    /// Notifies the subscribers of an outcome that is news. One whose client is too slow has ended, and goes.
    pub(super) fn tell(&self, outcome: &Outcome) {
        let Some((kind, notice)) = notice(outcome) else { return };
        let notice: Arc<str> = notice.as_str().into();
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|(wanted, publisher)| {
            *wanted != kind || publisher.send(Json::Shared(Arc::clone(&notice)))
        });
    }
}

/// Notice of an outcome, if it is of a kind.
fn notice(outcome: &Outcome) -> Option<(Kind, Json)> {
    let dropped = |reason: &str, by: Option<&B256>| {
        let notice = Json::object(|object| {
            object.data("txhash", outcome.hash.as_slice());
            push_str(object.value("reason"), reason);
            if let Some(by) = by {
                object.data("replacedBy", by.as_slice());
            }
            object.quantity("time", outcome.at_ms);
        });
        Some((Kind::Dropped, notice))
    };
    match &outcome.fate {
        Fate::Rejected { class, reason } => Some((Kind::Rejected, rejected(outcome, class, reason))),
        Fate::Replaced { by, .. } => dropped(NONCE_USED, Some(by)),
        Fate::Dropped { reason, by } => dropped(reason, by.as_ref()),
        _ => None,
    }
}

fn rejected(outcome: &Outcome, class: &str, reason: &str) -> Json {
    let sent = outcome.raw.as_ref().and_then(|bytes| raw::decode(bytes.clone()).ok());
    Json::object(|object| {
        let mut tx = Object::new(object.value("tx"));
        match &sent {
            // The key of an entry is whatever its writer said.
            Some(sent) => {
                let from = sent.tx.recover_signer().unwrap_or(outcome.sender);
                transaction::write(&mut tx, &sent.tx, from, None);
            }
            None => {
                tx.data("hash", outcome.hash.as_slice());
                tx.data("from", outcome.sender.as_slice());
            }
        }
        tx.end();
        push_str(object.value("reason"), reason);
        push_str(object.value("class"), class);
        object.quantity("time", outcome.at_ms);
    })
}
