//! `eth_subscribe`: each head change is worked out once, and sent to all subscribers.

use super::Shared;
use super::changes::{self, Changes};
use super::debug::trace_chain;
use super::eth::logs::Criteria;
use super::request_view::RequestView;
use alloy::primitives::{B256, map::B256Set};
use maidenlane_chain::BlockRef;
use maidenlane_ethjson::block::own_header_json;
use maidenlane_ethjson::params;
use maidenlane_ethjson::select;
use maidenlane_jsonrpc::subscriptions::channel;
use maidenlane_jsonrpc::{Args, Error, Json, codes};
use maidenlane_jsonrpc::{Events, Publisher};
use maidenlane_replay::Live;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::task::JoinSet;

/// Blocks between two heads that are notified one by one; after more the subscriptions end, and clients subscribe
/// again.
const BLOCKS_MAX: u64 = 1_024;
/// Hashes in one subscription to `transactionReceipts`, as in geth.
const HASHES_MAX: usize = 200;
/// Interval at which closed subscriptions are dropped, where no block comes.
const SWEEP: Duration = Duration::from_secs(5);

/// Kind of a subscription.
#[derive(Debug)]
enum Kind {
    Heads,
    Logs(Criteria),
    /// Receipts of these transactions, or of all.
    Receipts(B256Set),
    /// Events that never happen here: there is no pool, and a replica that falls behind ends its subscriptions.
    Silence,
}

#[derive(Debug)]
struct Subscriber {
    wanted: Kind,
    publisher: Publisher,
}

/// All subscribers, and the task that notifies them.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    subscribers: Vec<Subscriber>,
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

    /// Drops closed subscriptions. False when there is none left, and then the notifying task ends.
    fn sweep(&self) -> bool {
        let mut inner = self.inner();
        inner.subscribers.retain(|each| !each.publisher.is_closed());
        inner.running = !inner.subscribers.is_empty();
        inner.running
    }

    /// Runs a task for a single subscriber. It ends with the replica.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.inner().spawn(task);
    }

    /// Ends all subscriptions.
    fn close(&self, reason: &Error) {
        for each in std::mem::take(&mut self.inner().subscribers) {
            each.publisher.close(reason.clone());
        }
    }

    fn notify(&self, notice: &Notice<'_>) -> Result<(), Error> {
        let mut failed = None;
        self.inner().subscribers.retain(|each| match notice.to(each) {
            Ok(listens) => listens,
            Err(error) => {
                failed = Some(error);
                false
            }
        });
        failed.map_or(Ok(()), Err)
    }
}

/// `eth_subscribe`.
pub(crate) fn open(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    namespace: &str,
    kind: &str,
    params: Option<&RawValue>,
) -> Result<Events, Error> {
    let wanted = match (namespace, kind) {
        ("eth", "newHeads") => {
            Args::parse(params, 1)?;
            Kind::Heads
        }
        ("eth", "syncing") => {
            Args::parse(params, 1)?;
            Kind::Silence
        }
        ("eth", "newPendingTransactions") => {
            let mut args = Args::parse(params, 2)?;
            args.required(params::plain)?;
            args.optional(params::boolean)?;
            Kind::Silence
        }
        ("eth", "logs") => {
            let mut args = Args::parse(params, 2)?;
            args.required(params::plain)?;
            let criteria = args.required(Criteria::read)?;
            criteria.check_future(view)?;
            Kind::Logs(criteria)
        }
        ("debug", "traceChain") => return trace_chain::open(shared, view, params),
        ("eth", "transactionReceipts") => Kind::Receipts(receipts(params)?),
        _ => return Err(Error::no_subscription(namespace, kind)),
    };
    view.fit()?;
    let (publisher, events) = channel();
    let mut inner = shared.hub.inner();
    inner.subscribers.push(Subscriber { wanted, publisher });
    if !inner.running {
        inner.running = true;
        inner.spawn(work(Arc::downgrade(shared), Arc::clone(&shared.live), view.block()));
    }
    Ok(events)
}

