use super::*;
use crate::Limits;
use crate::dispatch::tests::Fake;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Serves the fake on one in-memory stream, sends `request`, and gives head and body of the answer.
fn ask(request: &str, limits: Limits) -> (String, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (mut client, stream) = tokio::io::duplex(1 << 16);
        let rules = Arc::new(Listener::open(limits));
        let (_closing, closed) = watch::channel(false);
        let serving = connection(stream, Client::default(), Arc::new(Fake::default()), rules, closed);
        let asking = async {
            client.write_all(request.as_bytes()).await.expect("the server reads");
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.expect("the server closes");
            answer
        };
        let ((), answer) = tokio::join!(serving, asking);
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        (head.to_lowercase(), body.to_owned())
    })
}

pub(super) fn post(headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

pub(super) const JSON: &str = "content-type: application/json\r\n";
pub(super) const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"echo","params":[1]}"#;

#[test]
fn names_the_block() {
    let (head, body) = ask(&post(JSON, CALL), Limits::default());
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(
        head.contains("x-maidenlane-block: 7") && head.contains("x-maidenlane-block-hash: 0x00"),
        "{head}"
    );
    assert_eq!(body, r#"{"jsonrpc":"2.0","id":1,"result":[1]}"#);
}

#[test]
fn bad_min_block_is_told_in_the_answer() {
    for (lines, words) in [
        ("x-maidenlane-min-block: soon\r\n", "want a number"),
        ("x-maidenlane-min-block: 1\r\nx-maidenlane-min-block: 2\r\n", "stands twice"),
    ] {
        let (_, body) = ask(&post(&format!("{JSON}{lines}"), CALL), Limits::default());
        assert!(body.contains("-32602") && body.contains(words), "{body}");
    }
}

#[test]
fn refuses_by_http() {
    let status = |request: &str, limits| ask(request, limits).0.chars().skip(9).take(3).collect::<String>();
    assert_eq!(status(&post("content-type: text/plain\r\n", CALL), Limits::default()), "415");
    assert_eq!(status("PUT / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", Limits::default()), "405");
    assert_eq!(status("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", Limits::default()), "200");
    assert_eq!(status(&post(JSON, CALL), Limits { body_bytes: 10, ..Limits::default() }), "413");
    let stale = CALL.replace("echo", "fail").replace("[1]", &format!("[{}]", crate::codes::STALE));
    assert_eq!(status(&post(JSON, &stale), Limits::default()), "503");
    assert_eq!(status(&post(JSON, CALL).replace("POST /", "POST /other"), Limits::default()), "404");
}

#[test]
fn stops_when_told() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let until = async {
            let _ = stopped.await;
        };
        let rules = Arc::new(Listener::open(Limits::default()));
        let serving = serve(listener, Arc::new(Fake::default()), rules, until);
        let client = async {
            let mut stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
            stream.write_all(post(JSON, CALL).as_bytes()).await.expect("it reads");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("it answers");
            assert!(answer.contains("\"result\":[1]"), "{answer}");
            // An idle connection must not hold up the stop.
            let idle = tokio::net::TcpStream::connect(address).await.expect("it listens");
            stop.send(()).expect("it runs");
            idle
        };
        let (outcome, _idle) = tokio::join!(serving, client);
        outcome.expect("a clean stop");
    });
}

/// Serves the fake on a real socket and runs `client` against it.
pub(crate) fn serving<C: Future<Output = ()>>(
    rules: Listener,
    client: impl FnOnce(std::net::SocketAddr) -> C,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = socket.local_addr().expect("bound");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let until = async {
            let _ = stopped.await;
        };
        let serving = serve(socket, Arc::new(Fake::default()), Arc::new(rules), until);
        let asking = async {
            client(address).await;
            let _ = stop.send(());
        };
        let (served, ()) = tokio::join!(serving, asking);
        served.expect("a clean stop");
    });
}

/// Serves the fake with rules as [`ask`] does; gives head and body of the answer.
pub(super) fn ask_rules(request: &str, rules: Listener) -> (String, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (mut client, stream) = tokio::io::duplex(1 << 16);
        let (_closing, closed) = watch::channel(false);
        let serving =
            connection(stream, Client::default(), Arc::new(Fake::default()), Arc::new(rules), closed);
        let asking = async {
            client.write_all(request.as_bytes()).await.expect("the server reads");
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.expect("the server closes");
            answer
        };
        let ((), answer) = tokio::join!(serving, asking);
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(answer[..end].to_vec()).expect("text");
        (head.to_lowercase(), answer[end + 4..].to_vec())
    })
}

