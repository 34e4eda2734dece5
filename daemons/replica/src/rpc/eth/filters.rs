//! `eth_newFilter` and its kin, without a session: a filter's description and cursor are read from the topic that all
//! replicas share. A poll
//!
//! 1. reads the topic to its present end: the filter, and its cursor, a block;
//! 2. works out what changed from there to this replica's head;
//! 3. if anything did, appends the step; when another replica's step came before, it begins again;
//! 4. answers.
//!
//! So no routing repeats or skips anything; an answer that is lost on its way is lost, as with geth.

use super::logs::{self, Criteria};
use crate::filters::id::{Description, Id, Kind, NONCE_BYTES};
use crate::filters::{CRITERIA_MAX_BYTES, Filters, Found, Unavailable};
use crate::rpc::Shared;
use crate::rpc::changes::{self, Changes};
use crate::rpc::execute::refused;
use crate::rpc::request_view::{self, RequestView};
use maidenlane_chain::BlockRef;
use maidenlane_ethjson::params;
use maidenlane_json::push_data;
use maidenlane_jsonrpc::{Args, Error, Json, codes};
use maidenlane_service::clock::now_ms;
use maidenlane_wire::FilterMoved;
use serde_json::value::RawValue;
use std::sync::Arc;

/// Most blocks between a filter's cursor and the head; a filter that lags further is not found any more.
const BLOCKS_MAX: u64 = 1_024;
/// Nonces that are tried for an id: one in sixteen will not do.
const NONCES_MAX: usize = 100;
/// Attempts of a poll: one that loses so often has a client that polls the same filter many times at once.
const ATTEMPTS: usize = 8;

fn kept(shared: &Shared) -> Result<&Filters, Error> {
    let none = || Error::server("this deployment keeps no filters; use eth_getLogs, or subscribe");
    shared.filters.as_ref().ok_or_else(none)
}

/// `eth_newFilter`.
pub(crate) async fn new_logs(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let filters = kept(shared)?;
    let read = |json: &str| Criteria::read(json).map(|criteria| (criteria, json.to_owned()));
    let (criteria, raw) = Args::parse(params, 1)?.required(read)?;
    criteria.check_future(view)?;
    if raw.len() > CRITERIA_MAX_BYTES {
        let most = CRITERIA_MAX_BYTES >> 10;
        return Err(Error::params(format!("a filter's criteria are {most} KiB at most")));
    }
    create(filters, view, Kind::Logs(raw)).await
}

/// `eth_newBlockFilter`.
pub(crate) async fn new_blocks(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let filters = kept(shared)?;
    Args::parse(params, 0)?;
    create(filters, view, Kind::Blocks).await
}

/// `eth_newPendingTransactionFilter`.
pub(crate) async fn new_pending(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let filters = kept(shared)?;
    Args::parse(params, 1)?.optional(params::boolean)?;
    create(filters, view, Kind::PendingTransactions).await
}

/// `eth_getFilterChanges`.
pub(crate) async fn changes(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let filters = kept(shared)?;
    Filter::read(params)?.ok_or_else(not_found)?.changes(shared, view, filters).await
}

/// `eth_getFilterLogs`.
pub(crate) async fn logs(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let filters = kept(shared)?;
    Filter::read(params)?.ok_or_else(not_found)?.logs(shared, view, filters).await
}

/// `eth_uninstallFilter`.
pub(crate) async fn uninstall(shared: &Shared, params: Option<&RawValue>) -> Result<Json, Error> {
    let filters = kept(shared)?;
    match Filter::read(params)? {
        Some(filter) => filter.uninstall(filters).await,
        None => Ok(Json::FALSE),
    }
}

/// Makes a filter. Its description is in the topic before the client gets the id.
async fn create(filters: &Filters, view: &RequestView, kind: Kind) -> Result<Json, Error> {
    let (owner, nonce) = (filters.signer().owner(view.owner().name()), [0; NONCE_BYTES]);
    let mut filter = Description { kind, owner, created: now_ms(), start: view.block(), nonce };
    for _ in 0..NONCES_MAX {
        filter.nonce = rand::random();
        if let Some((id, criteria)) = filter.write(filters.signer()) {
            filters.keep(criteria.into()).await.map_err(unavailable)?;
            return Ok(Json::data(id.as_slice()));
        }
    }
    Err(Error::internal("no id for a filter"))
}

/// Filter id that a client sent.
struct Filter(Id);

impl Filter {
    /// Reads the id from the parameters; `None` for text that is none: a filter that does not exist.
    fn read(params: Option<&RawValue>) -> Result<Option<Self>, Error> {
        let text = Args::parse(params, 1)?.required(params::string)?;
        Ok(text.strip_prefix("0x").and_then(|digits| digits.parse().ok()).map(Self))
    }

