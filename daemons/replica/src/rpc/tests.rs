//! The whole RPC on the fixture chain: the cases of execution-apis, and what they leave out.

mod methods;
mod pool;
pub(crate) mod still;

use super::{Rpc, Settings, Sinks};
use crate::submission;
use fake::Chain;
use maidenlane_chain::Address;
use maidenlane_jsonrpc::dispatch::answer;
use maidenlane_jsonrpc::{Api as _, Error, Limits, MinBlock, codes};
use maidenlane_state::StateView as _;
pub(crate) use maidenlane_testkit::chain as fake;
use maidenlane_testkit::rpc_compat::{Case, load, run};
use serde_json::{Value, json};
use std::sync::Arc;
use still::Still;

/// Methods whose cases a replica does not answer as the recorded geth did. The list shrinks only: a method whose cases
/// all pass must leave it.
const NOT_OURS: [(&str, &str); 3] = [
    ("eth_capabilities", "geth deletes its log index by a window, a replica deletes nothing"),
    ("testing_buildBlockV1", "builds a block, with a builder and its pool"),
    ("txpool_content", "holds the pool of the geth that was asked"),
];

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

pub(crate) fn rpc(live: Arc<Still>) -> Rpc {
    Rpc::new(live, Settings::default()).expect("threads")
}

/// Answer to one request: its HTTP status and body.
pub(crate) fn ask_text(rpc: &Rpc, min: Option<Result<MinBlock, Error>>, request: &str) -> (u16, String) {
    runtime().block_on(async {
        let pin = Arc::new(rpc.pin(min).await);
        let answer = answer(rpc, &pin, request.as_bytes(), &Limits::default()).await;
        (answer.status, answer.body.into_string())
    })
}

pub(crate) fn ask(rpc: &Rpc, method: &str, params: Value) -> Value {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let (_, body) = ask_text(rpc, None, &request);
    serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}"))
}

/// Sends a request and compares the result, or the error's code.
#[track_caller]
pub(crate) fn check(chain: &Chain, method: &str, params: Value, expect: Result<Value, i32>) {
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
    let is_ours = |case: &&Case| NOT_OURS.iter().all(|(name, _)| *name != case.method);
    let (ours, others): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(is_ours);
    let (submissions, log) = submission::tests::running();
    let rpc =
        Rpc::with(Arc::new(Still::new(chain)), Settings::default(), taking(submissions)).expect("threads");
    let report = run(ours, |request| Ok(ask_text(&rpc, None, request).1));
    eprintln!("{report}");
    assert_eq!(report.failed(), 0, "{report}");
    assert!(report.passed() >= 126, "the cases have gone: {report}");
    assert_eq!(log.stored("test").len(), 3, "the published transactions");
    let others = run(others, |request| Ok(ask_text(&rpc, None, request).1));
    for (method, why) in NOT_OURS {
        let failed = others.methods.get(method).is_some_and(|tally| !tally.failed.is_empty());
        assert!(failed, "{method} is answered by now, take it off the list: {why}");
    }
}

/// Cases that the published ones leave out, recorded from a geth 1.17.5 that has imported the same chain.
#[test]
fn agrees_with_a_recorded_geth() {
    let Some(chain) = fake::chain() else { return };
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/src/rpc/tests/geth");
    let cases = load(std::path::Path::new(dir)).expect("readable cases");
    // Some use all their gas, which takes a while on a busy machine and without optimisation.
    let settings = Settings { call_timeout: std::time::Duration::from_secs(60), ..Settings::default() };
    let rpc = Rpc::new(Arc::new(Still::new(chain)), settings).expect("threads");
    let report = run(cases.iter(), |request| Ok(ask_text(&rpc, None, request).1));
    eprintln!("{report}");
    assert_eq!(report.failed(), 0, "{report}");
    assert!(report.passed() >= 214, "the cases have gone: {report}");
}

