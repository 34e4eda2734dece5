//! HTTP: one request to its answer, with CORS, authentication, gzip and the WebSocket upgrade.
//!
//! CORS is ours because tower-http takes every OPTIONS for a preflight, also a load balancer's health check, and
//! answers with other `Vary` and `Access-Control-Allow-Methods` headers than geth.

use crate::body::{Body, Frames};
use crate::dispatch::{self, Api, Peer};
use crate::error::Error;
use crate::gzip;
use crate::in_flight::{Held, Share};
use crate::listener::{Caller, Listener};
use crate::min_block::{BLOCK, BLOCK_HASH, MIN_BLOCK, MinBlock};
use crate::opening::Unread;
use crate::openrpc;
use crate::origin::Origins;
use crate::owner::Owner;
use crate::websocket;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HOST, ORIGIN,
    RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as HttpBody, Bytes};
use hyper::upgrade::OnUpgrade;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_rustls::rustls::pki_types::CertificateDer;

type Answer = Response<Frames>;

/// Body of a request, which its owner may keep until the answer is sent.
pub(crate) trait Wanted: HttpBody<Data = Bytes, Error = hyper::Error> + Send {}

impl<B: HttpBody<Data = Bytes, Error = hyper::Error> + Send> Wanted for B {}

/// Client at the other end of a connection, as far as the connection shows it.
#[derive(Default)]
pub(crate) struct Client {
    pub(crate) address: Owner,
    pub(crate) certificate: Option<CertificateDer<'static>>,
}

/// State that the requests of one connection share.
pub(crate) struct Http<A> {
    pub(crate) api: Arc<A>,
    pub(crate) listener: Arc<Listener>,
    pub(crate) client: Client,
    /// Share of the connection in what all answers may hold.
    pub(crate) share: Arc<Share>,
    pub(crate) upgrade: Upgrade,
    pub(crate) unread: Unread,
}

/// The WebSocket that a connection becomes after its last answer.
#[derive(Default)]
pub(crate) struct Upgrade(Mutex<Option<Upgraded>>);

/// Accepted WebSocket upgrade: its caller, and the minimum block of every answer.
pub(crate) struct Upgraded {
    pub(crate) caller: Caller,
    pub(crate) min: Option<MinBlock>,
    pub(crate) stream: OnUpgrade,
}

