//! Blob transactions of which one is to land: builders choose, and the chain says which it was.

use super::{SOON, Searcher, World, builders::Manner, reason};
use maidenlane_tests::{scenario::Carrier, wait};
use serde_json::{Value, json};

/// Blob transaction for the sender's next nonce.
fn with_blobs(world: &World, count: usize) -> Value {
    let blob = format!("0x{}", "05".repeat(131_072));
    world.sender.signed(&json!({"blobs": vec![blob; count], "maxFeePerBlobGas": "0x3b9aca00"}))
}

#[test]
fn of_several_for_one_nonce_one_lands_and_the_order_with_it() {
    let builders = [("chooses", Manner::Including), ("mute", Manner::Prompt)];
    let mut world = World::with(Carrier::Segment, &builders);
    world.relay.stop().unwrap();
    // The second builder's dialect has no words for transactions that may be left out.
    let titan = |text: &str| text.replacen(">.Flashbots", ">.Titan", 1);
    world.relay.edit(|text| titan(text).replace("Some 300,", "Some 3000,")).unwrap();
    world.relay.start().unwrap();
    world.relay.ready(SOON).unwrap();
    let one = Searcher::new(1);
    let (few, many) = (with_blobs(&world, 1), with_blobs(&world, 2));
    world.sender.nonce += 1;
    let other = with_blobs(&world, 1);
    let refused = world.ask(&one, "eth_sendBlobs", &json!([{"txs": [few, other]}]));
    assert_eq!(reason(&refused), "differentNonces", "{refused}");
    let plain = world.transaction();
    let refused = world.ask(&one, "eth_sendBlobs", &json!([{"txs": [few, plain]}]));
    assert_eq!(reason(&refused), "withoutBlobs", "{refused}");

    let taken = world.ask(&one, "eth_sendBlobs", &json!([{"txs": [few, many]}]))["result"].clone();
    assert_eq!(taken["durable"], true, "{taken}");
    let landed = wait::until("one of them to land", SOON, || {
        let mut status = world.status(&one, &taken);
        if status[0]["status"] == "landed" { Ok(status[0].take()) } else { Err(status.to_string()) }
    });
    let landed = landed.unwrap_or_else(|failure| panic!("{failure}\n{}", world.relay.log_tail(20)));
    let asked = world.builders[0].taken()[0].asked.clone();
    assert_eq!(asked["txs"], json!([many, few]), "the most blobs first");
    assert_eq!(asked["droppingTxHashes"].as_array().unwrap().len(), 2, "{asked:.300}");
    let block =
        world.net.master().call("eth_getBlockByNumber", &json!([landed["blockNumber"], true])).unwrap();
    let blobs = |tx: &Value| tx["blobVersionedHashes"].as_array().map(Vec::len);
    let all: Vec<_> = block["transactions"].as_array().unwrap().iter().map(blobs).collect();
    assert_eq!(all, [Some(2)], "{block:.300}");
    assert!(landed.to_string().contains("droppingTxHashes"), "why the other builder has none: {landed}");
    assert!(world.builders[1].taken().is_empty());
}
