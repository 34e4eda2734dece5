//! What two right answers may differ in, and how it is left out of the comparison.

use serde_json::Value;

use crate::{compare, rpc};

/// The generated chain's first block whose receipts have no state roots.
const BYZANTIUM: u64 = 6;

/// Takes out of an answer what depends on the side that gave it.
///
/// Without a trie a replica cannot tell the state root of a simulated block, so the block's hash and all that repeats it
/// are others than geth's, and before Byzantium the roots in its receipts. Of a step that runs out of gas it tells the part of the cost that does not depend on
/// operands. An access list tells among its results why its call failed, in words that are free as those of errors are.
pub(super) fn forget(method: &str, answer: &mut Value) {
    match method {
        "eth_simulateV1" => forget_hashes(answer),
        "eth_createAccessList" => compare::forget_reason(answer),
        _ if method.starts_with("debug_trace") => compare::forget_cost(answer),
        _ => {}
    }
}

fn forget_hashes(answer: &mut Value) {
    let blocks = answer.get_mut("result").and_then(Value::as_array_mut);
    for (at, block) in blocks.into_iter().flatten().enumerate() {
        remove(block, "stateRoot");
        remove(block, "hash");
        let number = block.get("number").and_then(rpc::quantity);
        if number.is_some_and(|number| number < BYZANTIUM) {
            remove(block, "receiptsRoot");
        }
        if at > 0 {
            remove(block, "parentHash");
        }
        items(block, "transactions").for_each(|transaction| remove(transaction, "blockHash"));
        for call in items(block, "calls") {
            items(call, "logs").for_each(|log| remove(log, "blockHash"));
        }
    }
}

fn remove(object: &mut Value, field: &str) {
    object.as_object_mut().map(|fields| fields.remove(field));
}

fn items<'a>(object: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    object.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_hashes_of_simulated_blocks_are_free() {
        let block = |root: &str, used: &str| {
            json!({"hash": root, "stateRoot": root, "parentHash": root, "gasUsed": used,
                "transactions": [{"hash": "0x1", "blockHash": root}],
                "calls": [{"status": "0x1", "logs": [{"data": "0x", "blockHash": root}]}]})
        };
        let forgotten = |method: &str, root: &str, used: &str| {
            let mut answer = json!({"result": [block("0x0", "0x1"), block(root, used)]});
            forget(method, &mut answer);
            answer
        };
        let simulated = |root, used| forgotten("eth_simulateV1", root, used);
        assert_eq!(simulated("0xa", "0x1"), simulated("0xb", "0x1"));
        assert_ne!(simulated("0xa", "0x1"), simulated("0xa", "0x2"));
        assert_ne!(forgotten("eth_call", "0xa", "0x1"), forgotten("eth_call", "0xb", "0x1"));
        let mut first = json!({"result": [{"parentHash": "0xa"}]});
        forget("eth_simulateV1", &mut first);
        assert_eq!(first, json!({"result": [{"parentHash": "0xa"}]}), "that one is a real block's");
    }
}
