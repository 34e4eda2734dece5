//! Simulations that geth cannot be compared with: without a trie, and out of time.

use crate::rpc::tests::{ask, fake};
use crate::rpc::{Rpc, Settings};
use maidenlane_jsonrpc::codes;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

fn simulate(chain: fake::Chain, settings: Settings, calls: usize, base: &str) -> Value {
    let rpc = Rpc::new(Arc::new(crate::rpc::tests::still::Still::new(chain)), settings).expect("threads");
    let nobody = "0x9999999999999999999999999999999999999999";
    let calls = vec![json!({"to": nobody, "gas": "0x5208"}); calls];
    ask(&rpc, "eth_simulateV1", json!([{"blockStateCalls": [{"calls": calls}, {}]}, base]))
}

#[test]
fn without_a_trie_the_roots_are_zero_and_all_else_is_the_same() {
    let Some(chain) = fake::chain() else { return };
    let mut with = simulate(chain.clone(), Settings::default(), 1, "latest")["result"].take();
    let mut without = simulate(chain.without_trie(), Settings::default(), 1, "latest")["result"].take();
    let zero = json!(format!("0x{}", "0".repeat(64)));
    for (number, block) in without.as_array().expect("blocks").iter().enumerate() {
        assert_eq!(block["stateRoot"], zero, "block {number}");
        assert_ne!(with[number]["stateRoot"], zero, "block {number}");
    }
    // The second block's parent is the first, and a hash follows from the root.
    assert_ne!(with[1]["parentHash"], without[1]["parentHash"]);
    for blocks in [&mut with, &mut without] {
        for block in blocks.as_array_mut().expect("blocks") {
            for field in ["stateRoot", "hash", "parentHash"] {
                block.as_object_mut().expect("a block").remove(field);
            }
        }
    }
    assert_eq!(with, without);
}

#[test]
fn time_ends_it_also_where_no_call_takes_long() {
    let Some(chain) = fake::chain() else { return };
    let settings = Settings { call_timeout: Duration::from_millis(1), ..Settings::default() };
    // Old enough for blocks that make no calls of their own, which would check the clock.
    let got = simulate(chain.without_trie(), settings, 2_000, "0x14");
    assert_eq!(got["error"]["code"], json!(codes::SERVER), "{got:.300}");
    let message = got["error"]["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("execution aborted"), "{message}");
}

#[test]
fn what_is_null_is_empty() {
    let Some(chain) = fake::chain() else { return };
    let rpc = Rpc::new(Arc::new(crate::rpc::tests::still::Still::new(chain)), Settings::default())
        .expect("threads");
    let blocks = |blocks: Value| ask(&rpc, "eth_simulateV1", json!([{"blockStateCalls": blocks}, "latest"]));
    assert_eq!(blocks(json!([null])), blocks(json!([{}])));
    assert_eq!(blocks(json!([{"calls": [null]}])), blocks(json!([{"calls": [{}]}])));
    assert!(blocks(json!([{"calls": [null]}, null]))["result"][1]["number"].is_string());
    // What a withdrawal does not say is zero.
    let paid = blocks(json!([{"blockOverrides": {"withdrawals": [{}, {"amount": "0x1", "index": null}]}}]));
    let zero = "0x0000000000000000000000000000000000000000";
    let withdrawal =
        |amount: &str| json!({"index": "0x0", "validatorIndex": "0x0", "address": zero, "amount": amount});
    assert_eq!(paid["result"][0]["withdrawals"], json!([withdrawal("0x0"), withdrawal("0x1")]), "{paid}");
    let history = |percentiles: Value| ask(&rpc, "eth_feeHistory", json!(["0x4", "latest", percentiles]));
    assert_eq!(history(json!([null, 50])), history(json!([0, 50])));
    assert!(history(json!([null]))["result"]["reward"].is_array());
}
