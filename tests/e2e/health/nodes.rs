//! The three nodes that nobody should ask, as real ones: without peers, with peers and without new blocks, and starting.

use std::{
    net::TcpListener,
    time::{Duration, SystemTime},
};

use maidenlane_tests::{
    daemon::Daemon,
    geth::chaingen,
    master::{self, Node},
    scenario::{Carrier, Chain, Net, Plan},
    settings::Target,
    wait,
};
use serde_json::Value;

use super::told::until;
use crate::consensus::{BLOCKS, Consensus};

/// Age from which a head is too old in these tests.
const HEAD_AGE: &str = "mayHalt = False, headAge_ms = Some 5000";

/// An execution client that no tap reads.
fn node(name: &str, address: &str) -> Target {
    let (name, address) = (name.to_owned(), address.to_owned());
    Target { name, kind: "Node", address, admin: None, feed: None, serves: None }
}

fn started(net: &Net, targets: &[Target], edit: impl FnOnce(String) -> String) -> Daemon {
    let mut checker = net.health("health-1", targets).unwrap();
    checker.edit(|text| edit(text.to_owned())).unwrap();
    checker.start().unwrap();
    checker
}

/// Names of the checks that fail.
fn failing(told: &Value) -> Vec<&str> {
    let reasons = told["reasons"].as_array().into_iter().flatten();
    reasons.filter_map(|reason| reason["check"].as_str()).collect()
}

#[test]
fn a_node_without_peers_is_told_as_such() {
    let plan = Plan { chain: Chain::Developer, carrier: Carrier::Segment, replicas: 0 };
    let mut net = Net::started(&plan).unwrap();
    let targets = net.sources().unwrap();
    let mut checker = started(&net, &targets, |text| text.replace("peersMin = 0", "peersMin = 1"));
    until(&mut checker, "master", |told| told["verdict"] == "degraded" && failing(told) == ["peers"]);
}

#[test]
fn a_node_with_peers_and_without_new_blocks_is_told_as_such() {
    let Some(mut consensus) = Consensus::new(Carrier::Segment) else { return };
    consensus.add_peer();
    let mut targets = consensus.net.sources().unwrap();
    targets.push(node("peer", consensus.peer().url()));
    let mut checker = started(&consensus.net, &targets, |text| {
        text.replace("peersMin = 0", "peersMin = 1").replace("mayHalt = True", HEAD_AGE)
    });
    let still = |told: &Value| told["verdict"] == "down" && failing(told) == ["headAge"];
    for name in ["master", "peer"] {
        until(&mut checker, name, still);
    }
    for name in ["master", "peer"] {
        until(&mut checker, name, |told| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
            consensus.execute_at(now);
            told["verdict"] == "healthy"
        });
    }
    until(&mut checker, "peer", still);
}

#[test]
fn a_node_that_starts_is_down_until_it_has_the_chain() {
    let Some(mut consensus) = Consensus::new(Carrier::Segment) else { return };
    let chain = chaingen::chain(BLOCKS, 3).unwrap();
    let home = consensus.net.dir().join("newcomer");
    let mut newcomer = Node::new(&master::build().unwrap(), &home, &Chain::Import(chain.clone())).unwrap();
    let address = newcomer.rpc().url().to_owned();
    let mut targets = consensus.net.sources().unwrap();
    targets.push(node("newcomer", &address));
    let mut checker = started(&consensus.net, &targets, |text| text);
    let why = |wanted: &'static str| {
        move |told: &Value| {
            let observed = told["reasons"].to_string();
            told["verdict"] == "down" && observed.contains(wanted)
        }
    };
    until(&mut checker, "newcomer", why("refused"));
    let silent = TcpListener::bind(address.trim_start_matches("http://")).unwrap();
    until(&mut checker, "newcomer", why("no answer"));
    drop(silent);
    newcomer.init(&chain.join("genesis.json")).unwrap();
    newcomer.restart().unwrap();
    until(&mut checker, "newcomer", |told| {
        told["verdict"] == "down" && told["number"] == 0 && failing(told).contains(&"lag")
    });
    consensus.net.node().connect(&newcomer).unwrap();
    let (engine, head) = (newcomer.engine().unwrap(), consensus.head());
    wait::until("the newcomer to sync", Duration::from_secs(120), || {
        engine.choose(&head, None).map_err(|failure| failure.to_string())
    })
    .unwrap();
    until(&mut checker, "newcomer", |told| told["verdict"] == "healthy");
}
