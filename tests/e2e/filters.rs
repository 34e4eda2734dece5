//! Filters asked of two replicas in turn, through reorganisations: what both tell together is what one geth tells.

use maidenlane_tests::{rpc::Client, scenario::Carrier, wait};
use serde_json::{Value, json};

use crate::consensus::{Consensus, PATIENCE};

/// A log that does not answer within the quarter of a second that a poll waits.
const AWAY: i64 = -32095;

/// Changes that a filter has now. Where the log is slow the poll is made again, as a balancer does.
fn poll(side: &Client, id: &Value) -> Value {
    let mut changes = Value::Null;
    wait::until("a poll to be answered", PATIENCE, || {
        let mut answer = side.respond("eth_getFilterChanges", &json!([id])).unwrap();
        if answer.pointer("/error/code") == Some(&json!(AWAY)) {
            return Err(answer.to_string());
        }
        changes = answer.get_mut("result").unwrap_or_else(|| panic!("no result")).take();
        Ok(())
    })
    .unwrap();
    changes
}

/// Polls geth until it has told the same: its filters are filled a moment after its head has moved.
fn same_changes(geth: &Client, id: &Value, ours: &Value) {
    let mut changes = Vec::new();
    wait::until("geth's filter to tell the same", PATIENCE, || {
        changes.extend(poll(geth, id).as_array().unwrap().iter().cloned());
        if json!(changes) == *ours { Ok(()) } else { Err(format!("{changes:?}, not {ours}")) }
    })
    .unwrap();
}

fn check(carrier: Carrier) {
    let Some(mut consensus) = Consensus::new(carrier) else { return };
    assert_eq!(consensus.net.fresh_replica().unwrap(), 1);
    let replicas = [0, 1].map(|index| consensus.net.replica(index).unwrap());
    let geth = consensus.net.master();
    let made = |side: &Client, method: &str, params: &Value| side.call(method, params).unwrap();
    let [blocks, logs] = [("eth_newBlockFilter", json!([])), ("eth_newFilter", json!([{}]))]
        .map(|(method, params)| [made(&geth, method, &params), made(&replicas[0], method, &params)]);

    let base = consensus.head();
    let (busy, idle) = (consensus.busy(&base), consensus.execute(&base, 1));
    let longer = consensus.execute(&busy, 2);
    let (mut turn, mut removed) = (0, false);
    // Logs come, are taken back, and come again.
    for head in [&busy, &idle, &busy, &longer, &idle] {
        consensus.choose(head);
        consensus.followed();
        consensus.net.caught_up(1).unwrap();
        for [theirs, id] in [&blocks, &logs] {
            turn += 1;
            let changes = poll(replicas.get(turn % 2).unwrap(), id);
            same_changes(&geth, theirs, &changes);
            let more = poll(replicas.get((turn + 1) % 2).unwrap(), id);
            assert_eq!(more, json!([]), "the other has nothing to add");
            removed |= changes.to_string().contains("\"removed\":true");
        }
    }
    assert!(removed, "logs were taken back");
    // A replica that starts again knows them all.
    let daemon = consensus.net.replica_daemon(1).unwrap();
    daemon.stop().unwrap();
    daemon.start().unwrap();
    let restarted = consensus.net.replica(1).unwrap();
    assert_eq!(poll(&restarted, &logs[1]), json!([]));
    let gone = |side: &Client| side.call("eth_uninstallFilter", &json!([blocks[1]])).unwrap();
    assert_eq!([gone(&restarted), gone(&replicas[0])], [json!(true), json!(false)]);
    let lost = replicas[0].respond("eth_getFilterChanges", &json!([blocks[1]])).unwrap();
    let wanted = geth.respond("eth_getFilterChanges", &json!(["0x1"])).unwrap();
    assert_eq!(lost.get("error"), wanted.get("error"), "filter not found");
    consensus.end();
}

#[test]
fn filters_go_through_the_segment_log() {
    check(Carrier::Segment);
}

#[test]
fn filters_go_through_kafka() {
    check(Carrier::Kafka);
}
