//! Walks through states, and a traced chain, beside a geth that keeps preimages: it can name what a replica names by hash.

use std::collections::BTreeMap;

use maidenlane_tests::{
    differ,
    geth::chaingen,
    master::{self, Node},
    rpc::Client,
    rpc_compat,
    scenario::Chain,
    socket::Socket,
    wait,
};
use serde_json::{Value, json};

use crate::consensus::PATIENCE;

/// The generated chain of [`differ`].
const BLOCKS: u64 = 64;

/// A geth with the same chain as the network's.
fn knowing(dir: &std::path::Path) -> Node {
    let chain = chaingen::varied(differ::CHAIN.0, differ::CHAIN.1).unwrap();
    let geth = master::build().unwrap();
    let keep = |node: &mut Node| node.argument("--cache.preimages");
    let node = Node::prepared(&geth, dir, &Chain::Import(chain.clone()), keep).unwrap();
    node.engine().unwrap().announce(&chain.join("headfcu.json")).unwrap();
    node
}

fn result(side: &Client, method: &str, params: &Value) -> Value {
    let mut answer = side.respond(method, params).unwrap();
    answer.get_mut("result").unwrap_or_else(|| panic!("{method} {params}")).take()
}

/// Accounts by key, without what only preimages tell.
fn accounts(side: &Client, params: &Value) -> (Value, Value, BTreeMap<String, Value>) {
    let mut page = result(side, "debug_accountRange", params);
    let accounts = page["accounts"].as_object().unwrap().values().cloned().map(|mut account| {
        let key = account["key"].as_str().unwrap().to_owned();
        let fields = account.as_object_mut().unwrap();
        fields.remove("address");
        fields.remove("storage");
        (key, account)
    });
    let accounts = accounts.collect();
    (page["root"].take(), page["next"].take(), accounts)
}

fn slots(side: &Client, params: &Value) -> Value {
    let mut page = result(side, "debug_storageRangeAt", params);
    for slot in page["storage"].as_object_mut().into_iter().flat_map(|slots| slots.values_mut()) {
        slot["key"] = Value::Null;
    }
    page
}

/// The accounts of every block, page after page, with and without their code.
fn same_accounts(geth: &Client, replica: &Client) {
    let mut met = 0;
    for number in 0..=BLOCKS {
        let mut from = json!("0x");
        while !from.is_null() {
            let params = json!([format!("{number:#x}"), from, 7, number % 2 == 0, true, true]);
            let [theirs, ours] = [geth, replica].map(|side| accounts(side, &params));
            assert_eq!(ours, theirs, "{params}");
            met += ours.2.len();
            from = ours.1;
        }
    }
    assert!(met > 1_000, "{met}");
}

/// Whom each block and each few blocks changed, by number and by hash.
fn same_modified(geth: &Client, replica: &Client) {
    let mut met = 0;
    for number in 1..=BLOCKS {
        let hash = |number: u64| {
            result(geth, "eth_getBlockByNumber", &json!([format!("{number:#x}"), false]))["hash"].clone()
        };
        let start = number.saturating_sub(9);
        let by_number = "debug_getModifiedAccountsByNumber";
        let by_hash = "debug_getModifiedAccountsByHash";
        for (method, params) in [
            (by_number, json!([number])),
            (by_number, json!([start, number])),
            (by_hash, json!([hash(number)])),
            (by_hash, json!([hash(start), hash(number)])),
            (by_number, json!([number, start])),
        ] {
            let [theirs, ours] = [geth, replica].map(|side| side.respond(method, &params).unwrap());
            assert_eq!(ours, theirs, "{method} {params}");
            met += ours["result"].as_array().map_or(0, Vec::len);
        }
    }
    assert!(met > 500, "{met}");
}

