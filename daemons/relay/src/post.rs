//! One builder: its queue, its breaker and its pace, and the requests to it, signed as bytes, over HTTP or on a connection that is
//! kept.
//!
//! # Why the breaker is never open for long
//! An order has the rest of a slot. A builder that was away and is back must get what is due within a second or so, not at the end
//! of a pause that doubled while nobody was there.

use crate::config::{Most, Push, Way};
use crate::dialect::{Dialect, Unsaid, Verdict};
use crate::queue::{Done, Queue};
use crate::redacted::Redacted;
use crate::sign::{Key, NoKey};
use crate::stratum;
use alloy::primitives::eip191_hash_message;
use http::{HeaderMap, HeaderValue, StatusCode};
use maidenlane_chain::{B256, keccak256};
use maidenlane_jsonrpc::client::{
    Breaker, ClientError, Endpoint, Failure, LinkError, Messages, Pace, Page, Pages, Seen,
};
use maidenlane_wire::Bundle;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use uuid::Uuid;

/// Longest pause after faults.
const OPEN_MAX_MS: u64 = 1_000;
const SIGNATURE: &str = "x-flashbots-signature";
const IDEMPOTENCY: &str = "idempotency-key";

/// Settings of a builder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The file of a key or a credential.
    #[error("send to builder `{builder}`: {problem}")]
    File {
        /// Name of the builder.
        builder: String,
        /// Fault of the file.
        problem: String,
    },
    /// The number in the file of a key.
    #[error("sign for builder `{builder}`")]
    Key {
        /// Name of the builder.
        builder: String,
        /// Fault.
        source: NoKey,
    },
    /// Certificates.
    #[error("send to builder `{builder}`")]
    Client {
        /// Name of the builder.
        builder: String,
        /// Fault.
        source: Box<ClientError>,
    },
}

/// Request as bytes.
pub struct Request {
    body: Redacted<String>,
    marks: Marks,
    /// Hash of the order's transactions, which some answers repeat.
    hash: Option<B256>,
}

/// Marks that a request is known by, where they are no part of its bytes.
enum Marks {
    /// Headers beside it.
    Headers(HeaderMap),
    /// Number among others on a connection.
    Id(u64),
}

/// Client of a builder.
enum Client {
    Pages(Box<Pages>),
    Messages(Box<Messages>),
}

/// Request, or the field that the builder's dialect has no words for.
pub type Said = Result<Request, Unsaid>;

/// One builder.
pub struct Post {
    /// Name in orders.
    pub name: String,
    /// Requests at one time.
    pub lanes: usize,
    /// Told when there may be something to do.
    pub news: Notify,
    /// True if requests are made and none is sent.
    pub is_dry: bool,
    dialect: Dialect,
    most: Most,
    client: Client,
    key: Option<Key>,
    queue: Mutex<Queue>,
    state: Mutex<State>,
}

struct State {
    breaker: Breaker,
    pace: Option<Pace>,
    /// Last fault, in words of ours.
    fault: Option<&'static str>,
}

impl Post {
    /// A builder, to which nothing is sent yet.
    ///
    /// # Errors
    /// When its key or its credential cannot be used.
    pub fn new(name: &str, push: &Push) -> Result<Self, Unusable> {
        let builder = || name.to_owned();
        let file = |problem: String| Unusable::File { builder: builder(), problem };
        let unusable = |error| match error {
            LinkError::Secret(problem) => file(problem),
            LinkError::Client(source) => Unusable::Client { builder: builder(), source },
        };
        let options = push.remote.options().map_err(unusable)?;
        let (Endpoint::Http(uri) | Endpoint::WebSocket(uri)) = push.remote.address().map_err(unusable)?
        else {
            return Err(file("its address is that of no server".to_owned()));
        };
        let client = match push.way {
            Way::Posts => Pages::new(&uri, options).map(|pages| Client::Pages(Box::new(pages))),
            Way::Messages(framing) => {
                Messages::new(&uri, framing, options).map(|messages| Client::Messages(Box::new(messages)))
            }
        };
        let client = client.map_err(|source| Unusable::Client { builder: builder(), source })?;
        let key = match &push.key {
            Some(secret) => {
                let text =
                    maidenlane_jsonrpc::client::read(secret).map_err(|error| file(error.to_string()))?;
                let mut bytes = [0; 32];
                const_hex::decode_to_slice(&text, &mut bytes)
                    .map_err(|_| file("write its key as 64 hex digits".to_owned()))?;
                Some(Key::new(bytes).map_err(|source| Unusable::Key { builder: builder(), source })?)
            }
            None => None,
        };
        Ok(Self {
            name: builder(),
            lanes: push.lanes,
            news: Notify::new(),
            is_dry: push.dry_run,
            dialect: push.dialect,
            most: push.most,
            client,
            key,
            queue: Mutex::new(Queue::new(push.ahead)),
            state: Mutex::new(State {
                breaker: Breaker::within(OPEN_MAX_MS),
                pace: push.per_s.map(Pace::new),
                fault: None,
            }),
        })
    }

