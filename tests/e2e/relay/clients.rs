//! Stock clients, unmodified: the provider and the plugin that searchers use, and wallets whose only address is a relay.

use std::process::Command;

use super::{SOON, World, builders::Manner};
use crate::{clients, foundry};
use maidenlane_tests::scenario::Carrier;
use serde_json::json;

/// Key of the client's own account.
const KEY: &str = "0x0101010101010101010101010101010101010101010101010101010101010101";
const ADDRESS: &str = "0x1a642f0e3c3af545e7acbd38b07251b3990914f1";

/// A relay whose builder puts what it gets into blocks, for a client that has something to spend.
fn world() -> World {
    let world = World::with(Carrier::Segment, &[("including", Manner::Including)]);
    let gift = json!({"from": world.sender.from, "to": ADDRESS, "value": "0xde0b6b3a7640000"});
    let hash = world.net.master().call("eth_sendTransaction", &json!([gift])).unwrap();
    world.net.master().receipt(&hash, SOON).unwrap();
    world
}

/// Words of a client on a relay and a node beside it.
fn said(world: &mut World, mut client: Command, arguments: &[&str]) -> String {
    let (relay, node) = (world.url("rpc"), world.net.master());
    let printed = clients::output(client.args([&relay, node.url()]).args(arguments));
    printed.unwrap_or_else(|error| panic!("{error}\n{}", world.relay.log_tail(20)))
}

#[test]
fn ethers_flashbots_provider_hands_in_and_takes_back() {
    let Some(client) = clients::node_beside("flashbots", "flashbots.mjs") else { return };
    let said = said(&mut world(), client, &[KEY]);
    assert!(said.ends_with("all agree\n") && said.contains("sent to including at "), "{said}");
}

#[test]
fn alloys_searcher_extension_simulates_hands_in_and_takes_back() {
    let Some(client) = clients::alloy() else { return };
    assert_eq!(said(&mut world(), client, &[KEY]), "all agree\n");
}

#[test]
fn web3_flashbots_hands_in_and_takes_back() {
    let Some(client) = clients::python_beside("flashbots", "bundles.py") else { return };
    assert_eq!(said(&mut world(), client, &[KEY]), "all agree\n");
}

#[test]
fn viem_s_wallet_needs_no_other_address() {
    let Some(client) = clients::node("viem_wallet.mjs") else { return };
    assert_eq!(said(&mut world(), client, &[KEY]), "all agree\n");
}

#[test]
fn cast_needs_no_other_address() {
    let Some(foundry) = foundry::installed() else { return };
    let mut world = world();
    let relay = world.url("rpc");
    let mut cast = foundry.command("cast");
    let send = ["send", "--json", "--private-key", KEY, "--value", "1", "--rpc-url", &relay, ADDRESS];
    let printed = clients::output(cast.args(send)).unwrap();
    let receipt: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    assert_eq!(world.builders[0].taken()[0].asked["txs"].as_array().unwrap().len(), 1);
}
