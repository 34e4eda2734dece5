//! Dispatch of one request body to one answer body, with geth's rules for batches, ids and sizes.

use crate::args::Args;
use crate::body::Body;
use crate::codes;
use crate::error::Error;
use crate::in_flight::{Held, Share};
use crate::json::{Json, Object};
use crate::limits::Limits;
use crate::list;
use crate::listener::Caller;
use crate::message::{Parsed, parse, text_of};
use crate::min_block::MinBlock;
use crate::openrpc::Described;
use crate::owner::Owner;
use crate::subscriptions::{Events, Opened, Subscriptions};
use crate::turns::Turn;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Methods that the server serves. One HTTP request, also a batch, is answered from one pin.
pub trait Api: Send + Sync + 'static {
    /// Snapshot that a request is answered from, for instance one block's view.
    type Pin: Send + Sync + 'static;

    /// Takes the present pin, or the first that satisfies `min` within the Api's own bounds. What cannot be
    /// satisfied is remembered in the pin and returned by [`Api::call`], so that every answer carries its own id.
    fn pin(&self, min: Option<Result<MinBlock, Error>>) -> impl Future<Output = Self::Pin> + Send;

    /// Tells a pin whose request it serves.
    #[must_use]
    fn owned(pin: Self::Pin, owner: Owner) -> Self::Pin {
        let _ = owner;
        pin
    }

    /// Tells a pin what request over HTTP it serves: address, headers and body exactly as they came, for preferences and
    /// signatures. A message on a WebSocket has none of its own.
    #[must_use]
    fn of_request(pin: Self::Pin, head: &http::request::Parts, body: &[u8]) -> Self::Pin {
        let _ = (head, body);
        pin
    }

    /// True for the paths of addresses that requests are posted to.
    #[must_use]
    fn serves(path: &str) -> bool {
        path == "/"
    }

    /// Number and hash (`0x…`) of the block that answers come from, for the answer's headers.
    fn block(pin: &Self::Pin) -> Option<(u64, String)>;

    /// Answers one call.
    fn call(
        &self,
        pin: &Arc<Self::Pin>,
        method: &str,
        params: Option<&RawValue>,
    ) -> impl Future<Output = Result<Json, Error>> + Send;

    /// Opens the subscription that `<namespace>_subscribe` asks for: makes a
    /// [`channel`](crate::subscriptions::channel), keeps its publisher where events come from, and returns the other
    /// end. `params` are as sent, with `kind` as the first. Events published at once follow the answer.
    fn subscribe(
        &self,
        pin: &Arc<Self::Pin>,
        namespace: &str,
        kind: &str,
        params: Option<&RawValue>,
    ) -> impl Future<Output = Result<Events, Error>> + Send {
        let (_, _) = (pin, params);
        std::future::ready(Err(Error::no_subscription(namespace, kind)))
    }

    /// Error when subscriptions cannot go on. Asked once a second by every connection that has some.
    fn fit(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Methods that can be called, for the OpenRPC document.
    fn methods(&self) -> Vec<Described> {
        Vec::new()
    }

    /// Time limit of one call of this method, where that is less than [`Limits::answer`].
    fn time_limit(&self, method: &str) -> Option<Duration> {
        let _ = method;
        None
    }
}

/// Peer, as far as it decides what is answered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Peer<'a> {
    /// Subscriptions of a connection that outlives an answer.
    pub(crate) subscriptions: Option<&'a Subscriptions>,
    /// Caller to authorise, wherever a listener stands between.
    pub(crate) caller: Option<&'a Caller>,
    /// Share of the connection in what all answers may hold.
    pub(crate) share: Option<&'a Arc<Share>>,
}

/// An answer body and what HTTP has to say about it.
#[derive(Debug)]
pub struct Answer {
    /// Body of the answer; empty when only notifications were sent.
    pub body: Body,
    /// HTTP status: 200 unless every call failed with a code that says otherwise.
    pub status: u16,
    /// Subscriptions whose ids are in the body.
    pub(crate) opened: Vec<Opened>,
    /// Bytes that the body holds until it is sent.
    pub(crate) held: Held,
}

impl Answer {
    pub(crate) fn ok(body: String) -> Self {
        Self { body: body.into(), status: 200, opened: Vec::new(), held: Held::default() }
    }

    /// Refusal of a request that nobody has read.
    pub(crate) fn refusal(error: &Error) -> Self {
        let mut body = String::new();
        write_error(&mut body, None, error);
        Self { status: codes::http_status(error.code), ..Self::ok(body) }
    }
}

