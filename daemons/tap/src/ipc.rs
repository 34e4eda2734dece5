//! JSON-RPC over geth's unix socket: calls with deadlines.
//!
//! Messages follow each other without a frame around them, so the stream is cut where a JSON value ends.

use maidenlane_service::clock::millis;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// A longer message is refused: the largest block with its receipts is far below it.
const MESSAGE_MAX_BYTES: usize = 256 << 20;
const CHUNK_BYTES: usize = 64 << 10;

/// A failure between the tap and its master.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// The socket cannot be reached or broke.
    #[error("geth's socket {path}: {what}")]
    Socket {
        path: String,
        what: &'static str,
        #[source]
        source: std::io::Error,
    },
    /// geth closed the connection.
    #[error("geth closed the connection")]
    Closed,
    /// No answer in time.
    #[error("geth did not answer {method} within {waited_ms} ms")]
    Timeout { method: String, waited_ms: u64 },
    /// geth refused a call.
    #[error("geth answered {method} with error {code}: {message}")]
    Refused { method: String, code: i64, message: String },
    /// An answer that is not what JSON-RPC or the method promises.
    #[error("geth's answer to {method} makes no sense: {what}")]
    Nonsense { method: String, what: String },
}

impl Error {
    /// True if the connection is still good after this error: geth understood the call and refused it.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

#[derive(Deserialize)]
struct Incoming {
    id: Option<u64>,
    result: Option<Box<RawValue>>,
    error: Option<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    code: i64,
    message: String,
}

/// A connection to geth.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    path: String,
    buffer: Vec<u8>,
    next_id: u64,
}

impl Client {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    /// [`Error::Socket`].
    pub fn connect(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let stream = UnixStream::connect(path).map_err(|source| Error::Socket {
            path: name.clone(),
            what: "connect",
            source,
        })?;
        Ok(Self::over(stream, &name))
    }

    fn over(stream: UnixStream, path: &str) -> Self {
        Self { stream, path: path.to_owned(), buffer: Vec::new(), next_id: 1 }
    }

    /// Calls `method` and waits for its answer.
    ///
    /// # Errors
    /// Every [`Error`]; after all but [`Error::Refused`] the connection is of no more use.
    pub fn call<T: DeserializeOwned>(
        &mut self,
        method: &str,
        params: &serde_json::Value,
        deadline: Duration,
    ) -> Result<T, Error> {
        let mut answers = self.call_all(method, std::slice::from_ref(params), deadline)?;
        answers.pop().ok_or(Error::Closed)
    }

    /// Calls `method` once with each of `params`, all at the same time, and waits for the answers.
    ///
    /// # Errors
    /// As [`Client::call`], the first that comes.
    pub fn call_all<T: DeserializeOwned>(
        &mut self,
        method: &str,
        params: &[serde_json::Value],
        deadline: Duration,
    ) -> Result<Vec<T>, Error> {
        let until = Instant::now() + deadline;
        let first = self.next_id;
        let mut requests = String::new();
        for (id, params) in (first..).zip(params) {
            let request = serde_json::json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
            requests = requests + &request.to_string() + "\n";
            self.next_id = id + 1;
        }
        self.send(requests.as_bytes(), deadline)?;
        let mut answers = BTreeMap::new();
        while answers.len() < params.len() {
            let late = || Error::Timeout { method: method.to_owned(), waited_ms: millis(deadline) };
            let message = self.receive(until)?.ok_or_else(late)?;
            let Some(id) = message.id.filter(|id| *id >= first) else { continue };
            if let Some(Problem { code, message }) = message.error {
                return Err(Error::Refused { method: method.to_owned(), code, message });
            }
            let text = message.result.as_deref().map_or("null", RawValue::get);
            let answer = serde_json::from_str(text)
                .map_err(|error| Error::Nonsense { method: method.to_owned(), what: error.to_string() })?;
            answers.insert(id, answer);
        }
        Ok(answers.into_values().collect())
    }

    fn send(&mut self, bytes: &[u8], deadline: Duration) -> Result<(), Error> {
        let sent = self.stream.set_write_timeout(Some(at_least_one_ms(deadline)));
        let sent = sent.and_then(|()| self.stream.write_all(bytes));
        sent.map_err(|source| Error::Socket { path: self.path.clone(), what: "write", source })
    }

    /// The next message, or `None` at `until`.
    fn receive(&mut self, until: Instant) -> Result<Option<Incoming>, Error> {
        loop {
            if let Some(message) = self.cut()? {
                return Ok(Some(message));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            match self.fill(left) {
                Ok(0) => return Err(Error::Closed),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::Socket { path: self.path.clone(), what: "read", source }),
            }
        }
    }

    fn fill(&mut self, wait: Duration) -> std::io::Result<usize> {
        let mut chunk = vec![0; CHUNK_BYTES];
        self.stream.set_read_timeout(Some(at_least_one_ms(wait)))?;
        let count = self.stream.read(&mut chunk)?;
        self.buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
        Ok(count)
    }

    /// Takes one whole message off the buffer.
    fn cut(&mut self) -> Result<Option<Incoming>, Error> {
        // A message ends with a brace: anything else is not worth parsing a large buffer for.
        if self.buffer.trim_ascii_end().last() != Some(&b'}') {
            return self.refuse_flood();
        }
        let mut values = serde_json::Deserializer::from_slice(&self.buffer).into_iter::<Incoming>();
        let next = values.next();
        let consumed = values.byte_offset();
        match next {
            None => Ok(None),
            Some(Ok(message)) => {
                self.buffer.drain(..consumed);
                Ok(Some(message))
            }
            Some(Err(error)) if error.is_eof() => self.refuse_flood(),
            Some(Err(error)) => {
                Err(Error::Nonsense { method: "the connection".to_owned(), what: error.to_string() })
            }
        }
    }

    fn refuse_flood(&self) -> Result<Option<Incoming>, Error> {
        if self.buffer.len() <= MESSAGE_MAX_BYTES {
            return Ok(None);
        }
        let what = format!("a message of more than {MESSAGE_MAX_BYTES} bytes");
        Err(Error::Nonsense { method: "the connection".to_owned(), what })
    }
}

fn at_least_one_ms(wait: Duration) -> Duration {
    wait.max(Duration::from_millis(1))
}

#[cfg(test)]
mod tests;
