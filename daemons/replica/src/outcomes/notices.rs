//! Subscribers to transactions that no node took, and to those that left a pool. Each notice is rendered once.

use alloy::consensus::transaction::SignerRecoverable as _;
use maidenlane_chain::{Address, B256, Bytes};
use maidenlane_ethjson::{raw, transaction};
use maidenlane_json::{Object, push_str};
use maidenlane_jsonrpc::{Events, Json, Publisher, subscriptions::channel};
use maidenlane_wire::{Fate, Outcome, Refusal};
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

/// Class of what a replica refused, beside the classes of nodes' verdicts.
const AT_THE_DOOR: &str = "door";

/// Transactions of which a subscriber is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All.
    All,
    /// Transactions that this identity sent.
    Of(String),
}

/// One who is told.
#[derive(Debug)]
struct Subscriber {
    kind: Kind,
    scope: Scope,
    publisher: Publisher,
}

/// Subscribers of both kinds.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    subscribers: Mutex<Vec<Subscriber>>,
}

impl Notices {
    /// Adds a subscriber.
    pub(crate) fn add(&self, kind: Kind, scope: Scope) -> Events {
        let (publisher, events) = channel();
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        // Those whose clients left while nothing was told.
        subscribers.retain(|subscriber| !subscriber.publisher.is_closed());
        subscribers.push(Subscriber { kind, scope, publisher });
        events
    }

    /// Notifies the subscribers of an outcome that is news, on a transaction that `identity` sent.
    pub(super) fn tell(&self, outcome: &Outcome, identity: Option<&str>) {
        if let Some((kind, notice)) = notice(outcome) {
            self.send(kind, &notice, identity);
        }
    }

    /// Notifies the subscribers of a refusal at a door.
    pub(super) fn tell_refusal(&self, refusal: &Refusal) {
        self.send(Kind::Rejected, &refused(refusal), refusal.identity.as_deref());
    }

    /// Sends a notice. A subscriber whose client is too slow has ended, and goes.
    fn send(&self, kind: Kind, notice: &Json, identity: Option<&str>) {
        let notice: Arc<str> = notice.as_str().into();
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|Subscriber { kind: wanted, scope, publisher }| {
            let is_wanted = *wanted == kind
                && match scope {
                    Scope::All => true,
                    Scope::Of(name) => identity == Some(name),
                };
            !is_wanted || publisher.send(Json::Shared(Arc::clone(&notice)))
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
    Json::object(|object| {
        write_tx(object, outcome.raw.as_ref(), outcome.hash, outcome.sender);
        push_str(object.value("reason"), reason);
        push_str(object.value("class"), class);
        object.quantity("time", outcome.at_ms);
    })
}

fn refused(refusal: &Refusal) -> Json {
    Json::object(|object| {
        write_tx(object, Some(&refusal.raw), refusal.hash, refusal.sender);
        push_str(object.value("reason"), &refusal.reason);
        push_str(object.value("class"), AT_THE_DOOR);
        object.quantity("time", refusal.at_ms);
        if refusal.omitted > 0 {
            object.quantity("omitted", refusal.omitted);
        }
    })
}

/// Writes the transaction, as far as an entry has it.
fn write_tx(object: &mut Object<'_>, raw: Option<&Bytes>, hash: B256, sender: Address) {
    let sent = raw.and_then(|bytes| raw::decode(bytes.clone()).ok());
    let mut tx = Object::new(object.value("tx"));
    match &sent {
        // The key of an entry is whatever its writer said.
        Some(sent) => {
            let from = sent.tx.recover_signer().unwrap_or(sender);
            transaction::write(&mut tx, &sent.tx, from, None);
        }
        None => {
            tx.data("hash", hash.as_slice());
            tx.data("from", sender.as_slice());
        }
    }
    tx.end();
}
