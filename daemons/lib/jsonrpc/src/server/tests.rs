use super::*;
use crate::exchange::tests::Fake;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Serves the fake on one in-memory stream, sends `request`, and gives head and body of the answer.
fn ask(request: &str, limits: Limits) -> (String, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (mut client, stream) = tokio::io::duplex(1 << 16);
        let (_closing, closed) = watch::channel(false);
        let serving = connection(stream, Arc::new(Fake::default()), limits, closed);
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

fn post(headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

const JSON: &str = "content-type: application/json\r\n";
const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"echo","params":[1]}"#;

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
    let (_, body) = ask(&post(&format!("{JSON}x-maidenlane-min-block: soon\r\n"), CALL), Limits::default());
    assert!(body.contains("-32602"), "{body}");
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
        let serving = serve(listener, Arc::new(Fake::default()), Limits::default(), until);
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
