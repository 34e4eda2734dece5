//! The tap's records of a real geth, seen in the feed itself.

use std::time::Duration;

use maidenlane_tests::{
    product,
    scenario::{Carrier, Chain, Net, Plan},
    settings::{self, Log},
    wait,
};
use serde_json::json;

/// The end of the feed, by the operator's own command.
fn end(net: &Net) -> u64 {
    let Log::Segment(dir) = net.carrier() else { panic!("a segment log") };
    let listed =
        net.command(&["log", "verify", "--dir", dir.to_str().unwrap(), "--topic", &settings::topic()]);
    let last: serde_json::Value = serde_json::from_str(listed.unwrap().lines().last().unwrap()).unwrap();
    last.get("end").and_then(serde_json::Value::as_u64).unwrap()
}

#[test]
fn a_developer_chain_is_published_as_it_grows() {
    let plan = Plan { chain: Chain::Developer, carrier: Carrier::Segment, replicas: 0 };
    let mut net = Net::started(&plan).unwrap();
    net.tap().ready(Duration::from_secs(60)).unwrap();
    let master = net.master();
    wait::until("block 5 at the master", Duration::from_secs(60), || {
        let head = master.block_number().map_err(|failure| failure.to_string())?;
        if head >= 5 { Ok(()) } else { Err(format!("head {head}")) }
    })
    .unwrap();
    // OPEN, GENESIS, and a record per block at least.
    wait::until("six records", Duration::from_secs(20), || {
        let end = end(&net);
        if end >= 7 { Ok(()) } else { Err(format!("end {end}")) }
    })
    .unwrap();
    checked_ahead(&mut net);
    net.stop().unwrap();
}

/// geth executes a block before it announces it, and has proofs of it by then.
fn checked_ahead(net: &mut Net) {
    wait::until("blocks checked and proved before they are announced", Duration::from_secs(20), || {
        let metrics = net.tap().admin("metrics").map_err(|failure| failure.to_string())?;
        let count = |name: &str| {
            let name = format!("maidenlane_tap_{name}_total ");
            metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u64>().ok())
        };
        let counts = (count("blocks_checked_ahead"), count("keys_audited"), count("audits_failed"));
        if matches!(counts, (Some(1..), Some(1..), Some(0))) { Ok(()) } else { Err(format!("{counts:?}")) }
    })
    .unwrap();
}

#[test]
fn an_imported_chain_is_published_once_geth_is_up() {
    let Some(fixtures) = product::fixtures() else { return println!("not run: no fixtures on this machine") };
    let chain = Chain::Import(fixtures.join("execution-apis"));
    let mut net = Net::started(&Plan { chain, carrier: Carrier::Segment, replicas: 0 }).unwrap();
    net.tap().ready(Duration::from_secs(60)).unwrap();
    wait::until("the whole chain", Duration::from_secs(20), || {
        let end = end(&net);
        if end >= 56 { Ok(()) } else { Err(format!("end {end}")) }
    })
    .unwrap();
    senders_are_told(&net);
    net.stop().unwrap();
}

/// geth knows who has sent the transactions that it executes; nobody behind it need recover that.
fn senders_are_told(net: &Net) {
    let Log::Segment(dir) = net.carrier() else { panic!("a segment log") };
    let topic = settings::topic();
    let arguments = ["log", "tail", "--dir", dir.to_str().unwrap(), "--topic", &topic, "--entries", "100"];
    let mut sent = Vec::new();
    for line in net.command(&arguments).unwrap().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let record = line.get("entry").unwrap();
        if record.get("record").is_some_and(|kind| kind == "Advance") {
            let told = record.get("senders").and_then(|senders| senders.as_array()).unwrap().to_owned();
            let number = record.pointer("/block/number").unwrap().as_u64().unwrap();
            let block =
                net.master().call("eth_getBlockByNumber", &json!([format!("0x{number:x}"), true])).unwrap();
            let transactions = block.get("transactions").and_then(|all| all.as_array()).unwrap();
            let from: Vec<_> = transactions.iter().filter_map(|one| one.get("from").cloned()).collect();
            assert_eq!(told, from, "block {number}");
            sent.extend(from);
        }
    }
    assert!(sent.len() > 50, "{} senders are suspiciously few", sent.len());
}
