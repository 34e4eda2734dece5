//! Tests with clients that say that they send no more, and still wait for their answers: `nc`, scripts, old proxies.

use super::*;
use crate::Limits;
use crate::dispatch::tests::Fake;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Serves the fake on both kinds of socket, sends `request` over each, ends the sending, and gives all that comes back.
fn ask(request: &str, values: &str) -> [String; 2] {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (_closing, closed) = watch::channel(false);
        let heard = |(client, server): (UnixStream, UnixStream), text: String| {
            let (api, rules) = (Arc::new(Fake::default()), Arc::new(Listener::open(Limits::default())));
            let closed = closed.clone();
            async move {
                let serving = async {
                    match text.starts_with("POST") {
                        true => connection(server, Client::default(), api, rules, closed).await,
                        false => welcome(Accepted::Unix(server), api, rules, closed).await,
                    }
                };
                let asking = async {
                    let mut client = client;
                    client.write_all(text.as_bytes()).await.expect("it reads");
                    client.shutdown().await.expect("its own half");
                    let mut answer = String::new();
                    client.read_to_string(&mut answer).await.expect("it closes");
                    answer
                };
                tokio::join!(serving, asking).1
            }
        };
        let pair = || UnixStream::pair().expect("two sockets");
        [heard(pair(), request.to_owned()).await, heard(pair(), values.to_owned()).await]
    })
}

fn post(body: &str) -> String {
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

#[track_caller]
fn check(calls: &[(&str, &str)]) {
    let body = |method: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":[1]}}"#);
    let requests: String = calls.iter().map(|(method, _)| post(&body(method))).collect();
    let values: String = calls.iter().map(|(method, _)| body(method)).collect();
    for heard in ask(&requests, &values) {
        for (_, answer) in calls {
            assert!(heard.contains(answer), "{heard}");
        }
    }
}

#[test]
fn answers_reach_clients_that_send_no_more() {
    check(&[("echo", r#""result":[1]"#)]);
    check(&[("late", r#""result":true"#)]);
    check(&[("late", r#""result":true"#), ("big", r#""result":"x""#), ("late", r#""result":true"#)]);
    // Its own time limit ends a call, not that nothing more comes.
    check(&[("hang", "-32002")]);
}

#[test]
fn a_request_that_is_cut_is_none() {
    let call = post(r#"{"jsonrpc":"2.0","id":1,"method":"late"}"#);
    let [http, ipc] = ask(&call[..call.len() - 1], r#"{"jsonrpc":"2.0","id":1,"method":"late""#);
    assert!(!http.contains("result") && ipc.is_empty(), "{http} {ipc}");
}
