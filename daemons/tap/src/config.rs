//! Settings of the tap.

use maidenlane_chain::B256;
use maidenlane_config::feed::{self, FeedRaw};
use maidenlane_config::shapes::{self, AdminRaw, ChainRaw, LoggingRaw};
use maidenlane_config::{Checker, StaticType};
use maidenlane_log::Backend;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// Settings as written in Dhall.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct TapRaw {
    /// Directory that the hook in geth writes to.
    pub spool: String,
    /// geth's IPC socket.
    pub ipc: String,
    /// The chain; with `genesis = None` the master's own is taken.
    pub chain: ChainRaw,
    /// The feed that this tap writes.
    pub feed: FeedRaw,
    /// Start of a new feed.
    pub begin: BeginRaw,
    /// Publish the trie nodes that blocks change, for replicas that answer `eth_getProof`.
    pub proofs: bool,
    /// Publish the master's pool, for replicas that answer from it.
    pub pool: bool,
    /// Changed keys per block near the head that the master must prove; 0 = none.
    pub auditKeys: u64,
    /// Interval of heartbeats, and of requests to the master.
    pub heartbeat_ms: u64,
    /// Depth of blocks until which spool segments are kept where there is no finality.
    pub keepDepth: u64,
    /// Admin listener.
    pub admin: AdminRaw,
    /// Log lines.
    pub logging: LoggingRaw,
    /// Directory of the daemon's own files.
    pub stateDir: String,
}

/// Start of a new feed.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub enum BeginRaw {
    /// Genesis, with its whole state: any replica can follow the feed from nothing.
    Genesis,
    /// Start of the spool, once that block is final: only replicas that stand at it can follow the feed.
    Spool,
    /// The same without finality, for chains that have none: a reorganisation below that block ends the feed.
    UnsafeSpool,
}

/// Validated [`BeginRaw`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Genesis or not at all.
    Genesis,
    /// Start of the spool, once it is final.
    Spool,
    /// Start of the spool, final or not.
    UnsafeSpool,
}

/// Validated [`TapRaw`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Directory that the hook in geth writes to.
    pub spool: PathBuf,
    /// geth's IPC socket.
    pub ipc: PathBuf,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of block 0; `None` takes the master's.
    pub genesis: Option<B256>,
    /// Topic of the feed.
    pub topic: String,
    /// Topic of the trie nodes, if they are published.
    pub proofs_topic: Option<String>,
    /// Topic of the master's pool, if it is published.
    pub pool_topic: Option<String>,
    /// The log that carries the feed.
    pub log: feed::Log,
    /// Start of a new feed.
    pub begin: Begin,
    /// Changed keys per block that the master must prove.
    pub audit_keys: usize,
    /// Interval of heartbeats.
    pub heartbeat: Duration,
    /// Depth at which blocks count as final.
    pub keep_depth: u64,
    /// Settings that every daemon has.
    pub daemon: shapes::Daemon,
}

impl maidenlane_config::Settings for Settings {
    type Raw = TapRaw;

    const RELOADS: &'static [&'static str] = &["auditKeys", "heartbeat_ms", "keepDepth", "logging.filter"];

    const EXAMPLES: &'static [&'static str] = &[
        include_str!("../../../dhall/examples/full/tap.dhall"),
        include_str!("../../../dhall/examples/full/replica.dhall"),
    ];

    fn validate(raw: TapRaw, checker: &mut Checker) -> Option<Self> {
        let spool = shapes::path("spool", &raw.spool, checker);
        let ipc = shapes::path("ipc", &raw.ipc, checker);
        let (name, genesis) = checker.inside("chain", |checker| {
            let name = shapes::word("name", &raw.chain.name, checker);
            (name, shapes::genesis(&raw.chain, checker))
        });
        let chain_name = name.clone().unwrap_or_default();
        let feed = checker.inside("feed", |checker| feed::feed(raw.feed, &chain_name, checker));
        let audit_keys = checker.within("auditKeys", raw.auditKeys, 0..=256);
        let heartbeat = shapes::millis("heartbeat_ms", raw.heartbeat_ms, 50..=10_000, checker);
        let keep_depth = checker.within("keepDepth", raw.keepDepth, 64..=10_000_000);
        let daemon = shapes::daemon(&raw.admin, raw.logging, &raw.stateDir, checker);
        let (genesis, feed, _) = (genesis?, feed?, name?);
        Some(Self {
            spool: spool?,
            ipc: ipc?,
            chain_id: raw.chain.id,
            genesis,
            topic: feed.blocks_topic,
            proofs_topic: raw.proofs.then_some(feed.proofs_topic),
            pool_topic: raw.pool.then_some(feed.pool_topic),
            log: feed.log,
            begin: match raw.begin {
                BeginRaw::Genesis => Begin::Genesis,
                BeginRaw::Spool => Begin::Spool,
                BeginRaw::UnsafeSpool => Begin::UnsafeSpool,
            },
            audit_keys: audit_keys?,
            heartbeat: heartbeat?,
            keep_depth: keep_depth?,
            daemon: daemon?,
        })
    }
}

impl Settings {
    /// The log that carries the feed.
    ///
    /// # Errors
    /// A secret of it cannot be read.
    pub fn backend(&self) -> Result<Backend, maidenlane_log::Error> {
        maidenlane_service::log_backend(&self.log, "tap")
    }
}
