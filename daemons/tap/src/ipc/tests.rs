//! Tests of the IPC client against a fake geth that answers with a script of writes.

use super::{Client, Error};
use serde_json::json;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(10);

/// Calls once; the other side reads the request and writes `answers` one by one, then closes unless it is to `hang`.
fn check(answers: &[&str], hang: bool, expect: Result<serde_json::Value, &str>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("geth.ipc");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::scope(|scope| {
        let (done, wait) = std::sync::mpsc::sync_channel::<()>(1);
        scope.spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).unwrap();
            for answer in answers {
                stream.write_all(answer.as_bytes()).unwrap();
            }
            if hang {
                let _ = wait.recv_timeout(LONG);
            }
        });
        let mut client = Client::connect(&path).unwrap();
        let deadline = if hang && expect.is_err() { Duration::from_millis(50) } else { LONG };
        let got = client.call::<serde_json::Value>("eth_test", &json!([]), deadline);
        match (got, expect) {
            (Ok(got), Ok(expect)) => assert_eq!(got, expect),
            (Err(error), Err(text)) => assert!(error.to_string().contains(text), "{error}"),
            (got, expect) => panic!("{got:?} instead of {expect:?}"),
        }
        drop(done);
    });
}

#[test]
fn answers_are_found_between_other_messages_and_in_pieces() {
    let note = r#"{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x1","result":7}}"#;
    check(&[note, r#"{"jsonrpc":"2.0","id":1,"res"#, r#"ult":{"a":"}"}}"#], true, Ok(json!({"a": "}"})));
    check(&[r#"{"jsonrpc":"2.0","id":1,"result":null}"#], true, Ok(json!(null)));
}

#[test]
fn failures_are_told_apart() {
    check(&[r#"{"id":1,"error":{"code":-32601,"message":"no such method"}}"#], true, Err("-32601: no such"));
    check(&[], true, Err("did not answer eth_test within 50 ms"));
    check(&[r#"{"id":1,"#], false, Err("closed"));
    check(&["nonsense}"], true, Err("makes no sense"));
}

#[test]
fn a_missing_socket_is_named() {
    let error = Client::connect(std::path::Path::new("/nonexistent/geth.ipc")).unwrap_err();
    assert!(matches!(error, Error::Socket { .. }) && error.to_string().contains("/nonexistent/geth.ipc"));
}

#[test]
fn many_calls_at_once_get_their_own_answers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("geth.ipc");
    let listener = UnixListener::bind(&path).unwrap();
    let geth = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut requests = Vec::new();
        while requests.iter().filter(|byte| **byte == b'\n').count() < 3 {
            let mut chunk = [0; 4096];
            let count = stream.read(&mut chunk).unwrap();
            requests.extend_from_slice(&chunk[..count]);
        }
        // Whoever is done first answers first.
        for id in [3, 1, 2] {
            stream
                .write_all(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{}}}"#, id * 10).as_bytes())
                .unwrap();
        }
        String::from_utf8(requests).unwrap()
    });
    let mut client = Client::connect(&path).unwrap();
    let params = [json!(["a"]), json!(["b"]), json!(["c"])];
    assert_eq!(client.call_all::<u64>("eth_test", &params, LONG).unwrap(), [10, 20, 30]);
    let asked = geth.join().unwrap();
    for (id, name) in [(1, "a"), (2, "b"), (3, "c")] {
        let line = asked.lines().find(|line| line.contains(&format!("\"id\":{id}"))).unwrap();
        assert!(line.contains(&format!("[\"{name}\"]")), "{line}");
    }
}
