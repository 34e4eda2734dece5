//! Builders as a relay may meet them: prompt, slow, failing, resetting connections, lying, refusing, or putting what they
//! get into a block.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use maidenlane_tests::{
    door::{Answer, Door, Request},
    rpc::Client,
};

/// Way in which a builder treats what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Everything is taken at once.
    Prompt,
    /// Everything is taken, after so long.
    Slow(Duration),
    /// Nothing is taken: HTTP 503.
    Failing,
    /// Of two requests the first fails.
    FailingHalf,
    /// Of two requests the first loses its connection.
    Resetting,
    /// The answer names another bundle.
    Lying,
    /// A refusal in these words.
    Refusing(&'static str),
    /// Everything is taken, and goes into the next block.
    Including,
}

/// Request that came.
#[derive(Debug, Clone)]
pub(crate) struct Came {
    pub(crate) method: String,
    /// The bundle or what names it.
    pub(crate) asked: Value,
    pub(crate) body: String,
    pub(crate) signature: String,
    pub(crate) key: String,
    /// True if the answer said that it was taken.
    pub(crate) taken: bool,
    /// The node's head when it came.
    pub(crate) head: u64,
    /// When it came.
    pub(crate) at: Instant,
}

impl Came {
    /// Mark by which a test knows its bundle.
    pub(crate) fn mark(&self) -> u64 {
        self.asked["maxTimestamp"].as_u64().unwrap_or_default()
    }

    pub(crate) fn block(&self) -> u64 {
        let digits = self.asked["blockNumber"].as_str().unwrap_or("0x0");
        u64::from_str_radix(digits.trim_start_matches("0x"), 16).unwrap_or_default()
    }
}

/// A builder.
#[derive(Debug)]
pub(crate) struct Builder {
    door: Door,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    node: Client,
    manner: Mutex<Manner>,
    asked: AtomicUsize,
    came: Mutex<Vec<Came>>,
}

impl Builder {
    /// A builder beside `node`.
    pub(crate) fn open(node: &Client, manner: Manner) -> Self {
        let (manner, came) = (Mutex::new(manner), Mutex::default());
        let state = Arc::new(State { node: node.clone(), manner, asked: AtomicUsize::new(0), came });
        let answering = Arc::clone(&state);
        Self { door: Door::open(move |request| answering.answer(request)).unwrap(), state }
    }

    pub(crate) fn url(&self) -> String {
        self.door.url()
    }

    /// Changes its manner.
    pub(crate) fn be(&self, manner: Manner) {
        *self.state.manner.lock().unwrap_or_else(PoisonError::into_inner) = manner;
    }

    /// All that came.
    pub(crate) fn came(&self) -> Vec<Came> {
        self.state.came.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Bundles that came and were taken.
    pub(crate) fn taken(&self) -> Vec<Came> {
        self.came().into_iter().filter(|came| came.taken && came.method == "eth_sendBundle").collect()
    }
}

impl State {
    fn answer(&self, request: &Request) -> Answer {
        let at = Instant::now();
        let mut call: Value = serde_json::from_slice(&request.body).ok()?;
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let head = self.node.block_number().unwrap_or_default();
        let manner = *self.manner.lock().unwrap_or_else(PoisonError::into_inner);
        let (taken, answer) = match manner {
            Manner::Prompt => (true, Some(result(&json!({})))),
            Manner::Slow(time) => {
                thread::sleep(time);
                (true, Some(result(&json!(null))))
            }
            Manner::Failing => (false, Some(unavailable())),
            Manner::FailingHalf if number.is_multiple_of(2) => (false, Some(unavailable())),
            Manner::Resetting if number.is_multiple_of(2) => (false, None),
            Manner::FailingHalf | Manner::Resetting => (true, Some(result(&json!({})))),
            Manner::Lying => (false, Some(result(&json!({"bundleHash": format!("0x{}", "ab".repeat(32))})))),
            Manner::Refusing(text) => {
                let error = json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": text}});
                (false, Some(("200 OK", error.to_string())))
            }
            Manner::Including => {
                for tx in call["params"][0]["txs"].as_array().into_iter().flatten() {
                    // Known the second time.
                    let _sent = self.node.respond("eth_sendRawTransaction", &json!([tx]));
                }
                (true, Some(result(&json!({}))))
            }
        };
        let came = Came {
            method: call["method"].as_str().unwrap_or_default().to_owned(),
            asked: call["params"][0].take(),
            body: String::from_utf8_lossy(&request.body).into_owned(),
            signature: request.header("x-flashbots-signature").unwrap_or_default().to_owned(),
            key: request.header("idempotency-key").unwrap_or_default().to_owned(),
            taken,
            head,
            at,
        };
        self.came.lock().unwrap_or_else(PoisonError::into_inner).push(came);
        answer
    }
}

fn result(result: &Value) -> (&'static str, String) {
    ("200 OK", json!({"jsonrpc": "2.0", "id": 1, "result": result}).to_string())
}

fn unavailable() -> (&'static str, String) {
    ("503 Service Unavailable", "no room".to_owned())
}
