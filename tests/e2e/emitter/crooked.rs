//! A node as an emitter may meet one: a real node behind a door that is slow, lies, limits, swallows answers or claims
//! another chain. What it does not spoil is the real node's.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::door::{Answer, Door};
use maidenlane_tests::rpc::Client;

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
    /// A refusal in these words.
    Refusing(&'static str),
}

/// The node and its door.
#[derive(Debug)]
pub(crate) struct Crooked {
    door: Door,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    node: Client,
    manner: Mutex<Manner>,
    came: AtomicUsize,
}

impl Crooked {
    /// A door in front of `node`.
    pub(crate) fn open(node: &Client, manner: Manner) -> Self {
        let (manner, came) = (Mutex::new(manner), AtomicUsize::new(0));
        let state = Arc::new(State { node: node.clone(), manner, came });
        let answering = Arc::clone(&state);
        Self { door: Door::open(move |request| answering.answer(&request.body)), state }
    }

    /// Address.
    pub(crate) fn url(&self) -> String {
        self.door.url()
    }

    /// Changes its manner.
    pub(crate) fn be(&self, manner: Manner) {
        *self.state.manner.lock().unwrap_or_else(PoisonError::into_inner) = manner;
    }

    /// Number of transactions that came.
    pub(crate) fn came(&self) -> usize {
        self.state.came.load(Ordering::Relaxed)
    }
}

impl State {
    fn answer(&self, body: &[u8]) -> Answer {
        let asked: Value = serde_json::from_slice(body).ok()?;
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
                    Manner::Honest | Manner::Foreign => forward(),
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
