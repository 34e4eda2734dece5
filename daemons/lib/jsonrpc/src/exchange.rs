//! From one request body to one answer body, with geth's rules for batches, ids and sizes.

use crate::codes;
use crate::error::Error;
use crate::json::{Json, Object};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// What the server serves. One HTTP request, also a batch, is answered from one pin.
pub trait Api: Send + Sync + 'static {
    /// What a request is answered from, for instance one block's view.
    type Pin: Send + Sync + 'static;

    /// Takes the present pin, or the first that satisfies `min` within the Api's own bounds. What cannot be
    /// satisfied is remembered in the pin and told by [`Api::call`], so that every answer carries its own id.
    fn pin(&self, min: Option<Result<MinBlock, Error>>) -> impl Future<Output = Self::Pin> + Send;

    /// Number and hash (`0x…`) of the block that answers come from, for the answer's headers.
    fn block(pin: &Self::Pin) -> Option<(u64, String)>;

    /// Answers one call.
    fn call(
        &self,
        pin: &Arc<Self::Pin>,
        method: &str,
        params: Option<&RawValue>,
    ) -> impl Future<Output = Result<Json, Error>> + Send;
}

/// The wish of `X-Maidenlane-Min-Block: N[,hash]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinBlock {
    /// At least this block.
    pub number: u64,
    /// And this one canonical at that number: 32 bytes.
    pub hash: Option<[u8; 32]>,
}

impl MinBlock {
    /// Parses the header's value: a decimal or `0x` number, optionally with `,0x` and 64 digits.
    pub fn parse(value: &str) -> Result<Self, Error> {
        let bad = || {
            Error::params("invalid X-Maidenlane-Min-Block: want a number, optionally ',' and a block hash")
        };
        let (number, hash) = match value.split_once(',') {
            Some((number, hash)) => (number.trim(), Some(hash.trim())),
            None => (value.trim(), None),
        };
        let number = match number.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => number.parse(),
        };
        let hash = match hash {
            Some(text) => Some(parse_hash(text).ok_or_else(bad)?),
            None => None,
        };
        Ok(Self { number: number.map_err(|_| bad())?, hash })
    }
}

fn parse_hash(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 64 && digits.is_ascii())?;
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

/// Every size that a client controls, bounded.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of a request body. geth: 5 MiB.
    pub body_bytes: usize,
    /// Calls in one batch. geth: 1,000.
    pub batch_calls: usize,
    /// Of an answer body, batch or not. geth: 25 MB, batches only.
    pub answer_bytes: usize,
    /// Open connections; more wait in the listener's backlog.
    pub connections: usize,
    /// Until a request's head, and again its body, must have arrived. Also ends idle connections.
    pub read: Duration,
    /// Until an accepted request must be answered, and the answer taken by the client.
    pub answer: Duration,
    /// Given to requests in progress when the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 5 << 20,
            batch_calls: 1_000,
            answer_bytes: 25_000_000,
            connections: 4_096,
            read: Duration::from_secs(60),
            answer: Duration::from_secs(60),
            drain: Duration::from_secs(5),
        }
    }
}

/// An answer body and what HTTP has to say about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Empty when only notifications were asked.
    pub body: String,
    /// 200 unless every call failed with a code that says otherwise.
    pub status: u16,
}

#[derive(Deserialize)]
struct Message<'a> {
    // Raw, so that a message with a method of the wrong type is still answered under its own id.
    #[serde(borrow, default)]
    jsonrpc: Option<&'a RawValue>,
    // Not an `Option`: it would turn an explicit null, which geth answers, into an absent id, which it does not.
    #[serde(borrow, default = "absent")]
    id: &'a RawValue,
    #[serde(borrow, default)]
    method: Option<&'a RawValue>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

/// Stands for a missing id: an array is never a valid one.
fn absent<'a>() -> &'a RawValue {
    static ABSENT: std::sync::LazyLock<Option<Box<RawValue>>> =
        std::sync::LazyLock::new(|| RawValue::from_string("[]".to_owned()).ok());
    ABSENT.as_deref().unwrap_or(RawValue::NULL)
}

fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|text| text.0)
}

enum Parsed<'a> {
    Call { id: &'a RawValue, method: Cow<'a, str>, params: Option<&'a RawValue> },
    Notification,
    Invalid { id: Option<&'a RawValue> },
}

fn parse(text: &str) -> Parsed<'_> {
    let Ok(message) = serde_json::from_str::<Message<'_>>(text) else { return Parsed::Invalid { id: None } };
    let missing = message.id.get() == "[]";
    let id = Some(message.id).filter(|id| !id.get().starts_with(['[', '{']));
    let versioned = message.jsonrpc.and_then(text_of).as_deref() == Some("2.0");
    let method = message.method.and_then(text_of).filter(|method| versioned && !method.is_empty());
    match (method, id) {
        (Some(method), Some(id)) => Parsed::Call { id, method, params: message.params },
        (Some(_), None) if missing => Parsed::Notification,
        (_, id) => Parsed::Invalid { id },
    }
}

