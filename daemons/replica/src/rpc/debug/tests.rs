//! Traces against geth's own, value for value.

mod failing;
mod published;

use crate::rpc::tests::fake;
use crate::rpc::tests::still::Still;
use crate::rpc::tests::{ask, ask_text, rpc};
use alloy::consensus::{Block, BlockBody, EthereumTxEnvelope, Header, Signed, TxEip4844, TxLegacy};
use alloy::primitives::{Signature, U256};
use maidenlane_testkit::rpc_compat;
use serde_json::{Value, json};
use std::sync::Arc;

/// The first place where two values differ.
fn difference(path: &str, want: &Value, got: &Value) -> Option<String> {
    match (want, got) {
        (Value::Object(want), Value::Object(got)) => {
            let names: std::collections::BTreeSet<&String> = want.keys().chain(got.keys()).collect();
            names.into_iter().find_map(|name| {
                let path = format!("{path}.{name}");
                match (want.get(name), got.get(name)) {
                    (Some(want), Some(got)) => difference(&path, want, got),
                    (want, got) => Some(format!("{path}: {got:?}, not {want:?}")),
                }
            })
        }
        (Value::Array(want), Value::Array(got)) if want.len() == got.len() => {
            let pairs = want.iter().zip(got).enumerate();
            pairs.into_iter().find_map(|(at, (want, got))| difference(&format!("{path}[{at}]"), want, got))
        }
        _ => (want != got).then(|| format!("{path}: {got}, not {want}")),
    }
}

#[test]
fn steps_are_geths() {
    let (Some(dir), Some(chain)) = (fake::fixtures(), fake::chain()) else { return };
    let rpc = rpc(Arc::new(Still::new(chain)));
    let mut compared = 0;
    for case in rpc_compat::load(&dir.join("io")).expect("readable cases") {
        if !case.method.starts_with("debug_trace") {
            continue;
        }
        for step in &case.steps {
            let got: Value = serde_json::from_str(&ask_text(&rpc, None, &step.request).1).expect("JSON");
            let want = &step.response;
            match want.get("error") {
                Some(error) => assert_eq!(got["error"]["code"], error["code"], "{got}"),
                None => assert_eq!(difference(&case.name, want, &got), None, "{}", case.method),
            }
            compared += 1;
        }
    }
    assert!(compared >= 9, "the cases have gone: {compared}");
}

#[test]
fn a_contract_that_is_its_own_heir_is_told() {
    let Some(chain) = fake::chain() else { return };
    let rpc = rpc(Arc::new(Still::new(chain)));
    let here = "0x1234000000000000000000000000000000001234";
    // ADDRESS, SELFDESTRUCT.
    let over = json!({here: {"code": "0x30ff", "balance": "0x7"}});
    let config = json!({"tracer": "callTracer", "stateOverrides": over});
    let answer = ask(&rpc, "debug_traceCall", json!([{"to": here}, "latest", config]));
    let call = &answer["result"]["calls"][0];
    let wanted = json!({"type": "SELFDESTRUCT", "from": here, "to": here, "value": "0x7", "gas": "0x0",
        "gasUsed": "0x0", "input": "0x"});
    assert_eq!(call, &wanted, "{answer}");
    let nothing = json!({"tracer": "callTracer", "txIndex": "0xffff"});
    assert_eq!(ask(&rpc, "debug_traceCall", json!([{}, "latest", nothing]))["error"]["code"], -32000);
    let script = json!({"tracer": "{step: function() {}}"});
    assert_eq!(ask(&rpc, "debug_traceCall", json!([{}, "latest", script]))["error"]["code"], -32000);
}

/// Errors of precompiles have the texts of geth's, whoever calls them.
#[test]
fn precompiles_say_why_they_failed() {
    let Some(chain) = fake::chain() else { return };
    let rpc = rpc(Arc::new(Still::new(chain)));
    let zeros = |bytes: usize| "00".repeat(bytes);
    let one = format!("{}01", zeros(31));
    let refused = [
        (0x06, format!("{one}{one}"), "point is not on curve"),
        (0x06, "ff".repeat(32), "invalid fp.Element encoding"),
        (0x08, zeros(1), "bad elliptic curve pairing size"),
        (0x09, zeros(1), "invalid input length"),
        (0x09, format!("{}02", zeros(212)), "invalid final flag"),
        (0x0a, zeros(1), "invalid input length"),
        (0x0a, zeros(192), "mismatched versioned hash"),
        (0x0b, zeros(1), "invalid input length"),
        (0x0b, "ff".repeat(256), "invalid field element top bytes"),
        (0x0b, format!("{}01{}", zeros(63), zeros(192)), "invalid point: not on curve"),
    ];
    let here = "0x1234000000000000000000000000000000001234";
    for (number, input, text) in refused {
        let to = format!("0x{number:040x}");
        let call = json!({"to": to, "input": format!("0x{input}")});
        let answer = ask(&rpc, "eth_call", json!([call, "latest"]));
        assert_eq!(answer["error"]["message"], text, "{to} {input}: {answer}");
        let config = json!({"tracer": "callTracer"});
        let answer = ask(&rpc, "debug_traceCall", json!([call, "latest", config]));
        assert_eq!(answer["result"]["error"], text, "{to} {input}: {answer}");
        // Hands its input on.
        let code = format!("0x365f5f375f5f365f5f60{number:02x}5af100");
        let config = json!({"tracer": "callTracer", "stateOverrides": {here: {"code": code}}});
        let call = json!({"to": here, "input": format!("0x{input}")});
        let answer = ask(&rpc, "debug_traceCall", json!([call, "latest", config]));
        assert_eq!(answer["result"]["calls"][0]["error"], text, "{to} {input}: {answer}");
        assert_eq!(answer["result"]["error"], Value::Null, "{answer}");
    }
}

