//! Operators at a relay that runs: they let identities in and out, and try builders.

use super::{SOON, Searcher, World, body, builders::Manner, reason};
use maidenlane_tests::{rpc::Client, scenario::Carrier, socket::Socket, wait};
use serde_json::{Value, json};

impl World {
    /// Lines that `maidenlane relay …` prints of this relay.
    fn operate(&self, arguments: &[&str]) -> Result<Vec<Value>, String> {
        let config = self.relay.config().display().to_string();
        let printed = self.net.command(&[&["relay"], arguments, &["--config", &config]].concat());
        let printed = printed.map_err(|failure| failure.to_string())?;
        Ok(printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    fn enrolled(&self, arguments: &[&str]) -> String {
        let said = self.operate(&[&["identity", "add"], arguments].concat()).unwrap();
        said[0]["token"].as_str().unwrap().to_owned()
    }

    /// Status and answer to whoever holds a token.
    fn posted(&mut self, token: &str, body: &str) -> (u16, String) {
        let client = Client::new(self.url("known"));
        client.post_with(body, &[("Authorization", &format!("Bearer {token}"))]).unwrap()
    }

    fn socket(&mut self, token: &str) -> Socket {
        Socket::connect_as(&self.url("known"), token).unwrap()
    }
}

#[test]
fn identities_come_and_go_while_a_relay_runs() {
    let mut world = World::new(Carrier::Segment);
    let asked = body("eth_chainId", &json!([]));
    let token = world.enrolled(&["desk-7", "--calls-per-second", "5", "--namespaces", "eth,maidenlane"]);
    assert_eq!((token.len(), world.posted(&token, &asked).0), (64, 200));
    assert!(world.posted(&token, &body("net_version", &json!([]))).1.contains("-32601"), "not its right");
    let burst: Vec<_> = (0..12).map(|_| world.posted(&token, &asked).1).collect();
    assert!(burst.iter().any(|answer| answer.contains("more than 5 calls per second")), "{burst:?}");

    for (name, why) in [("desk-7", "enrolled already"), ("searcher", "in the settings")] {
        let refused = world.operate(&["identity", "add", name]).unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
    world.killed();
    assert_eq!(world.posted(&token, &asked).0, 200, "after a restart too");
    let all = world.operate(&["identity", "list"]).unwrap();
    let names: Vec<_> = all.iter().map(|each| (each["name"].clone(), each["from"].clone())).collect();
    let expect = [("builder", "settings"), ("searcher", "settings"), ("desk-7", "command")];
    assert_eq!(names, expect.map(|(name, from)| (json!(name), json!(from))));
    assert!(!all.iter().any(|each| each.to_string().contains(&token)), "{all:?}");

    let mut socket = world.socket(&token);
    assert!(socket.respond("maidenlane_subscribe", &json!(["bundleFates"])).unwrap()["result"].is_string());
    world.operate(&["identity", "revoke", "desk-7"]).unwrap();
    assert_eq!(world.posted(&token, &asked).0, 401);
    let ended = wait::until("what was open to end", SOON, || match socket.notification() {
        Ok(Some(told)) if told["params"]["error"]["message"].to_string().contains("revoked") => Ok(()),
        Ok(other) => Err(format!("{other:?}")),
        Err(failure) => Err(failure.to_string()),
    });
    ended.unwrap();
    assert!(world.operate(&["identity", "revoke", "desk-7"]).unwrap_err().contains("was not"));
}

#[test]
fn an_identity_has_a_budget_of_bytes() {
    let mut world = World::new(Carrier::Segment);
    let token = world.enrolled(&["small", "--megabytes-per-minute", "1"]);
    let padded = format!("{}{}", body("eth_chainId", &json!([])), " ".repeat(600_000));
    assert_eq!(world.posted(&token, &padded).0, 200);
    let (status, answer) = world.posted(&token, &padded);
    assert_eq!(status, 503, "{answer}");
    assert!(answer.contains("-32005") && answer.contains("1000000 bytes of requests per minute"), "{answer}");
    let mut socket = world.socket(&token);
    socket.ask("eth_chainId", &json!([" ".repeat(600_000)])).unwrap();
    let said = wait::until("a refusal", SOON, || {
        socket.notification().map_err(|failure| failure.to_string())?.ok_or_else(|| "none".to_owned())
    });
    assert_eq!(said.unwrap()["error"]["code"], -32_005, "on a WebSocket likewise");
    assert_eq!(world.posted("searcher", &padded).0, 200, "nobody else's");
}

#[test]
fn a_builder_is_tried_without_harm() {
    let builders = [
        ("prompt", Manner::Prompt),
        ("strict", Manner::Refusing("invalid signature")),
        ("other", Manner::Refusing("method not found")),
        ("failing", Manner::Failing),
    ];
    let world = World::with(Carrier::Segment, &builders);
    for (name, dialect, key) in [
        ("prompt", "understood", "accepted"),
        ("strict", "understood", "refused"),
        ("other", "not understood", "unknown"),
        ("failing", "unknown", "unknown"),
    ] {
        let said = world.operate(&["builder", "test", name]).unwrap().remove(0);
        let expect = (&json!(true), &json!(dialect), &json!(key));
        assert_eq!((&said["reachable"], &said["dialect"], &said["key"]), expect, "{said}");
    }
    let came = world.builders[0].came();
    assert_eq!((came.len(), came[0].method.as_str()), (1, "eth_cancelBundle"));
    let header = Searcher::new(7).header(&came[0].body);
    assert_eq!(came[0].signature.to_lowercase(), header.to_lowercase(), "signed as orders are");
    assert!(world.operate(&["builder", "test", "one"]).unwrap_err().contains("nothing is sent to `one`"));
    let unknown = world.operate(&["builder", "test", "nobody"]).unwrap_err();
    assert!(unknown.contains("no builder is called `nobody`: there are one, two, prompt"), "{unknown}");
}

#[test]
fn a_builder_that_is_only_tried_out_gets_nothing() {
    let mut world = World::with(Carrier::Segment, &[("dry", Manner::Prompt), ("wet", Manner::Prompt)]);
    let one = Searcher::new(1);
    world.relay.stop().unwrap();
    world.relay.edit(|text| text.replacen("dryRun = False", "dryRun = True", 1)).unwrap();
    world.killed();
    let bundle = world.bundle_for(40, &json!({}));
    let taken = world.sent(&one, &bundle);
    let counted = wait::until("the dry run to be counted", SOON, || {
        let metrics = world.relay.admin("metrics").map_err(|failure| failure.to_string())?;
        let wanted = "deliveries_total{builder=\"dry\",end=\"dry\"} 1";
        if metrics.contains(wanted) { Ok(()) } else { Err(metrics) }
    });
    counted.unwrap();
    let told = wait::until("the other's word", SOON, || {
        let status = world.status(&one, &taken);
        if status[0]["builders"][0].is_object() { Ok(status) } else { Err(status.to_string()) }
    });
    let told = told.unwrap();
    assert_eq!(told[0]["builders"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!((world.builders[0].came().len(), world.builders[1].came().len()), (0, 1));
}

#[test]
fn senders_are_told_which_transactions_a_builder_refuses() {
    let mut world = World::with(Carrier::Segment, &[("picky", Manner::Refusing("nonce too low"))]);
    let (mut socket, mut other) = (world.socket("searcher"), world.socket("builder"));
    for socket in [&mut socket, &mut other] {
        assert!(
            socket.respond("eth_subscribe", &json!(["rejectedTransactions"])).unwrap()["result"].is_string()
        );
    }
    let bundle = world.bundle_for(40, &json!({}));
    let taken = socket.respond("eth_sendBundle", &json!([bundle])).unwrap();
    assert_eq!(taken["result"]["durable"], true, "{taken}");
    let noticed = wait::until("a notice", SOON, || {
        let message = socket.notification().map_err(|failure| failure.to_string())?;
        message.map(|message| message["params"]["result"].clone()).ok_or_else(|| "none".to_owned())
    });
    let notice = noticed.unwrap();
    let raw = bundle["txs"][0].as_str().unwrap().parse::<maidenlane_chain::Bytes>().unwrap();
    assert_eq!(notice["tx"]["hash"], maidenlane_chain::keccak256(raw).to_string());
    assert_eq!(notice["reason"], "picky: nonce too low", "{notice}");
    // Answers come behind notices of before.
    other.respond("eth_chainId", &json!([])).unwrap();
    assert_eq!(other.notification().unwrap(), None, "nobody else's business");
}

#[test]
fn what_an_order_paid_is_its_sender_s_to_know() {
    let mut world = World::with(Carrier::Segment, &[("including", Manner::Including)]);
    let (one, other) = (Searcher::new(1), Searcher::new(2));
    let tx = world.sender.signed(&json!({"maxPriorityFeePerGas": "0x3b9aca00"}));
    let hash = world.ask(&one, "eth_sendPrivateTransaction", &json!([{"tx": tx}]))["result"].clone();
    let receipt = world.net.master().receipt(&hash, SOON).unwrap();
    let number = |value: &Value| maidenlane_tests::rpc::quantity(value).unwrap();
    let block = world.net.master().call("eth_getBlockByHash", &json!([receipt["blockHash"], false])).unwrap();
    let tip = number(&receipt["effectiveGasPrice"]) - number(&block["baseFeePerGas"]);
    let expect = (tip * number(&receipt["gasUsed"])).to_string();
    assert_ne!(expect, "0");
    let told = wait::until("what it paid", SOON, || {
        let head = format!("{:#x}", world.head());
        let stats = world.ask(&one, "flashbots_getUserStatsV2", &json!([{"blockNumber": head}]));
        if stats["result"]["allTimeValidatorPayments"] == expect { Ok(stats) } else { Err(stats.to_string()) }
    });
    let stats = told.unwrap()["result"].take();
    assert_eq!(
        (&stats["last1dValidatorPayments"], &stats["last7dValidatorPayments"]),
        (&json!(expect), &json!(expect))
    );
    assert_eq!(stats["isHighPriority"], false);
    let gas: u64 = stats["last1dGasSimulated"].as_str().unwrap().parse().unwrap();
    assert_eq!(gas % number(&receipt["gasUsed"]), 0, "once for each head: {gas}");
    let head = format!("{:#x}", world.head());
    let others = world.ask(&other, "flashbots_getUserStatsV2", &json!([{"blockNumber": head}]));
    assert_eq!(others["result"]["allTimeValidatorPayments"], "0");
    let late = world.ask(&one, "flashbots_getUserStatsV2", &json!([{"blockNumber": "0xffff"}]));
    assert_eq!(reason(&late), "blockTooFar");
}