fn write_error(out: &mut String, id: Option<&RawValue>, error: &Error) {
    let mut object = Object::new(out);
    object.raw("jsonrpc", "\"2.0\"");
    object.raw("id", id.map_or("null", RawValue::get));
    error.write(object.value("error"));
    object.end();
}

fn write_result(out: &mut Body, id: &RawValue, result: Json) {
    let mut object = Object::new(out.tail());
    object.raw("jsonrpc", "\"2.0\"");
    object.raw("id", id.get());
    object.value("result");
    out.push(result);
    out.tail().push('}');
}

fn refused(code: i32, message: &'static str) -> Answer {
    let mut body = String::new();
    write_error(&mut body, None, &Error::new(code, message));
    Answer::ok(body)
}

/// Answer to a batch that is too large: one error, under the id of its first call in geth; here of the first that could
/// be answered.
fn too_many(batch: &[&RawValue]) -> Answer {
    let first = batch.iter().find_map(|message| match parse(message.get()) {
        Parsed::Call { id, .. } => Some(id),
        _ => None,
    });
    let mut body = "[".to_owned();
    write_error(&mut body, first, &Error::new(codes::INVALID_REQUEST, "batch too large"));
    body.push(']');
    Answer::ok(body)
}

/// Answers one body, single call or batch. Calls of a batch run one after the other.
pub async fn answer<A: Api>(api: &A, pin: &Arc<A::Pin>, body: &[u8], limits: &Limits) -> Answer {
    answer_to(Peer::default(), api, pin, body, limits).await
}

/// Answers one body for a peer: its rights, rate and subscriptions count, and a batch takes its owner's turns.
pub(crate) async fn answer_to<A: Api>(
    peer: Peer<'_>,
    api: &A,
    pin: &Arc<A::Pin>,
    body: &[u8],
    limits: &Limits,
) -> Answer {
    let Ok(text) = std::str::from_utf8(body) else { return refused(codes::PARSE, "parse error") };
    let deadline = Instant::now() + limits.answer;
    let (body, status, opened, held) = (Body::default(), None, Vec::new(), Held::of(peer.share));
    let mut run = Run { api, pin, limits, peer, deadline, body, status, opened, held, full: None };
    if !text.trim_start().starts_with('[') {
        let Ok(raw) = serde_json::from_str::<&RawValue>(text) else {
            return refused(codes::PARSE, "parse error");
        };
        run.message(raw.get(), "").await;
        return run.end();
    }
    let mut turn = Turn::first(peer.share.map(|share| share.turns())).await;
    let Ok(batch) = list::split(text, limits.batch_calls) else {
        return refused(codes::PARSE, "parse error");
    };
    if batch.values.is_empty() {
        return refused(codes::INVALID_REQUEST, "empty batch");
    }
    if batch.is_longer {
        return too_many(&batch.values);
    }
    for message in batch.values {
        let separator = if run.body.is_empty() { "[" } else { "," };
        turn.work(run.message(message.get(), separator)).await;
    }
    if !run.body.is_empty() {
        run.body.tail().push(']');
    }
    run.end()
}

/// Answer of one body as it grows.
struct Run<'a, A: Api> {
    api: &'a A,
    pin: &'a Arc<A::Pin>,
    limits: &'a Limits,
    peer: Peer<'a>,
    /// Deadline: calls that end later are answered with an error.
    deadline: Instant,
    body: Body,
    /// Status of the first call; 200 as soon as calls differ.
    status: Option<u16>,
    opened: Vec<Opened>,
    held: Held,
    /// Refusal for want of room: the calls behind it would be run for nothing.
    full: Option<Error>,
}

