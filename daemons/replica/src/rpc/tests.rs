//! The whole RPC on the fixture chain: the cases of execution-apis, and what they leave out.

use super::fake::{self, Chain, Still};
use super::{Rpc, Settings};
use maidenlane_jsonrpc::exchange::answer;
use maidenlane_jsonrpc::{Api as _, Error, Limits, MinBlock, codes};
use rpc_compat::{Case, load, run};
use serde_json::{Value, json};
use std::sync::Arc;

#[path = "../../../../tests/src/rpc_compat.rs"]
mod rpc_compat;

/// The methods of this issue.
fn is_ours(method: &str) -> bool {
    super::is_known(method)
        || matches!(method, "eth_chainId" | "eth_blockNumber" | "eth_syncing" | "net_version")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn rpc(live: Arc<Still>) -> Rpc {
    Rpc::new(live, Settings::default()).expect("threads")
}

/// One request to a chain that stands still.
fn ask_text(rpc: &Rpc, min: Option<Result<MinBlock, Error>>, request: &str) -> (u16, String) {
    runtime().block_on(async {
        let pin = Arc::new(rpc.pin(min).await);
        let answer = answer(rpc, &pin, request.as_bytes(), &Limits::default()).await;
        (answer.status, answer.body)
    })
}

fn ask(rpc: &Rpc, method: &str, params: Value) -> Value {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let (_, body) = ask_text(rpc, None, &request);
    serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}"))
}

/// Asks and compares the result, or the error's code.
#[track_caller]
fn check(chain: &Chain, method: &str, params: Value, expect: Result<Value, i32>) {
    let rpc = rpc(Arc::new(Still::new(chain.clone())));
    let got = ask(&rpc, method, params);
    match expect {
        Ok(result) => assert_eq!(got.get("result"), Some(&result), "{got}"),
        Err(code) => assert_eq!(got["error"]["code"], json!(code), "{got}"),
    }
}

#[test]
fn agrees_with_execution_apis() {
    let (Some(dir), Some(chain)) = (fake::fixtures(), fake::chain()) else { return };
    let cases = load(&dir.join("io")).expect("readable cases");
    let ours: Vec<&Case> = cases.iter().filter(|case| is_ours(&case.method)).collect();
    let rpc = rpc(Arc::new(Still::new(chain)));
    let report = run(ours.iter().copied(), |request| Ok(ask_text(&rpc, None, request).1));
    eprintln!("{report}");
    assert_eq!(report.failed(), 0, "{report}");
    assert!(report.passed() >= 56, "the cases have gone: {report}");
}
