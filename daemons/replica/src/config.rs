//! The replica's settings.

mod backfill;
mod rpc;
mod snapshots;

pub use backfill::{BackfillRaw, BlockSourceRaw};
pub use rpc::{MethodTimeoutRaw, RpcRaw};
pub use snapshots::{RepositoryRaw, S3Raw, SnapshotsRaw};

use crate::{filters, mempool, outcomes, submission};
use maidenlane_chain::B256;
use maidenlane_config::feed::{self, FeedRaw};
use maidenlane_config::listeners::{self, Listener, SecretFile};
use maidenlane_config::shapes::{self, AdminRaw, ChainRaw, LoggingRaw};
use maidenlane_config::{Checker, StaticType};
use maidenlane_log::Backend;
use maidenlane_replay::{Fresh, run as replay};
use maidenlane_snapshot::Demands;
use maidenlane_store::{Keep, Past};
use serde::Deserialize;
use std::time::Duration;

/// Settings of the replica as written in Dhall, unchecked.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct ReplicaRaw {
    /// The chain; with `genesis = None` the feed's own is taken.
    pub chain: ChainRaw,
    /// The feed that is replayed.
    pub feed: FeedRaw,
    /// JSON-RPC listeners and limits.
    pub rpc: RpcRaw,
    /// Handling of transactions that clients send.
    pub transactions: TransactionsRaw,
    /// Storage of filters; without it `eth_newFilter` and its kin are refused.
    pub filters: FiltersRaw,
    /// Outcomes of transactions, from the topic of the chain; `None` keeps none.
    pub outcomes: Option<OutcomesRaw>,
    /// The master's pool, where its tap publishes it; `None` takes it for empty.
    pub pool: Option<PoolRaw>,
    /// State history: how far back state can be read.
    pub history: HistoryRaw,
    /// Trie history: how far back state can be proved, at most as far as `history`; `None` keeps no trie nodes.
    pub proofs: Option<HistoryRaw>,
    /// Blocks from before the database's beginning, brought behind the head; `None` brings none.
    pub backfill: Option<BackfillRaw>,
    /// Snapshots: those to begin with, and those that are made.
    pub snapshots: SnapshotsRaw,
    /// Deepest reorg that can be followed; a deeper one ends the daemon.
    pub undoBlocks: u64,
    /// Blocks behind the master beyond which the replica is stale.
    pub maxLagBlocks: u64,
    /// Time without a sign of life from the feed beyond which the replica is stale.
    pub maxSilence_ms: u64,
    /// Age of the head beyond which the replica is stale; `None` for chains that may halt.
    pub maxHeadAge_s: Option<u64>,
    /// Block cache of the database.
    pub storeCache_MB: u64,
    /// Admin listener.
    pub admin: AdminRaw,
    /// Logging.
    pub logging: LoggingRaw,
    /// Directory of the database and the daemon's own files.
    pub stateDir: String,
}

/// Handling of transactions that clients send.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub enum TransactionsRaw {
    /// Refusal of every transaction.
    Refuse,
    /// Appends to the topic `<prefix>.<chain>.transactions` of the feed's log; wants `outcomes`.
    Accept(AcceptRaw),
}

/// Requirements for the topic of transactions.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct AcceptRaw {
    /// Least retention of the topic. Once the oldest undelivered transaction is half as old, no more are taken.
    pub retention_h: u64,
    /// Consumer group that delivers the transactions.
    pub group: String,
    /// When a client gets its answer.
    pub answer: AnswerRaw,
    /// Transactions of one sender that may wait for a node.
    pub waitingMax: u64,
    /// Size of an identity's transactions that may wait for a node, or of a sender's without one.
    pub waitingMax_MB: u64,
}

/// Time of the answer to a client that sent a transaction.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub enum AnswerRaw {
    /// Once the transaction is durable in the log.
    Stored,
    /// Once a node has accepted or refused it too, or this time is over.
    Verdict(VerdictRaw),
}

/// Wait for a verdict.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub struct VerdictRaw {
    /// Longest wait; after it the answer is the hash.
    pub wait_ms: u64,
}

