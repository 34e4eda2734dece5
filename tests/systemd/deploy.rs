//! The deployments under `dhall/deploy`, started as they are but for their chain and their brokers.

use std::fs;

use maidenlane_tests::{kafka, product, settings};

use crate::lane::{Lane, MASTER};

const SHIPPED: &str = "/usr/share/maidenlane/dhall/deploy";
const ETC: &str = "/etc/maidenlane";

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
    edit(lane, "name = \"mainnet\", id = 1", &chain);
}

/// One edit of `cluster.dhall`.
fn edit(lane: &Lane, piece: &str, by: &str) {
    let file = format!("{ETC}/cluster.dhall");
    let text = lane.machine.run(&format!("cat {file}")).unwrap();
    assert_eq!(text.matches(piece).count(), 1, "{piece}: {text}");
    lane.machine.write(&file, &(text.replace(piece, by) + "\n")).unwrap();
}

// One after the other in one test: their ports are fixed.
#[test]
fn every_deployment_starts() {
    let Some(lane) = Lane::new() else { return };
    deploy(&lane, "one-machine");
    // The test's chain has halted long ago.
    let bound = "stateDir = \"/var/lib/maidenlane/replica-main\"";
    let file = format!("{ETC}/replica/main.dhall");
    let text = lane.machine.run(&format!("cat {file}")).unwrap();
    lane.machine
        .write(&file, &(text.replace(bound, &format!("maxHeadAge_s = None Natural, {bound}")) + "\n"))
        .unwrap();
    lane.systemctl("start maidenlane-tap@main maidenlane-replica@main");
    lane.play();
    lane.followed_by("main");
    assert_eq!(lane.address("replica-main", "rpc"), "127.0.0.1:8545");
    lane.systemctl("stop maidenlane-tap@main maidenlane-replica@main");
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
    edit(lane, "\"kafka-1:9092\", \"kafka-2:9092\", \"kafka-3:9092\"", &format!("\"{}\"", broker.address()));
    let output = lane.machine.run(&format!("maidenlane config diff {old} {ETC}")).unwrap();
    let restart =
        "systemctl restart maidenlane-tap@a maidenlane-replica@1 maidenlane-replica@2 maidenlane-replica@3";
    assert_eq!(output.lines().last(), Some(restart), "{output}");
    let init =
        format!("--brokers {} --chain {} --feed {}", broker.address(), settings::CHAIN, settings::FEED);
    lane.machine.run(&format!("maidenlane log init {init}")).unwrap();
    for instance in ["1", "2", "3"] {
        let file = format!("{ETC}/replica/{instance}.dhall");
        let text = lane.machine.run(&format!("cat {file}")).unwrap();
        let text = text.replace(", stateDir", ", maxHeadAge_s = None Natural, stateDir");
        lane.machine.write(&file, &(text + "\n")).unwrap();
    }
    lane.systemctl("start maidenlane-tap@a maidenlane-replica@1 maidenlane-replica@2 maidenlane-replica@3");
    for (instance, port) in [("1", 8545), ("2", 8546), ("3", 8547)] {
        lane.followed_by(instance);
        assert_eq!(lane.address(&format!("replica-{instance}"), "rpc"), format!("127.0.0.1:{port}"));
    }
    lane.systemctl("stop maidenlane-tap@a maidenlane-replica@1 maidenlane-replica@2 maidenlane-replica@3");
}