    /// The queue, locked: for looks that do not wait.
    pub fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says if it may be asked now.
    ///
    /// # Errors
    /// The time from which on it may.
    pub fn may_ask(&self, now_ms: u64) -> Result<(), u64> {
        let State { breaker, pace, .. } = &mut *self.state();
        let due = pace.as_mut().map_or(Ok(()), |pace| pace.take_due(now_ms.saturating_mul(1_000)));
        due.map_err(|wait_us| now_ms.saturating_add(wait_us.div_ceil(1_000)))?;
        if breaker.allows(now_ms) { Ok(()) } else { Err(breaker.shut_until_ms()) }
    }

    /// True while it is left alone after faults, and the last of them.
    #[must_use]
    pub fn standing(&self) -> (bool, Option<&'static str>) {
        let state = self.state();
        (state.breaker.is_open(), state.fault)
    }

    /// Request that delivers an order of this hash.
    ///
    /// # Errors
    /// When the builder's dialect cannot say what the order says, or the builder takes none as large.
    pub fn order(&self, order: &Bundle, block: u64, name: Uuid, hash: B256) -> Said {
        let bytes: usize = order.txs.iter().map(|tx| tx.len()).sum();
        let is_beyond = |most: Option<usize>, size: usize| most.is_some_and(|most| size > most);
        if is_beyond(self.most.txs, order.txs.len()) || is_beyond(self.most.bytes, bytes) {
            return Err(Unsaid("room for it"));
        }
        Ok(self.signed(self.dialect.order(order, block, name)?, Some(hash)))
    }

    /// Request that takes an order back.
    #[must_use]
    pub fn cancel(&self, name: Uuid) -> Request {
        self.signed(self.dialect.cancel(name), None)
    }

    fn signed(&self, body: Redacted<String>, hash: Option<B256>) -> Request {
        let digest = keccak256(body.reveal());
        let [first @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = digest.0;
        let idempotency = const_hex::encode(first);
        if let Client::Messages(_) = &self.client {
            let (id, text) = stratum::numbered(body.reveal(), digest);
            let signature = self.signature(keccak256(&text));
            let body = Redacted::new(stratum::marked(&text, &idempotency, signature.as_deref()));
            return Request { body, marks: Marks::Id(id), hash };
        }
        let mut headers = HeaderMap::new();
        let mut insert = |name: &'static str, text: String| {
            // Hex and a colon, which every header may hold.
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(name, value);
            }
        };
        insert(IDEMPOTENCY, idempotency);
        if let Some(signature) = self.signature(digest) {
            insert(SIGNATURE, signature);
        }
        Request { body, marks: Marks::Headers(headers), hash }
    }

    /// Signature of bytes with this hash, as other relays' clients make it.
    fn signature(&self, digest: B256) -> Option<String> {
        let key = self.key.as_ref()?;
        let signature = key.sign(eip191_hash_message(digest.to_string()));
        Some(format!("{}:0x{}", key.address(), const_hex::encode(signature.as_bytes())))
    }

    /// Sends a request; the answer, or the fault in words of ours.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn ask(&self, request: Request) -> Result<Page, &'static str> {
        let Request { body, marks, .. } = request;
        let body = body.reveal().clone();
        let answer = match (&self.client, marks) {
            (Client::Pages(pages), Marks::Headers(headers)) => pages.post(headers, body.into_bytes()).await,
            (Client::Messages(messages), Marks::Id(id)) => {
                let answer = messages.ask(id, body).await;
                answer.map(|body| Page { status: StatusCode::OK, date: None, body })
            }
            // Made by `signed` for this client.
            _ => return Err("it was made for another way"),
        };
        answer.map_err(|error| fault(&error.failure))
    }

    /// True if requests are signed.
    #[must_use]
    pub const fn signs(&self) -> bool {
        self.key.is_some()
    }

    /// Sends a request; the end of it, with the builder's reason where that refused it.
    pub async fn send(&self, request: Request, now_ms: impl Fn() -> u64) -> (Done, Option<String>) {
        if self.is_dry {
            return (Done::Dry, None);
        }
        let hash = request.hash;
        let verdict = match self.ask(request).await {
            Ok(page) => self.dialect.verdict(page.status.as_u16(), &page.body, hash),
            Err(fault) => Verdict::Fault(fault),
        };
        let (seen, fault, done, reason) = match verdict {
            Verdict::Taken => (Seen::Answer, None, Done::Taken, None),
            Verdict::Refused(reason) => (Seen::Answer, None, Done::Refused, Some(reason)),
            Verdict::Busy => (Seen::Limit, Some("it has no room"), Done::Failed, None),
            Verdict::Fault(fault) => (Seen::Fault, Some(fault), Done::Failed, None),
        };
        let mut state = self.state();
        state.fault = fault;
        state.breaker.note(seen, now_ms());
        (done, reason)
    }
}

/// Fault of a request without an answer.
fn fault(failure: &Failure) -> &'static str {
    match failure {
        Failure::Connect(_) if failure.is_untrusted() => "its certificate is not trusted",
        Failure::Status(401 | 403) => "it does not let us in",
        Failure::Connect(_) => "no connection",
        Failure::Timeout(_) => "no answer in time",
        Failure::Disconnected(_) => "the connection was lost",
        _ => "its answer is not understood",
    }
}
