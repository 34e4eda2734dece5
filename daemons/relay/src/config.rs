//! Settings of the relay.

mod builders;
mod simulation;
mod wallets;

use crate::book::Bounds;
use maidenlane_config::feed::{self, FeedRaw};
use maidenlane_config::listeners::{self, Listener, ListenerRaw, SecretFile};
use maidenlane_config::shapes::{self, AdminRaw, ChainRaw, LoggingRaw};
use maidenlane_config::{Checker, StaticType};
use maidenlane_jsonrpc::client::Remote;
use maidenlane_log::{Backend, TopicNeeds};
use maidenlane_replay::{Fresh, run as replay};
use maidenlane_store::{Keep, Past};
use serde::Deserialize;
use std::time::Duration;

pub use builders::{Builder, BuilderRaw, DialectRaw, Most, Push, PushRaw, Way};
pub use simulation::{FailedRaw, Simulation, SimulationRaw};
pub use wallets::WalletsRaw;

/// Blocks of state that are kept below the head: nobody asks for older ones here.
const HISTORY_BLOCKS: u64 = 128;
/// Least retention of the topic of orders: the farthest block that one may wait for, and its finality.
const RETENTION_MIN: Duration = Duration::from_secs(3_600);

/// Settings as written in Dhall.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct RelayRaw {
    /// The chain.
    pub chain: ChainRaw,
    /// The feed that tells what the chain is, and the log that carries it and the orders.
    pub feed: FeedRaw,
    /// File with the keys of what the log keeps: `{credential:NAME}` or an absolute path.
    pub keyring: String,
    /// JSON-RPC listeners, and who may come in.
    pub listeners: Vec<ListenerRaw>,
    /// Listeners that also let in identities which `maidenlane relay identity add` made.
    pub enrols: Vec<String>,
    /// Builders that get orders, and that orders may name.
    pub builders: Vec<BuilderRaw>,
    /// Answers for wallets that have the relay as their only address; `None` for none.
    pub wallets: Option<WalletsRaw>,
    /// Simulation of orders, and of what callers ask for.
    pub simulation: SimulationRaw,
    /// Blocks after which a private transaction whose sender allows it becomes public; `None` for none.
    pub mempoolAfterBlocks: Option<u64>,
    /// Size of a request.
    pub bodyMax_MB: u64,
    /// Size of one order's transactions.
    pub orderMax_MB: u64,
    /// Orders that are known at one time.
    pub ordersMax: u64,
    /// Transactions of those that a block may still hold.
    pub ordersMax_MB: u64,
    /// The same of one identity, or of one signer without an identity.
    pub accountMax_MB: u64,
    /// Blocks that an order may wait for its own.
    pub aheadMax: u64,
    /// Time in which a signed request that comes again is answered as it was and does nothing.
    pub repeat_s: u64,
    /// Deepest reorg that can be followed; a deeper one ends the daemon.
    pub undoBlocks: u64,
    /// Blocks behind the master beyond which no orders are taken.
    pub maxLagBlocks: u64,
    /// Time without a sign of life from the feed beyond which no orders are taken.
    pub maxSilence_ms: u64,
    /// Block cache of the database.
    pub storeCache_MB: u64,
    /// Admin listener.
    pub admin: AdminRaw,
    /// Logging.
    pub logging: LoggingRaw,
    /// Directory of the database and the daemon's own files.
    pub stateDir: String,
}

