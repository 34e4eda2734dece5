//! What two right answers may differ in, and how it is left out of the comparison.

use serde_json::Value;

use crate::compare;

/// Takes out of an answer what depends on the side that gave it.
///
/// Of a step that runs out of gas a replica tells the part of the cost that does not depend on operands. An access list
/// tells among its results why its call failed, in words that are free as those of errors are.
pub(super) fn forget(method: &str, answer: &mut Value) {
    match method {
        "eth_createAccessList" => compare::forget_reason(answer),
        _ if method.starts_with("debug_trace") => compare::forget_cost(answer),
        _ => {}
    }
}
