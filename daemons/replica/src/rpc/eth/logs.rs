//! `eth_getLogs`: geth's filter rules, the store's exact index. Runs on the pool: a wide range takes milliseconds.

mod search;

use crate::rpc::request_view::RequestView;
use crate::rpc::{Shared, execute::refused};
use alloy::primitives::{Address, B256};
use maidenlane_chain::BlockRef;
use maidenlane_ethjson::params::{self, Tag};
use maidenlane_ethjson::select::{self, pruned};
use maidenlane_jsonrpc::{Args, Error, Json};
use maidenlane_state::LogQuery;
pub(crate) use search::Answer;
use search::Search;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Instant;

/// geth's limits of topic positions, and of alternatives at one position.
const TOPICS_MAX: usize = 4;
const ALTERNATIVES_MAX: usize = 1_000;

/// Parsed filter criteria.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Criteria {
    block_hash: Option<B256>,
    from: Option<Tag>,
    to: Option<Tag>,
    /// Addresses and topics of the wanted logs; the range of blocks is set when the tags are resolved.
    pub(crate) query: LogQuery,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw<'a> {
    block_hash: Option<B256>,
    from_block: Option<Tag>,
    to_block: Option<Tag>,
    #[serde(borrow)]
    address: Option<&'a RawValue>,
    #[serde(borrow)]
    topics: Option<Vec<Option<&'a RawValue>>>,
}

impl Criteria {
    /// Parses geth's `FilterCriteria`.
    pub(crate) fn read(json: &str) -> Result<Self, String> {
        // As in geth, null is a filter without criteria.
        let json = if json == "null" { "{}" } else { json };
        let raw: Raw<'_> = params::read(json)?;
        if raw.block_hash.is_some() && (raw.from_block.is_some() || raw.to_block.is_some()) {
            return Err("cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other".into());
        }
        let topics = raw.topics.unwrap_or_default();
        if topics.len() > TOPICS_MAX {
            return Err("exceed max topics".into());
        }
        Ok(Self {
            block_hash: raw.block_hash,
            from: raw.from_block,
            to: raw.to_block,
            query: LogQuery {
                addresses: raw.address.map_or(Ok(Vec::new()), addresses)?,
                topics: topics.into_iter().map(alternatives).collect::<Result<_, _>>()?,
                ..LogQuery::default()
            },
        })
    }
}

impl Criteria {
    /// Checks criteria for the logs of blocks to come, by geth's rules.
    pub(crate) fn check_future(&self, view: &RequestView) -> Result<(), Error> {
        self.check_alternatives()?;
        match (self.from.unwrap_or(Tag::Latest), self.to.unwrap_or(Tag::Latest)) {
            (Tag::Pending, _) | (_, Tag::Pending) => Err(Error::params("pending logs are not supported")),
            (Tag::Number(from), _) if from < view.head().body_floor => Err(pruned()),
            (Tag::Latest, Tag::Latest) => Ok(()),
            (Tag::Number(_) | Tag::Earliest, Tag::Latest) => Ok(()),
            (Tag::Number(from), Tag::Number(to)) if from <= to => Ok(()),
            (Tag::Earliest, Tag::Number(_)) => Ok(()),
            _ => Err(Error::params("invalid block range params")),
        }
    }

    /// True for a block to come that the criteria's range does not exclude.
    pub(crate) fn covers(&self, number: u64) -> bool {
        let from = matches!(self.from, Some(Tag::Number(from)) if number < from);
        let to = matches!(self.to, Some(Tag::Number(to)) if number > to);
        !from && !to
    }

    fn check_alternatives(&self) -> Result<(), Error> {
        if self.query.addresses.len() > ALTERNATIVES_MAX {
            return Err(Error::server("exceed max addresses or topics per search position"));
        }
        Ok(())
    }
}

/// Parses one address or a list of them.
fn addresses(raw: &RawValue) -> Result<Vec<Address>, String> {
    let text = raw.get();
    if !text.starts_with('[') {
        return params::address(text).map(|one| vec![one]).map_err(|e| format!("invalid address: {e}"));
    }
    let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let parse = |(index, item): (usize, &&RawValue)| {
        params::address(item.get()).map_err(|e| format!("invalid address at index {index}: {e}"))
    };
    items.iter().enumerate().map(parse).collect()
}

