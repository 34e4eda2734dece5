//! Answers that begin within a trail against those of a run from the beginning.

use crate::rpc::tests::fake::{self, Chain};
use crate::rpc::tests::still::Still;
use crate::rpc::tests::{ask, rpc};
use crate::rpc::{Rpc, Settings};
use alloy::primitives::keccak256;
use maidenlane_state::StateView as _;
use serde_json::{Value, json};
use std::sync::Arc;

/// Settings of tracers, one for each way in which they look at the state.
fn tracers() -> Vec<Value> {
    vec![
        json!({"enableMemory": true, "enableReturnData": true}),
        json!({"tracer": "callTracer", "tracerConfig": {"withLog": true}}),
        json!({"tracer": "flatCallTracer", "tracerConfig": {"includePrecompiles": true}}),
        json!({"tracer": "4byteTracer"}),
        json!({"tracer": "prestateTracer", "tracerConfig": {"includeEmpty": true}}),
        json!({"tracer": "prestateTracer", "tracerConfig": {"diffMode": true}}),
        json!({"tracer": "muxTracer", "tracerConfig": {"callTracer": {}, "prestateTracer": {}}}),
    ]
}

/// All questions about the chain's transactions, their blocks, and calls between them.
fn questions(chain: &Chain) -> Vec<(&'static str, Value)> {
    let (mut questions, types) = (Vec::new(), json!(["trace", "stateDiff"]));
    for number in 1..=chain.head().block.number {
        let (block, tag) = (chain.decoded(number), format!("{number:#x}"));
        for tracer in tracers() {
            questions.push(("debug_traceBlockByNumber", json!([tag, tracer])));
            questions.push(("debug_traceBlockByHash", json!([block.hash, tracer])));
        }
        questions.push(("debug_intermediateRoots", json!([block.hash])));
        questions.push(("trace_block", json!([tag])));
        questions.push(("trace_replayBlockTransactions", json!([tag, types])));
        questions.push(("trace_filter", json!([{"fromBlock": tag, "toBlock": tag, "count": 2}])));
        for (index, tx) in block.transactions.iter().enumerate() {
            let hash = tx.tx_hash();
            for tracer in tracers() {
                questions.push(("debug_traceTransaction", json!([hash, tracer])));
            }
            questions.push(("trace_transaction", json!([hash])));
            questions.push(("trace_replayTransaction", json!([hash, types])));
            let sender = block.sender(index).expect("it was recovered").to_string();
            let sender = sender.as_str();
            let overrides = json!({sender: {"balance": "0xde0b6b3a7640000"}});
            let config = json!({"tracer": "prestateTracer", "tracerConfig": {"diffMode": true},
                "txIndex": format!("{index:#x}"), "stateOverrides": overrides});
            questions.push(("debug_traceCall", json!([{"from": sender, "value": "0x1"}, tag, config])));
        }
    }
    questions
}

#[test]
fn a_trail_changes_no_answer() {
    let Some(chain) = fake::chain() else { return };
    let live = || Arc::new(Still::new(chain.clone()));
    let keeps_nothing = Settings { block_cache_bytes: 0, ..Settings::default() };
    let anew = Rpc::new(live(), keeps_nothing).expect("threads");
    let answer = |(method, params): (&'static str, Value)| {
        let answer = ask(&anew, method, params.clone());
        (method, params, answer)
    };
    let mut answers: Vec<_> = questions(&chain).into_iter().map(answer).collect();
    let answered = answers.iter().filter(|(_, _, answer)| answer.get("result").is_some()).count();
    assert!(answered > 1_000, "{answered} of {}", answers.len());
    let last = chain.decoded(chain.head().block.number);
    assert_eq!(anew.shared.blocks.trail(&last).steps(), 0, "nothing is kept");
    for seed in 0..3 {
        answers.sort_by_cached_key(|(method, params, _)| keccak256(format!("{seed} {method} {params}")));
        let kept = rpc(live());
        for (method, params, wanted) in &answers {
            let got = ask(&kept, method, params.clone());
            assert_eq!(&got, wanted, "{method} {params}, in the order of seed {seed}");
        }
        assert!(kept.shared.blocks.trail(&last).steps() > last.transactions.len(), "all of it is kept");
    }
}
