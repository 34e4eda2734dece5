//! Tests of what clients sent before a stop and the server had not read.

use super::*;
use crate::Limits;
use crate::dispatch::tests::Fake;
use std::io::{Read as _, Write as _};

/// Request whose connection the kernel holds when the server is told to stop.
#[test]
fn a_request_from_before_a_stop_is_answered() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    socket.set_nonblocking(true).expect("for tokio");
    let mut client = std::net::TcpStream::connect(socket.local_addr().expect("bound")).expect("the kernel");
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"echo","params":[1]}"#;
    let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    write!(client, "{head}content-length: {}\r\n\r\n{body}", body.len()).expect("the kernel");
    let (api, rules) = (Arc::new(Fake::default()), Arc::new(Listener::open(Limits::default())));
    runtime.block_on(async {
        let socket = TcpListener::from_std(socket).expect("a socket");
        serve(socket, api, rules, std::future::ready(())).await.expect("it served");
    });
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("no reset");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("[1]"), "{answer}");
}