/// Outcomes of transactions, from the topic `<prefix>.<chain>.outcomes` of the feed's log.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub struct OutcomesRaw {
    /// Age at which an outcome is dropped; the topic must keep them as long.
    pub keep_h: u64,
}

/// The master's pool, from the topic `<prefix>.<chain>.<feed>.pool` of the feed's log.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct PoolRaw {
    /// Memory for its transactions; the cheapest are evicted where that is not enough.
    pub max_MB: u64,
}

/// Storage of filters, in the topic `<prefix>.<chain>.filters` of the feed's log.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub enum FiltersRaw {
    /// No filters: their methods are refused.
    Off,
    /// Filters signed with a key of this replica's own: no other replica knows them.
    Own,
    /// Filters signed with the key in this file, `{credential:NAME}` or a path: all replicas that have it know them.
    Shared(String),
}

/// Depth of the history of state or trie nodes.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub enum HistoryRaw {
    /// All blocks back to the first of the feed.
    All,
    /// Number of blocks below the head.
    Blocks(u64),
}

/// Validated settings of the replica.
#[derive(Clone, Debug)]
pub struct Settings {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of block 0; `None` takes the feed's.
    pub genesis: Option<B256>,
    /// The feed's topic.
    pub topic: String,
    /// Log that carries the feed.
    pub log: feed::Log,
    /// Listeners for clients.
    pub listeners: Vec<Listener>,
    /// Limits and caches of the JSON-RPC.
    pub rpc: crate::rpc::Settings,
    /// Topic for transactions that clients send; `None` takes none.
    pub transactions: Option<submission::Settings>,
    /// Topic and key of filters; `None` keeps none.
    pub filters: Option<filters::Settings>,
    /// Topic of outcomes of transactions; `None` keeps none.
    pub outcomes: Option<outcomes::Settings>,
    /// Topic and bounds of the master's pool; `None` keeps none.
    pub pool: Option<mempool::Settings>,
    /// The topic of the feed's trie nodes, where they are kept.
    pub proofs_topic: Option<String>,
    /// Retention of state, trie nodes and undo data.
    pub keep: Keep,
    /// Plan of the back-fill, where there is one.
    pub backfill: Option<maidenlane_backfill::Plan>,
    /// Repositories of snapshots.
    pub snapshots: crate::snapshots::Settings,
    /// Bounds of staleness.
    pub fresh: Fresh,
    /// Block cache of the database.
    pub store_cache_bytes: u64,
    /// Settings that every daemon has.
    pub daemon: shapes::Daemon,
}

impl maidenlane_config::Settings for Settings {
    type Raw = ReplicaRaw;

