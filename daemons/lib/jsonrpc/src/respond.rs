//! One HTTP request to its answer.

use crate::error::Error;
use crate::exchange::{self, Api, MinBlock};
use crate::limits::Limits;
use crate::origin::Origins;
use crate::server::{BLOCK, BLOCK_HASH, MIN_BLOCK};
use crate::websocket;
use http::header::{ALLOW, CONTENT_TYPE, ORIGIN, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::upgrade::OnUpgrade;
use std::sync::{Arc, Mutex, PoisonError};

type Answer = Response<Full<Bytes>>;

/// What the requests of one connection share.
pub(crate) struct Http<A> {
    pub(crate) api: Arc<A>,
    pub(crate) limits: Limits,
    pub(crate) origins: Origins,
    pub(crate) upgrade: Upgrade,
}

/// The WebSocket that a connection becomes after its last answer.
#[derive(Default)]
pub(crate) struct Upgrade(Mutex<Option<(Option<MinBlock>, OnUpgrade)>>);

impl Upgrade {
    fn set(&self, min: Option<MinBlock>, upgrade: OnUpgrade) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((min, upgrade));
    }

    pub(crate) fn take(&self) -> Option<(Option<MinBlock>, OnUpgrade)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<A: Api> Http<A> {
    pub(crate) async fn respond(&self, request: Request<Incoming>) -> Answer {
        if request.uri().path() != "/" {
            return plain(StatusCode::NOT_FOUND, "not found\n");
        }
        if websocket::is_wanted(request.headers()) {
            return self.upgrade(request);
        }
        match *request.method() {
            Method::POST => self.post(request).await,
            Method::GET if request.uri().query().is_none() => plain(StatusCode::OK, ""),
            Method::OPTIONS => plain(StatusCode::OK, ""),
            _ => {
                let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
                refused.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
                refused
            }
        }
    }

    fn upgrade(&self, mut request: Request<Incoming>) -> Answer {
        let headers = request.headers();
        if !self.origins.allow(headers.get(ORIGIN)) {
            return plain(StatusCode::FORBIDDEN, "origin not allowed\n");
        }
        let Ok(min) = min_block_of(headers, request.uri().query()).transpose() else {
            return plain(StatusCode::BAD_REQUEST, "invalid minBlock: want N or N,0xHASH\n");
        };
        match websocket::accept(request.method(), headers) {
            Ok(response) => {
                self.upgrade.set(min, hyper::upgrade::on(&mut request));
                response.map(|()| Full::default())
            }
            Err(text) => plain(StatusCode::BAD_REQUEST, text),
        }
    }

    async fn post(&self, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
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
        let pin = Arc::new(self.api.pin(min_block_of(&head.headers, None)).await);
        let answer = exchange::answer(&*self.api, &pin, &body, &self.limits).await;
        finish(answer, A::block(&pin))
    }

    async fn read(&self, body: Incoming) -> Result<Bytes, Answer> {
        let reading = Limited::new(body, self.limits.body_bytes).collect();
        match tokio::time::timeout(self.limits.read, reading).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                Err(plain(StatusCode::PAYLOAD_TOO_LARGE, "content length too large\n"))
            }
            Ok(Err(_)) => Err(plain(StatusCode::BAD_REQUEST, "body not readable\n")),
            Err(_) => Err(plain(StatusCode::REQUEST_TIMEOUT, "body not received in time\n")),
        }
    }
}

/// The oldest block that a client accepts: a header, or on WebSocket, where browsers cannot set one, `?minBlock=`.
fn min_block_of(headers: &HeaderMap, query: Option<&str>) -> Option<Result<MinBlock, Error>> {
    if let Some(value) = headers.get(MIN_BLOCK) {
        let text = value.to_str().map_err(|_| Error::params("invalid X-Maidenlane-Min-Block"));
        return Some(text.and_then(MinBlock::parse));
    }
    let mut pairs = query.unwrap_or_default().split('&');
    let value = pairs.find_map(|pair| pair.strip_prefix("minBlock="))?;
    Some(MinBlock::parse(&value.replace("%2C", ",").replace("%2c", ",")))
}

fn finish(answer: exchange::Answer, block: Option<(u64, String)>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
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

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
}

/// A browser can send other content types to us from any page without asking; these it cannot.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    ["application/json", "application/json-rpc", "application/jsonrequest"]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known))
}