impl Upgrade {
    fn set(&self, upgraded: Upgraded) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(upgraded);
    }

    pub(crate) fn take(&self) -> Option<Upgraded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<A: Api> Http<A> {
    pub(crate) async fn respond<B: Wanted>(&self, request: Request<B>) -> Answer {
        let listener = &*self.listener;
        self.unread.store(!request.body().is_end_stream(), Ordering::Relaxed);
        let host = match host_of(&request) {
            Ok(host) => host,
            Err(text) => return bad_request(text),
        };
        if listener.websocket && websocket::is_wanted(request.headers()) {
            return self.upgrade(request);
        }
        if !listener.hosts.allow(host) {
            return plain(StatusCode::FORBIDDEN, "invalid host specified\n");
        }
        let origin = request.headers().get(ORIGIN).cloned();
        if request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        {
            let mut allowed = plain(StatusCode::OK, "");
            preflight(&listener.origins, request.headers(), allowed.headers_mut());
            return allowed;
        }
        let mut answer = self.answer(request).await;
        cors(&listener.origins, origin.as_ref(), answer.headers_mut());
        answer
    }

    async fn answer<B: Wanted>(&self, request: Request<B>) -> Answer {
        let path = request.uri().path();
        if !self.listener.http || (!A::serves(path) && path != openrpc::PATH) {
            return plain(StatusCode::NOT_FOUND, "not found\n");
        }
        match *request.method() {
            // Health checks of load balancers, and clients that ask for the allowed methods, carry no token.
            Method::OPTIONS => return plain(StatusCode::OK, ""),
            Method::GET if path == "/" && request.uri().query().is_none() => {
                return plain(StatusCode::OK, "");
            }
            _ => (),
        }
        let Some(caller) = self.caller(request.headers()) else { return unauthorized() };
        match *request.method() {
            Method::GET if path == openrpc::PATH => {
                let document = openrpc::document(&self.api.methods(), |method| caller.serves(method));
                finish(dispatch::Answer::ok(document), None, gzip::is_wanted(request.headers())).await
            }
            Method::POST if A::serves(path) => self.post(request, &caller).await,
            _ => {
                let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
                refused.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
                refused
            }
        }
    }

    fn caller(&self, headers: &HeaderMap) -> Option<Caller> {
        let identity = self.listener.admit(headers, self.client.certificate.as_ref()).ok()?;
        Some(Caller { listener: Arc::clone(&self.listener), identity, address: self.client.address.clone() })
    }

    fn upgrade<B>(&self, mut request: Request<B>) -> Answer {
        if request.uri().path() != "/" {
            return plain(StatusCode::NOT_FOUND, "not found\n");
        }
        let headers = request.headers();
        if !self.listener.origins.open(headers.get(ORIGIN)) {
            return plain(StatusCode::FORBIDDEN, "origin not allowed\n");
        }
        let Some(caller) = self.caller(headers) else { return unauthorized() };
        let Ok(min) = min_block_of(headers, request.uri().query()).transpose() else {
            return plain(StatusCode::BAD_REQUEST, "invalid minBlock: want N or N,0xHASH\n");
        };
        match websocket::accept(request.method(), headers) {
            Ok(response) => {
                self.upgrade.set(Upgraded { caller, min, stream: hyper::upgrade::on(&mut request) });
                response.map(|()| Frames::default())
            }
            Err(text) => plain(StatusCode::BAD_REQUEST, text),
        }
    }

    async fn post<B: Wanted>(&self, request: Request<B>, caller: &Caller) -> Answer {
        let (head, body) = request.into_parts();
        // Of the length that the client tells; nobody waits for the bytes of it.
        let most = u64::try_from(self.listener.limits.body_bytes).unwrap_or(u64::MAX);
        if body.size_hint().lower() > most {
            return too_large();
        }
        if !is_json(&head.headers) {
            return plain(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "invalid content type, only application/json is supported\n",
            );
        }
        let body = match self.read(body).await {
            Ok(body) => body,
            Err(refused) => return refused,
        };
        if let Err(error) = caller.spend(body.len()) {
            return finish(dispatch::Answer::refusal(&error), None, false).await;
        }
        let pin = self.api.pin(min_block_of(&head.headers, None)).await;
        let pin = A::of_request(A::owned(pin, caller.owner()), &head, &body);
        let pin = Arc::new(pin);
        let peer = Peer { subscriptions: None, caller: Some(caller), share: Some(&self.share) };
        let answer = dispatch::answer_to(peer, &*self.api, &pin, &body, &self.listener.limits).await;
        finish(answer, A::block(&pin), gzip::is_wanted(&head.headers)).await
    }

    async fn read<B: Wanted>(&self, body: B) -> Result<Bytes, Answer> {
        let reading = Limited::new(body, self.listener.limits.body_bytes).collect();
        match tokio::time::timeout(self.listener.limits.read, reading).await {
            Ok(Ok(body)) => {
                self.unread.store(false, Ordering::Relaxed);
                Ok(body.to_bytes())
            }
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
            Ok(Err(_)) => Err(plain(StatusCode::BAD_REQUEST, "body not readable\n")),
            Err(_) => Err(plain(StatusCode::REQUEST_TIMEOUT, "body not received in time\n")),
        }
    }
}

/// Minimum block that a client accepts: a header, or on WebSocket, where browsers cannot set one, `?minBlock=`.
fn min_block_of(headers: &HeaderMap, query: Option<&str>) -> Option<Result<MinBlock, Error>> {
    let mut values = headers.get_all(MIN_BLOCK).iter();
    if let Some(value) = values.next() {
        if values.next().is_some() {
            return Some(Err(Error::params("X-Maidenlane-Min-Block stands twice: want it once")));
        }
        let text = value.to_str().map_err(|_| Error::params("invalid X-Maidenlane-Min-Block"));
        return Some(text.and_then(MinBlock::parse));
    }
    let mut pairs = query.unwrap_or_default().split('&');
    let value = pairs.find_map(|pair| pair.strip_prefix("minBlock="))?;
    Some(MinBlock::parse(&value.replace("%2C", ",").replace("%2c", ",")))
}