#[test]
fn senders_that_the_feed_told_are_not_recovered() {
    let Some(chain) = fake::chain() else { return };
    let (number, count) =
        (1..).map(|at| (at, chain.decoded(at).transactions.len())).find(|(_, count)| *count > 0).unwrap();
    let told = Address::repeat_byte(7);
    let rpc = rpc(Arc::new(Still::new(chain.sent_by(vec![told; count]))));
    let tag = json!(format!("{number:#x}"));
    let block = ask(&rpc, "eth_getBlockByNumber", json!([tag, true]));
    assert_eq!(block["result"]["transactions"][0]["from"], json!(told));
    assert_eq!(ask(&rpc, "eth_getBlockReceipts", json!([tag]))["result"][0]["from"], json!(told));
    let other = ask(&rpc, "eth_getBlockByNumber", json!(["0x0", true]));
    assert_eq!(other["error"]["code"], json!(codes::INTERNAL), "not as many as its transactions: {other}");
}

#[test]
fn a_node_without_keys_pool_and_miner_says_so() {
    let Some(chain) = fake::chain() else { return };
    let nobody = "0x1111111111111111111111111111111111111111";
    let pool = json!({"pending": {}, "queued": {}});
    check(&chain, "eth_accounts", json!([]), Ok(json!([])));
    check(&chain, "eth_mining", json!([]), Ok(json!(false)));
    check(&chain, "eth_protocolVersion", json!([]), Ok(json!("-0x1")));
    check(&chain, "net_peerCount", json!([]), Ok(json!("0x0")));
    check(&chain, "txpool_content", json!([]), Ok(pool.clone()));
    check(&chain, "txpool_contentFrom", json!([nobody]), Ok(pool));
    check(&chain, "txpool_contentFrom", json!([]), Err(codes::INVALID_PARAMS));
    check(&chain, "txpool_status", json!([]), Ok(json!({"pending": "0x0", "queued": "0x0"})));
    for (method, missing, malformed, asked) in [
        ("eth_sign", json!([nobody]), json!([nobody, "0x1"]), json!([nobody, "0x"])),
        ("eth_signTransaction", json!([]), json!([{"gas": 1}]), json!([{"from": nobody}])),
        ("eth_sendTransaction", json!([]), json!(["0x"]), json!([{"from": nobody}])),
        ("eth_resend", json!([]), json!([{}, 1]), json!([{"from": nobody}, "0x1", "0x5208"])),
    ] {
        check(&chain, method, missing, Err(codes::INVALID_PARAMS));
        check(&chain, method, malformed, Err(codes::INVALID_PARAMS));
        check(&chain, method, asked, Err(codes::SERVER));
    }
    check(&chain, "debug_setHead", json!(["0x1"]), Ok(Value::Null));
    check(&chain, "debug_setHead", json!([]), Err(codes::INVALID_PARAMS));
    let keccak = "0x47173285a8d7341e5e972fc677286384f802f8ef42a5ec5f03bbfa254cb01fad";
    check(&chain, "web3_sha3", json!(["0x68656c6c6f20776f726c64"]), Ok(json!(keccak)));
    check(&chain, "eth_blockNumber", json!([]), Ok(json!("0x36")));
}

#[test]
fn every_state_can_be_read_back() {
    let Some(chain) = fake::chain() else { return };
    // The coinbase of the chain's blocks gains with each of them.
    let address = "0x0000000000000000000000000000000000000000";
    let rpc = rpc(Arc::new(Still::new(chain.clone())));
    for number in 0..=54u64 {
        let tag = format!("{number:#x}");
        let past = ask(&rpc, "eth_getBalance", json!([address, tag]));
        let then = Rpc::new(Arc::new(Still::new(chain.at(number))), Settings::default()).expect("threads");
        assert_eq!(past, ask(&then, "eth_getBalance", json!([address, "latest"])), "block {number}");
        let block = ask(&rpc, "eth_getBlockByNumber", json!([tag, false]));
        let by_hash = json!({"blockHash": block["result"]["hash"], "requireCanonical": true});
        assert_eq!(past, ask(&rpc, "eth_getBalance", json!([address, by_hash])), "block {number} by hash");
    }
}

