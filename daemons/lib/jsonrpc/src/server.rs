//! HTTP/1.1 on any byte stream. TLS, Unix sockets and WebSocket upgrades join at [`connection`], which takes a stream.

use crate::error::Error;
use crate::exchange::{self, Api, Limits, MinBlock};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// The request header that names the oldest block a client accepts.
pub const MIN_BLOCK: &str = "x-maidenlane-min-block";
/// The answer header with the number of the block that answered.
pub const BLOCK: &str = "x-maidenlane-block";
/// The answer header with its hash.
pub const BLOCK_HASH: &str = "x-maidenlane-block-hash";

/// Accepts until `stop`, then lets requests in progress finish within [`Limits::drain`].
///
/// Returns an error only when the listener itself fails for good.
pub async fn serve<A: Api>(
    listener: TcpListener,
    api: Arc<A>,
    limits: Limits,
    stop: impl Future<Output = ()> + Send,
) -> std::io::Result<()> {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let (closing, closed) = watch::channel(false);
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    let outcome = loop {
        // A permit first: what exceeds the limit waits in the backlog instead of being answered with an error.
        let accepted = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (permit, listener.accept().await)
        };
        tokio::select! {
            biased;
            () = &mut stop => break Ok(()),
            Some(_) = connections.join_next(), if !connections.is_empty() => (),
            (permit, accepted) = accepted => match accepted {
                Ok((stream, _peer)) => {
                    // Without it an answer waits for the client's delayed acknowledgement.
                    let _ = stream.set_nodelay(true);
                    let (api, closed) = (Arc::clone(&api), closed.clone());
                    connections.spawn(async move {
                        connection(stream, api, limits, closed).await;
                        drop(permit);
                    });
                }
                Err(error) if passing(&error) => {
                    // Out of descriptors, most likely: accepting again at once would spin.
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                Err(error) => break Err(error),
            },
        }
    };
    drop(listener);
    let _ = closing.send(true);
    let drained = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(limits.drain, drained).await;
    connections.shutdown().await;
    outcome
}

/// Errors of `accept` that concern one connection or a passing shortage, not the listener.
fn passing(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: i32 = 105;
    const ENOMEM: i32 = 12;
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
            | ErrorKind::TimedOut
    ) || matches!(error.raw_os_error(), Some(ENFILE | EMFILE | ENOBUFS | ENOMEM))
}

/// Serves one stream until the peer leaves, is idle for too long, or `closed` turns true.
///
/// A peer that leaves while its call runs drops the call's future: that is how expensive calls are cancelled.
pub async fn connection<A: Api, S>(stream: S, api: Arc<A>, limits: Limits, mut closed: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |request| {
        let api = Arc::clone(&api);
        async move { Ok::<_, Infallible>(respond(&*api, request, &limits).await) }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.read);
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    tokio::select! {
        // What fails here is the peer's connection; there is nobody left to tell.
        _ = serving.as_mut() => return,
        _ = closed.wait_for(|closed| *closed) => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await;
}

async fn respond<A: Api>(api: &A, request: Request<Incoming>, limits: &Limits) -> Response<Full<Bytes>> {
    match *request.method() {
        Method::POST => (),
        Method::GET if request.uri().query().is_none() => return plain(StatusCode::OK, ""),
        Method::OPTIONS => return plain(StatusCode::OK, ""),
        _ => {
            let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            return refused;
        }
    }
    let (head, body) = request.into_parts();
    if !is_json(&head.headers) {
        return plain(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "invalid content type, only application/json is supported\n",
        );
    }
    let reading = tokio::time::timeout(limits.read, Limited::new(body, limits.body_bytes).collect());
    let body = match reading.await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "content length too large\n");
        }
        Ok(Err(_)) => return plain(StatusCode::BAD_REQUEST, "body not readable\n"),
        Err(_) => return plain(StatusCode::REQUEST_TIMEOUT, "body not received in time\n"),
    };
    let min = head.headers.get(MIN_BLOCK).map(|value| {
        value.to_str().map_err(|_| Error::params("invalid X-Maidenlane-Min-Block")).and_then(MinBlock::parse)
    });
    let answering = async {
        let pin = Arc::new(api.pin(min).await);
        (exchange::answer(api, &pin, &body, limits).await, A::block(&pin))
    };
    match tokio::time::timeout(limits.answer, answering).await {
        Ok((answer, block)) => finish(answer, block),
        Err(_) => plain(StatusCode::GATEWAY_TIMEOUT, "request timed out\n"),
    }
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

#[cfg(test)]
mod tests;
