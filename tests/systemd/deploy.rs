//! The deployments under `dhall/deploy`, started as they are but for their chain and their brokers.

use std::fs;

use maidenlane_tests::{kafka, product, settings};

use serde_json::{Value, json};

use crate::lane::{Lane, MASTER, REPLICA, TAP};

const SHIPPED: &str = "/usr/share/maidenlane/dhall/deploy";
const ETC: &str = "/etc/maidenlane";
const EMITTER: &str = "maidenlane-emitter@main.service";
/// Services of the cluster.
const CLUSTER: &str = "maidenlane-tap@a maidenlane-replica@1 maidenlane-replica@2 maidenlane-replica@3 \
                       maidenlane-emitter@1 maidenlane-emitter@2";

/// Copies a deployment to `/etc/maidenlane`, as its user would, and makes it one of the test's chain.
fn deploy(lane: &Lane, name: &str) {
    for line in [
        format!("rm -rf {ETC}"),
        format!("cp -r {SHIPPED}/{name} {ETC}"),
        format!("ln -sfn {MASTER} /run/geth"),
    ] {
        lane.machine.run(&line).unwrap();
    }
    let chain = format!("name = \"{}\", id = {}", settings::CHAIN, lane.chain_id);
    edit(lane, "cluster.dhall", "name = \"mainnet\", id = 1", &chain);
}

/// One edit of a file of the settings.
fn edit(lane: &Lane, file: &str, piece: &str, by: &str) {
    let file = format!("{ETC}/{file}");
    let text = lane.machine.run(&format!("cat {file}")).unwrap();
    assert_eq!(text.matches(piece).count(), 1, "{piece}: {text}");
    lane.machine.write(&file, &(text.replace(piece, by) + "\n")).unwrap();
}

/// Starts the services of one machine, waits until they are fit, and stops them.
fn one_machine(lane: &Lane, services: &str, takes: bool) {
    // The test's chain has halted long ago.
    edit(lane, "replica/main.dhall", ", stateDir", ", maxHeadAge_s = None Natural, stateDir");
    lane.systemctl(&format!("start {services}"));
    lane.play();
    lane.followed_by("main");
    assert_eq!(lane.address("replica-main", "rpc"), "127.0.0.1:8545");
    // No transaction: what is told of it says whether any are taken.
    let answer = lane.rpc("main").respond("eth_sendRawTransaction", &json!(["0x02c0"])).unwrap();
    let text = answer.pointer("/error/message").and_then(Value::as_str).unwrap();
    assert_eq!(text != "this deployment does not take transactions", takes, "{answer}");
    if takes {
        lane.status_begins(EMITTER, "0 on their way, 1 of 1 nodes");
    }
    lane.systemctl(&format!("stop {services}"));
}

// One after the other in one test: their ports are fixed.
#[test]
fn every_deployment_starts() {
    let Some(lane) = Lane::new() else { return };
    let (quiet, all) = (format!("{TAP} {REPLICA}"), format!("{TAP} {REPLICA} {EMITTER}"));
    deploy(&lane, "one-machine");
    one_machine(&lane, &all, true);
    deploy(&lane, "read-only");
    one_machine(&lane, &quiet, false);
    deploy(&lane, "public-rpc");
    // The one node that is here in the provider's place does not ask for the token.
    edit(&lane, "emitter/main.dhall", "https://rpc.example.org", lane.replay.rpc().url());
    lane.machine.write(&format!("{ETC}/provider.token"), "t0ken\n").unwrap();
    lane.edit(EMITTER, &format!("[Service]\nLoadCredential=provider:{ETC}/provider.token\n"));
    one_machine(&lane, &all, true);
    cluster(&lane);
    lane.off();
}

fn cluster(lane: &Lane) {
    if let Some(missing) = kafka::missing() {
        println!("not run: no {missing}");
        return;
    }
    deploy(lane, "cluster");
    let old = format!("{ETC}.old");
    lane.machine.run(&format!("cp -r {ETC} {old}")).unwrap();
    let dir = lane.dir.path().join("kafka");
    fs::create_dir(&dir).unwrap();
    let broker = kafka::Broker::start(&product::cache().join("kafka"), &dir).unwrap();
    let brokers = "\"kafka-1:9092\", \"kafka-2:9092\", \"kafka-3:9092\"";
    edit(lane, "cluster.dhall", brokers, &format!("\"{}\"", broker.address()));
    let output = lane.machine.run(&format!("maidenlane config diff {old} {ETC}")).unwrap();
    let restart = format!("systemctl restart {CLUSTER}");
    assert_eq!(output.lines().last(), Some(restart.as_str()), "{output}");
    for node in ["node-1", "node-2", "node-3"] {
        edit(lane, "cluster.dhall", &format!("http://{node}:8545"), lane.replay.rpc().url());
    }
    let init =
        format!("--brokers {} --chain {} --feed {}", broker.address(), settings::CHAIN, settings::FEED);
    lane.machine.run(&format!("maidenlane log init {init}")).unwrap();
    for instance in ["1", "2", "3"] {
        let file = format!("{ETC}/replica/{instance}.dhall");
        let text = lane.machine.run(&format!("cat {file}")).unwrap();
        let text = text.replace(", stateDir", ", maxHeadAge_s = None Natural, stateDir");
        lane.machine.write(&file, &(text + "\n")).unwrap();
    }
    lane.systemctl(&format!("start {CLUSTER}"));
    for (instance, port) in [("1", 8545), ("2", 8546), ("3", 8547)] {
        lane.followed_by(instance);
        assert_eq!(lane.address(&format!("replica-{instance}"), "rpc"), format!("127.0.0.1:{port}"));
    }
    for instance in ["1", "2"] {
        lane.status_begins(&format!("maidenlane-emitter@{instance}"), "0 on their way, 3 of 3 nodes");
    }
    lane.systemctl(&format!("stop {CLUSTER}"));
}