    const RELOADS: &'static [&'static str] = &[
        "logging.filter",
        "maxHeadAge_s",
        "maxLagBlocks",
        "maxSilence_ms",
        "rpc.callGasCap",
        "rpc.callInline_us",
        "rpc.callTimeout_ms",
        "rpc.logsMax",
        "rpc.methodTimeouts",
    ];

    const EXAMPLES: &'static [&'static str] = &[
        include_str!("../../../dhall/examples/full/replica.dhall"),
        include_str!("../../../dhall/examples/full/tap.dhall"),
    ];

    fn validate(raw: ReplicaRaw, checker: &mut Checker) -> Option<Self> {
        let keep = keep(&raw, checker);
        let backfill = checker.inside("backfill", |checker| backfill::plan(raw.backfill.as_ref(), checker));
        let chain = checker.inside("chain", |checker| chain(&raw.chain, checker));
        let feed = checker.inside("feed", |checker| feed::feed(raw.feed, &raw.chain.name, checker));
        let accept = checker.inside("transactions", |checker| accept(&raw.transactions, checker));
        if matches!(raw.transactions, TransactionsRaw::Accept(_)) && raw.outcomes.is_none() {
            checker.wrong(
                "outcomes",
                "transactions count until their outcomes are known: set it to Some M.Outcomes::{=}",
            );
        }
        let rpc = checker.inside("rpc", |checker| rpc::validate(&raw.rpc, checker));
        let daemon = shapes::daemon(&raw.admin, raw.logging, &raw.stateDir, checker);
        let admin = daemon.as_ref().map(|daemon| daemon.admin);
        let listeners = checker
            .inside("rpc", |checker| listeners::listeners("listeners", raw.rpc.listeners, admin, checker));
        let lag_blocks_max = checker.within("maxLagBlocks", raw.maxLagBlocks, 0..=10_000);
        // Below the brokers' view timeout every fail-over of the log would read as a dead master.
        let silence = shapes::millis("maxSilence_ms", raw.maxSilence_ms, 1_000..=3_600_000, checker);
        let head_age_max = match raw.maxHeadAge_s {
            Some(age) => {
                checker.within("maxHeadAge_s", age, 1..=604_800).map(|s| Some(Duration::from_secs(s)))
            }
            None => Some(None),
        };
        let store_cache_bytes = shapes::megabytes("storeCache_MB", raw.storeCache_MB, checker);
        let snapshots = checker.inside("snapshots", |checker| snapshots::validate(&raw.snapshots, checker));
        let key = filter_key(&raw.filters, checker);
        let outcomes = checker.inside("outcomes", |checker| outcomes_age(raw.outcomes.as_ref(), checker));
        let pool = checker.inside("pool", |checker| pool_bytes(raw.pool.as_ref(), checker));
        let (feed, genesis) = (feed?, chain?);
        let topic = feed.filters_topic;
        let filters = key?.map(|key| filters::Settings { topic, key });
        let (topic, outcomes_topic) = (feed.outcomes_topic.clone(), feed.outcomes_topic);
        let outcomes = outcomes?.map(|keep| outcomes::Settings { topic, keep });
        let (topic, silence_max) = (feed.pool_topic, silence?);
        let pool = pool?.map(|bytes_max| mempool::Settings { topic, bytes_max, silence_max });
        let topic = feed.transactions_topic;
        let transactions = accept?.map(|Accept { group, retention, bounds, verdict_wait }| {
            submission::Settings { topic, outcomes_topic, group, retention, bounds, verdict_wait }
        });
        Some(Self {
            chain_id: raw.chain.id,
            genesis,
            topic: feed.blocks_topic,
            proofs_topic: keep?.proofs.map(|_| feed.proofs_topic),
            log: feed.log,
            listeners: listeners?,
            rpc: rpc?,
            transactions,
            filters,
            outcomes,
            pool,
            keep: keep?,
            backfill: backfill?,
            snapshots: snapshots?,
            fresh: Fresh { lag_blocks_max: lag_blocks_max?, silence_max, head_age_max: head_age_max? },
            store_cache_bytes: store_cache_bytes?,
            daemon: daemon?,
        })
    }

    fn on_machine(&self, checker: &mut Checker) {
        maidenlane_jsonrpc::control::on_machine(&self.daemon.state_dir, checker);
    }
}

/// The genesis hash, if one is named; the chain's name is only checked here, it goes into the topic.
fn chain(raw: &ChainRaw, checker: &mut Checker) -> Option<Option<B256>> {
    let name = shapes::word("name", &raw.name, checker);
    let genesis = shapes::genesis(raw, checker);
    name.and(genesis)
}

/// Retention of state, trie nodes and undo data, checked against each other.
fn keep(raw: &ReplicaRaw, checker: &mut Checker) -> Option<Keep> {
    let history = past("history", &raw.history, checker);
    let proofs = match &raw.proofs {
        Some(raw) => past("proofs", raw, checker).map(Some),
        None => Some(None),
    };
    let undo_blocks = checker.within("undoBlocks", raw.undoBlocks, 64..=10_000_000);
    let keep = Keep { undo_blocks: undo_blocks?, history: history?, proofs: proofs? };
    if keep.proofs.is_some_and(|proofs| proofs > keep.history) {
        checker.wrong("proofs", "must not reach further back than `history`");
        return None;
    }
    Some(keep)
}

