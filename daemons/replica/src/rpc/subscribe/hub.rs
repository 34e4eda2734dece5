//! Subscribers, and the task that notifies them.

use crate::rpc::eth::logs::Criteria;
use alloy::primitives::map::B256Set;
use maidenlane_jsonrpc::{Error, Json, Publisher};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;

/// Notifications of a subscription.
#[derive(Debug)]
pub(super) enum Kind {
    Heads,
    Logs(Criteria),
    /// Receipts of these transactions, or of all.
    Receipts(B256Set),
    /// Events that never happen here: there is no pool, and a replica that falls behind ends its subscriptions.
    Silence,
}

#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) kind: Kind,
    pub(super) publisher: Publisher,
}

impl Subscriber {
    /// Sends a text that others may get as well. A subscription that has ended gets no more, until it is swept away.
    pub(super) fn send(&self, text: &Arc<str>) {
        let _ = self.publisher.send(Json::Shared(Arc::clone(text)));
    }
}

/// Subscriptions of all connections. The lock is held for the list alone, never while blocks are read or rendered: IO
/// threads take it.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    subscribers: Vec<Arc<Subscriber>>,
    running: bool,
    /// Tasks: the one that notifies all subscribers, if any; those of single subscribers; and those that have just
    /// ended.
    tasks: JoinSet<()>,
}

impl Inner {
    /// Runs a task, and forgets those that have ended.
    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(task);
    }
}

impl Hub {
    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a subscriber; starts `work`, which notifies all of them, unless it runs already.
    pub(super) fn add<F>(&self, subscriber: Subscriber, work: impl FnOnce() -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut inner = self.inner();
        inner.subscribers.push(Arc::new(subscriber));
        if !inner.running {
            inner.running = true;
            inner.spawn(work());
        }
    }

    /// Runs a task for a single subscriber. It ends with the replica.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.inner().spawn(task);
    }

    /// Subscribers at present.
    pub(super) fn subscribers(&self) -> Vec<Arc<Subscriber>> {
        self.inner().subscribers.clone()
    }

    /// Drops subscriptions that have ended. False when there is none left, and then the notifying task ends.
    pub(super) fn sweep(&self) -> bool {
        let mut inner = self.inner();
        inner.subscribers.retain(|each| !each.publisher.is_closed());
        inner.running = !inner.subscribers.is_empty();
        inner.running
    }

    /// Ends all subscriptions, when the notifying task holds none of them any more.
    pub(super) fn close(&self, reason: &Error) {
        let mut inner = self.inner();
        inner.running = false;
        for each in std::mem::take(&mut inner.subscribers).into_iter().filter_map(Arc::into_inner) {
            each.publisher.close(reason.clone());
        }
    }
}