    /// Looks the filter up, and its criteria where it is one of logs.
    async fn find(&self, filters: &Filters) -> Result<(Found, Option<Criteria>), Error> {
        let found = filters.find(self.0).await.map_err(unavailable)?.ok_or_else(not_found)?;
        let Kind::Logs(text) = &found.filter.kind else { return Ok((found, None)) };
        // The criteria were checked when the filter was made.
        let criteria = Criteria::read(text).map_err(Error::internal)?;
        Ok((found, Some(criteria)))
    }

    fn step(found: &Found, next: Option<BlockRef>) -> FilterMoved {
        FilterMoved {
            filter: found.id,
            created_ms: found.filter.created,
            step: found.stand.step.saturating_add(1),
            base: found.stand.cursor,
            next,
            at_ms: now_ms(),
        }
    }

    async fn changes(
        &self,
        shared: &Arc<Shared>,
        view: &Arc<RequestView>,
        filters: &Filters,
    ) -> Result<Json, Error> {
        for _ in 0..ATTEMPTS {
            let (mut found, criteria) = self.find(filters).await?;
            let (seen, changes) = reach(shared, view, found.stand.cursor).await?;
            let head = seen.block();
            let (wants_blocks, shared_there) = (found.filter.kind == Kind::Blocks, Arc::clone(shared));
            let tell = move |_| tell(&shared_there, &seen, &changes, wants_blocks, criteria.as_ref());
            let (items, answer) = shared.pool.run(view.owner(), tell).await.map_err(refused)??;
            if items == 0 && !found.stand.wants_touch {
                return Ok(answer);
            }
            if let Some(criteria) = found.again.take() {
                filters.keep(criteria).await.map_err(unavailable)?;
            }
            if filters.step(Self::step(&found, Some(head))).await.map_err(unavailable)? {
                return Ok(answer);
            }
        }
        Err(Error::new(codes::LIMIT_EXCEEDED, "the filter is polled by too many at once"))
    }

    async fn logs(
        &self,
        shared: &Arc<Shared>,
        view: &Arc<RequestView>,
        filters: &Filters,
    ) -> Result<Json, Error> {
        match self.find(filters).await? {
            (_, Some(criteria)) => logs::matching(shared, view, criteria).await,
            (_, None) => Err(not_found()),
        }
    }

    async fn uninstall(&self, filters: &Filters) -> Result<Json, Error> {
        for _ in 0..ATTEMPTS {
            let Some(found) = filters.find(self.0).await.map_err(unavailable)? else {
                return Ok(Json::FALSE);
            };
            if filters.step(Self::step(&found, None)).await.map_err(unavailable)? {
                return Ok(Json::TRUE);
            }
        }
        Err(Error::new(codes::LIMIT_EXCEEDED, "the filter is polled by too many at once"))
    }
}

/// Changes since `cursor`, in the request's view or, where that does not know the block yet, in a newer one.
async fn reach(
    shared: &Shared,
    view: &Arc<RequestView>,
    cursor: BlockRef,
) -> Result<(Arc<RequestView>, Changes), Error> {
    if let Some(changes) = changes::between(view.source(), cursor, BLOCKS_MAX)? {
        return Ok((Arc::clone(view), changes));
    }
    let newer = request_view::knowing(&*shared.live, &shared.waiters, cursor).await;
    if let Some(changes) = changes::between(newer.source(), cursor, BLOCKS_MAX)? {
        return Ok((Arc::new(newer), changes));
    }
    let head = newer.block().number;
    if head <= cursor.number {
        let text = format!("block {} of the filter is not here yet (head {head})", cursor.number);
        return Err(Error::new(codes::MIN_BLOCK, text));
    }
    Err(not_found())
}

/// Number of items in the answer to a poll, and the answer.
fn tell(
    shared: &Shared,
    view: &RequestView,
    changes: &Changes,
    wants_blocks: bool,
    criteria: Option<&Criteria>,
) -> Result<(usize, Json), Error> {
    let mut list = logs::Answer::new(shared);
    if wants_blocks {
        changes.came.iter().all(|at| list.add(1, |out| push_data(out, at.hash.as_slice())));
    }
    if let Some(criteria) = criteria {
        let gone = changes.gone.iter().map(|at| (*at, true));
        for (at, removed) in gone.chain(changes.came.iter().map(|at| (*at, false))) {
            changes::logs(view, criteria, at, removed, &mut |log| list.add(1, |out| out.push_str(&log)))?;
        }
    }
    list.check()?;
    Ok((list.len(), list.finish()))
}

fn not_found() -> Error {
    Error::server("filter not found")
}

fn unavailable(error: Unavailable) -> Error {
    let code = match error {
        Unavailable::Busy => codes::LIMIT_EXCEEDED,
        Unavailable::Log(_) => codes::FILTERS_AWAY,
    };
    Error::new(code, error.to_string())
}

#[cfg(test)]
mod tests;
