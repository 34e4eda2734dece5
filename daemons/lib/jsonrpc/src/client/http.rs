//! HTTP/1.1 transport: jsonrpsee's client on a connector of ours, which speaks TLS and signs each request.

use super::error::{Failure, NoJson};
use super::options::{Credential, Options};
use super::tls;
use ::http::header::{AUTHORIZATION, CONTENT_TYPE};
use ::http::{StatusCode, Uri};
use futures_util::StreamExt as _;
use http_body_util::{BodyExt as _, BodyStream, Limited, StreamBody};
use hyper::body::{Body as _, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jsonrpsee_core::BoxError;
use jsonrpsee_core::http_helpers::HttpError;
use jsonrpsee_core::middleware::RpcServiceBuilder;
use jsonrpsee_http_client::transport::{Error as TransportError, HttpBackend};
use jsonrpsee_http_client::{HttpBody, HttpClientBuilder, HttpRequest, HttpResponse, RpcService};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

pub(super) type HttpClient = jsonrpsee_http_client::HttpClient<RpcService<Poster>>;

pub(super) type Pool<B> = legacy::Client<HttpsConnector<HttpConnector>, B>;

/// As much of an answer that is no JSON is shown.
const SHOWN_BYTES: usize = 60;

/// Idle time after which a connection leaves the pool: sooner than servers close it, which would lose a request.
const IDLE: Duration = Duration::from_secs(30);

pub(super) fn client(uri: &Uri, options: &Options) -> Result<HttpClient, Failure> {
    let client = pool(uri, options)?;
    let poster = Poster {
        client,
        uri: uri.clone(),
        credential: options.credential.clone(),
        answer_bytes_max: usize::try_from(options.answer_bytes_max).unwrap_or(usize::MAX),
    };
    let transport = tower::layer::layer_fn(move |_: HttpBackend| poster.clone());
    HttpClientBuilder::new()
        .request_timeout(options.request_timeout)
        .max_request_size(options.request_bytes_max)
        .max_response_size(options.answer_bytes_max)
        .set_http_middleware(tower::ServiceBuilder::new().layer(transport))
        .set_rpc_middleware(RpcServiceBuilder::new())
        // Only a form: the requests go to the address that the poster knows, because without its own TLS jsonrpsee
        // takes no `https`.
        .build("http://endpoint")
        .map_err(|error| Failure::Unreadable(error.into()))
}

/// Pool of connections to the server of `uri`.
pub(super) fn pool<B>(uri: &Uri, options: &Options) -> Result<Pool<B>, Failure>
where
    B: hyper::body::Body + Send,
    B::Data: Send,
{
    let config = match uri.scheme_str() {
        Some("https") => tls::config(options)?,
        _ => tls::no_trust()?,
    };
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(options.connect_timeout));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(options.requests_max)
        .build(connector))
}

/// Service that posts requests, in the place of jsonrpsee's own.
#[derive(Clone)]
pub(super) struct Poster {
    client: Pool<HttpBody>,
    uri: Uri,
    credential: Option<Credential>,
    answer_bytes_max: usize,
}

impl tower::Service<HttpRequest> for Poster {
    type Response = HttpResponse;
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: HttpRequest) -> Self::Future {
        *request.uri_mut() = self.uri.clone();
        if let Some(header) = self.credential.as_ref().and_then(Credential::header) {
            request.headers_mut().insert(AUTHORIZATION, header);
        }
        let (posting, bytes_max) = (self.client.request(request), self.answer_bytes_max);
        Box::pin(async move {
            let posted = posting.await;
            let response = posted.map_err(|error| TransportError::Http(HttpError::Stream(error.into())))?;
            let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            let is_json = kind.is_some_and(|kind| kind.starts_with("application/json"));
            let kind = kind.map_or_else(|| "no content type".to_owned(), |kind| format!("{kind:?}"));
            let (mut head, body) = response.into_parts();
            if head.status.is_success() {
                let body = no_page(kind, body, bytes_max).await?;
                return Ok(HttpResponse::from_parts(head, body));
            }
            if !is_json {
                return Ok(HttpResponse::from_parts(head, HttpBody::new(body)));
            }
            // Some servers, ours as well, answer an error object with its own status, and jsonrpsee would not read it.
            // Others stand before one and answer JSON of their own: then the status is all that they say.
            let read = Limited::new(body, bytes_max).collect().await;
            let bytes = read.map_err(|error| TransportError::Http(HttpError::Stream(error)))?.to_bytes();
            if is_answer(&bytes) {
                head.status = StatusCode::OK;
            }
            Ok(HttpResponse::from_parts(head, HttpBody::from(bytes.to_vec())))
        })
    }
}

/// The body again, unless its first piece shows that it is no JSON. One that is too large is left to whoever bounds it.
async fn no_page(kind: String, mut body: Incoming, bytes_max: usize) -> Result<HttpBody, TransportError> {
    let failed = |error: BoxError| TransportError::Http(HttpError::Stream(error));
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if declared > bytes_max {
        return Ok(HttpBody::new(body));
    }
    let first = body.frame().await.transpose().map_err(|error| failed(error.into()))?;
    let bytes = first.as_ref().and_then(|frame| frame.data_ref()).map_or(&[][..], |data| data);
    // Of white space alone, nobody knows yet.
    let may_be_json = match bytes.trim_ascii_start().first() {
        Some(first) => matches!(first, b'{' | b'['),
        None => !bytes.is_empty(),
    };
    if may_be_json {
        let first = futures_util::stream::iter(first.map(Ok));
        return Ok(HttpBody::new(StreamBody::new(first.chain(BodyStream::new(body)))));
    }
    let begins = match bytes.get(..bytes.len().min(SHOWN_BYTES)) {
        None | Some([]) => "nothing in it".to_owned(),
        // Whatever it holds, the text is one line of letters.
        Some(start) => format!("it begins with {:?}", String::from_utf8_lossy(start)),
    };
    Err(failed(NoJson { kind, begins }.into()))
}

/// True for an answer of JSON-RPC, or a batch of them.
fn is_answer(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "jsonrpc")]
        _version: IgnoredAny,
    }
    let batch = || serde_json::from_slice::<Vec<Answer>>(body).is_ok_and(|answers| !answers.is_empty());
    serde_json::from_slice::<Answer>(body).is_ok() || batch()
}
