//! Settings of the emitter.

mod upstreams;

pub use upstreams::{RouteRaw, UpstreamRaw};

use crate::route::Routes;
use crate::turn::Terms;
use crate::upstream;
use maidenlane_config::feed::{self, FeedRaw};
use maidenlane_config::shapes::{self, AdminRaw, ChainRaw, LoggingRaw};
use maidenlane_config::{Checker, StaticType};
use maidenlane_log::{Backend, TopicNeeds};
use serde::Deserialize;
use std::time::Duration;

/// Settings as written in Dhall.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct EmitterRaw {
    /// The chain; nodes of another one get nothing.
    pub chain: ChainRaw,
    /// The feed that says what blocks hold, and the log that carries it and the transactions.
    pub feed: FeedRaw,
    /// Consumer group: emitters of one group share the work.
    pub group: String,
    /// Nodes that transactions are sent to, all of them at once where no route says otherwise.
    pub upstreams: Vec<UpstreamRaw>,
    /// Routes, of which the first that fits a transaction counts.
    pub routes: Vec<RouteRaw>,
    /// Time after which a transaction that no block holds is given up.
    pub lifetime_s: u64,
    /// Time for which a transaction may wait for room or for others of its sender's before those behind it count as
    /// consumed.
    pub hold_s: u64,
    /// Blocks after which a transaction is sent again, until one holds it.
    pub againBlocks: u64,
    /// Time after which it is sent again where no blocks come.
    pub again_s: u64,
    /// Least retention of the topics of transactions and outcomes.
    pub retention_h: u64,
    /// Transactions that no block holds yet beyond which no more are taken out of the log.
    pub pendingMax: u64,
    /// Bytes of them, likewise.
    pub pendingMax_MB: u64,
    /// Time without a sign of life from the feed beyond which nothing is said of blocks.
    pub maxSilence_ms: u64,
    /// Admin listener.
    pub admin: AdminRaw,
    /// Logging.
    pub logging: LoggingRaw,
    /// Directory of the daemon's own files.
    pub stateDir: String,
}

/// Validated [`EmitterRaw`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Topic of the feed.
    pub feed_topic: String,
    /// Topic of transactions.
    pub transactions_topic: String,
    /// Topic of outcomes.
    pub outcomes_topic: String,
    /// The log that carries them.
    pub log: feed::Log,
    /// Consumer group.
    pub group: String,
    /// Nodes.
    pub upstreams: Vec<upstream::Settings>,
    /// Routes to them.
    pub routes: Routes,
    /// Terms of delivery.
    pub terms: Terms,
    /// Least retention of the topics.
    pub retention: Duration,
    /// Most transactions on their way.
    pub pending_max: usize,
    /// Most bytes of them.
    pub pending_max_bytes: usize,
    /// Longest silence of the feed.
    pub silence_max: Duration,
    /// Settings that every daemon has.
    pub daemon: shapes::Daemon,
}

impl maidenlane_config::Settings for Settings {
    type Raw = EmitterRaw;

    const RELOADS: &'static [&'static str] = &["logging.filter"];

    const EXAMPLES: &'static [&'static str] = &[
        include_str!("../../../dhall/examples/full/emitter.dhall"),
        include_str!("../../../dhall/examples/full/replica.dhall"),
    ];

    fn validate(raw: EmitterRaw, checker: &mut Checker) -> Option<Self> {
        let name = checker.inside("chain", |checker| shapes::word("name", &raw.chain.name, checker));
        let feed = checker.inside("feed", |checker| feed::feed(raw.feed.clone(), &raw.chain.name, checker));
        let group = shapes::word("group", &raw.group, checker);
        let upstreams = upstreams::upstreams(&raw.upstreams, checker);
        let names: Vec<&str> = raw.upstreams.iter().map(|node| node.name.as_str()).collect();
        let routes = upstreams::routes(&raw.routes, &names, checker);
        let terms = terms(&raw, checker);
        let hours = checker.within::<u64>("retention_h", raw.retention_h, 1..=87_600);
        let retention = hours.map(|hours| Duration::from_secs(hours * 3_600));
        if let (Some(terms), Some(retention)) = (terms, retention) {
            outlasts(retention, terms, checker);
        }
        let pending_max = checker.within("pendingMax", raw.pendingMax, 1..=10_000_000);
        let bytes = shapes::megabytes("pendingMax_MB", raw.pendingMax_MB, checker);
        let silence_max = shapes::millis("maxSilence_ms", raw.maxSilence_ms, 1_000..=3_600_000, checker);
        let daemon = shapes::daemon(&raw.admin, raw.logging, &raw.stateDir, checker);
        let (feed, _) = (feed?, name?);
        Some(Self {
            chain_id: raw.chain.id,
            feed_topic: feed.blocks_topic,
            transactions_topic: feed.transactions_topic,
            outcomes_topic: feed.outcomes_topic,
            log: feed.log,
            group: group?,
            upstreams: upstreams?,
            routes: routes?,
            terms: terms?,
            retention: retention?,
            pending_max: pending_max?,
            pending_max_bytes: usize::try_from(bytes?).unwrap_or(usize::MAX),
            silence_max: silence_max?,
            daemon: daemon?,
        })
    }
}

fn terms(raw: &EmitterRaw, checker: &mut Checker) -> Option<Terms> {
    let lifetime_s = checker.within::<u64>("lifetime_s", raw.lifetime_s, 60..=604_800);
    let hold_s = checker.within::<u64>("hold_s", raw.hold_s, 1..=lifetime_s.unwrap_or(3_600).min(3_600));
    let again_blocks = checker.within("againBlocks", raw.againBlocks, 1..=10_000);
    let again_s = checker.within::<u64>("again_s", raw.again_s, 1..=86_400);
    Some(Terms {
        lifetime_ms: lifetime_s? * 1_000,
        hold_ms: hold_s? * 1_000,
        again_blocks: again_blocks?,
        again_ms: again_s? * 1_000,
    })
}

/// A transaction's entries must outlive it by the time that it may wait for an emitter: replicas take more until the oldest
/// that waits is half as old as the retention.
fn outlasts(retention: Duration, terms: Terms, checker: &mut Checker) {
    if Duration::from_millis(terms.lifetime_ms) >= retention / 4 {
        let most_s = retention.as_secs() / 4;
        let text = "what is on its way is read from the topics again";
        checker.wrong(
            "lifetime_s",
            format_args!("must be less than a quarter of retention_h, {most_s}: {text}"),
        );
    }
}

impl Settings {
    /// The log that carries all topics.
    ///
    /// # Errors
    /// A secret of it cannot be read.
    pub fn backend(&self) -> Result<Backend, maidenlane_log::Error> {
        maidenlane_service::log_backend(&self.log, "emitter")
    }

    /// Requirements for the topics of transactions and outcomes.
    #[must_use]
    pub const fn needs(&self) -> TopicNeeds {
        TopicNeeds {
            partitions: None,
            entry_bytes: maidenlane_wire::transaction::ENTRY_MAX_BYTES,
            retention_min_age: self.retention,
            retention_min_bytes: TopicNeeds::NEVER_BY_SIZE,
        }
    }
}
