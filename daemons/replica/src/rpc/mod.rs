//! The Ethereum JSON-RPC of the replica: every answer from one block's view, values exactly as geth 1.17 writes them.
//!
//! | file | idea |
//! |---|---|
//! | `methods` | the table of methods: a new one is a line there and its handler |
//! | `request_view` | the view that a request is answered from, and its freshness |
//! | `blocks`, `block_logs` | caches of decoded blocks, rendered JSON, logs, trails |
//! | `mined` | one transaction of a block, decoded with it or alone |
//! | `tries` | the tries of a state |
//! | `cold` | look-ups: at once where a block is cached or small, else on the pool |
//! | `execute` | limits of methods that execute |
//! | `call_context` | the state, the block and the overrides that a call runs on |
//! | `eth`, `debug`, `trace`, `net`, `txpool`, `web3`, `maidenlane` | the methods, by namespace |
//! | `rerun` | mined blocks and calls run again under a tracer |
//! | `changes`, `subscribe` | changes between two heads, and the subscriptions to them |
//!
//! `README.md` beside this file says what equals geth, what differs by design and what is not served.

mod block_logs;
pub(crate) mod blocks;
mod call_context;
mod changes;
mod cold;
mod debug;
mod eth;
mod execute;
mod maidenlane;
pub(crate) mod methods;
mod mined;
mod net;
mod request_view;
mod rerun;
mod subscribe;
mod trace;
mod tries;
mod txpool;
mod web3;

use crate::filters::Filters;
use crate::mempool::Mempool;
use crate::outcomes::Outcomes;
use crate::submission::Submissions;
use blocks::Blocks;
use eth::fees::Fees;
use maidenlane_evm::codes::Codes;
use maidenlane_evm::pool::Pool;
use maidenlane_jsonrpc::{Api, Described, Error, Events, Json, Limits, MinBlock, Owner};
use maidenlane_replay::Live;
use maidenlane_service::Current;
pub use request_view::RequestView;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use subscribe::Hub;
use tokio::sync::Semaphore;

/// Limits and caches of the RPC: all sizes and times that a client can cause.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Limits of bodies, batches, answers and connections.
    pub limits: Limits,
    /// Gas cap of one call. geth: 50 M.
    pub call_gas_cap: u64,
    /// Timeout of one call. geth: 5 s.
    pub call_timeout: Duration,
    /// Time a call may hold an IO thread before it is started again on the pool.
    pub call_inline: Duration,
    /// Timeouts of methods that get less time than [`Limits::answer`].
    pub time_limits: BTreeMap<String, Duration>,
    /// Threads for long calls and log searches.
    pub pool_threads: usize,
    /// Calls that may wait for a pool thread.
    pub pool_queue: usize,
    /// Most logs in one answer.
    pub logs_max: usize,
    /// Bytes of analysed bytecode that are cached.
    pub code_cache_bytes: u64,
    /// Bytes of decoded blocks, their trails, and rendered JSON that are cached.
    pub block_cache_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            call_gas_cap: 50_000_000,
            call_timeout: Duration::from_secs(5),
            call_inline: Duration::from_micros(100),
            time_limits: BTreeMap::new(),
            pool_threads: std::thread::available_parallelism().map_or(2, usize::from),
            pool_queue: 256,
            logs_max: 100_000,
            code_cache_bytes: 256 << 20,
            block_cache_bytes: 256 << 20,
        }
    }
}

/// Time that a stop waits for the end of running calls.
const STOP: Duration = Duration::from_secs(2);
/// Requests that may wait for a block at one time.
const WAITERS_MAX: usize = 1_000;

/// Topics beside the feed that a request may write to or ask, as far as the deployment has them.
#[derive(Debug, Default)]
pub struct Sinks {
    /// Queue of transactions to be stored.
    pub submissions: Option<Submissions>,
    /// Filters and their cursors.
    pub filters: Option<Filters>,
    /// Outcomes of transactions.
    pub outcomes: Option<Outcomes>,
    /// The master's pool.
    pub mempool: Option<Mempool>,
}

/// The API. Cheap to clone; all clones share caches and pool.
#[derive(Clone)]
pub struct Rpc {
    shared: Arc<Shared>,
}

/// State that all requests share.
struct Shared {
    live: Arc<dyn Live>,
    settings: Current<Settings>,
    blocks: Blocks,
    codes: Codes,
    fees: Fees,
    pool: Pool<Owner>,
    waiters: Semaphore,
    hub: Hub,
    /// Queue of transactions to be stored; `None` takes none.
    submissions: Option<Submissions>,
    /// Filters and their cursors; `None` keeps none.
    filters: Option<Filters>,
    /// Outcomes of transactions; `None` keeps none.
    outcomes: Option<Outcomes>,
    /// The master's pool; `None` takes it for empty.
    mempool: Option<Mempool>,
}

impl std::fmt::Debug for Rpc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rpc").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

impl Rpc {
    /// RPC of the chain `live`, without sinks. Starts the pool's threads.
    pub fn new(live: Arc<dyn Live>, settings: impl Into<Current<Settings>>) -> std::io::Result<Self> {
        Self::with(live, settings, Sinks::default())
    }

    /// RPC of the chain `live`, with sinks beyond this replica. Starts the pool's threads.
    pub fn with(
        live: Arc<dyn Live>,
        settings: impl Into<Current<Settings>>,
        sinks: Sinks,
    ) -> std::io::Result<Self> {
        let settings = settings.into();
        let first = settings.get();
        let shared = Shared {
            live,
            blocks: Blocks::new(first.block_cache_bytes),
            codes: Codes::new(first.code_cache_bytes),
            fees: Fees::new(),
            pool: Pool::start(first.pool_threads, first.pool_queue)?,
            waiters: Semaphore::new(WAITERS_MAX),
            hub: Hub::default(),
            submissions: sinks.submissions,
            filters: sinks.filters,
            outcomes: sinks.outcomes,
            mempool: sinks.mempool,
            settings,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Cancels the calls that still run, and waits for their end, once no client is served any more.
    pub async fn stop(&self) {
        self.shared.pool.quiet(STOP).await;
    }
}

impl Api for Rpc {
    type Pin = RequestView;

    async fn pin(&self, min: Option<Result<MinBlock, Error>>) -> RequestView {
        request_view::pin(&*self.shared.live, &self.shared.waiters, min).await
    }

    fn owned(view: RequestView, owner: Owner) -> RequestView {
        view.owned(owner)
    }

    fn block(view: &RequestView) -> Option<(u64, String)> {
        let block = view.block();
        Some((block.number, block.hash.to_string()))
    }

    async fn call(
        &self,
        view: &Arc<RequestView>,
        method: &str,
        params: Option<&RawValue>,
    ) -> Result<Json, Error> {
        let method = methods::find(method).ok_or_else(|| Error::no_method(method))?;
        method.answer(&self.shared, view, params).await
    }

    async fn subscribe(
        &self,
        view: &Arc<RequestView>,
        namespace: &str,
        kind: &str,
        params: Option<&RawValue>,
    ) -> Result<Events, Error> {
        subscribe::open(&self.shared, view, namespace, kind, params)
    }

    fn methods(&self) -> Vec<Described> {
        methods::described()
    }

    fn time_limit(&self, method: &str) -> Option<Duration> {
        self.shared.settings.get().time_limits.get(method).copied()
    }

    fn fit(&self) -> Result<(), Error> {
        request_view::fit(&self.shared.live.fitness())
    }
}

#[cfg(test)]
pub(crate) mod tests;