fn receipts(params: Option<&RawValue>) -> Result<B256Set, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Query {
        transaction_hashes: Option<Vec<B256>>,
    }
    let mut args = Args::parse(params, 2)?;
    args.required(params::plain)?;
    let query: Option<Query> =
        args.optional(|json| serde_json::from_str(json).map_err(|error| error.to_string()))?;
    let hashes = query.and_then(|query| query.transaction_hashes).unwrap_or_default();
    if hashes.len() > HASHES_MAX {
        return Err(Error::params(
            "exceed max number of transaction hashes allowed per transactionReceipts subscription",
        ));
    }
    Ok(hashes.into_iter().collect())
}

/// Notifies subscribers of head changes, while there are any.
async fn work(shared: Weak<Shared>, live: Arc<dyn Live>, mut announced: BlockRef) {
    let mut heads = live.changes();
    loop {
        let changed = tokio::time::timeout(SWEEP, heads.changed()).await;
        let Some(shared) = shared.upgrade().filter(|_| !matches!(changed, Ok(Err(_)))) else { return };
        let from = announced;
        let view = RequestView::now(&*live);
        announced = view.block();
        // Decoding a block and matching its logs may take milliseconds.
        let telling = tokio::task::spawn_blocking(move || {
            if let Err(reason) = tell(&shared, &view, from) {
                shared.hub.close(&reason);
            }
            shared.hub.sweep()
        });
        // A panic there ends this task, and the notifications with it.
        if !telling.await.unwrap_or(false) {
            return;
        }
    }
}

fn tell(shared: &Shared, view: &RequestView, from: BlockRef) -> Result<(), Error> {
    if from == view.block() {
        return Ok(());
    }
    let Some(Changes { gone, came }) = changes::between(view.source(), from, BLOCKS_MAX)? else {
        return Err(Error::new(codes::SERVER, "too much has changed at once; subscribe again"));
    };
    // As in geth, removed blocks are notified oldest first.
    for at in gone {
        shared.hub.notify(&Notice { shared, view, at, removed: true })?;
    }
    let shortened = came.is_empty();
    for at in came {
        shared.hub.notify(&Notice { shared, view, at, removed: false })?;
    }
    if shortened {
        let head = header(view, view.block())?;
        shared.hub.inner().subscribers.retain(|each| {
            !matches!(each.wanted, Kind::Heads) || each.publisher.send(Json::Shared(Arc::clone(&head)))
        });
    }
    Ok(())
}

/// Notification of one block that came or left.
struct Notice<'a> {
    shared: &'a Shared,
    view: &'a RequestView,
    at: BlockRef,
    removed: bool,
}

impl Notice<'_> {
    /// Notifies a subscriber. False when it is gone.
    fn to(&self, subscriber: &Subscriber) -> Result<bool, Error> {
        let publisher = &subscriber.publisher;
        match &subscriber.wanted {
            Kind::Heads if !self.removed => Ok(publisher.send(Json::Shared(header(self.view, self.at)?))),
            Kind::Logs(criteria) => self.logs(criteria, publisher),
            Kind::Receipts(wanted) if !self.removed => self.receipts(wanted, publisher),
            Kind::Heads | Kind::Receipts(_) | Kind::Silence => Ok(!publisher.is_closed()),
        }
    }

    fn logs(&self, criteria: &Criteria, publisher: &Publisher) -> Result<bool, Error> {
        let tell = &mut |log| publisher.send(Json::Owned(log));
        let all = changes::logs(self.view, criteria, self.at, self.removed, tell)?;
        Ok(all && !publisher.is_closed())
    }

    fn receipts(&self, wanted: &B256Set, publisher: &Publisher) -> Result<bool, Error> {
        let block = self.shared.blocks.block(self.view, self.at)?;
        let mut out = String::from("[");
        for (index, tx) in block.transactions.iter().enumerate() {
            if wanted.is_empty() || wanted.contains(tx.tx_hash()) {
                if out.len() > 1 {
                    out.push(',');
                }
                out.push_str(self.shared.blocks.receipt(self.view, &block, index)?.as_str());
            }
        }
        if out.len() == 1 {
            return Ok(!publisher.is_closed());
        }
        out.push(']');
        Ok(publisher.send(Json::Owned(out)))
    }
}

/// JSON of a header as geth notifies it.
fn header(view: &RequestView, at: BlockRef) -> Result<Arc<str>, Error> {
    let header = select::header(view.source(), at)?;
    Ok(own_header_json(&header, at.hash).as_str().into())
}

#[cfg(test)]
mod tests;
