//! Tests of HTTP itself: hosts, sizes, header lines.

use super::tests::{CALL, JSON, ask_rules, open, post, serving};
use super::*;
use crate::{Hosts, Limits};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const PATIENCE: Duration = Duration::from_secs(10);

/// Serves the fake on a real socket and runs `client` against it, which ends in time.
pub(super) fn with<C: Future<Output = ()>>(rules: Listener, client: impl FnOnce(SocketAddr) -> C) {
    serving(rules, async |address| {
        tokio::time::timeout(PATIENCE, client(address)).await.expect("in time");
    });
}

#[test]
fn requests_that_a_server_with_names_cannot_place_are_refused() {
    #[track_caller]
    fn check(line: &str, headers: &str, status: &str) {
        let rules = Listener { hosts: Hosts::default(), ..open() };
        let request = post(JSON, CALL).replace("host: x\r\n", headers).replace("POST / HTTP/1.1", line);
        let (head, _) = ask_rules(&request, rules);
        assert_eq!(&head[9..12], status, "{line} {headers}: {head}");
    }
    check("POST / HTTP/1.1", "host: localhost\r\n", "200");
    check("POST / HTTP/1.1", "", "400");
    check("POST / HTTP/1.1", "host: localhost\r\nhost: localhost\r\n", "400");
    check("POST / HTTP/1.1", "host: local host\r\n", "400");
    check("POST / HTTP/1.1", "host: localhost/\r\n", "400");
    check("POST / HTTP/1.1", "host:\r\n", "200");
    check("POST / HTTP/1.0", "", "200");
    check("POST / HTTP/1.0", "host: other\r\n", "403");
    check("POST http://other/ HTTP/1.1", "host: localhost\r\n", "403");
    check("POST http://other/ HTTP/1.1", "", "400");
    check("POST http://localhost:8545/ HTTP/1.1", "host: other\r\n", "200");
    let socket = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
                  sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    check("GET / HTTP/1.1", socket, "400");
}

#[test]
fn many_header_lines_are_read() {
    let lines: String = (0..200).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let (head, _) = ask_rules(&post(&format!("{JSON}{lines}"), CALL), open());
    assert!(head.starts_with("http/1.1 200"), "{head}");
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_comes() {
    let limits = Limits { read: Duration::from_secs(2), ..Limits::default() };
    let length = limits.body_bytes + 1;
    let head = post(JSON, "").replace("length: 0", &format!("length: {length}"));
    let (answer, body) = ask_rules(&head, Listener::open(limits));
    assert!(answer.starts_with("http/1.1 413"), "{answer}");
    assert_eq!(body, b"content length too large\n");
    // A client that sends it all the same still hears why it was for nothing.
    with(open(), async |address| {
        for chunk in [0, 1 << 10] {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            stream.write_all(head.as_bytes()).await.expect("it reads");
            for part in vec![b' '; length].chunks(length - chunk) {
                let _ = stream.write_all(part).await;
            }
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("no reset");
            assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        }
    });
}