impl<A: Api> Run<'_, A> {
    fn end(self) -> Answer {
        let status = self.status.unwrap_or(200);
        Answer { status, body: self.body, opened: self.opened, held: self.held }
    }

    async fn message(&mut self, text: &str, separator: &str) {
        match parse(text) {
            Parsed::Silent => (),
            Parsed::Invalid { id } => {
                self.body.tail().push_str(separator);
                self.fail(id, &Error::new(codes::INVALID_REQUEST, "invalid request"));
            }
            Parsed::Call { id, method, params } => {
                self.body.tail().push_str(separator);
                self.call(id, &method, params).await;
            }
        }
    }

    async fn call(&mut self, id: &RawValue, method: &str, params: Option<&RawValue>) {
        if self.body.len() > self.limits.answer_bytes {
            return self.fail(Some(id), &too_large());
        }
        if let Some(refused) = self.full.clone() {
            return self.fail(Some(id), &refused);
        }
        match self.result(method, params).await {
            Ok(result) => match self.room(result.as_str().len()) {
                Ok(()) => {
                    write_result(&mut self.body, id, result);
                    self.saw(200);
                }
                Err(refused) => {
                    // A subscription whose id is not sent must not begin.
                    let _ = method.ends_with("_subscribe").then(|| self.opened.pop());
                    self.fail(Some(id), &refused);
                }
            },
            Err(error) => self.fail(Some(id), &error),
        }
    }

    /// Refuses a result that makes this answer too large, or all that are on their way.
    fn room(&mut self, result_bytes: usize) -> Result<(), Error> {
        let bytes = self.body.len().saturating_add(result_bytes);
        if bytes > self.limits.answer_bytes {
            return Err(too_large());
        }
        self.held.grow_to(bytes).inspect_err(|refused| self.full = Some(refused.clone()))
    }

    async fn result(&mut self, method: &str, params: Option<&RawValue>) -> Result<Json, Error> {
        self.peer.caller.map_or(Ok(()), |caller| caller.admit(method))?;
        if method.ends_with("_unsubscribe") {
            return self.unsubscribe(params);
        }
        let limit = self.api.time_limit(method).map_or(self.deadline, |limit| {
            Instant::now().checked_add(limit).map_or(self.deadline, |end| end.min(self.deadline))
        });
        let calling = async {
            match method.strip_suffix("_subscribe") {
                Some(namespace) => self.subscribe(namespace, params).await,
                None if method == "rpc_modules" => {
                    self.api.call(self.pin, method, params).await.map(|all| self.modules(all))
                }
                None => self.api.call(self.pin, method, params).await,
            }
        };
        let late = || Err(Error::new(codes::TIMEOUT, "request timed out"));
        // A call that never waits is asked for its answer, not for the time.
        if Instant::now() >= limit {
            return late();
        }
        tokio::time::timeout_at(limit.into(), calling).await.unwrap_or_else(|_| late())
    }

    async fn subscribe(&mut self, namespace: &str, params: Option<&RawValue>) -> Result<Json, Error> {
        let Some(subscriptions) = self.peer.subscriptions else {
            return Err(Error::new(codes::METHOD_NOT_FOUND, "notifications not supported"));
        };
        let kind = kind_of(params)?;
        let place = subscriptions.reserve()?;
        let events = self.api.subscribe(self.pin, namespace, &kind, params).await?;
        let opened = Opened::new(namespace, events, place);
        let id = Json::string(opened.id());
        self.opened.push(opened);
        Ok(id)
    }

    /// Modules that are served to this caller.
    fn modules(&self, all: Json) -> Json {
        let Some(caller) = self.peer.caller else { return all };
        let Ok(parsed) = serde_json::from_str::<std::collections::BTreeMap<String, &RawValue>>(all.as_str())
        else {
            return all;
        };
        Json::object(|object| {
            for (name, version) in parsed.iter().filter(|(name, _)| caller.serves(name)) {
                object.raw(name, version.get());
            }
        })
    }

    fn unsubscribe(&self, params: Option<&RawValue>) -> Result<Json, Error> {
        let read = |text| serde_json::from_str::<Cow<'_, str>>(text).map_err(|error| error.to_string());
        let id = Args::parse(params, 1)?.required(read)?;
        let none = || Error::server("subscription not found");
        self.peer.subscriptions.ok_or_else(none)?.remove(&id)?;
        Ok(Json::TRUE)
    }

    fn fail(&mut self, id: Option<&RawValue>, error: &Error) {
        write_error(self.body.tail(), id, error);
        self.saw(codes::http_status(error.code));
    }

    fn saw(&mut self, status: u16) {
        self.status = Some(if self.status.is_none_or(|seen| seen == status) { status } else { 200 });
    }
}

fn too_large() -> Error {
    Error::new(codes::RESPONSE_TOO_LARGE, "response too large")
}

/// Kind of subscription: the first parameter, a string.
fn kind_of(params: Option<&RawValue>) -> Result<String, Error> {
    let text = params.map_or("", RawValue::get);
    if !text.starts_with('[') {
        return Err(Error::params("non-array args"));
    }
    let given = list::split(text, 1).map_err(|error| Error::params(error.to_string()))?;
    let kind = given.values.first().and_then(|first| text_of(first));
    kind.map(Cow::into_owned).ok_or_else(|| Error::params("expected subscription name as first argument"))
}

#[cfg(test)]
pub(crate) mod tests;
