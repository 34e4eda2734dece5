//! Cache of decoded blocks, their receipts, logs and trails, and rendered JSON of whole blocks: the answers that cost
//! every other node the most; and of trie nodes.
//!
//! Keyed by the hash of block or node, so no entry can be out of date: a reorg changes which hash is looked up, not what
//! it means.

use super::block_logs::{BlockLogs, ReadyLogs};
use super::mined::Mined;
use super::request_view::RequestView;
use alloy::primitives::{B256, Bytes};
use maidenlane_chain::Block;
use maidenlane_chain::BlockRef;
use maidenlane_ethjson::block::BlockJson as _;
use maidenlane_ethjson::receipt::Receipts;
use maidenlane_ethjson::select::pruned;
use maidenlane_ethjson::unreadable;
use maidenlane_evm::trail::Trail;
use maidenlane_jsonrpc::{Cached, Error, Json};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// Kind of a whole-block answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Whole {
    /// Block with transaction hashes.
    Hashes,
    /// Block with whole transactions.
    Full,
    /// All receipts of the block.
    Receipts,
}

/// Kind of a cache entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Asked,
    Decoded,
    Receipts,
    Logs,
    Trail,
    Node,
    Json(Whole),
}

#[derive(Clone, Debug)]
enum Kept {
    /// Nothing but that a transaction was asked for.
    Asked,
    Decoded(Arc<Block>),
    Receipts(Arc<Receipts>),
    Logs(Arc<ReadyLogs>),
    /// Trail of the block, and the bytes that it had when it was kept: it grows, where the cache counts on what it was
    /// told.
    Trail(Arc<Trail>, usize),
    Node(Bytes),
    Json(Arc<Cached>),
}

#[derive(Clone, Debug)]
struct Weight;

impl Weighter<(B256, Kind), Kept> for Weight {
    fn weight(&self, _: &(B256, Kind), kept: &Kept) -> u64 {
        let bytes = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        let of_kept = match kept {
            // Some three times its bytes, and the struct itself.
            Kept::Decoded(block) => block.size.saturating_mul(3).saturating_add(900),
            Kept::Asked => 0,
            Kept::Receipts(receipts) => bytes(receipts.size()),
            Kept::Logs(logs) => bytes(logs.bytes()),
            Kept::Trail(_, held) => bytes(*held),
            Kept::Node(node) => bytes(node.len()),
            Kept::Json(json) => bytes(json.most_bytes()),
        };
        of_kept.saturating_add(100)
    }
}

/// Most logs of a block that are rendered and cached.
const READY_LOGS_MAX: usize = 10_000;
/// Share of a block's logs, one in so many: a request that wants fewer has only these rendered.
const READY_SHARE: usize = 4;

/// Logs of a block, rendered or stored.
pub(crate) enum Found {
    /// All logs, as JSON.
    Ready(Arc<ReadyLogs>),
    /// Stored body and receipts.
    Stored(BlockLogs),
}

/// One cache for all kinds of entries, so that each gets memory by demand.
#[derive(Debug)]
pub(crate) struct Blocks {
    kept: Cache<(B256, Kind), Kept, Weight>,
}

impl Blocks {
    /// Empty cache of at most so many bytes.
    pub(crate) fn new(most_bytes: u64) -> Self {
        let entries = usize::try_from(most_bytes / 100_000).unwrap_or(1_024).max(64);
        Self { kept: Cache::with_weighter(entries, most_bytes, Weight) }
    }

    /// Logs of a block that is known to exist, for a request that wants so many of them, or all. Unless it wants few,
    /// all are rendered and cached for later requests.
    pub(crate) fn logs(
        &self,
        view: &RequestView,
        at: BlockRef,
        wanted: Option<usize>,
    ) -> Result<Found, Error> {
        if let Some(Kept::Logs(ready)) = self.kept.get(&(at.hash, Kind::Logs)) {
            return Ok(Found::Ready(ready));
        }
        let logs = BlockLogs::read(view, at)?;
        let count = logs.count()?;
        let few = wanted.is_some_and(|wanted| wanted.saturating_mul(READY_SHARE) < count);
        if few || count > READY_LOGS_MAX {
            return Ok(Found::Stored(logs));
        }
        let ready = Arc::new(logs.ready()?);
        self.kept.insert((at.hash, Kind::Logs), Kept::Logs(Arc::clone(&ready)));
        Ok(Found::Ready(ready))
    }

    /// A block that is decoded already.
    pub(crate) fn decoded(&self, at: BlockRef) -> Option<Arc<Block>> {
        match self.kept.get(&(at.hash, Kind::Decoded)) {
            Some(Kept::Decoded(block)) => Some(block),
            _ => None,
        }
    }

    /// A block that is known to exist, decoded.
    pub(crate) fn block(&self, view: &RequestView, at: BlockRef) -> Result<Arc<Block>, Error> {
        if let Some(block) = self.decoded(at) {
            return Ok(block);
        }
        let source = view.source();
        let (Some(header), Some(body)) =
            (source.header(at).map_err(unreadable)?, source.body(at).map_err(unreadable)?)
        else {
            return Err(pruned());
        };
        let block = Block::decode(at.hash, &header, &body)
            .map_err(|error| Error::internal(format!("block {at} in the store: {error}")))?;
        let block = match source.senders(at).map_err(unreadable)? {
            Some(senders) => block.sent_by(senders).ok_or_else(|| {
                Error::internal(format!("block {at} in the store: not as many senders as transactions"))
            })?,
            None => block,
        };
        let block = Arc::new(block);
        self.kept.insert((at.hash, Kind::Decoded), Kept::Decoded(Arc::clone(&block)));
        Ok(block)
    }