fn write_error(out: &mut String, id: Option<&RawValue>, error: &Error) {
    let mut object = Object::new(out);
    object.raw("jsonrpc", "\"2.0\"");
    object.raw("id", id.map_or("null", RawValue::get));
    error.write(object.value("error"));
    object.end();
}

fn write_result(out: &mut String, id: &RawValue, result: &Json) {
    out.reserve(result.as_str().len() + id.get().len() + 40);
    let mut object = Object::new(out);
    object.raw("jsonrpc", "\"2.0\"");
    object.raw("id", id.get());
    object.raw("result", result.as_str());
    object.end();
}

fn refused(code: i32, message: &'static str) -> Answer {
    let mut body = String::new();
    write_error(&mut body, None, &Error::new(code, message));
    Answer { body, status: 200 }
}

/// geth answers a batch that is too large once, under the id of its first call.
fn too_many(batch: &[&RawValue]) -> Answer {
    let first = batch.iter().find_map(|message| match parse(message.get()) {
        Parsed::Call { id, .. } => Some(id),
        _ => None,
    });
    let mut body = "[".to_owned();
    write_error(&mut body, first, &Error::new(codes::INVALID_REQUEST, "batch too large"));
    body.push(']');
    Answer { body, status: 200 }
}

/// Answers one body, single call or batch. Calls of a batch run one after the other.
pub async fn answer<A: Api>(api: &A, pin: &Arc<A::Pin>, body: &[u8], limits: &Limits) -> Answer {
    let Ok(text) = std::str::from_utf8(body) else { return refused(codes::PARSE, "parse error") };
    let mut run = Run { api, pin, limits, body: String::new(), status: None };
    if !text.trim_start().starts_with('[') {
        let Ok(raw) = serde_json::from_str::<&RawValue>(text) else {
            return refused(codes::PARSE, "parse error");
        };
        run.message(raw.get(), "").await;
        return Answer { status: run.status.unwrap_or(200), body: run.body };
    }
    let Ok(batch) = serde_json::from_str::<Vec<&RawValue>>(text) else {
        return refused(codes::PARSE, "parse error");
    };
    if batch.is_empty() {
        return refused(codes::INVALID_REQUEST, "empty batch");
    }
    if batch.len() > limits.batch_calls {
        return too_many(&batch);
    }
    for message in batch {
        let separator = if run.body.is_empty() { "[" } else { "," };
        run.message(message.get(), separator).await;
    }
    if !run.body.is_empty() {
        run.body.push(']');
    }
    Answer { status: run.status.unwrap_or(200), body: run.body }
}

/// One body's answer as it grows.
struct Run<'a, A: Api> {
    api: &'a A,
    pin: &'a Arc<A::Pin>,
    limits: &'a Limits,
    body: String,
    /// The first call's status; 200 as soon as calls differ.
    status: Option<u16>,
}

impl<A: Api> Run<'_, A> {
    async fn message(&mut self, text: &str, separator: &str) {
        match parse(text) {
            Parsed::Notification => (),
            Parsed::Invalid { id } => {
                self.body.push_str(separator);
                self.fail(id, &Error::new(codes::INVALID_REQUEST, "invalid request"));
            }
            Parsed::Call { id, method, params } => {
                self.body.push_str(separator);
                self.call(id, &method, params).await;
            }
        }
    }

    async fn call(&mut self, id: &RawValue, method: &str, params: Option<&RawValue>) {
        let too_large = || Error::new(codes::RESPONSE_TOO_LARGE, "response too large");
        if self.body.len() > self.limits.answer_bytes {
            return self.fail(Some(id), &too_large());
        }
        match self.api.call(self.pin, method, params).await {
            Ok(result) if self.body.len() + result.as_str().len() <= self.limits.answer_bytes => {
                write_result(&mut self.body, id, &result);
                self.saw(200);
            }
            Ok(_) => self.fail(Some(id), &too_large()),
            Err(error) => self.fail(Some(id), &error),
        }
    }

    fn fail(&mut self, id: Option<&RawValue>, error: &Error) {
        write_error(&mut self.body, id, error);
        self.saw(codes::http_status(error.code));
    }

    fn saw(&mut self, status: u16) {
        self.status = Some(if self.status.is_none_or(|seen| seen == status) { status } else { 200 });
    }
}

#[cfg(test)]
pub(crate) mod tests;
