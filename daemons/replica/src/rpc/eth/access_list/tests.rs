//! Searches that do not end. All other lists are compared with geth's: `rpc/tests/geth/eth_createAccessList`.

use crate::rpc::tests::fake;
use crate::rpc::tests::still::Still;
use crate::rpc::tests::{ask, rpc};
use serde_json::json;
use std::sync::Arc;

const SENDER: &str = "0x00000000000000000000000000000000c0ffee02";
const HERE: &str = "0x00000000000000000000000000000000c0ffee01";

/// Checks that the search ends for a call of `code` that touches so much less with its list that it oscillates.
#[track_caller]
fn check_swings(code: &str, gas: u64) {
    let Some(chain) = fake::chain() else { return };
    let rpc = rpc(Arc::new(Still::new(chain)));
    let overrides = json!({SENDER: {"balance": "0xde0b6b3a7640000"}, HERE: {"code": code}});
    let call = json!({"from": SENDER, "to": HERE, "gas": format!("{gas:#x}")});
    let answer = ask(&rpc, "eth_createAccessList", json!([call, "latest", overrides]));
    assert_eq!(answer["error"]["message"], "execution aborted (timeout = 5s)", "{answer}");
}

#[test]
fn a_search_that_swings_ends() {
    // SLOAD of two slots: 27,200 to 27,405 gas.
    check_swings("0x600054600154", 0x6aa4);
    // Of three: 29,100 to 29,409.
    check_swings("0x600054600154600254", 29_200);
}
