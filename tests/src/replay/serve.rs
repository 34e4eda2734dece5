//! The listeners of a replayed geth: its IPC socket with filters for its heads, and HTTP.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    sync::Arc,
    thread,
};

use serde_json::{Deserializer, Value, json};

use super::{Shared, WRITE_TIMEOUT};

/// No question of ours is longer.
const BODY_MAX_BYTES: u64 = 1 << 20;
/// A request's line and headers together.
const HEAD_MAX_BYTES: u64 = 64 << 10;

/// Takes taps until the master is closed.
pub(super) fn socket(shared: &Arc<Shared>, listener: &UnixListener) {
    serve(shared, listener.incoming(), converse);
}

/// Takes HTTP clients until the master is closed.
pub(super) fn http(shared: &Arc<Shared>, listener: &TcpListener) {
    serve(shared, listener.incoming(), exchange);
}

fn serve<S: Send + 'static>(
    shared: &Arc<Shared>,
    incoming: impl Iterator<Item = std::io::Result<S>>,
    talk: fn(&Shared, &S) -> std::io::Result<()>,
) {
    for stream in incoming.map_while(Result::ok) {
        if shared.announced().closed {
            return;
        }
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // Whoever hangs up is done.
            let _gone = talk(&shared, &stream);
        });
    }
}

fn converse(shared: &Shared, stream: &UnixStream) -> std::io::Result<()> {
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    for request in Deserializer::from_reader(BufReader::new(stream)).into_iter::<Value>() {
        let request = request?;
        writeln!(&*stream, "{}", with_id(answer(shared, &request), &request))?;
    }
    Ok(())
}

/// Answers one request after the other on one connection.
fn exchange(shared: &Shared, stream: &TcpStream) -> std::io::Result<()> {
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(length) = body_length(&mut reader)? {
        let mut body = Vec::new();
        reader.by_ref().take(length.min(BODY_MAX_BYTES)).read_to_end(&mut body)?;
        let request: Value = serde_json::from_slice(&body)?;
        if shared.announced().closed {
            break;
        }
        let text = with_id(answer(shared, &request), &request).to_string();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length";
        write!(&*stream, "{head}: {}\r\n\r\n{text}", text.len())?;
    }
    Ok(())
}

/// Reads a request's head; `None` when the client has hung up.
fn body_length(reader: &mut impl BufRead) -> std::io::Result<Option<u64>> {
    let (mut length, mut head) = (0, reader.take(HEAD_MAX_BYTES));
    loop {
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap_or(0);
            }
            None if line.trim_end().is_empty() => return Ok(Some(length)),
            _ => {}
        }
    }
}

fn answer(shared: &Shared, request: &Value) -> Value {
    let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
    shared.answer(method, request.get("params").unwrap_or(&json!([])))
}

fn with_id(mut answer: Value, request: &Value) -> Value {
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("id".to_owned(), request.get("id").cloned().unwrap_or(Value::Null));
    }
    answer
}