pub(super) fn open() -> Listener {
    Listener::open(Limits::default())
}

#[test]
fn large_answers_are_compressed_for_those_who_ask() {
    let call = CALL.replace("echo", "big").replace("[1]", "[100000]");
    let (head, body) = ask_rules(&post(&format!("{JSON}accept-encoding: gzip\r\n"), &call), open());
    assert!(head.contains("content-encoding: gzip") && body.len() < 10_000, "{} {head}", body.len());
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*body), &mut text).expect("gzip");
    assert!(text.starts_with(r#"{"jsonrpc":"2.0","id":1,"result":"xxx"#) && text.len() > 100_000);
    let (head, body) = ask_rules(&post(JSON, &call), open());
    assert!(!head.contains("content-encoding") && body.len() > 100_000);
}

#[test]
fn pages_and_hosts_are_told_apart() {
    let app = || Listener { origins: crate::Origins::new(["https://app.example"]), ..open() };
    let preflight = |origin: &str| {
        format!(
            "OPTIONS / HTTP/1.1\r\nhost: x\r\nconnection: close\r\norigin: {origin}\r\n\
             access-control-request-method: POST\r\naccess-control-request-headers: content-type\r\n\r\n"
        )
    };
    let (head, _) = ask_rules(&preflight("https://app.example"), app());
    assert!(head.contains("access-control-allow-origin: https://app.example"), "{head}");
    assert!(head.contains("access-control-allow-headers: content-type"), "{head}");
    assert!(!ask_rules(&preflight("https://evil.example"), app()).0.contains("allow-origin"));
    let (head, _) = ask_rules(&post(&format!("{JSON}origin: https://app.example\r\n"), CALL), app());
    assert!(head.contains("access-control-allow-origin: https://app.example"), "{head}");
    assert!(!ask_rules(&preflight("https://app.example"), open()).0.contains("allow-origin"));
    let local = || Listener { hosts: crate::Hosts::default(), ..open() };
    let (head, body) = ask_rules(&post(JSON, CALL), local());
    assert!(head.starts_with("http/1.1 403") && body == b"invalid host specified\n", "{head}");
    let here = post(JSON, CALL).replace("host: x", "host: 127.0.0.1:8545");
    assert!(ask_rules(&here, local()).0.starts_with("http/1.1 200"));
}

#[test]
fn namespaces_tokens_and_rates_are_kept() {
    use crate::access::{Access, Proof};
    use crate::identity::Identity;
    let rules = || {
        let identity = Identity::new("reader".to_owned(), None, false, Some(2));
        let access = Access::new([(Proof::Bearer("t0ken".to_owned()), identity)]);
        Listener {
            namespaces: Some(vec!["echo".to_owned(), "fail".to_owned()]),
            access: Some(Arc::new(access)),
            ..open()
        }
    };
    let (head, _) = ask_rules(&post(JSON, CALL), rules());
    assert!(head.starts_with("http/1.1 401") && head.contains("www-authenticate: bearer"), "{head}");
    let known = format!("{JSON}authorization: Bearer t0ken\r\n");
    let batch = format!("[{},{CALL},{CALL}]", CALL.replace("echo", "big"));
    let (head, body) = ask_rules(&post(&known, &batch), rules());
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let answers: Vec<serde_json::Value> = serde_json::from_slice(&body).expect("a list");
    let codes: Vec<_> = answers.iter().map(|answer| answer["error"]["code"].as_i64()).collect();
    assert_eq!(codes, [Some(-32601), None, None]);
    let batch = format!("[{CALL},{CALL},{CALL}]");
    let (_, body) = ask_rules(&post(&known, &batch), rules());
    let answers: Vec<serde_json::Value> = serde_json::from_slice(&body).expect("a list");
    assert_eq!(answers[2]["error"]["code"], -32005);
    let modules = CALL.replace("echo", "rpc_modules");
    let (_, body) = ask_rules(&post(&known, &modules), rules());
    assert_eq!(String::from_utf8_lossy(&body), r#"{"jsonrpc":"2.0","id":1,"result":{"echo":"1.0"}}"#);
    // The document describes methods to callers that may call them, and no more of it than they may.
    let get = |headers: &str| {
        format!("GET /openrpc.json HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n")
    };
    assert!(ask_rules(&get(""), rules()).0.starts_with("http/1.1 401"));
    let (_, body) = ask_rules(&get("authorization: Bearer t0ken\r\n"), rules());
    let document: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(document["methods"].as_array().map(Vec::len), Some(1), "{document}");
    let closed = Listener { http: false, ..open() };
    assert!(ask_rules(&post(JSON, CALL), closed).0.starts_with("http/1.1 404"));
}

#[test]
fn ipc_values_need_no_newlines() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let path = std::env::temp_dir().join(format!("maidenlane-serve-{}.ipc", std::process::id()));
        let socket = crate::ipc::bind(&path, 0o600).expect("free");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let until = async {
            let _ = stopped.await;
        };
        let serving = serve(Socket::Unix(socket), Arc::new(Fake::default()), Arc::new(open()), until);
        let client = async {
            let mut stream = UnixStream::connect(&path).await.expect("it listens");
            let subscribe = CALL.replace("echo", "eth_subscribe").replace("[1]", "[\"count\",1]");
            stream.write_all(format!("{CALL}[{CALL}]{subscribe}").as_bytes()).await.expect("it reads");
            let mut lines = String::new();
            while lines.lines().count() < 4 {
                let mut bytes = [0; 1_000];
                let read = stream.read(&mut bytes).await.expect("it answers");
                lines.push_str(std::str::from_utf8(&bytes[..read]).expect("text"));
            }
            let lines: Vec<&str> = lines.lines().collect();
            assert_eq!(lines[0], r#"{"jsonrpc":"2.0","id":1,"result":[1]}"#);
            assert_eq!(lines[1], r#"[{"jsonrpc":"2.0","id":1,"result":[1]}]"#);
            assert!(lines[3].contains("eth_subscription") && lines[3].contains("\"result\":\"0x0\""));
            stream.write_all(b" oops").await.expect("it reads");
            let mut rest = String::new();
            stream.read_to_string(&mut rest).await.expect("it closes");
            assert!(rest.contains("-32700"), "{rest}");
            stop.send(()).expect("it runs");
        };
        let (served, ()) = tokio::join!(serving, client);
        served.expect("a clean stop");
        std::fs::remove_file(&path).expect("ours");
    });
}

#[test]
fn answers_that_nobody_reads_are_bounded_over_all_connections() {
    let limits = Limits { answer_bytes: 100_000, ..Limits::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (rules, api) = (Arc::new(Listener::open(limits)), Arc::new(Fake::default()));
        let (_closing, closed) = watch::channel(false);
        let mut serving = JoinSet::new();
        let big = CALL.replace("echo", "big").replace("[1]", "[99000]");
        let mut ask = async |body: &str| {
            let (mut client, stream) = tokio::io::duplex(1 << 10);
            serving.spawn(connection(
                stream,
                Client::default(),
                Arc::clone(&api),
                Arc::clone(&rules),
                closed.clone(),
            ));
            client.write_all(post(JSON, body).as_bytes()).await.expect("it reads");
            let mut begun = [0; 1_000];
            let read = client.read(&mut begun).await.expect("it answers");
            (client, String::from_utf8_lossy(&begun[..read]).into_owned())
        };
        let mut unread = Vec::new();
        let refused = loop {
            let (client, begun) = ask(&big).await;
            if begun.contains("content-length: 99") {
                unread.push(client);
                assert!(unread.len() < 100, "no bound");
            } else {
                break begun;
            }
        };
        assert!(unread.len() >= 16, "{}: half of all", unread.len());
        assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("-32005"), "{refused}");
        assert!(ask(CALL).await.1.contains("\"result\":[1]"), "small answers have room");
        drop(unread);
        // Their connections end as soon as they are polled.
        tokio::task::yield_now().await;
        let again = ask(&big).await.1;
        assert!(again.contains("content-length: 99"), "{again}");
    });
}
