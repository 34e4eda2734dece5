//! A WebSocket client, as much of one as two programs on one machine need: text both ways.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use crate::failure::{Doing, Failure, Outcome};

/// Whoever says nothing for so long is asked again by [`Socket::notification`]'s caller.
const SILENCE: Duration = Duration::from_millis(200);
/// No test asks for more.
const MESSAGE_MAX: u64 = 64 << 20;

/// One connection with the subscriptions opened on it.
#[derive(Debug)]
pub struct Socket {
    stream: BufReader<TcpStream>,
    /// What came while an answer was waited for.
    early: VecDeque<Value>,
    asked: u64,
}

impl Socket {
    /// Connects to the server at an `http://host:port`.
    ///
    /// # Errors
    /// Nobody is there, or it does not speak WebSocket.
    pub fn connect(url: &str) -> Outcome<Self> {
        let address = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
        let mut stream = TcpStream::connect(address).doing(|| format!("connect to {address}"))?;
        write!(
            stream,
            "GET / HTTP/1.1\r\nhost: {address}\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )?;
        let mut stream = BufReader::new(stream);
        let mut first = String::new();
        stream.read_line(&mut first)?;
        let mut line = first.clone();
        while !line.trim().is_empty() {
            line.clear();
            stream.read_line(&mut line)?;
        }
        if !first.contains(" 101 ") {
            return Err(Failure::new(format!("{address} does not speak WebSocket: {first}")));
        }
        Ok(Self { stream, early: VecDeque::new(), asked: 0 })
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// The connection broke.
    pub fn respond(&mut self, method: &str, params: &Value) -> Outcome<Value> {
        self.asked += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params});
        self.send(0x1, request.to_string().as_bytes())?;
        loop {
            match self.receive()? {
                Some(message) if message.get("id") == Some(&json!(self.asked)) => return Ok(message),
                Some(message) => self.early.push_back(message),
                None => {}
            }
        }
    }

    /// The next notification, or `None` after a moment of silence.
    ///
    /// # Errors
    /// The connection broke.
    pub fn notification(&mut self) -> Outcome<Option<Value>> {
        if let Some(message) = self.early.pop_front() {
            return Ok(Some(message));
        }
        self.receive()
    }

    fn receive(&mut self) -> Outcome<Option<Value>> {
        let mut text = Vec::new();
        loop {
            if text.is_empty() && !self.speaks()? {
                return Ok(None);
            }
            let [first, second] = self.bytes::<2>()?;
            let length = match second & 0x7f {
                126 => u64::from(u16::from_be_bytes(self.bytes()?)),
                127 => u64::from_be_bytes(self.bytes()?),
                short => u64::from(short),
            };
            if length > MESSAGE_MAX {
                return Err(Failure::new(format!("a frame of {length} bytes")));
            }
            let mut payload = Vec::new();
            (&mut self.stream).take(length).read_to_end(&mut payload)?;
            match first & 0x0f {
                0x8 => return Err(Failure::new(format!("closed: {}", String::from_utf8_lossy(&payload)))),
                0x9 => self.send(0xa, &payload)?,
                0xa => {}
                _ => text.extend(payload),
            }
            if first & 0x80 != 0 && first & 0x0f < 0x8 {
                return Ok(Some(serde_json::from_slice(&text)?));
            }
        }
    }

    /// Whether a frame has begun to arrive.
    fn speaks(&mut self) -> Outcome<bool> {
        self.stream.get_ref().set_read_timeout(Some(SILENCE))?;
        let silent = match self.stream.fill_buf() {
            Ok([]) => return Err(Failure::new("the connection has ended")),
            Ok(_) => false,
            Err(error) => {
                let kinds = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut];
                if !kinds.contains(&error.kind()) {
                    return Err(error.into());
                }
                true
            }
        };
        self.stream.get_ref().set_read_timeout(None)?;
        Ok(!silent)
    }

    fn bytes<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// One frame, under a mask of zeros: it hides nothing, and there is nothing to hide.
    fn send(&mut self, kind: u8, payload: &[u8]) -> Outcome<()> {
        // Always the shortest form of the length, as the standard wants it.
        let mut frame = vec![0x80 | kind];
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(length @ 0..=125), _) => frame.push(0x80 | length),
            (_, Ok(length)) => {
                frame.push(0x80 | 126);
                frame.extend(length.to_be_bytes());
            }
            _ => return Err(Failure::new("no request is so long")),
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        Ok(self.stream.get_mut().write_all(&frame)?)
    }
}