fn past(field: &str, raw: &HistoryRaw, checker: &mut Checker) -> Option<Past> {
    match raw {
        HistoryRaw::All => Some(Past::All),
        HistoryRaw::Blocks(blocks) => checker.within(field, *blocks, 128..=u64::MAX).map(Past::Blocks),
    }
}

/// Validated [`AcceptRaw`].
struct Accept {
    group: String,
    retention: Duration,
    bounds: submission::Bounds,
    verdict_wait: Option<Duration>,
}

fn accept(raw: &TransactionsRaw, checker: &mut Checker) -> Option<Option<Accept>> {
    let TransactionsRaw::Accept(raw) = raw else { return Some(None) };
    let verdict_wait = match &raw.answer {
        AnswerRaw::Stored => Some(None),
        AnswerRaw::Verdict(verdict) => checker
            .inside("answer", |checker| shapes::millis("wait_ms", verdict.wait_ms, 1..=10_000, checker))
            .map(Some),
    };
    let group = shapes::word("group", &raw.group, checker);
    let hours = checker.within::<u64>("retention_h", raw.retention_h, 1..=87_600);
    let waiting_max = checker.within("waitingMax", raw.waitingMax, 1..=100_000);
    let waiting_max_bytes = shapes::megabytes("waitingMax_MB", raw.waitingMax_MB, checker);
    let bounds = submission::Bounds { waiting_max: waiting_max?, waiting_max_bytes: waiting_max_bytes? };
    let retention = Duration::from_secs(hours? * 3_600);
    Some(Some(Accept { group: group?, retention, bounds, verdict_wait: verdict_wait? }))
}

/// Age at which outcomes are dropped, where they are kept.
fn outcomes_age(raw: Option<&OutcomesRaw>, checker: &mut Checker) -> Option<Option<Duration>> {
    let Some(raw) = raw else { return Some(None) };
    let hours = checker.within::<u64>("keep_h", raw.keep_h, 1..=87_600);
    Some(Some(Duration::from_secs(hours? * 3_600)))
}

/// Bytes for the master's pool, where it is kept.
fn pool_bytes(raw: Option<&PoolRaw>, checker: &mut Checker) -> Option<Option<usize>> {
    let Some(raw) = raw else { return Some(None) };
    let megabytes = checker.within::<usize>("max_MB", raw.max_MB, 1..=100_000)?;
    Some(Some(megabytes.saturating_mul(1_000_000)))
}

/// Signing key of filters, where they are kept.
fn filter_key(raw: &FiltersRaw, checker: &mut Checker) -> Option<Option<filters::Key>> {
    match raw {
        FiltersRaw::Off => Some(None),
        FiltersRaw::Own => Some(Some(filters::Key::Own)),
        FiltersRaw::Shared(file) => {
            SecretFile::parse("filters", file, checker).map(|file| Some(filters::Key::Shared(file)))
        }
    }
}

impl Settings {
    /// Log that carries the feed.
    ///
    /// # Errors
    /// A secret of it cannot be read.
    pub fn backend(&self) -> Result<Backend, maidenlane_log::Error> {
        maidenlane_service::log_backend(&self.log, "replica")
    }

    /// Demands to a snapshot that this replica begins with, as far as the settings say them.
    #[must_use]
    pub fn demands(&self) -> Demands {
        let proofs = self.keep.proofs.is_some();
        Demands { chain_id: self.chain_id, genesis: self.genesis, proofs, reach: None }
    }

    /// Settings of the loop that follows the feed.
    #[must_use]
    pub fn replay(&self, log: Backend) -> replay::Settings {
        let transactions = self.transactions.as_ref().map(|to| (to.topic.clone(), submission::needs(to)));
        let filters = self.filters.as_ref().map(|kept| (kept.topic.clone(), filters::needs()));
        replay::Settings {
            log,
            topic: self.topic.clone(),
            proofs_topic: self.proofs_topic.clone(),
            written: transactions.into_iter().chain(filters).collect(),
            chain_id: self.chain_id,
            genesis: self.genesis,
            keep: self.keep,
            state_dir: self.daemon.state_dir.clone(),
            store_cache_bytes: self.store_cache_bytes,
        }
    }
}
