//! Orders that fail in simulation, where the settings have them held until they do not.

use super::{SOON, Searcher, World, builders::Manner};
use maidenlane_tests::{rpc::quantity, scenario::Carrier, wait};
use serde_json::json;

#[test]
fn an_order_that_waits_is_held_until_it_is_whole() {
    let mut world = World::with(Carrier::Segment, &[("prompt", Manner::Prompt)]);
    world.relay.edit(|text| text.replace("< Hold | Send >.Send", "< Hold | Send >.Hold")).unwrap();
    world.killed();
    let one = Searcher::new(1);
    let (first, second, third) = (world.transaction(), world.transaction(), world.transaction());
    // Each waits for the one before it, which only the test has.
    let hash = world.ask(&one, "eth_sendPrivateTransaction", &json!([{"tx": second}]))["result"].clone();
    let taken = json!({"bundleHash": hash});
    world.simulated(&one, &taken, "waits");
    assert_eq!(world.builders[0].came().len(), 0, "held");
    // For a block that nobody can simulate yet: not held.
    let block = format!("{:#x}", world.head() + 20);
    let early = json!({"txs": [third], "blockNumber": block});
    let early = world.ask(&one, "eth_sendBundle", &json!([early]))["result"].clone();
    assert_eq!(early["durable"], true, "{early}");
    let sent = wait::until("the bundle for later to be sent", SOON, || {
        let came = world.builders[0].came();
        if came.iter().any(|came| came.asked["txs"] == json!([third])) {
            Ok(())
        } else {
            Err(format!("{came:?}"))
        }
    });
    sent.unwrap();
    assert!(world.builders[0].came().iter().all(|came| came.asked["txs"] != json!([second])), "still held");

    let mined = world.net.master().call("eth_sendRawTransaction", &json!([first])).unwrap();
    let receipt = world.net.master().receipt(&mined, SOON).unwrap();
    world.simulated(&one, &taken, "whole");
    let came = wait::until("the order to be sent", SOON, || {
        let came = world.builders[0].came().into_iter().find(|came| came.asked["txs"] == json!([second]));
        came.ok_or_else(|| "nothing".to_owned())
    });
    let came = came.unwrap_or_else(|failure| panic!("{failure}\n{}", world.relay.log_tail(20)));
    let from = quantity(&receipt["blockNumber"]).unwrap();
    assert!(
        came.head >= from && came.block() > from,
        "not before it can be held: {} {}",
        came.head,
        came.block()
    );
}
