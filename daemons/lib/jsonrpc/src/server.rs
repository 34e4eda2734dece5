//! Listeners and connections: HTTP/1.1 on any byte stream, and WebSocket when a request asks for it.

use crate::duplex::Duplex;
use crate::exchange::Api;
use crate::limits::Limits;
use crate::origin::Origins;
use crate::pace::Paced;
use crate::respond::{Http, Upgrade};
use crate::websocket::Frames;
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

/// Resolves once the server stops.
pub(crate) async fn told(closed: &mut watch::Receiver<bool>) {
    let _ = closed.wait_for(|closed| *closed).await;
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
    let http = Arc::new(Http { api, limits, origins: Origins::default(), upgrade: Upgrade::default() });
    let service = hyper::service::service_fn(|request| {
        let http = Arc::clone(&http);
        async move { Ok::<_, Infallible>(http.respond(request).await) }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.read);
    let stream = TokioIo::new(Paced::new(stream, limits.write));
    let serving = builder.serve_connection(stream, service).with_upgrades();
    tokio::pin!(serving);
    let served = tokio::select! {
        served = serving.as_mut() => Some(served),
        () = told(&mut closed) => None,
    };
    let served = match served {
        Some(served) => served,
        None => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    // What fails here is the peer's connection; there is nobody left to tell.
    if served.is_ok()
        && let Some((min, upgrade)) = http.upgrade.take()
        && let Ok(upgraded) = upgrade.await
    {
        let mut frames = Frames::new(TokioIo::new(upgraded), &limits).await;
        Duplex { api: Arc::clone(&http.api), limits, min }.serve(&mut frames, closed).await;
    }
}

#[cfg(test)]
mod tests;