/// geth asks for the gas before it looks at the input.
#[test]
fn a_precompile_without_its_gas_does_not_say_what_is_wrong_with_its_input() {
    let Some(chain) = fake::chain() else { return };
    let rpc = rpc(Arc::new(Still::new(chain)));
    let zeros = |bytes: usize| "00".repeat(bytes);
    let length = |bytes: u32| format!("{}{bytes:08x}", zeros(28));
    // Precompile, its input, its gas, and how it then fails.
    let limit = "one or more of base/exponent/modulus length exceeded 1024 bytes";
    let lengths = |base, exponent, modulus| [base, exponent, modulus].map(length).concat();
    let beyond = format!("{}{}", "ff".repeat(32), zeros(64));
    let cases = [
        (0x05, lengths(1_025, 0, 1), 33_282, limit),
        (0x05, lengths(1, 1_025, 1), 254_208, limit),
        (0x05, beyond, u64::MAX, "out of gas"),
        (0x0c, zeros(161), 12_000, "invalid input length"),
        (0x0e, zeros(289), 22_500, "invalid input length"),
        (0x0f, zeros(1), 37_700, "invalid input length"),
    ];
    let here = "0x1234000000000000000000000000000000001234";
    for (number, input, gas, text) in cases {
        let limits = if gas == u64::MAX {
            vec![(1_000_000, text)]
        } else {
            vec![(gas, text), (gas - 1, "out of gas")]
        };
        for (gas, text) in limits {
            // Hands its input on, with so much gas.
            let code = format!("0x365f5f375f5f365f5f60{number:02x}63{gas:08x}f100");
            let config = json!({"tracer": "callTracer", "stateOverrides": {here: {"code": code}}});
            let call = json!({"to": here, "input": format!("0x{input}")});
            let answer = ask(&rpc, "debug_traceCall", json!([call, "latest", config]));
            assert_eq!(answer["result"]["calls"][0]["error"], text, "{number:x} {gas} {input}: {answer}");
        }
    }
}

/// geth reports the cost that it has added up before it looks at the stack.
#[test]
fn what_a_step_without_operands_costs_is_what_does_not_depend_on_them() {
    let Some(chain) = fake::chain() else { return };
    let rpc = rpc(Arc::new(Still::new(chain)));
    let here = "0x1234000000000000000000000000000000001234";
    for (op, cost) in [("a4", 0), ("0a", 0), ("54", 0), ("20", 30), ("f0", 32_000), ("f1", 100), ("01", 3)] {
        let config = json!({"stateOverrides": {here: {"code": format!("0x{op}")}}});
        let answer = ask(&rpc, "debug_traceCall", json!([{"to": here}, "latest", config]));
        let step = &answer["result"]["structLogs"][0];
        assert!(step["error"].as_str().is_some_and(|text| text.starts_with("stack underflow")), "{answer}");
        assert_eq!(step["gasCost"], cost, "{op}");
    }
}

#[test]
fn a_free_call_makes_no_account_of_the_beneficiary() {
    let Some(chain) = fake::chain() else { return };
    let rpc = rpc(Arc::new(Still::new(chain)));
    let config = json!({"tracer": "prestateTracer", "tracerConfig": {"diffMode": true}});
    let here = "0x1234000000000000000000000000000000001234";
    let answer = ask(&rpc, "debug_traceCall", json!([{"from": here, "to": here}, "earliest", config]));
    let nobody = json!({"codeHash": format!("0x{}", "00".repeat(32))});
    assert_eq!(answer["result"]["post"]["0x0000000000000000000000000000000000000000"], nobody, "{answer}");
}

#[test]
fn a_block_that_a_client_made_has_no_more_gas_than_others() {
    let Some(chain) = fake::chain() else { return };
    let head = maidenlane_state::StateView::head(&chain).clone();
    let rpc = rpc(Arc::new(Still::new(chain)));
    // Of proof of work, so that its fork puts no cap on a transaction.
    let header = Header {
        parent_hash: head.block.hash,
        number: head.block.number + 1,
        difficulty: U256::ONE,
        gas_limit: u64::MAX,
        ..Header::default()
    };
    let tx = TxLegacy { gas_limit: 1 << 62, input: vec![0x60, 0x00].into(), ..TxLegacy::default() };
    let signature = Signature::new(U256::ONE, U256::ONE, false);
    let tx = Signed::new_unhashed(tx, signature);
    let transactions = vec![EthereumTxEnvelope::<TxEip4844>::Legacy(tx)];
    let block = Block { header, body: BlockBody { transactions, ommers: Vec::new(), withdrawals: None } };
    let bytes = alloy::primitives::hex::encode_prefixed(alloy::rlp::encode(&block));
    let answer = ask(&rpc, "debug_traceBlock", json!([bytes]));
    let text = answer["error"]["message"].as_str().unwrap_or_default();
    assert!(text.starts_with("the block's transactions have 4611686018427387904 gas"), "{answer}");
}