/// Parses one topic position: null, a topic, or a list in which null means "any".
fn alternatives(raw: Option<&RawValue>) -> Result<Vec<B256>, String> {
    let topic = |text: &str| params::hash(text).map_err(|_| "invalid topic(s)".to_owned());
    match raw.map(RawValue::get) {
        None => Ok(Vec::new()),
        Some(text) if text.starts_with('[') => {
            let items: Vec<Option<&RawValue>> = serde_json::from_str(text).map_err(|e| e.to_string())?;
            if items.len() > ALTERNATIVES_MAX {
                return Err("exceed max topics".into());
            }
            let known: Vec<&RawValue> = items.iter().copied().flatten().collect();
            if known.len() < items.len() {
                return Ok(Vec::new());
            }
            known.into_iter().map(|item| topic(item.get())).collect()
        }
        Some(text) => topic(text).map(|one| vec![one]),
    }
}

/// `eth_getLogs`.
pub(crate) async fn get(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let filter = Args::parse(params, 1)?.required(Criteria::read)?;
    matching(shared, view, filter).await
}

/// Answer of `eth_getLogs` and `eth_getFilterLogs`: all logs that match.
pub(crate) async fn matching(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    filter: Criteria,
) -> Result<Json, Error> {
    filter.check_alternatives()?;
    let extent = match filter.block_hash {
        Some(hash) => Extent::Block(by_hash(view, hash)?),
        None => Extent::Range(range(view, &filter)?),
    };
    let query = filter.query;
    let deadline = Instant::now().checked_add(shared.settings.get().call_timeout);
    let (shared_there, session_there) = (Arc::clone(shared), Arc::clone(view));
    let found = shared.pool.run(view.owner(), move |cancelled| {
        let search = Search::new(&shared_there, &session_there, deadline, cancelled);
        match extent {
            Extent::Block(at) => search.block(at, &query),
            Extent::Range((from, to)) => search.range(&LogQuery { from, to, ..query }),
        }
    });
    found.await.map_err(refused)?
}

enum Extent {
    Block(BlockRef),
    Range((u64, u64)),
}

fn by_hash(view: &RequestView, hash: B256) -> Result<BlockRef, Error> {
    let selector = params::Selector::Hash { hash, canonical: false };
    select::block(view.source(), selector)?.ok_or_else(|| Error::server("unknown block"))
}

/// First and last block, after geth's checks in geth's order.
fn range(view: &RequestView, filter: &Criteria) -> Result<(u64, u64), Error> {
    let invalid = || Error::params("invalid block range params");
    let head = view.head();
    let (from, to) = (filter.from.unwrap_or(Tag::Latest), filter.to.unwrap_or(Tag::Latest));
    if let (Tag::Number(from), Tag::Number(to)) = (from, to)
        && from > to
        && to > 0
    {
        return Err(invalid());
    }
    // geth counts latest as beyond every block that has a number.
    if from == Tag::Latest && !matches!(to, Tag::Latest | Tag::Pending) {
        return Err(invalid());
    }
    if matches!(from, Tag::Number(number) if number < head.body_floor) {
        return Err(pruned());
    }
    if from == Tag::Pending || to == Tag::Pending {
        return Err(Error::params("pending logs are not supported"));
    }
    let resolve = |tag| match tag {
        Tag::Number(number) => Ok(number),
        Tag::Safe => head.safe.map(|at| at.number).ok_or_else(|| Error::server("safe header not found")),
        Tag::Finalized => {
            head.finalized.map(|at| at.number).ok_or_else(|| Error::server("finalized header not found"))
        }
        Tag::Earliest => Ok(head.body_floor),
        Tag::Latest | Tag::Pending => Ok(head.block.number),
    };
    let (first, last) = (resolve(from)?, resolve(to)?);
    if first > last {
        return Err(invalid());
    }
    if last > head.block.number {
        return Err(Error::params("block range extends beyond current head block"));
    }
    Ok((first, last))
}

#[cfg(test)]
mod tests;