#[test]
fn unknown_blocks_are_errors_for_state_and_null_for_look_ups() {
    let Some(chain) = fake::chain() else { return };
    let nobody = "0x1111111111111111111111111111111111111111";
    let unknown = format!("0x{}", "ab".repeat(32));
    check(&chain, "eth_getBalance", json!([nobody]), Ok(json!("0x0")));
    check(&chain, "eth_getCode", json!([nobody]), Ok(json!("0x")));
    check(&chain, "eth_getBalance", json!([nobody, "0x37"]), Err(codes::SERVER));
    check(&chain, "eth_getBalance", json!([nobody, unknown]), Err(codes::SERVER));
    check(&chain, "eth_call", json!([{"to": nobody}, "0x37"]), Err(codes::SERVER));
    for method in ["eth_getBlockByNumber", "eth_getUncleByBlockNumberAndIndex"] {
        let second = if method.contains("Uncle") { json!("0x0") } else { json!(true) };
        check(&chain, method, json!(["0x37", second]), Ok(Value::Null));
    }
    check(&chain, "eth_getBlockByHash", json!([unknown, true]), Ok(Value::Null));
    check(&chain, "eth_getTransactionByHash", json!([unknown]), Ok(Value::Null));
    check(&chain, "eth_getTransactionReceipt", json!([unknown]), Ok(Value::Null));
    check(&chain, "eth_getBlockReceipts", json!([unknown]), Ok(Value::Null));
    check(&chain, "eth_getLogs", json!([{"blockHash": unknown}]), Err(codes::SERVER));
    check(&chain, "eth_getUncleCountByBlockNumber", json!(["0x37"]), Ok(Value::Null));
    check(&chain, "debug_getRawHeader", json!([unknown]), Err(codes::SERVER));
    check(&chain, "eth_nope", json!([]), Err(codes::METHOD_NOT_FOUND));
    check(&chain, "eth_blockNumber", json!([1]), Err(codes::INVALID_PARAMS));
    check(&chain, "eth_getBlockByNumber", json!(["0x1"]), Err(codes::INVALID_PARAMS));
    check(&chain, "eth_getBlockByNumber", json!(["0x37", null]), Ok(Value::Null));
    check(&chain, "eth_getBlockByNumber", json!([null, true]), Err(codes::INVALID_PARAMS));
    let zero = format!("0x{}", "0".repeat(64));
    check(&chain, "eth_getStorageAt", json!([nobody, null]), Ok(json!(zero)));
}

#[test]
fn tags_are_what_the_head_says() {
    let Some(chain) = fake::chain() else { return };
    let number = |chain: &Chain, tag: &str| {
        let rpc = rpc(Arc::new(Still::new(chain.clone())));
        let answer = ask(&rpc, "eth_getBlockByNumber", json!([tag, false]));
        answer.get("result").map(|block| block["number"].clone()).ok_or(answer["error"]["code"].clone())
    };
    for tag in ["latest", "safe", "finalized"] {
        assert_eq!(number(&chain, tag), Ok(json!("0x36")), "{tag}");
    }
    assert_eq!(number(&chain, "earliest"), Ok(json!("0x0")));
    assert_eq!(number(&chain, "pending"), Err(json!(codes::SERVER)));
    let earlier = chain.at(50);
    assert_eq!(number(&earlier, "latest"), Ok(json!("0x32")));
    assert_eq!(number(&earlier, "safe"), Err(json!(codes::SERVER)));
    assert_eq!(number(&earlier, "0x33"), Ok(Value::Null));
}

