//! Trees of MEV-Share: simulated, and brought to builders as the list that says the same.

use maidenlane_tests::{scenario::Carrier, wait};
use serde_json::{Value, json};

use super::{SOON, Searcher, World, builders::Manner, reason};

/// Account of whoever makes the block: the developer's own pays the tips.
const MINER: &str = "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";

#[test]
fn a_tree_is_simulated_and_brought_to_builders_as_a_list() {
    let mut world = World::with(Carrier::Segment, &[("prompt", Manner::Prompt)]);
    let one = Searcher::new(1);
    let (user, earning) = (world.transaction(), world.transaction());
    let (next, block) = (world.head() + 1, world.head() + 20);
    let tree = |block: u64, validity: Value| {
        json!({
            "version": "v0.1", "inclusion": {"block": format!("{block:#x}")}, "validity": validity,
            "body": [{"tx": user, "canRevert": false}, {"tx": earning, "canRevert": true}],
        })
    };
    let call = json!([{
        "txs": [user, earning], "blockNumber": format!("{next:#x}"), "stateBlockNumber": "latest", "coinbase": MINER,
    }]);
    let called = world.ask(&one, "eth_callBundle", &call)["result"].clone();
    let told =
        world.ask(&one, "mev_simBundle", &json!([tree(next, json!({})), {"coinbase": MINER}]))["result"]
            .clone();
    assert_eq!(told["success"], true, "{told}");
    let hex = |value: &Value| u128::from_str_radix(&value.as_str().unwrap()[2..], 16).unwrap();
    assert_eq!(hex(&told["profit"]).to_string(), called["coinbaseDiff"], "{told} {called}");
    assert_eq!(hex(&told["gasUsed"]), u128::from(called["totalGasUsed"].as_u64().unwrap()));
    assert_eq!(told["logs"].as_array().unwrap().len(), 2);

    let taken = world.ask(&one, "mev_sendBundle", &json!([tree(block, json!({}))]))["result"].clone();
    assert_eq!(taken["durable"], true, "{taken}");
    let sent = wait::until("the list to be sent", SOON, || {
        let came =
            world.builders[0].came().into_iter().find(|came| came.asked["txs"] == json!([user, earning]));
        came.ok_or_else(|| "nothing".to_owned())
    });
    let asked = sent.unwrap_or_else(|failure| panic!("{failure}\n{}", world.relay.log_tail(20))).asked;
    assert_eq!(asked["blockNumber"], format!("{block:#x}"));
    assert_eq!(asked["revertingTxHashes"].as_array().unwrap().len(), 1, "{asked}");

    // This builder's words have none for a refund, and so it gets none of that order.
    let refund = json!({"refund": [{"bodyIdx": 0, "percent": 90}]});
    let taken = world.ask(&one, "mev_sendBundle", &json!([tree(block, refund)]))["result"].clone();
    let told = wait::until("the builder's word", SOON, || {
        let status = world.status(&one, &taken);
        if status.to_string().contains("refundPercent") { Ok(()) } else { Err(status.to_string()) }
    });
    told.unwrap();
    let two = json!({"refund": [{"bodyIdx": 0, "percent": 40}, {"bodyIdx": 1, "percent": 40}]});
    let refused = world.ask(&one, "mev_sendBundle", &json!([tree(block, two)]));
    assert_eq!(
        (reason(&refused), &refused["error"]["data"]["field"]),
        ("unsupported", &json!("validity.refund"))
    );
}