async fn finish(answer: dispatch::Answer, block: Option<(u64, String)>, gzip: bool) -> Answer {
    let dispatch::Answer { body, status, held, .. } = answer;
    let plain = |body: Body| body.into_pieces().into_iter().map(Bytes::from).collect();
    let (frames, encoding) = match gzip {
        true => gzip::compress(body).await.map_or_else(
            |body| (plain(body), None),
            |frames| (frames, Some(HeaderValue::from_static("gzip"))),
        ),
        false => (plain(body), None),
    };
    let mut response = Response::new(counted(frames, held));
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Some(encoding) = encoding {
        headers.insert(CONTENT_ENCODING, encoding);
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if let Some((number, hash)) = block {
        headers.insert(BLOCK, HeaderValue::from(number));
        if let Ok(hash) = HeaderValue::try_from(hash) {
            headers.insert(BLOCK_HASH, hash);
        }
    }
    response
}

/// Host that a request names, by Go's rules: of its target, where that has one (HTTP/2, absolute form), or of its header.
fn host_of<B>(request: &Request<B>) -> Result<Option<&str>, &'static str> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let header = hosts.next().map(HeaderValue::as_bytes);
    if request.version() < Version::HTTP_2 {
        if hosts.next().is_some() {
            return Err("too many Host headers\n");
        }
        if header.is_none() && request.version() == Version::HTTP_11 && request.method() != Method::CONNECT {
            return Err("missing required Host header\n");
        }
    }
    let is_valid = |byte: &u8| byte.is_ascii_alphanumeric() || b"!$%&'()*+,-.:;=[]_~".contains(byte);
    let text = match header {
        Some(bytes) if bytes.iter().all(is_valid) => std::str::from_utf8(bytes).ok(),
        Some(_) => return Err("malformed Host header\n"),
        None => None,
    };
    Ok(request.uri().authority().map(Authority::as_str).or(text))
}

/// Refusal of a request that no other may follow: where it ends is not sure.
fn bad_request(text: &'static str) -> Answer {
    let mut refused = plain(StatusCode::BAD_REQUEST, text);
    refused.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    refused
}

fn too_large() -> Answer {
    plain(StatusCode::PAYLOAD_TOO_LARGE, "content length too large\n")
}

/// Body that is counted until its last byte is written: with the last of its frames.
fn counted(mut frames: Vec<Bytes>, mut held: Held) -> Frames {
    struct Counted(Bytes, #[expect(dead_code, reason = "counts until it is dropped")] Held);
    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    held.shrink_to(frames.iter().map(Bytes::len).sum());
    if let Some(last) = frames.last_mut().filter(|_| held.counts()) {
        *last = Bytes::from_owner(Counted(std::mem::take(last), held));
    }
    frames.into()
}

fn unauthorized() -> Answer {
    let mut refused = plain(StatusCode::UNAUTHORIZED, "missing, expired or unknown token\n");
    refused.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    refused
}

/// CORS headers that let allowed pages read answers.
fn cors(origins: &Origins, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    if origins.is_empty() {
        return;
    }
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(readers) = origin.and_then(|origin| origins.readers(origin)) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, readers);
        let ours = HeaderValue::from_static("X-Maidenlane-Block, X-Maidenlane-Block-Hash, Retry-After");
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, ours);
    }
}

/// CORS preflight, which a browser sends before it sends JSON for a page.
fn preflight(origins: &Origins, asked: &HeaderMap, headers: &mut HeaderMap) {
    const SECONDS: HeaderValue = HeaderValue::from_static("600");
    let method = asked.get(ACCESS_CONTROL_REQUEST_METHOD);
    cors(origins, asked.get(ORIGIN), headers);
    let Some(method) = method.filter(|method| *method == "POST" || *method == "GET") else { return };
    if headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, method.clone());
        if let Some(wanted) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        headers.insert(ACCESS_CONTROL_MAX_AGE, SECONDS);
    }
}

fn plain(status: StatusCode, text: &'static str) -> Answer {
    let mut response = Response::new(vec![Bytes::from_static(text.as_bytes())].into());
    *response.status_mut() = status;
    response
}

/// True for content types that a browser does not send from any page without a preflight.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    ["application/json", "application/json-rpc", "application/jsonrequest"]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known))
}
