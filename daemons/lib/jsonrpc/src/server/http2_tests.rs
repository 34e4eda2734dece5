//! Tests of HTTP/2 without an upgrade.

use super::http_tests::with;
use super::tests::{CALL, open};
use super::*;
use crate::{Hosts, Limits};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::TokioExecutor;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

type Client = SendRequest<Full<Bytes>>;

/// Client that speaks HTTP/2 from its first byte, with windows of this size; and what ends when its connection does.
async fn http2(address: SocketAddr, window: u32) -> (Client, JoinSet<()>) {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let mut builder = Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window).initial_connection_window_size(window);
    let (client, connection) = builder.handshake(TokioIo::new(stream)).await.expect("HTTP/2");
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let _ = connection.await;
    });
    (client, tasks)
}

fn request(uri: &str, body: &str) -> Request<Full<Bytes>> {
    let builder = Request::post(uri).header("content-type", "application/json");
    builder.body(Full::from(body.to_owned())).expect("a request")
}

async fn heard(response: Response<Incoming>) -> (StatusCode, String) {
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    (head.status, String::from_utf8(body.to_vec()).expect("text"))
}

#[test]
fn http2_is_spoken_to_those_who_begin_with_it() {
    let rules = Listener { hosts: Hosts::default(), ..open() };
    with(rules, async |address| {
        let (client, _tasks) = http2(address, 1 << 16).await;
        let ask = |uri: &str, body: &str| {
            let mut client = client.clone();
            let request = request(uri, body);
            async move { heard(client.send_request(request).await.expect("an answer")).await }
        };
        let large = CALL.replace("echo", "big").replace("[1]", "[300000]");
        let late = CALL.replace("echo", "late");
        let (first, second, third) = tokio::join!(
            ask("http://localhost/", &large),
            ask("http://localhost:1/", &late),
            ask("http://127.0.0.1/", CALL),
        );
        let around = r#"{"jsonrpc":"2.0","id":1,"result":""}"#.len();
        assert_eq!((first.0, first.1.len()), (StatusCode::OK, 300_000 + around));
        assert!(second.1.contains("true"), "{}", second.1);
        assert_eq!(third.1, r#"{"jsonrpc":"2.0","id":1,"result":[1]}"#);
        assert_eq!(ask("http://evil.example/", CALL).await.0, StatusCode::FORBIDDEN);
        assert_eq!(ask("http://localhost/other", CALL).await.0, StatusCode::NOT_FOUND);
        let long = format!("{CALL}{}", " ".repeat(Limits::default().body_bytes));
        assert_eq!(ask("http://localhost/", &long).await.0, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(ask("http://localhost/", CALL).await.0, StatusCode::OK);
    });
}

#[test]
fn http2_requests_are_bounded_in_number_and_end_in_time() {
    let limits = Limits { messages: 2, ..Limits::default() };
    with(Listener::open(limits), async |address| {
        let (client, _tasks) = http2(address, 1 << 16).await;
        let hang = CALL.replace("echo", "hang");
        let ask = |body: &str| {
            let mut client = client.clone();
            let request = request("http://x/", body);
            async move { heard(client.send_request(request).await.expect("an answer")).await }
        };
        assert_eq!(ask(CALL).await.0, StatusCode::OK);
        // More than there is room for wait, and are answered.
        let all = tokio::join!(ask(&hang), ask(&hang), ask(&hang), ask(&hang), ask(CALL));
        assert!([all.0, all.1, all.2, all.3].iter().all(|(_, text)| text.contains("-32002")));
        assert!(all.4.1.contains("[1]"));
    });
}

#[test]
fn http2_connections_without_a_sign_of_life_end() {
    let soon = Duration::from_millis(100);
    let limits = Limits { read: soon, write: soon, ..Limits::default() };
    with(Listener::open(limits), async |address| {
        // One that asks nothing.
        let (_client, mut tasks) = http2(address, 1 << 16).await;
        tasks.join_next().await.expect("one task").expect("no panic");
        // One that takes nothing of its answer.
        let (mut client, mut tasks) = http2(address, 1_000).await;
        let large = CALL.replace("echo", "big").replace("[1]", "[300000]");
        let response = client.send_request(request("http://x/", &large)).await.expect("a head");
        tasks.join_next().await.expect("one task").expect("no panic");
        assert!(response.into_body().collect().await.is_err());
        // One that does not even say what it speaks.
        for first in ["", "PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "POST /"] {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            stream.write_all(first.as_bytes()).await.expect("it reads");
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        }
    });
}
