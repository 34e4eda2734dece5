//! Subscribers to transactions that come into the master's pool, and to those that leave it. Each notice is rendered once.

use super::set::Held;
use maidenlane_chain::B256;
use maidenlane_ethjson::transaction;
use maidenlane_json::push_str;
use maidenlane_jsonrpc::{Error, Events, Json, Publisher, subscriptions::channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Kind of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `newPendingTransactions`: hashes of those that are announced.
    Hashes,
    /// The same with all their fields.
    Whole,
    /// `droppedTransactions` of all senders.
    Dropped,
}

/// Reason for which a transaction left the pool without a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reason<'a> {
    /// Code, in the words of the original feed.
    pub(crate) code: &'a str,
    /// Transaction that has its place.
    pub(crate) by: Option<B256>,
}

impl Reason<'_> {
    /// Another one of the sender's with the same nonce has its place.
    pub(crate) fn replaced(by: B256) -> Self {
        Self { code: "replaced-txs", by: Some(by) }
    }

    /// A block has used the nonce for another one.
    pub(crate) const LOW_NONCE: Self = Self { code: "low-nonce-txs", by: None };
    /// Nobody can prove why.
    pub(crate) const UNKNOWN: Self = Self { code: "unknown", by: None };
}

/// Subscribers of all kinds.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    subscribers: Mutex<Vec<(Kind, Publisher)>>,
}

impl Notices {
    /// Adds a subscriber.
    pub(crate) fn add(&self, kind: Kind) -> Events {
        let (publisher, events) = channel();
        let mut subscribers = self.lock();
        // Those whose clients left while nothing was told.
        subscribers.retain(|(_, publisher)| !publisher.is_closed());
        subscribers.push((kind, publisher));
        events
    }

    /// Tells that a transaction can go into a block.
    pub(super) fn pending(&self, held: &Held) {
        let mut hash = String::new();
        maidenlane_json::push_data(&mut hash, held.hash().as_slice());
        self.tell(Kind::Hashes, || Json::Owned(hash));
        self.tell(Kind::Whole, || {
            Json::object(|object| transaction::write(object, &held.tx, held.from, None))
        });
    }

    /// Tells that a transaction has left without a block.
    pub(super) fn dropped(&self, hash: B256, reason: Reason<'_>, at_ms: u64) {
        self.tell(Kind::Dropped, || {
            Json::object(|object| {
                object.data("txhash", hash.as_slice());
                push_str(object.value("reason"), reason.code);
                if let Some(by) = reason.by {
                    object.data("replacedBy", by.as_slice());
                }
                object.quantity("time", at_ms);
            })
        });
    }

    /// Ends all subscriptions.
    pub(super) fn close(&self, reason: &Error) {
        for (_, publisher) in std::mem::take(&mut *self.lock()) {
            publisher.close(reason.clone());
        }
    }

    /// Notifies the subscribers of a kind. One whose client is too slow has ended, and goes.
    fn tell(&self, kind: Kind, notice: impl FnOnce() -> Json) {
        let mut subscribers = self.lock();
        if subscribers.iter().all(|(wanted, _)| *wanted != kind) {
            return;
        }
        let notice: Arc<str> = notice().as_str().into();
        subscribers.retain(|(wanted, publisher)| {
            *wanted != kind || publisher.send(Json::Shared(Arc::clone(&notice)))
        });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Kind, Publisher)>> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
