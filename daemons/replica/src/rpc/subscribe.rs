//! `eth_subscribe`: each head change is worked out once, and sent to all subscribers.

mod hub;
mod notice;

use super::changes::{self, Changes};
use super::debug::trace_chain;
use super::eth::logs::Criteria;
use super::request_view::RequestView;
use super::{Shared, maidenlane};
use crate::mempool::{self, Mempool};
use crate::outcomes::notices::{self, Scope};
use alloy::primitives::{B256, map::B256Set};
pub(crate) use hub::Hub;
use hub::{Kind, Subscriber};
use maidenlane_chain::BlockRef;
use maidenlane_ethjson::params;
use maidenlane_jsonrpc::subscriptions::channel;
use maidenlane_jsonrpc::{Args, Error, Events, Owner, codes};
use maidenlane_replay::Live;
use notice::Notice;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Blocks between two heads that are notified one by one; after more the subscriptions end, and clients subscribe
/// again.
const BLOCKS_MAX: u64 = 1_024;
/// Hashes in one subscription to `transactionReceipts`, as in geth.
const HASHES_MAX: usize = 200;
/// Interval at which closed subscriptions are dropped, where no block comes.
const SWEEP: Duration = Duration::from_secs(5);

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
            let whole = args.optional(params::boolean)?.unwrap_or_default();
            match &shared.mempool {
                Some(pool) => return pending(pool, view, whole),
                None => Kind::Silence,
            }
        }
        ("eth", "rejectedTransactions") => {
            return notices(shared, view, wanted(params)?.as_deref(), notices::Kind::Rejected);
        }
        ("eth", "droppedTransactions") => return dropped(shared, view, params),
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
    shared.hub.add(Subscriber { kind: wanted, publisher }, || {
        work(Arc::downgrade(shared), Arc::clone(&shared.live), view.block())
    });
    Ok(events)
}

/// Subscription to transactions that come into the master's pool.
fn pending(pool: &Mempool, view: &RequestView, whole: bool) -> Result<Events, Error> {
    view.fit()?;
    pool.fit()?;
    let kind = if whole { mempool::notices::Kind::Whole } else { mempool::notices::Kind::Hashes };
    Ok(pool.notices().add(kind))
}

/// Subscription to transactions that leave a pool: with the scope `all` the master's, whoever sent them, for a caller with the
/// right to see them; with `own` those that came through this deployment, or of them the caller's.
fn dropped(shared: &Shared, view: &RequestView, params: Option<&RawValue>) -> Result<Events, Error> {
    let (wanted, owner) = (wanted(params)?, view.owner());
    match (&shared.mempool, wanted.as_deref()) {
        (Some(pool), None | Some("all")) if owner.sees_all() => {
            pool.fit()?;
            Ok(pool.notices().add(mempool::notices::Kind::Dropped))
        }
        (Some(_), Some("own")) if owner.known_as().is_none() => {
            Ok(maidenlane::outcomes(shared)?.notices().add(notices::Kind::Dropped, Scope::All))
        }
        (_, wanted) => notices(shared, view, wanted, notices::Kind::Dropped),
    }
}

/// Subscription to fates of transactions. They come from a topic of their own, whatever the chain's head does.
fn notices(
    shared: &Shared,
    view: &RequestView,
    wanted: Option<&str>,
    kind: notices::Kind,
) -> Result<Events, Error> {
    let scope = scope(wanted, view.owner())?;
    Ok(maidenlane::outcomes(shared)?.notices().add(kind, scope))
}

/// Scope that a subscription names.
fn wanted(params: Option<&RawValue>) -> Result<Option<String>, Error> {
    #[derive(Deserialize)]
    struct Wanted {
        scope: Option<String>,
    }
    let mut args = Args::parse(params, 2)?;
    args.required(params::plain)?;
    let wanted: Option<Wanted> = args.optional(params::read)?;
    Ok(wanted.and_then(|wanted| wanted.scope))
}

/// Transactions of which a caller is told: all, where the listener knows nobody or the settings give the right, else its own.
fn scope(wanted: Option<&str>, owner: &Owner) -> Result<Scope, Error> {
    match (wanted, owner.known_as()) {
        (None | Some("all"), _) if owner.sees_all() => Ok(Scope::All),
        (Some("all"), _) => {
            Err(Error::server("this identity is told of its own transactions alone: give it `seesAll`"))
        }
        (None | Some("own"), Some(name)) => Ok(Scope::Of(name.to_owned())),
        (None | Some("own"), None) => {
            Err(Error::params("this listener knows nobody, so that no transactions are one's own"))
        }
        (Some(other), _) => Err(Error::params(format!("expected scope own or all, found {other}"))),
    }
}

fn receipts(params: Option<&RawValue>) -> Result<B256Set, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Query {
        transaction_hashes: Option<Vec<B256>>,
    }
    let mut args = Args::parse(params, 2)?;
    args.required(params::plain)?;
    let query: Option<Query> = args.optional(params::read)?;
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
    // The head may have changed between the view of the first subscriber and this.
    heads.mark_changed();
    loop {
        let changed = tokio::time::timeout(SWEEP, heads.changed()).await;
        let Some(shared) = shared.upgrade().filter(|_| !matches!(changed, Ok(Err(_)))) else { return };
        let from = announced;
        let view = RequestView::now(&*live);
        announced = view.block();
        // Decoding a block and matching its logs may take milliseconds.
        let there = Arc::clone(&shared);
        let notified = tokio::task::spawn_blocking(move || notify(&there, &view, from)).await;
        let reason = match notified {
            Ok(Ok(())) if shared.hub.sweep() => continue,
            Ok(Ok(())) => return,
            Ok(Err(reason)) => reason,
            Err(panic) => Error::internal(format!("notifying subscribers: {panic}")),
        };
        shared.hub.close(&reason);
        return;
    }
}

/// Notifies all subscribers of what changed since `from`.
fn notify(shared: &Shared, view: &RequestView, from: BlockRef) -> Result<(), Error> {
    if from == view.block() {
        return Ok(());
    }
    let Some(Changes { gone, came }) = changes::between(view.source(), from, BLOCKS_MAX)? else {
        return Err(Error::new(codes::SERVER, "too much has changed at once; subscribe again"));
    };
    let subscribers = shared.hub.subscribers();
    let shortened = came.is_empty();
    // As in geth, removed blocks are notified oldest first.
    let blocks = gone.into_iter().map(|at| (at, true)).chain(came.into_iter().map(|at| (at, false)));
    for (at, removed) in blocks {
        Notice { shared, view, at, removed }.send(&subscribers)?;
    }
    if shortened {
        Notice { shared, view, at: view.block(), removed: false }.heads(&subscribers)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
