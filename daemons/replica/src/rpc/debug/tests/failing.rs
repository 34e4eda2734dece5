//! Steps that fail before they run: what they would have cost, and why they did not, in geth's words.

use crate::rpc::tests::still::Still;
use crate::rpc::tests::{ask, fake, rpc};
use serde_json::{Value, json};
use std::sync::Arc;

const HERE: &str = "0x00000000000000000000000000000000c0ffee01";
/// An account that is not there.
const NOBODY: &str = "0000000000000000000000000000000000990099";

/// Runs `code` with so much gas beyond what a transaction costs, and gives the last step.
fn last_step(at: &str, code: &str, gas: u64) -> Value {
    let Some(chain) = fake::chain() else { return Value::Null };
    let rpc = rpc(Arc::new(Still::new(chain)));
    let over = json!({HERE: {"code": format!("0x{code}"), "stateDiff": {format!("0x{:064x}", 5): format!("0x{:064x}", 9)}}});
    let call = json!({"to": HERE, "gas": format!("{:#x}", 21_000 + gas)});
    let answer = ask(&rpc, "debug_traceCall", json!([call, at, {"stateOverrides": over}]));
    let steps = answer["result"]["structLogs"].as_array().expect("steps");
    steps.last().expect("one").clone()
}

#[track_caller]
fn check(at: &str, code: &str, gas: u64, cost: u64, error: &str) {
    let step = last_step(at, code, gas);
    if step.is_null() {
        return;
    }
    assert_eq!((&step["gasCost"], &step["error"]), (&json!(cost), &json!(error)), "{code} at {at}: {step}");
}

const OUT: &str = "out of gas";
const TWICE: &str = "out of gas: out of gas";

#[test]
fn steps_tell_what_they_would_have_cost() {
    // SLOAD: Frontier, Istanbul, Berlin.
    check("0x1", "600554", 3 + 10, 50, OUT);
    check("0x13", "600554", 3 + 10, 800, OUT);
    check("latest", "600554", 3 + 245, 2_100, OUT);
    // SSTORE.
    check("0x1", "6001600055", 6 + 10_000, 20_000, OUT);
    check("latest", "6001600055", 6 + 3_000, 22_100, OUT);
    check("latest", "6001600055", 6 + 2_300, 0, "out of gas: not enough gas for reentrancy sentry");
    // EXP: Frontier, and after Spurious Dragon.
    check("0x1", "61ffff60020a", 6 + 20, 30, OUT);
    check("latest", "61ffff60020a", 6 + 50, 110, OUT);
    // KECCAK256, LOG1, BALANCE.
    check("latest", "6040600020", 6 + 40, 48, OUT);
    check("latest", "600160206000a1", 9 + 1_000, 1_009, OUT);
    check("latest", &format!("73{NOBODY}31"), 3 + 110, 2_600, OUT);
    // Not even the part that depends on nothing; a stack that is too small goes before it.
    check("latest", "602060006000f0", 9 + 100, 32_000, OUT);
    check("latest", "01", 0, 3, "stack underflow (0 <=> 2)");
    // CREATE: with what init code costs, and without.
    check("latest", "602060006000f0", 9 + 32_000, 32_005, OUT);
    check("0x13", "602060006000f0", 9 + 32_000, 32_003, OUT);
    // Memory that is too large, and that no number tells.
    check("latest", "6501000000000051", 3 + 1_000, 3, "out of gas: gas uint64 overflow");
    check("latest", "67ffffffffffffffff51", 3 + 1_000, 3, "gas uint64 overflow");
}

#[test]
fn calls_tell_what_they_would_have_cost() {
    let code = format!("6000600060006000600173{NOBODY}61fffff1");
    let pushed = 21;
    check("latest", &code, pushed + 5_000, 100, TWICE);
    check("0x1", &code, pushed + 5_000, 40, TWICE);
    // Before Tangerine Whistle a call costs what it is given.
    check("0x1", &code, pushed + 40 + 10_000, 40 + 34_000 + 65_535, OUT);
    // Then geth subtracts from what is left more than is there.
    check("0x13", &code, pushed + 700 + 10_000, 700 + 34_000 + 65_535, OUT);
    check("latest", &format!("73{NOBODY}ff"), 3 + 5_000 + 100, 5_000, TWICE);
    check("0x13", &format!("73{NOBODY}ff"), 3 + 4_000, 5_000, OUT);
}

#[test]
fn slots_that_could_not_be_paid_for_are_told() {
    let (key, value) = (format!("0x{:064x}", 5), format!("0x{:064x}", 9));
    let step = last_step("latest", "600554", 3 + 245);
    if step.is_null() {
        return;
    }
    assert_eq!(step["storage"], json!({&key: value}), "{step}");
    // What clearing it would have given back is told as well.
    let step = last_step("latest", "6000600555", 6 + 3_000);
    assert_eq!(step["storage"], json!({&key: format!("0x{:064x}", 0)}), "{step}");
    assert_eq!((&step["gasCost"], &step["refund"]), (&json!(5_000), &json!(4_800)), "{step}");
}

#[test]
fn frames_and_access_lists_have_the_same_words() {
    let Some(chain) = fake::chain() else { return };
    let rpc = rpc(Arc::new(Still::new(chain)));
    // Gas of the call; with its list a call has less, so that these two do not begin.
    let call_code = format!("6000600060006000600173{NOBODY}61fffff1");
    let sentry = "out of gas: not enough gas for reentrancy sentry";
    for (at, code, gas, error) in [
        ("latest", call_code.as_str(), 0x5400, TWICE),
        ("latest", "6001600055", 0x5208 + 2_306, sentry),
        ("latest", "6001600055", 0x5208 + 10_000, "out of gas"),
        ("0x13", "5f", 0x10000, "invalid opcode: PUSH0"),
        ("latest", "0c", 0x10000, "invalid opcode: opcode 0xc not defined"),
        ("latest", "01", 0x10000, "stack underflow (0 <=> 2)"),
        ("latest", "600056", 0x10000, "invalid jump destination"),
    ] {
        let over = json!({HERE: {"code": format!("0x{code}")}});
        let call = json!({"to": HERE, "gas": format!("{gas:#x}")});
        let config = json!({"tracer": "callTracer", "stateOverrides": over});
        let answer = ask(&rpc, "debug_traceCall", json!([call, at, config]));
        assert_eq!(answer["result"]["error"], error, "{code}: {answer}");
        if gas >= 0x6000 {
            let answer = ask(&rpc, "eth_createAccessList", json!([call, at, over]));
            assert_eq!(answer["result"]["error"], error, "{code}: {answer}");
        }
    }
}

#[test]
fn tracers_may_be_muxed_in_muxes() {
    let Some(chain) = fake::chain() else { return };
    let rpc = rpc(Arc::new(Still::new(chain)));
    let inner = json!({"muxTracer": {"4byteTracer": null, "noopTracer": {}}, "callTracer": null});
    let config = json!({"tracer": "muxTracer", "tracerConfig": inner});
    let answer = ask(&rpc, "debug_traceCall", json!([{"to": HERE, "input": "0x01020304"}, "latest", config]));
    let result = &answer["result"];
    assert_eq!(
        result["muxTracer"],
        json!({"4byteTracer": {"0x01020304-0": 1}, "noopTracer": {}}),
        "{answer}"
    );
    assert_eq!(result["callTracer"]["to"], HERE, "{answer}");
}
