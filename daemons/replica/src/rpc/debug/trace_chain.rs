//! `debug_subscribe("traceChain", …)`: the blocks of a range, traced one after the other as fast as the client takes
//! them.
//!
//! Each block is looked up when its turn comes, so no view is held while the client takes its time.

use crate::rpc::debug::config::{Config, Raw};
use crate::rpc::rerun::bounds::{Bounds, on_pool};
use crate::rpc::rerun::run::{nth, run_to, write_traced};
use crate::rpc::rerun::traceable::{mined, traceable};
use crate::rpc::{Shared, request_view::RequestView};
use alloy::consensus::EMPTY_ROOT_HASH;
use maidenlane_chain::Block;
use maidenlane_chain::BlockRef;
use maidenlane_ethjson::params::{self, Selector, Tag};
use maidenlane_ethjson::select;
use maidenlane_ethjson::unreadable;
use maidenlane_json::{Object, push_data, push_str};
use maidenlane_jsonrpc::{Args, Error, Events, Json, Publisher, subscriptions};
use serde_json::value::RawValue;
use std::ops::RangeInclusive;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Timeout of a whole block: no client waits for its end as for an answer, and each transaction has a timeout of its
/// own.
const BLOCK_TIME: Duration = Duration::from_secs(600);
/// Most bytes of parameters: they are read on an IO thread.
const PARAMS_BYTES_MAX: usize = 64 << 10;

/// Opens a subscription to the traces of the blocks after the first one that is named, up to the second.
pub(in crate::rpc) fn open(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    params: Option<&RawValue>,
) -> Result<Events, Error> {
    if params.is_some_and(|params| params.get().len() > PARAMS_BYTES_MAX) {
        return Err(Error::params(format!(
            "the parameters of a subscription have {PARAMS_BYTES_MAX} bytes at most"
        )));
    }
    let mut args = Args::parse(params, 4)?;
    args.required(params::plain)?;
    let (start, end) = (args.required(Tag::read)?, args.required(Tag::read)?);
    let config = args.optional(Raw::read)?.unwrap_or_default().checked()?;
    view.fit()?;
    let find = |tag| {
        let found = select::block(view.source(), Selector::Tag(tag))?;
        found.ok_or_else(|| Error::server(format!("block #{} not found", tag.as_number())))
    };
    let (first, last) = (find(start)?, find(end)?);
    if first.number >= last.number {
        let (start, end) = (start.as_number(), end.as_number());
        let text = format!("end block (#{end}) needs to come after start block (#{start})");
        return Err(Error::server(text));
    }
    let next = first.number.saturating_add(1);
    mined(view, BlockRef::new(next, first.hash))?;
    let (publisher, events) = subscriptions::paced();
    let job = tell(Arc::downgrade(shared), publisher, next..=last.number, config.into());
    shared.hub.spawn(job);
    Ok(events)
}

/// Sends the traces block by block, and stays silent then, as geth does.
async fn tell(shared: Weak<Shared>, publisher: Publisher, blocks: RangeInclusive<u64>, config: Arc<Config>) {
    let last = *blocks.end();
    for number in blocks {
        let Some(shared) = shared.upgrade() else { return };
        // Dropped when the client leaves, the future ends the block's traces.
        let traced = tokio::select! {
            traced = block(&shared, number, number == last, &config) => traced,
            () = publisher.closed() => return,
        };
        drop(shared);
        match traced {
            Ok(None) => (),
            Ok(Some(traced)) => {
                if !publisher.deliver(traced).await {
                    return;
                }
            }
            Err(reason) => return publisher.close(reason),
        }
    }
    publisher.closed().await;
}

/// Traces of one block; `None` for one without transactions, unless it is the last.
async fn block(
    shared: &Arc<Shared>,
    number: u64,
    is_last: bool,
    config: &Arc<Config>,
) -> Result<Option<Json>, Error> {
    let view = Arc::new(RequestView::now(&*shared.live));
    view.fit()?;
    let hash = view.source().hash_of(number).map_err(unreadable)?;
    let hash = hash.ok_or_else(|| Error::server(format!("block #{number} not found")))?;
    let at = BlockRef::new(number, hash);
    if !is_last && select::header(view.source(), at)?.transactions_root == EMPTY_ROOT_HASH {
        return Ok(None);
    }
    let config = Arc::clone(config);
    let job = move |shared: &Shared, view: &RequestView, _: Option<&RawValue>, bounds: &mut Bounds| {
        traces(shared, view, &*traceable(shared, view, at)?, &config, bounds)
    };
    on_pool(shared, &view, None, BLOCK_TIME, job).await.map(Some)
}

/// Traces of a block's transactions. As in geth, what follows one that cannot be traced is null.
fn traces(
    shared: &Shared,
    view: &RequestView,
    block: &Block,
    config: &Config,
    bounds: &mut Bounds,
) -> Result<Json, Error> {
    bounds.budget.limit_each(config.timeout);
    let mut replay = run_to(shared, view, block, 0, bounds)?;
    let mut traces = String::new();
    let mut failed = false;
    for index in 0..block.transactions.len() {
        if index > 0 {
            traces.push(',');
        }
        if failed {
            traces.push_str("null");
            continue;
        }
        let (tx, place) = nth(block, index)?;
        let hash = place.hash.unwrap_or_default();
        let left = bounds.most_bytes.saturating_sub(traces.len());
        match config.trace(&mut replay, tx, place, bounds, left) {
            Ok(result) => write_traced(&mut traces, hash, &result),
            Err(error) => {
                let mut object = Object::new(&mut traces);
                push_data(object.value("txHash"), hash.as_slice());
                push_str(object.value("error"), &error.message);
                object.end();
                failed = true;
            }
        }
    }
    Ok(Json::object(|object| {
        object.quantity("block", block.header.number);
        object.data("hash", block.hash.as_slice());
        object.raw("traces", &format!("[{traces}]"));
    }))
}
