//! A node as an emitter may meet one: a real node behind a door that is slow, lies, limits, swallows answers or claims
//! another chain. What it does not spoil is the real node's.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use maidenlane_tests::rpc::Client;

/// Largest request.
const BODY_MAX_BYTES: u64 = 8 << 20;

/// Way in which the door treats transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As the node does.
    Honest,
    /// No answer for so long, and nothing reaches the node before that.
    Slow(Duration),
    /// The node gets it, and its answer is lost.
    Swallowing,
    /// The answer names another transaction, and the node gets nothing.
    Lying,
    /// HTTP 429, with JSON of some proxy's own.
    Limiting,
    /// Another chain id; the node would get what is sent.
    Foreign,
    /// Blocks with other hashes than the node's.
    Forked,
    /// Balances that are not the node's, by whatever method.
    Misstating,
    /// Answers that are late by so much.
    Late(Duration),
    /// A refusal in these words.
    Refusing(&'static str),
}

/// The door. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Crooked {
    address: String,
    manner: Arc<Mutex<Manner>>,
    came: Arc<AtomicUsize>,
    closed: Arc<AtomicBool>,
}

impl Crooked {
    /// A door in front of `node`.
    pub(crate) fn open(node: &Client, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (manner, came) = (Arc::new(Mutex::new(manner)), Arc::new(AtomicUsize::new(0)));
        let closed = Arc::new(AtomicBool::new(false));
        let door = Door { node: node.clone(), manner: Arc::clone(&manner), came: Arc::clone(&came) };
        let shut = Arc::clone(&closed);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shut.load(Ordering::Relaxed) {
                    return;
                }
                let door = door.clone();
                // A client that goes away ends its thread.
                thread::spawn(move || drop(door.serve(&stream)));
            }
        });
        Self { address, manner, came, closed }
    }

    /// Address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes its manner.
    pub(crate) fn be(&self, manner: Manner) {
        *self.manner.lock().unwrap_or_else(PoisonError::into_inner) = manner;
    }

    /// Number of transactions that came.
    pub(crate) fn came(&self) -> usize {
        self.came.load(Ordering::Relaxed)
    }
}

impl Drop for Crooked {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        // Wakes the listener.
        drop(TcpStream::connect(&self.address));
    }
}

#[derive(Clone)]
struct Door {
    node: Client,
    manner: Arc<Mutex<Manner>>,
    came: Arc<AtomicUsize>,
}

impl Door {
    /// Serves one connection, request by request.
    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        loop {
            let mut length = 0;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                if line.trim().is_empty() {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
            }
            let mut body = vec![0; usize::try_from(BODY_MAX_BYTES.min(length)).unwrap_or_default()];
            reader.read_exact(&mut body)?;
            let Some((status, answer)) = self.answer(&body) else { return Ok(()) };
            let length = answer.len();
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
            );
            let mut out = stream;
            out.write_all(head.as_bytes())?;
            out.write_all(answer.as_bytes())?;
        }
    }

    /// Answer to a batch, or of a door that alters answers: batches are all that a checker sends.
    fn altered(&self, asked: &Value) -> Option<Option<(&'static str, String)>> {
        let manner = *self.manner.lock().unwrap_or_else(PoisonError::into_inner);
        let alters = matches!(manner, Manner::Forked | Manner::Misstating | Manner::Late(_));
        if !alters && !asked.is_array() {
            return None;
        }
        let mut asked = asked.clone();
        if manner == Manner::Forked {
            hashes(&mut asked, "blockHash");
        }
        let Ok((_, answer)) = self.node.post(&asked.to_string()) else { return Some(None) };
        let mut answer: Value = serde_json::from_str(&answer).ok()?;
        match manner {
            Manner::Forked => hashes(&mut answer, "hash"),
            Manner::Misstating => balances(&asked, &mut answer),
            Manner::Late(time) => thread::sleep(time),
            _ => {}
        }
        Some(Some(("200 OK", answer.to_string())))
    }

    /// Status and body; `None` closes the connection without a word.
    fn answer(&self, body: &[u8]) -> Option<(&'static str, String)> {
        let asked: Value = serde_json::from_slice(body).ok()?;
        if let Some(answer) = self.altered(&asked) {
            return answer;
        }
        let id = asked.get("id").cloned().unwrap_or_default();
        let manner = *self.manner.lock().unwrap_or_else(PoisonError::into_inner);
        let forward = || {
            let text = std::str::from_utf8(body).ok()?;
            self.node.post(text).ok().map(|(_, answer)| ("200 OK", answer))
        };
        let result = |result: Value| {
            Some(("200 OK", json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string()))
        };
        match (asked.get("method").and_then(Value::as_str)?, manner) {
            ("eth_chainId", Manner::Foreign) => result(json!("0x7a69")),
            ("eth_sendRawTransaction", manner) => {
                self.came.fetch_add(1, Ordering::Relaxed);
                match manner {
                    Manner::Honest
                    | Manner::Foreign
                    | Manner::Forked
                    | Manner::Misstating
                    | Manner::Late(_) => forward(),
                    Manner::Slow(time) => {
                        thread::sleep(time);
                        None
                    }
                    Manner::Swallowing => forward().and(None),
                    Manner::Lying => result(json!(format!("0x{}", "ab".repeat(32)))),
                    Manner::Limiting => {
                        Some(("429 Too Many Requests", json!({"message": "slow down"}).to_string()))
                    }
                    Manner::Refusing(text) => {
                        let error = json!({"code": -32000, "message": text});
                        Some(("200 OK", json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string()))
                    }
                }
            }
            _ => forward(),
        }
    }
}

/// Makes all hashes in fields of that name others; twice, it makes them what they were.
fn hashes(value: &mut Value, name: &str) {
    match value {
        Value::Array(each) => each.iter_mut().for_each(|one| hashes(one, name)),
        Value::Object(fields) => {
            for (field, value) in fields {
                match value.as_str() {
                    Some(hash) if field == name && hash.len() == 66 => {
                        let (first, rest) = hash[2..].split_at(1);
                        let other = 15 - u8::from_str_radix(first, 16).unwrap_or(0);
                        *value = json!(format!("0x{other:x}{rest}"));
                    }
                    _ => hashes(value, name),
                }
            }
        }
        _ => {}
    }
}

/// Makes all balances others.
fn balances(asked: &Value, answer: &mut Value) {
    if let (Some(asked), Some(answers)) = (asked.as_array(), answer.as_array_mut()) {
        for one in answers {
            if let Some(call) = asked.iter().find(|call| call.get("id") == one.get("id")) {
                balances(call, one);
            }
        }
        return;
    }
    let wrong = match asked.get("method").and_then(Value::as_str) {
        Some("eth_getBalance") => json!("0xbad"),
        Some("eth_call") => json!(format!("0x{:0>64}", "bad")),
        _ => return,
    };
    if let Some(result) = answer.get_mut("result") {
        *result = wrong;
    }
}
