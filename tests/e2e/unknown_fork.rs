//! A chain config with a fork that this build does not implement, ten days ahead: log, metric and `/status` of a replica.

use std::time::{Duration, SystemTime};

use alloy::{consensus::Header, rlp};
use maidenlane_chain::{BlockRef, Bytes, keccak256};
use maidenlane_log::{Append, Backend, TopicOptions, segment};
use maidenlane_tests::{
    daemon::Daemon,
    product::Product,
    settings::{self, Log},
    wait,
};
use maidenlane_wire::{Genesis, Heartbeat, Open, Record, Rows, Stamp, Stamped};
use tempfile::TempDir;

const CHAIN_ID: u64 = 7;
/// Not on the dot: the line in the log counts whole hours.
const TEN_DAYS_S: u64 = 10 * 86_400 - 60;

/// A feed of block 0 whose master was seen just now.
fn publish(log: &Backend, chain_config: String, now_s: u64) {
    let header = Header { timestamp: now_s, base_fee_per_gas: Some(7), ..Header::default() };
    let header = Bytes::from(rlp::encode(header));
    let block = BlockRef::new(0, keccak256(&header));
    let master_seen_ms = now_s * 1_000;
    let records = [
        Record::Open(Open { chain_id: CHAIN_ID, genesis: block.hash, chain_config, ..Open::default() }),
        Record::Genesis(Genesis {
            block,
            header,
            body: vec![0xc2, 0xc0, 0xc0].into(),
            rows: Rows::default(),
        }),
        Record::Heartbeat(Heartbeat { published: block, master: block, resuming: false, master_seen_ms }),
    ];
    let entries: Vec<_> = (0..)
        .zip(records)
        .map(|(seq, record)| {
            let stamp = Stamp { feed: [1; 16], epoch: 1, writer: [2; 16], seq, finalized: 0, more: false };
            maidenlane_wire::encode(&Stamped { stamp, record })
        })
        .collect();
    let topic = settings::topic();
    log.create(&topic, &TopicOptions::default()).unwrap();
    let entries: Vec<_> = entries.iter().map(|payload| Append { key: None, payload }).collect();
    log.producer(&topic).unwrap().append(&entries).unwrap();
}

#[test]
fn a_fork_that_this_build_lacks_is_told_ahead() {
    let (product, dir) = (Product::build().unwrap(), TempDir::with_prefix("maidenlane-").unwrap());
    let carrier = Log::Segment(dir.path().join("log"));
    let now_s = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let fork_s = now_s + TEN_DAYS_S;
    let config = format!(r#"{{"chainId": {CHAIN_ID}, "londonBlock": 0, "amsterdamTime": {fork_s}}}"#);
    publish(&Backend::Segment(segment::Options::new(dir.path().join("log"))), config, now_s);
    let settings = settings::replica(CHAIN_ID, &carrier, &dir.path().join("a")).replace(">.Own", ">.Off");
    let mut replica = Daemon::new(&product, "replica", "a", dir.path(), &settings).unwrap();
    replica.start().unwrap();
    replica.ready(Duration::from_secs(60)).unwrap();
    wait::until("the fork in /status", Duration::from_secs(20), || {
        let status = replica.status().map_err(|failure| failure.to_string())?;
        let fork = status.get("unknownFork").filter(|fork| fork.is_object());
        let fork = fork.ok_or_else(|| status.to_string())?;
        let left = fork.get("secondsLeft").and_then(serde_json::Value::as_u64).unwrap();
        assert_eq!(fork.get("name").unwrap(), "amsterdam");
        assert!((TEN_DAYS_S - 600..=TEN_DAYS_S).contains(&left), "{left}");
        Ok(())
    })
    .unwrap();
    let metrics = replica.admin("metrics").unwrap();
    assert!(
        metrics.contains(&format!("maidenlane_replica_unknown_fork_time_seconds {fork_s}\n")),
        "{metrics}"
    );
    let log = std::fs::read_to_string(dir.path().join("a.log")).unwrap();
    let warnings =
        log.matches("fork amsterdam comes in 9 d 23 h and this build does not implement it").count();
    assert_eq!(warnings, 1, "{log}");
    replica.stop().unwrap();
}