    /// The transaction at `index` of a block that is known to exist. The first one that is asked for is decoded alone:
    /// most are the only one. With the second, the whole block is.
    pub(crate) fn transaction(
        &self,
        view: &RequestView,
        at: BlockRef,
        index: usize,
    ) -> Result<Option<Mined>, Error> {
        if let Some(block) = self.decoded(at) {
            return Ok(Mined::within(block, index));
        }
        let asked = (at.hash, Kind::Asked);
        if self.kept.get(&asked).is_some() {
            return Ok(Mined::within(self.block(view, at)?, index));
        }
        self.kept.insert(asked, Kept::Asked);
        Mined::alone(view.source(), at, index)
    }

    /// True if the receipts of a block need not be read.
    pub(crate) fn has_receipts(&self, at: BlockRef) -> bool {
        self.kept.get(&(at.hash, Kind::Receipts)).is_some()
    }

    /// Receipts of a block.
    pub(crate) fn receipts(&self, view: &RequestView, block: &Block) -> Result<Arc<Receipts>, Error> {
        if let Some(Kept::Receipts(receipts)) = self.kept.get(&(block.hash, Kind::Receipts)) {
            return Ok(receipts);
        }
        let at = block.at();
        let receipts = read_receipts(view, at)?;
        if receipts.count() != block.transactions.len() {
            let (txs, receipts) = (block.transactions.len(), receipts.count());
            return Err(damaged(at, &format!("{receipts} for {txs} transactions")));
        }
        let receipts = Arc::new(receipts);
        self.kept.insert((block.hash, Kind::Receipts), Kept::Receipts(Arc::clone(&receipts)));
        Ok(receipts)
    }

    /// JSON of one receipt of a block.
    pub(crate) fn receipt(&self, view: &RequestView, mined: &Mined) -> Result<Json, Error> {
        let Some(included) = mined.included() else { return Ok(Json::NULL) };
        let at = BlockRef::new(included.place.number, included.place.block);
        let price = view.head().rules.blob_price(mined.header());
        let receipts = match mined {
            Mined::Within(block, _) => self.receipts(view, block)?,
            Mined::Alone(_) => Arc::new(read_receipts(view, at)?),
        };
        receipts.one(&included, price).map_err(|error| damaged(at, &error))
    }

    /// Trail of a block, empty if it has not been run.
    pub(crate) fn trail(&self, block: &Block) -> Arc<Trail> {
        match self.kept.get(&(block.hash, Kind::Trail)) {
            Some(Kept::Trail(trail, _)) => trail,
            _ => Arc::default(),
        }
    }

    /// Keeps the trail of a block that has been run, as far as it was.
    pub(crate) fn keep_trail(&self, block: B256, trail: Arc<Trail>) {
        let bytes = trail.bytes();
        self.kept.insert((block, Kind::Trail), Kept::Trail(trail, bytes));
    }

    /// Trie node with this hash.
    pub(crate) fn node(&self, hash: B256) -> Option<Bytes> {
        match self.kept.get(&(hash, Kind::Node)) {
            Some(Kept::Node(node)) => Some(node),
            _ => None,
        }
    }

    /// Keeps the trie node that has this hash.
    pub(crate) fn keep_node(&self, hash: B256, node: Bytes) {
        self.kept.insert((hash, Kind::Node), Kept::Node(node));
    }

    /// Whole-block answer that is rendered already.
    pub(crate) fn ready(&self, at: BlockRef, what: Whole) -> Option<Json> {
        match self.kept.get(&(at.hash, Kind::Json(what))) {
            Some(Kept::Json(json)) => Some(Json::Cached(json)),
            _ => None,
        }
    }

    /// Whole-block answer, cached for later requests.
    pub(crate) fn whole(&self, view: &RequestView, at: BlockRef, what: Whole) -> Result<Json, Error> {
        if let Some(json) = self.ready(at, what) {
            return Ok(json);
        }
        let block = self.block(view, at)?;
        let json = match what {
            Whole::Hashes => block.json(false),
            Whole::Full => block.json(true),
            Whole::Receipts => {
                let price = view.head().rules.blob_price(&block.header);
                let receipts = self.receipts(view, &block)?;
                receipts.json(&block, price).map_err(|error| damaged(at, &error))?
            }
        };
        let json = Arc::new(Cached::new(json.as_str()));
        self.kept.insert((at.hash, Kind::Json(what)), Kept::Json(Arc::clone(&json)));
        Ok(Json::Cached(json))
    }
}

fn read_receipts(view: &RequestView, at: BlockRef) -> Result<Receipts, Error> {
    let Some(bytes) = view.source().receipts(at).map_err(unreadable)? else { return Err(pruned()) };
    Receipts::read(bytes).map_err(|error| damaged(at, &error))
}

fn damaged(at: BlockRef, error: &dyn std::fmt::Display) -> Error {
    Error::internal(format!("receipts of {at} in the store: {error}"))
}
