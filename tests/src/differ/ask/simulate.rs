//! Payloads of `eth_simulateV1`.

use serde_json::{Map, Value, json};

use super::Asker;

impl Asker {
    /// Some blocks of some calls, with and without overrides, validation, transfers; now and then with a part spoilt.
    pub(super) fn payload(&mut self) -> Value {
        let blocks: Vec<Value> = (0..self.dice.roll(4)).map(|at| self.simulated_block(at)).collect();
        let mut payload = Map::from_iter([("blockStateCalls".to_owned(), json!(blocks))]);
        for (name, seldom) in [("traceTransfers", 2), ("validation", 4), ("returnFullTransactions", 3)] {
            if self.dice.one_in(seldom) {
                payload.insert(name.to_owned(), json!(!self.dice.one_in(4)));
            }
        }
        if self.dice.one_in(16) {
            let name = self.dice.choice(&["blockStateCalls", "traceTransfers", "validation", "unheardOf"]);
            payload.insert(name.unwrap_or_default().to_owned(), self.spoilt());
        }
        Value::Object(payload)
    }

    fn simulated_call(&mut self) -> Value {
        let mut call = self.message();
        if call.get("maxFeePerBlobGas").is_none() {
            // geth takes their price from a sender who may not have it, whose balance then begins again from above.
            remove(&mut call, "blobVersionedHashes");
        }
        call
    }

    fn simulated_block(&mut self, at: u64) -> Value {
        let mut block = Map::new();
        let calls = if self.dice.one_in(2) { self.dice.roll(4) } else { 1 };
        let calls: Vec<Value> = (0..calls).map(|_| self.simulated_call()).collect();
        block.insert("calls".to_owned(), json!(calls));
        if self.dice.one_in(3) {
            block.insert("stateOverrides".to_owned(), self.overrides());
        }
        if self.dice.one_in(3) {
            // Most are in order.
            let after = if self.dice.one_in(5) { 0 } else { 1 + 5 * at };
            let mut overrides = self.block_overrides(after);
            // With one geth takes the block for one of proof of work, and fails where it lacks what those have.
            remove(&mut overrides, "difficulty");
            block.insert("blockOverrides".to_owned(), overrides);
        }
        if self.dice.one_in(24) {
            let name = self.dice.choice(&["calls", "stateOverrides", "blockOverrides"]).unwrap_or_default();
            block.insert(name.to_owned(), self.spoilt());
        }
        Value::Object(block)
    }
}

fn remove(object: &mut Value, field: &str) {
    object.as_object_mut().map(|fields| fields.remove(field));
}

/// geth applies authorizations before the fork that brings them, too, and revm does not: only the state root tells. Only
/// the chain's last blocks, by their names, are surely after it.
pub(super) fn no_early_authorizations(params: &mut [Value]) {
    let late = ["latest", "safe", "finalized"].map(Value::from);
    let [payload, at, ..] = params else { return };
    let blocks = payload.get_mut("blockStateCalls").and_then(Value::as_array_mut);
    for block in blocks.filter(|_| !late.contains(at)).into_iter().flatten() {
        let calls = block.get_mut("calls").and_then(Value::as_array_mut);
        for call in calls.into_iter().flatten().filter_map(Value::as_object_mut) {
            call.remove("authorizationList");
        }
    }
}

/// A base fee of more than 64 bits is part of a simulated block's header, which the replica does not make.
pub(super) fn no_wide_fees(params: &mut [Value]) {
    let is_wide = |fee: &Value| fee.as_str().is_some_and(|text| text.len() > "0x".len() + 16);
    let blocks = params.first_mut().and_then(|payload| payload.get_mut("blockStateCalls"));
    for block in blocks.and_then(Value::as_array_mut).into_iter().flatten() {
        let over = block.get_mut("blockOverrides").and_then(Value::as_object_mut);
        if let Some(fields) = over.filter(|fields| fields.get("baseFeePerGas").is_some_and(is_wide)) {
            fields.remove("baseFeePerGas");
        }
    }
}
