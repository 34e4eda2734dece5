//! Lists of calls; single estimates are held against geth's.

use crate::rpc::tests::{ask, fake};
use crate::rpc::{Rpc, Settings};
use maidenlane_jsonrpc::codes;
use serde_json::{Value, json};
use std::sync::Arc;

const RICH: &str = "0x0c2c51a0990aee1d73c1228de158688341557508";
const HERE: &str = "0x1234000000000000000000000000000000001234";
/// Program that writes its input's first word to slot 0, which costs most when that was zero.
const STORE: &str = "0x5f355f5500";

fn rpc() -> Option<Rpc> {
    let chain = fake::chain()?;
    Some(
        Rpc::new(Arc::new(crate::rpc::tests::still::Still::new(chain)), Settings::default())
            .expect("threads"),
    )
}

fn number(n: u64) -> String {
    format!("{n:#066x}")
}

fn gas(answer: &Value) -> u64 {
    let text = answer.as_str().unwrap_or_else(|| panic!("no quantity: {answer}"));
    u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("hexadecimal")
}

#[test]
fn a_list_builds_on_itself() {
    let Some(rpc) = rpc() else { return };
    let state = json!({HERE: {"code": STORE}});
    let store = |n: u64| json!({"from": RICH, "to": HERE, "input": number(n)});
    let one = |call: Value| gas(&ask(&rpc, "eth_estimateGas", json!([call, "latest", state]))["result"]);
    let calls = json!([store(1), store(2), store(2), {"from": RICH, "to": RICH, "value": "0x1"}]);
    let list = ask(&rpc, "ethercattle_estimateGasList", json!([calls, null, "latest", state]));
    let list: Vec<u64> = list["result"].as_array().expect("a list").iter().map(gas).collect();
    assert_eq!(list.len(), 4);
    assert_eq!(list[0], one(store(1)));
    assert!(list[1] + 15_000 < list[0], "another value in place costs less: {list:?}");
    assert!(list[2] < list[1], "the same value less still: {list:?}");
    assert_eq!(list[3], 21_000);
    let exact = ask(&rpc, "ethercattle_estimateGasList", json!([calls, true, "latest", state]));
    let exact: Vec<u64> = exact["result"].as_array().expect("a list").iter().map(gas).collect();
    // A cold write from zero, and what brings it there.
    assert_eq!(exact[0], 21_000 + exact_input(1) + 2 + 3 + 2 + 22_100);
    assert!(exact[0] <= list[0], "{exact:?} {list:?}");
}

/// Gas of the input word `n`: 4 for a zero byte, 16 for another.
fn exact_input(n: u64) -> u64 {
    n.to_be_bytes().iter().map(|byte| if *byte == 0 { 4 } else { 16 }).sum::<u64>() + 24 * 4
}

#[test]
fn a_list_says_which_call_fails() {
    let Some(rpc) = rpc() else { return };
    let state = json!({HERE: {"code": "0x5f5ffd"}});
    let calls = json!([{"from": RICH, "to": RICH}, {"from": RICH, "to": HERE}]);
    let got = ask(&rpc, "ethercattle_estimateGasList", json!([calls, false, "latest", state]));
    assert_eq!(got["error"]["code"], json!(codes::REVERTED), "{got}");
    assert_eq!(got["error"]["message"], json!("call 1: execution reverted"));
    assert_eq!(got["error"]["data"], json!("0x"));
    assert_eq!(ask(&rpc, "ethercattle_estimateGasList", json!([[]]))["result"], json!([]));
    let got = ask(&rpc, "ethercattle_estimateGasList", json!([{}]));
    assert_eq!(got["error"]["code"], json!(codes::INVALID_PARAMS), "{got}");
}