/// Storage before each block that left it as it was: of the others geth does not tell.
fn same_slots(geth: &Client, replica: &Client) {
    let (mut met, mut unknown) = (0, 0);
    let page = result(geth, "debug_accountRange", &json!(["latest", "0x", 256, true, true, true]));
    let names =
        page["accounts"].as_object().unwrap().values().filter(|account| account["root"] != EMPTY_ROOT);
    let names: Vec<_> = names.filter_map(|account| account.get("address").cloned()).collect();
    assert!(names.len() > 3, "{names:?}");
    for number in 1..=BLOCKS {
        for name in &names {
            for (from, most) in [("0x", 3), ("0x80", 5), ("0x", 0)] {
                let params = json!([format!("{number:#x}"), 0, name, from, most]);
                let theirs = geth.respond("debug_storageRangeAt", &params).unwrap();
                if theirs.get("error").is_some() {
                    assert!(theirs.to_string().contains("missing trie node"), "{theirs}");
                    unknown += 1;
                    continue;
                }
                let [theirs, ours] = [geth, replica].map(|side| slots(side, &params));
                assert_eq!(ours, theirs, "{params}");
                met += ours["storage"].as_object().map_or(0, serde_json::Map::len);
            }
        }
    }
    assert!(met > 200, "{met} slots, {unknown} unknown");
}

const EMPTY_ROOT: &str = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";

/// All notifications of a chain that is traced, up to that of its last block.
fn traced(side: &Client, params: &Value, last: u64) -> Vec<Value> {
    let mut socket = Socket::connect(side.url()).unwrap();
    let id = socket.respond("debug_subscribe", params).unwrap()["result"].clone();
    assert!(id.is_string(), "{params}: {id}");
    let mut traces = Vec::new();
    wait::until("the last block's traces", PATIENCE, || {
        while let Some(message) = socket.notification().unwrap() {
            assert_eq!(message["method"], "debug_subscription");
            assert_eq!(message["params"]["subscription"], id);
            traces.push(message["params"]["result"].clone());
        }
        let done = traces.last().is_some_and(|block| block["block"] == format!("{last:#x}"));
        if done { Ok(()) } else { Err(format!("{} blocks", traces.len())) }
    })
    .unwrap();
    traces
}

fn same_traces(geth: &Client, replica: &Client) {
    for (start, end, config) in [
        (0, BLOCKS, json!({"tracer": "callTracer", "tracerConfig": {"onlyTopCall": true}})),
        (BLOCKS - 9, BLOCKS, json!({"tracer": "prestateTracer"})),
        (BLOCKS / 2, BLOCKS / 2 + 3, json!({"disableStack": true})),
    ] {
        let params = json!(["traceChain", format!("{start:#x}"), format!("{end:#x}"), config]);
        let [theirs, ours] = [geth, replica].map(|side| traced(side, &params, end));
        assert!(!ours.is_empty() && ours.len() <= usize::try_from(end - start).unwrap());
        assert_eq!(ours.len(), theirs.len(), "{params}");
        for (ours, theirs) in ours.iter().zip(&theirs) {
            if let Err(difference) = rpc_compat::compare(ours, theirs, false) {
                panic!("{params}: block {}: {difference}", ours["block"]);
            }
        }
    }
    for params in [
        json!(["traceChain", "0x5", "0x5"]),
        json!(["traceChain", "0x5", "0x100"]),
        json!(["traceChain", "latest", "0x5"]),
        json!(["traceChain", "0x5"]),
    ] {
        let refused =
            |side: &Client| Socket::connect(side.url()).unwrap().respond("debug_subscribe", &params);
        let [theirs, ours] = [geth, replica].map(|side| refused(side).unwrap()["error"].clone());
        assert!(ours.is_object() && ours == theirs, "{params}: {ours}, geth {theirs}");
    }
}

#[test]
fn walks_and_traced_chains_are_geths() {
    let mut net = differ::network().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut node = knowing(dir.path());
    let (geth, replica) = (node.rpc(), net.replica(0).unwrap());
    same_accounts(&geth, &replica);
    same_modified(&geth, &replica);
    same_slots(&geth, &replica);
    same_traces(&geth, &replica);
    node.stop().unwrap();
    net.stop().unwrap();
}
