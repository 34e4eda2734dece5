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

use maidenlane_tests::{
    door::{Answer, Door},
    rpc::Client,
};

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
        Self { door: Door::open(move |request| answering.answer(&request.body)).unwrap(), state }
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
    /// Answer to a batch, or of a door that alters answers: batches are all that a checker sends.
    fn altered(&self, asked: &Value) -> Option<Answer> {
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
    fn answer(&self, body: &[u8]) -> Answer {
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

/// Makes all hashes in fields of that name others, but for block 0, of which there is one; twice, it makes them what they were.
fn hashes(value: &mut Value, name: &str) {
    match value {
        Value::Array(each) => each.iter_mut().for_each(|one| hashes(one, name)),
        Value::Object(fields) if fields.get("number") == Some(&json!("0x0")) => {}
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