#[test]
fn what_is_pruned_is_told() {
    let Some(chain) = fake::chain() else { return };
    let chain = chain.with_head(|head| (head.state_floor, head.body_floor) = (40, 20));
    let nobody = "0x1111111111111111111111111111111111111111";
    check(&chain, "eth_getBalance", json!([nobody, "0x28"]), Ok(json!("0x0")));
    check(&chain, "eth_getBalance", json!([nobody, "0x27"]), Err(codes::PRUNED));
    check(&chain, "eth_call", json!([{"to": nobody}, "0x27"]), Err(codes::PRUNED));
    check(&chain, "eth_getUncleCountByBlockNumber", json!(["0x14"]), Ok(json!("0x0")));
    check(&chain, "eth_getUncleCountByBlockNumber", json!(["0x13"]), Err(codes::PRUNED));
    check(&chain, "eth_getLogs", json!([{"fromBlock": "0x13"}]), Err(codes::PRUNED));
    check(&chain, "debug_getRawBlock", json!(["0x13"]), Err(codes::PRUNED));
}

#[test]
fn undone_blocks_stay_readable_by_hash_but_not_their_state() {
    let Some(chain) = fake::chain() else { return };
    let whole = rpc(Arc::new(Still::new(chain.clone())));
    let (cut, gone) = chain.undone_to(49);
    let gone = format!("{gone}");
    let now = rpc(Arc::new(Still::new(cut.clone())));
    for (method, params) in [
        ("eth_getBlockByHash", json!([gone, true])),
        ("eth_getBlockReceipts", json!([gone])),
        ("eth_getLogs", json!([{"blockHash": gone}])),
        ("debug_getRawBlock", json!([gone])),
    ] {
        assert_eq!(ask(&now, method, params.clone()), ask(&whole, method, params), "{method}");
    }
    let nobody = "0x1111111111111111111111111111111111111111";
    check(&cut, "eth_getBalance", json!([nobody, gone]), Err(codes::SERVER));
    check(&cut, "eth_getBlockByNumber", json!(["0x32", false]), Ok(Value::Null));
    let canonical = json!({"blockHash": gone, "requireCanonical": true});
    check(&cut, "eth_getBlockReceipts", json!([canonical]), Err(codes::SERVER));
    check(&cut, "eth_getBalance", json!([nobody, canonical]), Err(codes::SERVER));
}

#[test]
fn stale_replicas_say_so() {
    let Some(chain) = fake::chain() else { return };
    let mut still = Still::new(chain);
    still.fitness.stale = Some("3 blocks behind".into());
    still.fitness.expected = 57;
    let rpc = rpc(Arc::new(still));
    let call = |method: &str, params: &str| {
        let request = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let (status, body) = ask_text(&rpc, None, &request);
        (status, serde_json::from_str::<Value>(&body).expect("JSON"))
    };
    let (status, body) = call("eth_getBalance", r#"["0x1111111111111111111111111111111111111111"]"#);
    assert_eq!((status, &body["error"]["code"]), (503, &json!(codes::STALE)));
    let data = json!({"head": "0x36", "expected": "0x39", "lagBlocks": 3, "silentMs": 10});
    assert_eq!(body["error"]["data"], data);
    assert_eq!(call("eth_blockNumber", "[]").0, 503);
    assert_eq!(call("eth_nope", "[]").0, 200);
    for method in ["eth_chainId", "web3_clientVersion", "net_version"] {
        assert!(call(method, "[]").1.get("result").is_some(), "{method}");
    }
    let progress = json!({"startingBlock": "0x36", "currentBlock": "0x36", "highestBlock": "0x39"});
    assert_eq!(call("eth_syncing", "[]").1["result"], progress);
}

#[test]
fn min_block_waits_a_little_and_never_answers_from_before() {
    let Some(chain) = fake::chain() else { return };
    let still = Arc::new(Still::new(chain.at(50)));
    let rpc = rpc(Arc::clone(&still));
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}"#;
    let ask = |number: u64, hash: Option<[u8; 32]>| {
        let (status, body) = ask_text(&rpc, Some(Ok(MinBlock { number, hash })), request);
        let body: Value = serde_json::from_str(&body).expect("JSON");
        (status, body["result"].as_str().map(str::to_owned).ok_or(body["error"]["code"].clone()))
    };
    let refused = |code: i32| Err(json!(code));
    assert_eq!(ask(50, None), (200, Ok("0x32".into())));
    assert_eq!(ask(56, None), (503, refused(codes::MIN_BLOCK)), "too far ahead is refused at once");
    assert_eq!(ask(52, None), (503, refused(codes::MIN_BLOCK)), "and what does not come, after a moment");
    assert_eq!(ask(50, Some([7; 32])), (409, refused(codes::NOT_CANONICAL)));
    let ours = chain.at(50).head().block.hash.0;
    assert_eq!(ask(50, Some(ours)), (200, Ok("0x32".into())));
    let waiting = async {
        let mut pin = Box::pin(rpc.pin(Some(Ok(MinBlock { number: 52, hash: None }))));
        // Polled once: now it waits, and only then the block comes.
        let first =
            std::future::poll_fn(|cx| std::task::Poll::Ready(pin.as_mut().poll(cx).is_pending())).await;
        assert!(first);
        still.show(chain.at(52));
        pin.await.block().number
    };
    assert_eq!(runtime().block_on(waiting), 52);
}

