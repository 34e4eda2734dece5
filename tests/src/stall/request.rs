//! Requests that run a program, or blocks of the chain again: every method that executes.

use serde_json::{Value, json};

use super::program::program;
use crate::{dice::Dice, failure::Outcome, rpc::Client};

/// Run a program that comes with the request.
const PROGRAMS: [&str; 9] = [
    "eth_call",
    "eth_estimateGas",
    "eth_createAccessList",
    "eth_fillTransaction",
    "eth_simulateV1",
    "ethercattle_estimateGasList",
    "debug_traceCall",
    "trace_call",
    "trace_callMany",
];
/// Run blocks of the chain again.
const BLOCKS: [&str; 11] = [
    "debug_traceTransaction",
    "debug_traceBlock",
    "debug_traceBlockByNumber",
    "debug_traceBlockByHash",
    "debug_intermediateRoots",
    "debug_executionWitness",
    "trace_transaction",
    "trace_block",
    "trace_filter",
    "trace_replayTransaction",
    "trace_replayBlockTransactions",
];

/// Has the program as its code.
const HERE: &str = "0x00000000000000000000000000000000c0ffee01";
/// Calls it, and has money.
const SENDER: &str = "0x00000000000000000000000000000000c0ffee02";

/// All methods.
pub(super) fn methods() -> impl Iterator<Item = &'static str> {
    PROGRAMS.into_iter().chain(BLOCKS)
}

/// Blocks and transactions to run again.
#[derive(Default)]
pub(super) struct Blocks {
    /// Hashes by number, from 1 on.
    hashes: Vec<Value>,
    raw: Vec<Value>,
    transactions: Vec<Value>,
}

impl Blocks {
    pub(super) fn read(chain: &Client) -> Outcome<Self> {
        let mut blocks = Self::default();
        for number in 1..=chain.block_number()? {
            let tag = format!("0x{number:x}");
            let block = chain.call("eth_getBlockByNumber", &json!([tag, false]))?;
            blocks.raw.push(chain.call("debug_getRawBlock", &json!([tag]))?);
            blocks.hashes.push(block.get("hash").cloned().unwrap_or_default());
            blocks
                .transactions
                .extend(block.get("transactions").and_then(Value::as_array).cloned().unwrap_or_default());
        }
        Ok(blocks)
    }
}

/// Requests without end, chosen by a seed.
pub(super) struct Requests {
    dice: Dice,
    blocks: Blocks,
}

impl Requests {
    pub(super) fn new(seed: u64, blocks: Blocks) -> Self {
        Self { dice: Dice::new(seed), blocks }
    }

    /// The next body, and how many calls it has: one, or now and then a batch of the same one.
    pub(super) fn next(&mut self) -> (String, u32) {
        let code = format!("0x{}", program(&mut self.dice));
        // What runs blocks knows no programs, so there is less to find.
        let methods = if self.dice.one_in(8) { &BLOCKS[..] } else { &PROGRAMS };
        let method = self.dice.choice(methods).unwrap_or("eth_call");
        let params = self.params(method, &code);
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let most = if self.dice.one_in(100) { 100 } else { 1 };
        let mut calls = repeated(&request, most);
        match calls.len() {
            1 => (calls.remove(0).to_string(), 1),
            count => (Value::from(calls).to_string(), u32::try_from(count).unwrap_or(u32::MAX)),
        }
    }

