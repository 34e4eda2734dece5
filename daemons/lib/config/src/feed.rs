//! Settings of a feed and of the log that carries it.

use crate::kafka::{Kafka, KafkaRaw, kafka};
use crate::shapes::{path, word};
use crate::{Checker, StaticType};
use serde::Deserialize;
use std::path::PathBuf;

/// The log that carries feeds.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub enum LogRaw {
    /// Segment files on this machine.
    Segment(SegmentRaw),
    /// A Kafka cluster.
    Kafka(KafkaRaw),
}

/// Settings of the segment log.
///
/// Retention is no setting of a daemon: it belongs to the topic and is fixed when that is created.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub struct SegmentRaw {
    /// Directory that holds one directory per topic.
    pub dir: String,
}

/// Address of a feed: the topic is `<prefix>.<chain>.<feed>.blocks`.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub struct FeedRaw {
    /// First part of every topic name.
    pub prefix: String,
    /// Name of the feed: one per master.
    pub name: String,
    /// The log that carries the feed.
    pub log: LogRaw,
}

/// Validated [`LogRaw`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Log {
    /// Segment files.
    Segment {
        /// Directory of topics.
        dir: PathBuf,
    },
    /// Kafka.
    Kafka(Kafka),
}

/// Validated [`FeedRaw`] with the chain's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Topic of blocks: `<prefix>.<chain>.<feed>.blocks`.
    pub blocks_topic: String,
    /// Topic of trie nodes: `<prefix>.<chain>.<feed>.proofs`.
    pub proofs_topic: String,
    /// Topic of the master's pool: `<prefix>.<chain>.<feed>.pool`.
    pub pool_topic: String,
    /// Topic of transactions: `<prefix>.<chain>.transactions`, one for all feeds of a chain.
    pub transactions_topic: String,
    /// Topic of their outcomes: `<prefix>.<chain>.outcomes`, likewise.
    pub outcomes_topic: String,
    /// Topic of filters: `<prefix>.<chain>.filters`, likewise.
    pub filters_topic: String,
    /// Topic of private orders: `<prefix>.<chain>.bundles`, likewise.
    pub bundles_topic: String,
    /// The log that carries the topics.
    pub log: Log,
}

/// Validates a feed of the chain called `chain`.
pub fn feed(raw: FeedRaw, chain: &str, checker: &mut Checker) -> Option<Feed> {
    let prefix = word("prefix", &raw.prefix, checker);
    let name = word("name", &raw.name, checker);
    let log = checker.inside("log", |checker| log(raw.log, checker));
    let (prefix, name) = (prefix?, name?);
    Some(Feed {
        blocks_topic: format!("{prefix}.{chain}.{name}.blocks"),
        proofs_topic: format!("{prefix}.{chain}.{name}.proofs"),
        pool_topic: format!("{prefix}.{chain}.{name}.pool"),
        transactions_topic: format!("{prefix}.{chain}.transactions"),
        outcomes_topic: format!("{prefix}.{chain}.outcomes"),
        filters_topic: format!("{prefix}.{chain}.filters"),
        bundles_topic: format!("{prefix}.{chain}.bundles"),
        log: log?,
    })
}

fn log(raw: LogRaw, checker: &mut Checker) -> Option<Log> {
    match raw {
        LogRaw::Segment(raw) => Some(Log::Segment { dir: path("dir", &raw.dir, checker)? }),
        LogRaw::Kafka(raw) => kafka(raw, checker).map(Log::Kafka),
    }
}
