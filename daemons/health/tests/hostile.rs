//! Targets that mean harm: whatever they send, a round ends in time, with little in memory, and says what is wrong.

#![expect(clippy::unwrap_used, reason = "a test: what is unexpected may panic")]

use maidenlane_health::board::Target;
use maidenlane_health::observe::{Asks, Observation, Ready};
use maidenlane_health::probe::{Kind, Probe, Settings};
use maidenlane_health::view::View;
use maidenlane_jsonrpc::client::Remote;
use maidenlane_service::{Shutdown, TaskGroup};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

const TIMEOUT: Duration = Duration::from_millis(500);
/// Bytes of an answer that are no longer read.
const TOO_MANY: usize = 64 << 20;

/// Reads one request; its body.
fn request(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

/// A server that does this with each request until the client goes.
fn server(answer: impl Fn(&[u8], &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                let mut out = stream.try_clone().unwrap();
                let mut stream = BufReader::new(stream);
                while let Some(body) = request(&mut stream) {
                    if answer(&body, &mut out).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn head(status: &str, more: &str, length: usize) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{more}content-length: {length}\r\n\r\n")
}

fn whole(status: &'static str, body: String) -> String {
    server(move |_, out| {
        out.write_all(head(status, "", body.len()).as_bytes())?;
        out.write_all(body.as_bytes())
    })
}

/// A node that answers each call of a batch by its method and parameters.
fn node(answer: impl Fn(&str, &Value) -> Value + Send + Sync + 'static) -> String {
    server(move |body, out| {
        let calls: Vec<Value> = serde_json::from_slice(body).unwrap_or_default();
        let one = |call: &Value| {
            let told = answer(call["method"].as_str().unwrap_or_default(), &call["params"]);
            let field = if told.get("code").is_some() { "error" } else { "result" };
            json!({"jsonrpc": "2.0", "id": call["id"], field: told})
        };
        let text = Value::Array(calls.iter().map(one).collect()).to_string();
        out.write_all(head("200 OK", "", text.len()).as_bytes())?;
        out.write_all(text.as_bytes())
    })
}

/// The first round of a probe.
async fn look(address: &str, kind: fn(Remote) -> Kind) -> Observation {
    let remote = Remote {
        endpoint: address.parse().unwrap(),
        credential: None,
        ca: None,
        timeout: TIMEOUT,
        requests_max: 4,
        answer_bytes_max: 4 << 20,
    };
    let target = Target {
        name: "t".to_owned(),
        group: 0,
        source: Some("t".to_owned()),
        trusted: false,
        executes: true,
        serves: None,
    };
    let settings = Settings { target, kind: kind(remote), admin: None };
    let (tasks, supervisor) = TaskGroup::new(Shutdown::new());
    let probe = Probe::new(0, &settings, (TIMEOUT * 2, TIMEOUT), &[], &tasks).unwrap();
    let (news, mut observed) = mpsc::channel(1);
    let asks = Asks { heights: vec![0, 9], ..Asks::default() };
    let (_views, view) = watch::channel(Arc::new(View { asks, ..View::default() }));
    tasks.spawn("probe", probe.run(news, view, tasks.shutdown().clone()));
    let (_, observation) = tokio::time::timeout(TIMEOUT * 20, observed.recv()).await.unwrap().unwrap();
    tasks.shutdown().trigger();
    drop(observed);
    supervisor.join(TIMEOUT * 20).await.unwrap();
    observation
}

async fn refused(address: &str, kind: fn(Remote) -> Kind, expect: &str) {
    let observation = look(address, kind).await;
    let why = observation.seen.expect_err(expect);
    assert!(why.contains(expect), "{why:.500}, not {expect}");
    assert!(observation.took < TIMEOUT * 3, "{expect}: {:?}", observation.took);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_none_are_told_as_such() {
    refused(&whole("200 OK", "{]".to_owned()), Kind::Node, "not understood").await;
    refused(&whole("200 OK", "[]".to_owned()), Kind::Node, "").await;
    refused(&whole("200 OK", "x".repeat(TOO_MANY)), Kind::Node, "larger than").await;
    let endless = |piece: &'static str| {
        server(move |_, out| {
            out.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
            let chunk = piece.repeat(1 << 20);
            loop {
                write!(out, "{:x}\r\n{chunk}\r\n", chunk.len())?;
            }
        })
    };
    refused(&endless("["), Kind::Node, "larger than").await;
    refused(&endless("x"), Kind::Node, "it begins with \"xxx").await;
    let page = whole("200 OK", "<html>\x1b[31mnginx</html>".to_owned());
    refused(
        &page,
        Kind::Node,
        "no JSON came, but \"application/json\", it begins with \"<html>\\u{1b}[31mnginx",
    )
    .await;
    refused(&whole("200 OK", String::new()), Kind::Node, "nothing in it").await;
    refused(&whole("200 OK", "x".repeat(TOO_MANY)), Kind::Daemon, "larger than").await;
    // Nobody is followed to where a target points.
    let moved =
        server(|_, out| out.write_all(head("302 Found", "location: http://127.0.0.1:1/\r\n", 0).as_bytes()));
    refused(&moved, Kind::Node, "302").await;
    let silent = server(|_, _| Ok(()));
    refused(&silent, Kind::Node, "no answer within").await;
    // A byte now and then is no answer.
    let slow = server(|_, out| {
        out.write_all(head("200 OK", "", 1_000).as_bytes())?;
        loop {
            out.write_all(b"[")?;
            std::thread::park_timeout(TIMEOUT / 10);
        }
    });
    refused(&slow, Kind::Node, "no answer within").await;
    refused(&slow, Kind::Daemon, "no answer within").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_every_call_is_not_fit() {
    let limiting = node(|_, _| json!({"code": -32_005, "message": "not so many"}));
    refused(&limiting, Kind::Node, "eth_chainId: ").await;
    let headless = node(|method, _| match method {
        "eth_chainId" => json!("0x1"),
        _ => Value::Null,
    });
    refused(&headless, Kind::Node, "the head: ").await;
    let other = whole("200 OK", "<html>nginx</html>".to_owned());
    let told = look(&other, Kind::Daemon).await.seen.unwrap();
    assert!(matches!(told.ready, Some(Ready::No(_))), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_without_a_limit_are_numbers() {
    let block = |number: &Value| {
        json!({
            "number": number, "hash": format!("0x{}", "1".repeat(64)), "timestamp": "0xffffffffffffffff",
            "miner": format!("0x{}", "2".repeat(40)),
        })
    };
    let far = node(move |method, params| match method {
        "eth_chainId" => json!("0x1"),
        "eth_syncing" => json!(false),
        "eth_getBlockByNumber" if params[0] == "0x9" => Value::Null,
        "eth_getBlockByNumber" if params[0] == "latest" => block(&json!("0x8000000000000000")),
        "eth_getBlockByNumber" => block(&params[0]),
        "eth_getBalance" => json!("0x1"),
        _ => json!({"code": -1, "message": "no"}),
    });
    let told = look(&far, Kind::Replica).await.seen.unwrap();
    assert_eq!(told.latest.unwrap().block.number, 1 << 63);
    let heights: Vec<u64> = told.hashes.iter().map(|(number, _)| *number).collect();
    assert_eq!(heights, [0]);
    assert!(told.state.unwrap().is_err());
    let other = node(move |method, params| match method {
        "eth_chainId" => json!("0x1"),
        "eth_syncing" => json!(false),
        "eth_getBlockByNumber" if params[0] == "0x9" => block(&json!("0x8")),
        "eth_getBlockByNumber" if params[0] == "latest" => block(&json!("0x10")),
        "eth_getBlockByNumber" => block(&params[0]),
        _ => json!({"code": -1, "message": "no"}),
    });
    refused(&other, Kind::Replica, "asked for block 9, it told block 8").await;
    let farther = node(move |method, _| match method {
        "eth_chainId" => json!("0x1"),
        _ => block(&json!("0x10000000000000000")),
    });
    refused(&farther, Kind::Replica, "the head: ").await;
}