#[test]
fn a_batch_sees_one_block() {
    let Some(chain) = fake::chain() else { return };
    let still = Arc::new(Still::new(chain.at(50)));
    let rpc = rpc(Arc::clone(&still));
    let seen = runtime().block_on(async {
        let pin = Arc::new(rpc.pin(None).await);
        still.show(chain.at(52));
        rpc.call(&pin, "eth_blockNumber", None).await.map(|json| json.as_str().to_owned())
    });
    assert_eq!(seen, Ok("\"0x32\"".into()));
}

#[test]
fn logs_are_limited_and_searched_exactly() {
    let Some(chain) = fake::chain() else { return };
    let all = json!([{"fromBlock": "earliest", "toBlock": "latest"}]);
    let rpc = rpc(Arc::new(Still::new(chain.clone())));
    let found = ask(&rpc, "eth_getLogs", all.clone());
    let found = found["result"].as_array().expect("a list").clone();
    assert!(found.len() > 10);
    let wanted = &found[found.len() / 2];
    let one = json!([{"fromBlock": wanted["blockNumber"], "toBlock": wanted["blockNumber"],
        "address": wanted["address"], "topics": wanted["topics"]}]);
    let answer = ask(&rpc, "eth_getLogs", one);
    assert!(answer["result"].as_array().expect("a list").contains(wanted), "{answer}");
    // More positions than topics: nothing matches, though every term does.
    let mut topics = wanted["topics"].as_array().expect("a list").clone();
    topics.resize(4, Value::Null);
    topics.push(Value::Null);
    topics.truncate(4);
    let padded = json!([{"fromBlock": "earliest", "address": wanted["address"], "topics": topics}]);
    let answer = ask(&rpc, "eth_getLogs", padded);
    let all_four = |log: &Value| log["topics"].as_array().is_some_and(|topics| topics.len() == 4);
    assert!(answer["result"].as_array().expect("a list").iter().all(all_four), "{answer}");
    let limited = |settings: Settings, params: &Value| {
        let rpc = Rpc::new(Arc::new(Still::new(chain.clone())), settings).expect("threads");
        ask(&rpc, "eth_getLogs", params.clone())["error"]["code"].clone()
    };
    let by_address = json!([{"fromBlock": "earliest", "address": wanted["address"]}]);
    for params in [&all, &by_address] {
        let few = Settings { logs_max: 2, ..Settings::default() };
        assert_eq!(limited(few, params), json!(codes::CLIENT_LIMIT));
        let short = Limits { answer_bytes: 1_000, ..Limits::default() };
        let short = Settings { limits: short, ..Settings::default() };
        assert_eq!(limited(short, params), json!(codes::RESPONSE_TOO_LARGE));
    }
}

