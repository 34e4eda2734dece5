//! Fates of transactions, as a replica tells them to those who ask and to those who subscribe.

use maidenlane_tests::{
    rpc::{Client, quantity},
    scenario::Carrier,
    settings,
    socket::Socket,
    wait,
};
use serde_json::{Value, json};

use super::{SOON, World};
use crate::transactions::Sender;

/// Waits until the replica tells of a fate; its whole answer.
fn status(replica: &Client, hash: &str, expect: &str) -> Value {
    let what = format!("the replica to tell that {hash} is {expect}");
    let told = wait::until(&what, SOON, || {
        let answer = replica.respond("maidenlane_transactionStatus", &json!([hash]));
        let answer = answer.map_err(|failure| failure.to_string())?;
        let fates = answer["result"]["history"].as_array().ok_or_else(|| answer.to_string())?;
        let is_told = fates.iter().any(|each| each["fate"] == expect);
        if is_told { Ok(answer["result"].clone()) } else { Err(answer.to_string()) }
    });
    told.unwrap()
}

/// Waits for the next notice of a subscription.
fn notice(socket: &mut Socket) -> Value {
    let noticed = wait::until("a notice", SOON, || {
        let message = socket.notification().map_err(|failure| failure.to_string())?;
        message.map(|message| message["params"]["result"].clone()).ok_or_else(|| "none".to_owned())
    });
    noticed.unwrap()
}

/// Has the replica keep what becomes of transactions; its address is another one then.
fn restarted(world: &mut World, settings: fn(&str) -> String) -> Client {
    let daemon = world.net.replica_daemon(0).unwrap();
    daemon.stop().unwrap();
    daemon.edit(settings).unwrap();
    daemon.start().unwrap();
    let replica = world.net.replica(0).unwrap();
    world.sender = Sender::new(world.net.master(), replica.clone());
    replica
}

#[test]
fn whoever_sends_a_transaction_is_told_what_nodes_say_of_it() {
    let mut world = World::new(Carrier::Segment);
    restarted(&mut world, settings::judging);
    let url = world.url();
    let mut emitter = world.started("emitter-0", &[("geth", &url)]);
    let mined = world.send(&json!({"value": "0x1"}));
    world.meets(&mined, "Mined");
    // The replica has no pool, and cannot know the least tip of geth's.
    let cheap = world.sender.signed(&json!({"maxPriorityFeePerGas": "0x0"}));
    let refused = world.sender.send(&cheap);
    assert_eq!(refused["error"]["code"], -32_000, "{refused}");
    let reason = refused["error"]["message"].as_str().unwrap();
    assert!(reason.contains("below minimum"), "{refused}");
    // It is not stored again at once, and is no more accepted for that.
    assert_eq!(world.sender.send(&cheap)["error"]["message"], reason);
    emitter.stop().unwrap();
    world.net.stop().unwrap();
}

#[test]
fn a_replica_tells_what_became_of_a_transaction_whoever_took_it() {
    let mut world = World::new(Carrier::Segment);
    let unknown = format!("0x{}", "5a".repeat(32));
    let replica = world.net.replica(0).unwrap();
    let refused = replica.respond("maidenlane_transactionStatus", &json!([unknown])).unwrap();
    let text = refused["error"]["message"].as_str().unwrap();
    assert_eq!(text, "this deployment does not keep the outcomes of transactions");
    let replica = restarted(&mut world, settings::telling);
    let [mut rejections, mut drops] = ["rejectedTransactions", "droppedTransactions"].map(|kind| {
        let mut socket = Socket::connect(replica.url()).unwrap();
        let answer = socket.respond("eth_subscribe", &json!([kind])).unwrap();
        assert!(answer["result"].is_string(), "{answer}");
        socket
    });
    let url = world.url();
    let mut emitter = world.started("emitter-0", &[("geth", &url)]);
    let mined = world.send(&json!({"value": "0x1"}));
    let told = status(&replica, &mined, "Mined");
    let receipt = world.net.master().call("eth_getTransactionReceipt", &json!([mined])).unwrap();
    let fates = told["history"].as_array().unwrap();
    let names: Vec<_> = fates.iter().map(|each| each["fate"].as_str().unwrap()).collect();
    assert_eq!(
        names.iter().filter(|name| **name != "Sent").take(3).collect::<Vec<_>>(),
        [&"Received", &"Accepted", &"Mined"]
    );
    let block = fates.iter().find(|each| each["fate"] == "Mined").unwrap();
    assert_eq!(block["blockHash"], receipt["blockHash"], "{told}");
    assert_eq!(told["hash"], mined);
    let since_ms = quantity(&told["knownSince"]).unwrap();
    assert!(since_ms < quantity(&block["time"]).unwrap(), "{told}");
    // Not taken by this replica: by a producer of its own.
    let used = world.append(&json!({"nonce": "0x0", "value": "0x2"}));
    let dropped = notice(&mut drops);
    assert_eq!(
        (&dropped["txhash"], &dropped["reason"], &dropped["replacedBy"]),
        (&json!(used), &json!("low-nonce-txs"), &json!(mined))
    );
    let balance = world.net.master().call("eth_getBalance", &json!([world.sender.from, "latest"])).unwrap();
    let poor = world.append(&json!({"value": balance}));
    let rejected = notice(&mut rejections);
    assert_eq!((&rejected["tx"]["hash"], &rejected["tx"]["value"]), (&json!(poor), &balance));
    assert_eq!(
        (&rejected["tx"]["from"], &rejected["tx"]["blockHash"]),
        (&json!(world.sender.from), &Value::Null)
    );
    assert!(rejected["reason"].as_str().unwrap().starts_with("insufficient funds"), "{rejected}");
    let before = status(&replica, &poor, "Rejected");
    assert_eq!(before["status"], "Rejected");
    let nothing = replica.call("maidenlane_transactionStatus", &json!([unknown])).unwrap();
    assert_eq!((&nothing["status"], &nothing["history"]), (&Value::Null, &json!([])));
    // After a restart, as before.
    let replica_daemon = world.net.replica_daemon(0).unwrap();
    replica_daemon.stop().unwrap();
    replica_daemon.start().unwrap();
    let again = world.net.replica(0).unwrap();
    assert_eq!(status(&again, &poor, "Rejected")["history"], before["history"]);
    emitter.stop().unwrap();
    world.net.stop().unwrap();
}
