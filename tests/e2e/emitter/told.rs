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

/// Subscribes.
fn subscribed(socket: &mut Socket, kind: &str, scope: Option<&str>) -> Value {
    let params = scope.map_or_else(|| json!([kind]), |scope| json!([kind, {"scope": scope}]));
    socket.respond("eth_subscribe", &params).unwrap()
}

#[test]
fn whoever_sends_a_transaction_is_told_what_nodes_say_of_it() {
    let mut world = World::of_replicas(Carrier::Segment, 1, settings::judging);
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
    let [mut rejections, mut drops] = ["rejectedTransactions", "droppedTransactions"].map(|kind| {
        let mut socket = Socket::connect(replica.url()).unwrap();
        let answer = subscribed(&mut socket, kind, None);
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

#[test]
fn a_rejection_ends_the_wait_for_a_receipt() {
    let mut world = World::new(Carrier::Segment);
    let (url, replica) = (world.url(), world.net.replica(0).unwrap());
    let mut emitter = world.started("emitter-0", &[("geth", &url)]);
    emitter.ready(SOON).unwrap();
    let cheap = world.sender.signed(&json!({"maxPriorityFeePerGas": "0x0"}));
    // geth's own wait for a receipt is 20 s.
    let begun = std::time::Instant::now();
    let refused = replica.respond("eth_sendRawTransactionSync", &json!([cheap, 29_000])).unwrap();
    let text = refused["error"]["message"].as_str().unwrap_or_default();
    assert!(text.contains("below minimum"), "{refused}");
    assert!(refused["error"]["data"].as_str().is_some_and(|hash| hash.len() == 66), "{refused}");
    assert!(begun.elapsed().as_secs() < 15, "{:?}", begun.elapsed());
    let good = world.sender.signed(&json!({"value": "0x1"}));
    let receipt = replica.call("eth_sendRawTransactionSync", &json!([good])).unwrap();
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    emitter.stop().unwrap();
    world.net.stop().unwrap();
}

/// Two identities at a replica of their own, beside one that knows nobody.
fn guarded(text: &str, tokens: &[(&str, &str, bool)]) -> String {
    let identity = |(name, file, sees_all): &(&str, &str, bool)| {
        let sees_all = if *sees_all { "True" } else { "False" };
        format!(
            "{{ name = \"{name}\", maySend = True, seesAll = {sees_all}, tag = Some \"{name}\", callsPerSecond = None Natural, requests_MB_per_min = None Natural\n\
             , namespaces = None (List Text), proof = < Bearer : Text | Certificate : Text | Jwt : Text >.Bearer \"{file}\" }}"
        )
    };
    let identities: Vec<_> = tokens.iter().map(identity).collect();
    let (before, rest) = text.split_once("listeners = [").unwrap();
    let (all, after) = rest.split_once("], methodTimeouts").unwrap();
    let guarded = format!("all // {{ name = \"guarded\", access = [ {} ] }}", identities.join(", "));
    format!("{before}listeners = (let all = {all} in [ all, {guarded} ]), methodTimeouts{after}")
}

#[test]
fn refusals_at_a_door_are_told_at_the_others_and_to_whoever_may_know() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, name).unwrap();
        path.display().to_string()
    };
    let (wallet, desk) = (file("wallet"), file("desk"));
    let tokens = [("wallet", wallet.as_str(), false), ("desk", desk.as_str(), true)];
    let mut world = World::of_replicas(Carrier::Segment, 2, |text| guarded(text, &tokens));
    let kind = "rejectedTransactions";
    let guarded = format!("http://{}", world.net.replica_daemon(1).unwrap().address("guarded").unwrap());
    let mut open = Socket::connect(world.net.replica(1).unwrap().url()).unwrap();
    let [mut own, mut all] = ["wallet", "desk"].map(|token| Socket::connect_as(&guarded, token).unwrap());
    let refused = subscribed(&mut own, kind, Some("all"));
    assert!(refused["error"]["message"].as_str().unwrap().contains("seesAll"), "{refused}");
    assert_eq!(subscribed(&mut open, kind, Some("own"))["error"]["code"], -32_602);
    for (socket, scope) in [(&mut open, None), (&mut own, None), (&mut all, Some("all"))] {
        let answer = subscribed(socket, kind, scope);
        assert!(answer["result"].is_string(), "{answer}");
    }
    // Through the other replica: by nobody in particular, and by the wallet.
    let balance = world.net.master().call("eth_getBalance", &json!([world.sender.from, "latest"])).unwrap();
    let raws =
        [json!({"value": balance}), json!({"gas": "0x5207"})].map(|fields| world.sender.signed(&fields));
    let refused = world.sender.send(&raws[0]);
    assert!(refused["error"]["message"].as_str().unwrap().starts_with("insufficient funds"), "{refused}");
    let other = format!("http://{}", world.net.replica_daemon(0).unwrap().address("guarded").unwrap());
    let mut sending = Socket::connect_as(&other, "wallet").unwrap();
    let refused = sending.respond("eth_sendRawTransaction", &json!([raws[1]])).unwrap();
    assert!(refused["error"]["message"].as_str().unwrap().contains("intrinsic gas too low"), "{refused}");
    let (first, second) = ("insufficient funds", "intrinsic gas too low");
    for (socket, expect) in
        [(&mut open, &[first, second][..]), (&mut all, &[first, second]), (&mut own, &[second])]
    {
        for reason in expect {
            let told = notice(socket);
            assert!(told["reason"].as_str().unwrap().starts_with(reason), "{told}");
            assert_eq!((&told["class"], &told["tx"]["from"]), (&json!("door"), &json!(world.sender.from)));
        }
    }
    drop((open, own, all, sending));
    world.net.stop().unwrap();
}
