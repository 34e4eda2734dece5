//! One replica behind several listeners, each with rules of its own.

use std::fs;
use std::io::{BufRead as _, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use maidenlane_tests::scenario::{Carrier, Chain, Net, Plan};
use maidenlane_tests::socket::Socket;
use serde_json::{Value, json};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"METHOD","params":["0x0"]}"#;

/// Status and body of one request over HTTP.
fn post(address: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{headers}\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

/// One message and its answer, on anything that carries lines.
fn talk(stream: &mut (impl std::io::Read + std::io::Write), body: &str) -> Value {
    stream.write_all(body.as_bytes()).unwrap();
    let mut line = String::new();
    std::io::BufReader::new(stream).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

#[test]
fn listeners_keep_their_rules() {
    let plan = Plan { chain: Chain::Developer, carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::build(&plan).unwrap();
    let (socket, token) = (net.dir().join("rpc.ipc"), net.dir().join("token"));
    fs::write(&token, "t0ken\n").unwrap();
    let guard = |text: &str| {
        let (before, rest) = text.split_once("listeners = [").unwrap();
        let (all, after) = rest.split_once("], methodTimeouts").unwrap();
        let listeners = format!(
            "let all = {all} in [ all // {{ namespaces = [ \"eth\" ] }}, all // {{ name = \"ipc\", listen = \"{}\" }}\n\
             , all // {{ name = \"guarded\", access = [ {{ name = \"someone\", maySend = False, seesAll = False, tag = None Text, callsPerSecond = None Natural, requests_MB_per_min = None Natural\n\
             , namespaces = None (List Text), proof = < Bearer : Text | Certificate : Text | Jwt : Text >.Bearer \"{}\" }} ] }} ]",
            socket.display(),
            token.display()
        );
        format!("{before}listeners = ({listeners}), methodTimeouts{after}")
    };
    net.replica_daemon(0).unwrap().edit(guard).unwrap();
    net.start().unwrap();

    let replica = net.replica_daemon(0).unwrap();
    let (public, guarded) = (replica.address("rpc").unwrap(), replica.address("guarded").unwrap());
    let number = CALL.replace("METHOD", "eth_blockNumber").replace("\"0x0\"", "");
    let raw = CALL.replace("METHOD", "debug_getRawHeader");
    // The public one serves blocks, not their insides; the socket, by which the operator comes, serves both.
    assert!(post(&public, "", &number).1.contains("\"result\":\"0x"));
    assert!(post(&public, "", &raw).1.contains("-32601"));
    let mut connection = Socket::connect(&public).unwrap();
    assert!(connection.respond("eth_blockNumber", &json!([])).unwrap()["result"].is_string());
    assert_eq!(connection.respond("debug_getRawHeader", &json!(["0x0"])).unwrap()["error"]["code"], -32601);
    let mut stream = UnixStream::connect(&socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert!(talk(&mut stream, &number)["result"].is_string());
    assert!(talk(&mut stream, &raw)["result"].as_str().unwrap().starts_with("0xf9"));
    assert_eq!(post(&guarded, "", &number).0, 401);
    assert!(post(&guarded, "authorization: Bearer t0ken\r\n", &number).1.contains("\"result\":\"0x"));
    drop((stream, connection));
    net.stop().unwrap();
    assert!(!socket.exists(), "the socket goes with the daemon");
}