    fn params(&mut self, method: &str, code: &str) -> Value {
        let Self { dice, blocks } = self;
        let number = format!("0x{:x}", 1 + dice.below(blocks.hashes.len()));
        let transaction = dice.choice(&blocks.transactions).unwrap_or_default();
        let hash = dice.choice(&blocks.hashes).unwrap_or_default();
        match method {
            "eth_fillTransaction" => json!([creation(dice, code)]),
            "trace_call" => json!([creation(dice, code), ["trace", "stateDiff"], "latest"]),
            "trace_callMany" => {
                let one = json!([creation(dice, code), ["trace"]]);
                json!([repeated(&one, 1 + dice.below(50)), "latest"])
            }
            "eth_simulateV1" => {
                let calls = repeated(&call(dice), 1 + dice.below(20));
                let block = json!({"calls": calls, "stateOverrides": overrides(code)});
                let blocks = repeated(&block, 1 + dice.below(4));
                json!([{"blockStateCalls": blocks, "traceTransfers": true}, "latest"])
            }
            "ethercattle_estimateGasList" => {
                let calls = repeated(&call(dice), 1 + dice.below(20));
                json!([calls, dice.one_in(2), "latest", overrides(code)])
            }
            "debug_traceCall" => {
                let mut config = tracer(dice);
                if let Some(fields) = config.as_object_mut() {
                    fields.insert("stateOverrides".to_owned(), overrides(code));
                }
                json!([call(dice), "latest", config])
            }
            "debug_traceTransaction" => json!([transaction, tracer(dice)]),
            "trace_transaction" => json!([transaction]),
            "trace_replayTransaction" => json!([transaction, ["trace", "stateDiff"]]),
            "debug_traceBlock" => json!([dice.choice(&blocks.raw), tracer(dice)]),
            "debug_traceBlockByHash" => json!([hash, tracer(dice)]),
            "debug_traceBlockByNumber" => json!([number, tracer(dice)]),
            "debug_intermediateRoots" => json!([hash]),
            "debug_executionWitness" | "trace_block" => json!([number]),
            "trace_filter" => json!([{"fromBlock": "0x1", "toBlock": number}]),
            "trace_replayBlockTransactions" => json!([number, ["trace", "stateDiff"]]),
            _ => json!([call(dice), "latest", overrides(code)]),
        }
    }
}

/// The same value at most so many times, as often as a body may hold it.
fn repeated(value: &Value, most: usize) -> Vec<Value> {
    const BYTES_MAX: usize = 4 << 20;
    vec![value.clone(); most.min(BYTES_MAX / value.to_string().len()).max(1)]
}

fn tracer(dice: &mut Dice) -> Value {
    match dice.roll(6) {
        0 => json!({"tracer": "callTracer", "tracerConfig": {"withLog": true}}),
        1 => json!({"tracer": "prestateTracer", "tracerConfig": {"diffMode": dice.one_in(2)}}),
        2 => json!({"tracer": "flatCallTracer"}),
        3 => json!({"tracer": "muxTracer", "tracerConfig": {"4byteTracer": null, "callTracer": null}}),
        4 => json!({"enableMemory": true, "enableReturnData": true}),
        _ => json!({}),
    }
}

fn overrides(code: &str) -> Value {
    json!({SENDER: {"balance": "0xde0b6b3a7640000"}, HERE: {"code": code}})
}

fn call(dice: &mut Dice) -> Value {
    let mut call = json!({"from": SENDER, "to": HERE});
    fill(dice, &mut call);
    call
}

/// For methods without overrides: the program makes a contract.
fn creation(dice: &mut Dice, code: &str) -> Value {
    let mut call = json!({"input": code});
    fill(dice, &mut call);
    call
}

/// Gas, none, little or much; now and then what is looked at before the first instruction.
fn fill(dice: &mut Dice, call: &mut Value) {
    let Some(fields) = call.as_object_mut() else { return };
    let gas = match dice.roll(4) {
        0 => Some(21_000 + dice.roll(12_000)),
        1 => Some(dice.roll(50_000_000)),
        _ => None,
    };
    if let Some(gas) = gas {
        fields.insert("gas".to_owned(), json!(format!("0x{gas:x}")));
    }
    if dice.one_in(30) {
        let signed = |n: usize| json!({"chainId": "0x0", "address": HERE, "nonce": "0x0", "yParity": "0x1", "r": format!("0x{:x}", n + 1), "s": "0x7"});
        // With the most there is gas for some 2,000.
        let most = if dice.one_in(5) { 20_000 } else { 1_900 };
        let list: Vec<Value> = (0..=dice.below(most)).map(signed).collect();
        fields.insert("authorizationList".to_owned(), list.into());
    }
    if dice.one_in(30) {
        let slots: Vec<String> = (0..dice.below(5_000)).map(|slot| format!("0x{slot:064x}")).collect();
        fields.insert("accessList".to_owned(), json!([{"address": HERE, "storageKeys": slots}]));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_method_is_asked() {
        let mut requests = Requests::new(1, Blocks::default());
        let asked: BTreeSet<String> = (0..2_000)
            .map(|_| {
                let request: Value = serde_json::from_str(&requests.next().0).unwrap();
                let one = request.get(0).unwrap_or(&request);
                one.get("method").and_then(Value::as_str).unwrap().to_owned()
            })
            .collect();
        assert_eq!(asked, methods().map(str::to_owned).collect());
    }
}
