//! `debug_intermediateRoots`: the state root after each transaction of a block, where trie nodes are kept.

use super::config::Raw;
use super::{Bounds, nth, on_pool, replay, traceable};
use crate::evm::database::Overrides;
use crate::rpc::block::Block;
use crate::rpc::params::{self, Selector, Tag};
use crate::rpc::proof::tries;
use crate::rpc::{Shared, select, session::Session};
use maidenlane_jsonrpc::json::{push_data, push_list};
use maidenlane_jsonrpc::{Args, Error, Json};
use serde_json::value::RawValue;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The one method here.
pub(super) const METHOD: &str = "debug_intermediateRoots";

/// Answers it.
pub(super) async fn call(
    shared: &Arc<Shared>,
    session: &Arc<Session>,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 2)?;
    let hash = args.required(params::hash)?;
    let config = args.optional(Raw::read)?.unwrap_or_default().checked()?;
    let found = select::block(session.source(), Selector::Hash { hash, canonical: false })?;
    let at = found.ok_or_else(|| Error::server(format!("block {hash} not found")))?;
    let block = traceable(shared, session, at)?;
    let timeout = config.timeout;
    let job = move |shared: &Shared, session: &Session, bounds: Bounds| {
        roots(shared, session, &block, &bounds, timeout)
    };
    on_pool(shared, session, job).await
}

fn roots(
    shared: &Shared,
    session: &Session,
    block: &Block,
    bounds: &Bounds,
    timeout: std::time::Duration,
) -> Result<Json, Error> {
    let parent = Selector::Tag(Tag::Number(block.header.number.saturating_sub(1)));
    let before = select::state(session.source(), parent)?;
    let tries = tries(session, &before)?;
    let none = Overrides::default();
    let mut replay = replay(shared, session, block, &none)?;
    let mut roots = Vec::new();
    for index in 0..block.transactions.len() {
        if bounds.cancelled.load(Ordering::Relaxed) {
            return Err(Error::server("execution aborted"));
        }
        replay.run([nth(block, index)?.0], || bounds.budget(timeout)).map_err(super::fault)?;
        roots.push(tries.root_with(&replay.changes())?);
    }
    if roots.is_empty() {
        return Ok(Json::NULL);
    }
    let mut out = String::new();
    push_list(&mut out, &roots, |out, root| push_data(out, root.as_slice()));
    Ok(Json::Owned(out))
}
