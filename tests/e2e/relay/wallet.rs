//! A relay as the only address of a wallet.

use super::{SOON, Searcher, World, builders::Manner, reason};
use maidenlane_chain::{B256, Bytes, keccak256};
use maidenlane_tests::{rpc::Client, scenario::Carrier};
use secp256k1::SecretKey;
use serde_json::{Value, json};

/// Key of the account that every geth's developer chain begins with.
const DEVELOPER: &str = "b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291";

fn hash(raw: &Value) -> Value {
    json!(keccak256(raw.as_str().unwrap().parse::<Bytes>().unwrap()))
}

/// Owner of the account that every geth's developer chain begins with, at this address.
pub(super) fn developer(address: &str) -> Searcher {
    let key = SecretKey::from_byte_array(DEVELOPER.parse::<B256>().unwrap().0).unwrap();
    Searcher { key, address: address.to_owned() }
}

#[test]
fn a_wallet_needs_no_other_address() {
    let mut world = World::with(Carrier::Segment, &[("including", Manner::Including)]);
    let (relay, master) = (Client::new(world.url("rpc")), world.net.master());
    let from = world.sender.from.clone();
    for (method, params) in [
        ("eth_chainId", json!([])),
        ("eth_getCode", json!([from, "latest"])),
        ("eth_getTransactionCount", json!([from, "latest"])),
        ("eth_estimateGas", json!([{"from": from, "to": from}])),
        ("eth_getBlockByNumber", json!(["0x0", false])),
    ] {
        let answers = [&relay, &master].map(|client| client.call(method, &params).unwrap());
        assert_eq!(answers[0], answers[1], "{method}");
    }
    let wrong = relay.respond("eth_getBalance", &json!(["0x1", "latest"])).unwrap();
    let expect = world.sender.replica.respond("eth_getBalance", &json!(["0x1", "latest"])).unwrap();
    assert_eq!(wrong["error"]["message"], expect["error"]["message"], "errors as well");
    for method in ["debug_traceCall", "eth_newFilter", "txpool_content"] {
        assert_eq!(relay.respond(method, &json!([])).unwrap()["error"]["code"], -32601, "{method}");
    }

    let raw = world.sender.signed(&json!({"value": "0x5"}));
    let sent = relay.call("eth_sendRawTransaction", &json!([raw])).unwrap();
    assert_eq!(sent, hash(&raw));
    let receipt = relay.receipt(&sent, SOON).unwrap();
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    assert_eq!(world.builders[0].taken()[0].asked["txs"], json!([raw]));
}

#[test]
fn a_wallet_takes_a_transaction_back_by_one_that_does_nothing() {
    let mut world = World::with(Carrier::Segment, &[("prompt", Manner::Prompt)]);
    let relay = Client::new(world.url("rpc"));
    let from = world.sender.from.clone();
    let raw = world.sender.signed(&json!({"value": "0x5"}));
    relay.call("eth_sendRawTransaction", &json!([raw])).unwrap();

    let developer = developer(&from);
    let pending = json!([from, "pending"]);
    assert_eq!(
        world.ask(&developer, "eth_getTransactionCount", &pending)["result"],
        "0x1",
        "with the private one"
    );
    assert_eq!(relay.call("eth_getTransactionCount", &pending).unwrap(), "0x0", "nobody else is told of it");
    let other = Searcher::new(1);
    assert_eq!(world.ask(&other, "eth_getTransactionCount", &pending)["result"], "0x0");

    let nothing = world.sender.signed(&json!({"to": from, "value": "0x0"}));
    let cancelled = relay.call("eth_sendRawTransaction", &json!([nothing])).unwrap();
    assert_eq!(cancelled, hash(&nothing));
    assert_eq!(world.ask(&developer, "eth_getTransactionCount", &pending)["result"], "0x0");
    let came = world.builders[0].came();
    assert!(came.iter().all(|came| came.asked["txs"] != json!([nothing])), "it goes nowhere itself");
}

#[test]
fn an_address_says_what_a_wallet_wants() {
    let builders = [("prompt", Manner::Prompt), ("other", Manner::Prompt)];
    let mut world = World::with(Carrier::Segment, &builders);
    let url = world.url("rpc");
    let raw = world.sender.signed(&json!({"value": "0x5"}));
    let ask = |path: &str| {
        Client::new(format!("{url}{path}")).respond("eth_sendRawTransaction", &json!([raw])).unwrap()
    };
    assert_eq!(reason(&ask("/?useMempool=true")), "unsupported");
    assert_eq!(reason(&ask("/?builder=nobody")), "unknownBuilder");
    assert_eq!(reason(&ask("/?blockrange=9")), "wrongType");
    let sent = ask("/fast?builder=other&builder=nobody&blockRange=30");
    assert_eq!(sent["result"], hash(&raw), "{sent}");
    let seen = maidenlane_tests::wait::until("the builder to have it", SOON, || {
        let came = world.builders[1].taken();
        came.first().cloned().ok_or_else(|| "nothing came".to_owned())
    });
    assert_eq!(seen.unwrap().asked["txs"], json!([raw]));
    assert_eq!(world.builders[0].came().len(), 0, "not for this one");
}
