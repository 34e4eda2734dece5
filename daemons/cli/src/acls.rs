//! Rights on a Kafka cluster: a feed is written by its tap only, and nobody may do more than its part.
//!
//! Principals are `User:maidenlane-<daemon>`, and for a tap also its feed: `User:maidenlane-tap-<feed>`. That leaders
//! of different feeds sit on different brokers is decided by replica assignment, not by ACLs.

/// Operations of a reader; every daemon also checks a topic's live settings when it starts.
const READ: &[&str] = &["Read", "Describe", "DescribeConfigs"];
const WRITE: &[&str] = &["Write", "Describe", "DescribeConfigs"];
const BOTH: &[&str] = &["Read", "Write", "Describe", "DescribeConfigs"];

/// The consumer group that delivers transactions.
const EMITTERS: &str = "maidenlane-emitter";

/// One command per topic and daemon, and per consumer group. `chain` is `<prefix>.<chain>`.
pub(crate) fn commands(brokers: &str, chain: &str, feed: &str) -> Vec<String> {
    let tap = format!("tap-{feed}");
    let mut rights = Vec::new();
    for kind in ["blocks", "proofs", "pool"] {
        let topic = format!("{chain}.{feed}.{kind}");
        // A tap finds its place by reading what stands there.
        rights.push((topic.clone(), tap.as_str(), BOTH));
        rights.push((topic, "replica", READ));
    }
    for (kind, daemon, operations) in [
        // A replica also looks how old the oldest is that nobody took out.
        ("transactions", "replica", BOTH),
        ("transactions", "emitter", READ),
        ("outcomes", "emitter", WRITE),
        ("outcomes", "replica", READ),
        ("filters", "replica", BOTH),
    ] {
        rights.push((format!("{chain}.{kind}"), daemon, operations));
    }
    let command = |on: &str, name: &str, daemon: &str, operations: &[&str]| {
        let operations: String = operations.iter().map(|each| format!(" --operation {each}")).collect();
        let who = format!("--allow-principal User:maidenlane-{daemon}");
        format!("kafka-acls.sh --bootstrap-server {brokers} --add {who}{operations} --{on} {name}")
    };
    let topics = rights.iter().map(|(topic, daemon, operations)| command("topic", topic, daemon, operations));
    let groups = [("replica", "Describe"), ("emitter", "Read")]
        .map(|(daemon, operation)| command("group", EMITTERS, daemon, &[operation]));
    topics.chain(groups).collect()
}