/// Validated [`RelayRaw`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of block 0; `None` takes the feed's.
    genesis: Option<maidenlane_chain::B256>,
    /// Topic of the feed.
    pub feed_topic: String,
    /// Topic of orders.
    pub bundles_topic: String,
    /// Topic of their fates.
    pub fates_topic: String,
    /// Topic of transactions that emitters deliver.
    pub transactions_topic: String,
    /// Blocks after which a private transaction whose sender allows it becomes public.
    pub mempool_after: Option<u64>,
    /// The log that carries them.
    pub log: feed::Log,
    /// File with the keys.
    pub keyring: SecretFile,
    /// Listeners.
    pub listeners: Vec<Listener>,
    /// Names of those that let in whoever was enrolled.
    pub enrols: Vec<String>,
    /// Size of a request.
    pub body_bytes: usize,
    /// Builders.
    pub builders: Vec<Builder>,
    /// Replica that answers wallets.
    pub replica: Option<Remote>,
    /// Simulation.
    pub simulation: Simulation,
    /// Bounds of the book.
    pub bounds: Bounds,
    /// Bytes of one order's transactions.
    pub order_bytes: usize,
    /// Time in which a repeat is known.
    pub repeat: Duration,
    /// Freshness below which no orders are taken.
    pub fresh: Fresh,
    keep: Keep,
    store_cache_bytes: u64,
    /// Settings that every daemon has.
    pub daemon: shapes::Daemon,
}

impl maidenlane_config::Settings for Settings {
    type Raw = RelayRaw;

    const RELOADS: &'static [&'static str] = &["logging.filter", "maxLagBlocks", "maxSilence_ms"];

    const EXAMPLES: &'static [&'static str] = &[
        include_str!("../../../dhall/examples/full/relay.dhall"),
        include_str!("../../../dhall/examples/full/replica.dhall"),
    ];

    fn validate(raw: RelayRaw, checker: &mut Checker) -> Option<Self> {
        let genesis = checker.inside("chain", |checker| genesis(&raw.chain, checker));
        let feed = checker.inside("feed", |checker| feed::feed(raw.feed.clone(), &raw.chain.name, checker));
        let keyring = SecretFile::parse("keyring", &raw.keyring, checker);
        let builders = builders::builders(&raw, checker);
        let replica = match &raw.wallets {
            Some(raw) => checker.inside("wallets", |checker| wallets::replica(raw, checker)).map(Some),
            None => Some(None),
        };
        let simulation =
            checker.inside("simulation", |checker| simulation::simulation(&raw.simulation, checker));
        let bounds = bounds(&raw, checker);
        let mempool_after = match raw.mempoolAfterBlocks {
            Some(blocks) => checker.within("mempoolAfterBlocks", blocks, 1..=1_000).map(Some),
            None => Some(None),
        };
        for (index, name) in raw.enrols.iter().enumerate() {
            if !raw.listeners.iter().any(|listener| listener.name == *name) {
                checker.wrong(&format!("enrols[{index}]"), format_args!("no listener is called `{name}`"));
            }
        }
        let body_bytes = checker.within("bodyMax_MB", raw.bodyMax_MB, 1..=64).map(megabytes);
        // The log keeps no larger ones, see `maidenlane_wire::sealed`.
        let order_bytes = checker.within("orderMax_MB", raw.orderMax_MB, 1..=15).map(megabytes);
        let repeat = checker.within::<u64>("repeat_s", raw.repeat_s, 60..=86_400).map(Duration::from_secs);
        let silence = shapes::millis("maxSilence_ms", raw.maxSilence_ms, 1_000..=3_600_000, checker);
        let lag = checker.within("maxLagBlocks", raw.maxLagBlocks, 1..=1_000);
        let undo = checker.within("undoBlocks", raw.undoBlocks, 64..=10_000_000);
        let cache = shapes::megabytes("storeCache_MB", raw.storeCache_MB, checker);
        let daemon = shapes::daemon(&raw.admin, raw.logging, &raw.stateDir, checker);
        let admin = daemon.as_ref().map(|daemon| daemon.admin);
        let listeners = listeners::listeners("listeners", raw.listeners, admin, checker);
        // Beside that of the orders.
        let fates_topic = format!("{}.{}.bundle-fates", raw.feed.prefix, raw.chain.name);
        let (feed, fresh) =
            (feed?, Fresh { lag_blocks_max: lag?, silence_max: silence?, head_age_max: None });
        Some(Self {
            chain_id: raw.chain.id,
            genesis: genesis?,
            feed_topic: feed.blocks_topic,
            bundles_topic: feed.bundles_topic,
            fates_topic,
            transactions_topic: feed.transactions_topic,
            mempool_after: mempool_after?,
            log: feed.log,
            keyring: keyring?,
            listeners: listeners?,
            enrols: raw.enrols,
            body_bytes: body_bytes?,
            builders: builders?,
            replica: replica?,
            simulation: simulation?,
            bounds: bounds?,
            order_bytes: order_bytes?,
            repeat: repeat?,
            fresh,
            keep: Keep { history: Past::Blocks(HISTORY_BLOCKS), undo_blocks: undo?, proofs: None },
            store_cache_bytes: cache?,
            daemon: daemon?,
        })
    }

    fn on_machine(&self, checker: &mut Checker) {
        maidenlane_jsonrpc::control::on_machine(&self.daemon.state_dir, checker);
    }
}