/// One log of many is read from the receipts; those of a block that was requested whole are rendered.
#[test]
fn logs_are_the_same_however_they_are_come_by() {
    let Some(chain) = fake::chain() else { return };
    let rpc = || rpc(Arc::new(Still::new(chain.clone())));
    let all = |rpc: &Rpc| {
        let found = ask(rpc, "eth_getLogs", json!([{"fromBlock": "earliest", "toBlock": "latest"}]));
        found["result"].as_array().expect("a list").clone()
    };
    let (cold, warm) = (rpc(), rpc());
    let found = all(&warm);
    let mut blocks = std::collections::BTreeMap::new();
    found.iter().for_each(|log| *blocks.entry(log["blockNumber"].to_string()).or_insert(0) += 1);
    assert!(blocks.values().any(|count| *count > 8), "a block of many logs: {blocks:?}");
    for log in &found {
        let by_number = json!([{"fromBlock": log["blockNumber"], "toBlock": log["blockNumber"],
            "address": log["address"], "topics": log["topics"]}]);
        let by_hash =
            json!([{"blockHash": log["blockHash"], "address": log["address"], "topics": log["topics"]}]);
        let answers = [(&cold, &by_number), (&warm, &by_number), (&cold, &by_hash)]
            .map(|(rpc, params)| ask(rpc, "eth_getLogs", params.clone())["result"].clone());
        let matching = |other: &&Value| {
            let topics = |log: &Value| log["topics"].as_array().cloned().unwrap_or_default();
            other["blockNumber"] == log["blockNumber"]
                && other["address"] == log["address"]
                && topics(other).starts_with(&topics(log))
        };
        let expect: Value = found.iter().filter(matching).cloned().collect();
        assert!(answers.iter().all(|answer| *answer == expect), "{answers:?}, not {expect}");
    }
    assert_eq!(all(&cold), found);
}

/// `/openrpc.json` promises no method that is not there.
#[test]
fn what_is_described_is_served() {
    let Some(chain) = fake::chain() else { return };
    let ((submissions, _taken), kept) = (submission::tests::running(), crate::filters::tests::Shared::new());
    let sinks = Sinks { submissions: Some(submissions), filters: Some(kept.replica()), ..Sinks::default() };
    let rpc = Rpc::with(Arc::new(Still::new(chain)), Settings::default(), sinks).expect("threads");
    let methods = rpc.methods();
    assert!(methods.len() > 60, "{}", methods.len());
    for method in methods {
        let answer = ask(&rpc, method.name, json!([]));
        assert_ne!(answer["error"]["code"], json!(codes::METHOD_NOT_FOUND), "{}", method.name);
        // A parameter that must be there is missed.
        let required = method.params.split_whitespace().any(|param| !param.ends_with('?'));
        let missed = answer["error"]["code"] == json!(codes::INVALID_PARAMS);
        assert!(!required || missed, "{}: {answer}", method.name);
    }
}

#[test]
fn transactions_are_refused_where_nobody_takes_them_and_waited_for_where_they_are() {
    let Some(chain) = fake::chain() else { return };
    let raw = published("eth_sendRawTransaction", "send-legacy-transaction");
    let text = |answer: &Value| answer["error"]["message"].as_str().unwrap_or_default().to_owned();
    let refusing = ask(&rpc(Arc::new(Still::new(chain.clone()))), "eth_sendRawTransaction", raw.clone());
    assert_eq!(text(&refusing), "this deployment does not take transactions");
    let (submissions, log) = submission::tests::running();
    let rpc =
        Rpc::with(Arc::new(Still::new(chain)), Settings::default(), taking(submissions)).expect("threads");
    let taken = ask(&rpc, "eth_sendRawTransaction", raw.clone());
    assert_eq!(taken["result"], ask(&rpc, "eth_sendRawTransaction", raw.clone())["result"], "{taken}");
    let waited = ask(&rpc, "eth_sendRawTransactionSync", json!([raw[0], 10]));
    assert_eq!(
        waited["error"],
        json!({
            "code": codes::TX_SYNC_TIMEOUT,
            "message": "The transaction was added to the transaction pool but wasn't processed in 10ms",
            "data": taken["result"],
        })
    );
    let wrong = ask(&rpc, "eth_sendRawTransactionSync", json!([raw[0], "10"]));
    assert_eq!(wrong["error"]["code"], codes::INVALID_PARAMS, "{wrong}");
    assert_eq!(log.stored("test").len(), 1, "the same transaction is stored once");
}

