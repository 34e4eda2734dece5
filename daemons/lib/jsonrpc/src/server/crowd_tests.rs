//! Tests with many clients that do nothing, and with slow ones.

use super::tests::serving;
use super::*;
use crate::Limits;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"echo","params":[1]}"#;
const UPGRADE: &str = "GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                       sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn with<C: Future<Output = ()>>(limits: Limits, client: impl FnOnce(std::net::SocketAddr) -> C) {
    serving(Listener::open(limits), client);
}

/// Answer to one call on a connection of its own.
async fn ask(address: std::net::SocketAddr) -> String {
    call(TcpStream::connect(address).await.expect("it listens")).await
}

async fn call(mut stream: TcpStream) -> String {
    let request = format!(
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{CALL}",
        CALL.len()
    );
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    answer
}

/// One number of `/proc/self/…`, by the word before it.
fn proc(file: &str, word: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/self/{file}")).expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix(word)).expect("a line of it");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn idle_connections_do_no_harm() {
    // Both ends are this process's, and others run beside this test.
    let room = usize::try_from(proc("limits", "Max open files") / 2 - 100).expect("small");
    let wanted = if std::env::var_os("MAIDENLANE_LONG").is_some() { 10_000 } else { 1_000 };
    let count = wanted.min(room);
    with(Limits { connections: count + 10, ..Limits::default() }, async |address| {
        let before_kb = proc("status", "VmRSS:");
        let mut idle = Vec::new();
        for index in 0..count {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            if index % 2 == 0 {
                stream.write_all(UPGRADE.as_bytes()).await.expect("it reads");
                let mut head = [0; 12];
                stream.read_exact(&mut head).await.expect("it answers");
                assert_eq!(&head, b"HTTP/1.1 101");
            }
            idle.push(stream);
        }
        let start = Instant::now();
        for _ in 0..100 {
            assert!(ask(address).await.contains("\"result\":[1]"));
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{:?} for 100 calls", start.elapsed());
        let each_kb = (proc("status", "VmRSS:") - before_kb) / count as u64;
        assert!(each_kb < 48, "{each_kb} kB per idle connection");
        drop(idle);
    });
}

#[test]
fn more_than_allowed_wait_and_are_served_in_turn() {
    with(Limits { connections: 1, ..Limits::default() }, async |address| {
        let first = TcpStream::connect(address).await.expect("it listens");
        let second = ask(address);
        tokio::pin!(second);
        assert!(tokio::time::timeout(Duration::from_millis(100), second.as_mut()).await.is_err());
        drop(first);
        assert!(second.await.contains("\"result\":[1]"));
    });
}

#[test]
fn who_takes_every_connection_loses_some_to_others() {
    const COUNT: usize = 4;
    with(Limits { connections: COUNT, ..Limits::default() }, async |address| {
        let mut held = Vec::new();
        for _ in 0..COUNT * 2 + 1 {
            held.push(TcpStream::connect(address).await.expect("it listens"));
        }
        let elsewhere = async || {
            let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
            socket.bind("127.0.0.2:0".parse().expect("an address")).expect("all of 127 is here");
            socket.connect(address).await.expect("it listens")
        };
        let kept = elsewhere().await;
        assert!(call(elsewhere().await).await.contains("\"result\":[1]"), "a second one beside it");
        assert!(call(kept).await.contains("\"result\":[1]"));
        for (at, mut stream) in held.into_iter().take(COUNT).enumerate() {
            let ended = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut [0])).await;
            assert_eq!(ended.is_ok(), at < 2, "the oldest had to go: {at}");
        }
    });
}

#[test]
fn a_request_that_does_not_arrive_ends() {
    let limits = Limits { read: Duration::from_millis(100), connections: 1, ..Limits::default() };
    with(limits, async |address| {
        let torn_head = "POST / HTTP/1.1\r\nhost: x\r\n";
        let torn_body =
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n[";
        for (torn, status) in [(torn_head, ""), (torn_body, "HTTP/1.1 408")] {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            stream.write_all(torn.as_bytes()).await.expect("it reads");
            let mut answer = String::new();
            let ended =
                tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut answer)).await;
            assert!(ended.is_ok() && answer.starts_with(status), "{answer}");
        }
    });
}