fn megabytes(count: u64) -> usize {
    usize::try_from(count.saturating_mul(1_000_000)).unwrap_or(usize::MAX)
}

fn genesis(raw: &ChainRaw, checker: &mut Checker) -> Option<Option<maidenlane_chain::B256>> {
    let name = shapes::word("name", &raw.name, checker);
    let genesis = shapes::genesis(raw, checker);
    name.and(genesis)
}

fn bounds(raw: &RelayRaw, checker: &mut Checker) -> Option<Bounds> {
    let orders = checker.within("ordersMax", raw.ordersMax, 1..=10_000_000);
    let bytes = checker.within("ordersMax_MB", raw.ordersMax_MB, 1..=1_000_000).map(megabytes);
    let account_bytes = checker.within("accountMax_MB", raw.accountMax_MB, 1..=1_000_000).map(megabytes);
    let ahead_max = checker.within("aheadMax", raw.aheadMax, 1..=10_000);
    Some(Bounds { orders: orders?, bytes: bytes?, account_bytes: account_bytes?, ahead_max: ahead_max? })
}

impl Settings {
    /// The log that carries all topics.
    ///
    /// # Errors
    /// A secret of it cannot be read.
    pub fn backend(&self) -> Result<Backend, maidenlane_log::Error> {
        maidenlane_service::log_backend(&self.log, "relay")
    }

    /// Requirements for the topics of orders and fates: what is on its way must be there after a restart.
    #[must_use]
    pub fn needs(&self) -> TopicNeeds {
        TopicNeeds {
            partitions: None,
            entry_bytes: maidenlane_wire::transaction::ENTRY_MAX_BYTES,
            retention_min_age: RETENTION_MIN,
            retention_min_bytes: 0,
        }
    }

    /// Topics that are written to, with what they must be. That of transactions is none where nothing becomes public, and
    /// loses nothing before an emitter had the time to read it.
    fn written(&self) -> Vec<(String, TopicNeeds)> {
        let never_by_size = TopicNeeds { retention_min_bytes: TopicNeeds::NEVER_BY_SIZE, ..self.needs() };
        let public = self.mempool_after.map(|_| (self.transactions_topic.clone(), never_by_size));
        let sealed = [&self.bundles_topic, &self.fates_topic].map(|topic| (topic.clone(), self.needs()));
        sealed.into_iter().chain(public).collect()
    }

    /// Settings of the loop that follows the feed.
    #[must_use]
    pub fn replay(&self, log: Backend) -> replay::Settings {
        replay::Settings {
            log,
            topic: self.feed_topic.clone(),
            proofs_topic: None,
            written: self.written(),
            chain_id: self.chain_id,
            genesis: self.genesis,
            keep: self.keep,
            state_dir: self.daemon.state_dir.clone(),
            store_cache_bytes: self.store_cache_bytes,
        }
    }
}