fn taking(submissions: submission::Submissions) -> Sinks {
    Sinks { submissions: Some(submissions), ..Sinks::default() }
}

/// The parameters of a published request.
fn published(method: &str, name: &str) -> Value {
    let dir = fake::fixtures().expect("asked for before").join("io");
    let cases = load(&dir).expect("readable cases");
    let case = cases.iter().find(|case| case.method == method && case.name.contains(name)).expect("a case");
    let request: Value = serde_json::from_str(&case.steps[0].request).expect("JSON");
    request["params"].clone()
}

#[test]
fn the_pool_s_nonce_is_the_confirmed_one() {
    let Some(chain) = fake::chain() else { return };
    let rpc = rpc(Arc::new(Still::new(chain)));
    // Sends most of the chain's transactions.
    let sender = "0x7435ed30a8b4aeb0877cef0c6e8cffe834eb865f";
    let nonce = |tag: &str| ask(&rpc, "eth_getTransactionCount", json!([sender, tag]))["result"].clone();
    assert_ne!(nonce("latest"), json!("0x0"));
    assert_eq!(nonce("pending"), nonce("latest"));
}

/// geth's own client sends `{"Tracer":…}`: Go reads names in any case, and the last of several with one name.
#[test]
fn members_have_names_in_any_case() {
    let Some(chain) = fake::chain() else { return };
    let rpc = rpc(Arc::new(Still::new(chain)));
    let identity = "0x0000000000000000000000000000000000000004";
    let contract = "0x00000000000000000000000000000000c0ffee01";
    let logs = json!({"fromBlock": "0x1", "toBlock": "0x36", "address": contract});
    let config = json!({"tracer": "callTracer", "tracerConfig": {"withLog": true}, "stateOverrides": {contract: {"code": "0x5f5fa0"}}});
    for (method, exact, other) in [
        (
            "eth_call",
            json!([{"to": identity, "data": "0x1234"}]),
            json!([{"To": identity, "Data": "0x1234"}]),
        ),
        ("eth_getLogs", json!([logs]), json!([{"FROMBLOCK": "0x1", "toblock": "0x36", "Address": contract}])),
        (
            "eth_getBalance",
            json!([identity, {"blockNumber": "0x1"}]),
            json!([identity, {"BlockNumber": "0x1"}]),
        ),
        (
            "eth_call",
            json!([{"to": contract}, "latest", {contract: {"code": "0x4260005260206000f3"}}, {"time": "0x7"}]),
            json!([{"to": contract}, "latest", {contract: {"Code": "0x4260005260206000f3"}}, {"Time": "0x7"}]),
        ),
        (
            "debug_traceCall",
            json!([{"to": contract}, "latest", config]),
            json!([{"to": contract}, "latest", {"Tracer": "callTracer", "Timeout": null, "TracerConfig": {"WithLog": true},
                "StateOverrides": {contract: {"Code": "0x5f5fa0"}}}]),
        ),
    ] {
        let (exact, other) = (ask(&rpc, method, exact), ask(&rpc, method, other));
        assert!(exact.get("result").is_some(), "{method}: {exact}");
        assert_eq!(exact, other, "{method}");
    }
    let (_, text) = ask_text(
        &rpc,
        None,
        &format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{{"to":"{contract}","to":"{identity}","d\u0061ta":"0x1234"}}]}}"#
        ),
    );
    assert!(text.contains(r#""result":"0x1234""#), "{text}");
}
