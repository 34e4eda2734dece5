//! Rights on a Kafka cluster: a feed is written by its tap only, and nobody may do more than its part.
//!
//! Principals are `User:maidenlane-<daemon>`, and for a tap also its feed: `User:maidenlane-tap-<feed>`. That leaders
//! of different feeds sit on different brokers is decided by replica assignment, not by ACLs.

/// Operations of a reader; every daemon also checks a topic's live settings when it starts. Each of these implies Describe.
const READ: &[&str] = &["Read", "DescribeConfigs"];
const BOTH: &[&str] = &["Read", "Write", "DescribeConfigs"];

/// The consumer group that delivers transactions.
const EMITTERS: &str = "maidenlane-emitter";

/// One command per daemon and kind of right. `chain` is `<prefix>.<chain>`.
pub(crate) fn commands(brokers: &str, chain: &str, feed: &str) -> Vec<String> {
    let tap = format!("tap-{feed}");
    let of_feed = |kind: &str| format!("--topic {chain}.{feed}.{kind}");
    let of_chain = |kind: &str| format!("--topic {chain}.{kind}");
    let feed_topics = ["blocks", "proofs", "pool"].map(of_feed).join(" ");
    let rights = [
        // A tap finds its place by reading what stands there.
        (tap.as_str(), BOTH, feed_topics.clone()),
        ("replica", READ, feed_topics),
        // A replica also counts what is on its way, looks how old the oldest is that nobody took out, and tells what it refuses.
        ("replica", BOTH, ["transactions", "outcomes", "filters"].map(of_chain).join(" ")),
        ("replica", &["Describe"], format!("--group {EMITTERS}")),
        ("emitter", READ, of_chain("transactions")),
        // It reads its own outcomes again, and the feed for what blocks hold.
        ("emitter", BOTH, of_chain("outcomes")),
        ("emitter", READ, of_feed("blocks")),
        ("emitter", &["Read"], format!("--group {EMITTERS}")),
        ("health", READ, of_feed("blocks")),
        // Relays share both topics: each reads what all of them wrote.
        ("relay", BOTH, ["bundles", "bundle-fates"].map(of_chain).join(" ")),
        ("relay", READ, of_feed("blocks")),
        // What becomes public goes the way of all transactions.
        ("relay", &["Write", "DescribeConfigs"], of_chain("transactions")),
    ];
    let command = |(daemon, operations, on): &(&str, &[&str], String)| {
        let operations: String = operations.iter().map(|each| format!(" --operation {each}")).collect();
        let who = format!("--allow-principal User:maidenlane-{daemon}");
        format!("kafka-acls.sh --bootstrap-server {brokers} --add {who}{operations} {on}")
    };
    rights.iter().map(command).collect()
}
