//! Listeners and connections: HTTP/1.1 and HTTP/2 on any byte stream, WebSocket when a request asks for it, IPC on Unix sockets.

use crate::connection::{Connection, stopped};
use crate::dispatch::Api;
use crate::http::{Client, Http, Upgrade, Upgraded};
use crate::http2;
use crate::ipc::Values;
use crate::listener::{Caller, Listener};
use crate::opening;
use crate::owner::Owner;
use crate::room::Room;
use crate::websocket::Frames;
use crate::write_timeout::WriteTimeout;
use crate::write_turns::WriteTurns;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Number of header lines that a request may have. Go counts their bytes only; here their size is bounded, too.
const HEADERS_MAX: usize = 1_000;

/// Time after a stop in which connections are accepted, and first bytes read: what clients sent before it may wait in the
/// kernel on a busy machine, and closing on it would reset their connections.
const LAST_CALL: Duration = Duration::from_millis(50);

/// Listening socket.
#[derive(Debug)]
pub enum Socket {
    /// HTTP and WebSocket.
    Tcp(TcpListener),
    /// IPC.
    Unix(UnixListener),
}

impl From<TcpListener> for Socket {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl Socket {
    async fn accept(&self) -> std::io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                listener.accept().await.map(|(stream, peer)| Accepted::Tcp(stream, peer.ip()))
            }
            Self::Unix(listener) => listener.accept().await.map(|(stream, _)| Accepted::Unix(stream)),
        }
    }
}

enum Accepted {
    Tcp(TcpStream, IpAddr),
    Unix(UnixStream),
}

impl Accepted {
    fn owner(&self) -> Owner {
        match self {
            Self::Tcp(_, address) => Owner::at(*address),
            Self::Unix(_) => Owner::default(),
        }
    }
}

/// Accepts until `stop`, then lets requests in progress finish within [`Limits::drain`](crate::Limits::drain).
///
/// Returns an error only when the socket itself fails for good.
pub async fn serve<A: Api>(
    socket: impl Into<Socket>,
    api: Arc<A>,
    listener: Arc<Listener>,
    stop: impl Future<Output = ()> + Send,
) -> std::io::Result<()> {
    let socket = socket.into();
    let limits = listener.limits;
    let (closing, closed) = watch::channel(false);
    let (mut connections, mut room) = (JoinSet::new(), Room::new(limits.connections));
    let stop = async {
        stop.await;
        tokio::time::sleep(LAST_CALL).await;
    };
    tokio::pin!(stop);
    let outcome = loop {
        let placed = tokio::select! {
            biased;
            () = &mut stop => break Ok(()),
            Some(ended) = connections.join_next_with_id(), if !connections.is_empty() => {
                room.leave(ended.map_or_else(|error| error.id(), |(id, ())| id))
            }
            accepted = socket.accept() => match accepted {
                Ok(accepted) => room.enter(accepted.owner(), accepted),
                Err(error) if passing(&error) => {
                    // Out of descriptors, most likely: accepting again at once would spin.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    None
                }
                Err(error) => break Err(error),
            },
        };
        if let Some((owner, accepted)) = placed {
            let (api, listener, closed) = (Arc::clone(&api), Arc::clone(&listener), closed.clone());
            room.take(owner, connections.spawn(welcome(accepted, api, listener, closed)));
        }
    };
    drop(socket);
    let _ = closing.send(true);
    let drained = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(limits.drain, drained).await;
    connections.shutdown().await;
    outcome
}

/// Serves one accepted connection from its first byte.
async fn welcome<A: Api>(
    accepted: Accepted,
    api: Arc<A>,
    listener: Arc<Listener>,
    mut closed: watch::Receiver<bool>,
) {
    let limits = listener.limits;
    let turns = listener.in_flight.turns(&accepted.owner());
    match accepted {
        Accepted::Tcp(stream, address) => {
            let address = Owner::at(address);
            // Without it an answer waits for the client's delayed acknowledgement.
            let _ = stream.set_nodelay(true);
            let stream = WriteTurns::new(WriteTimeout::new(stream, limits.write), turns);
            let Some(tls) = &listener.tls else {
                let client = Client { address, certificate: None };
                return connection(stream, client, api, listener, closed).await;
            };
            let greeting = TlsAcceptor::from(tls.current()).accept(stream);
            let stream = tokio::select! {
                greeted = tokio::time::timeout(limits.read, greeting) => greeted,
                () = stopped(&mut closed) => return,
            };
            // TLS itself reported to a client that its handshake or certificate does not count.
            if let Ok(Ok(stream)) = stream {
                let certificates = stream.get_ref().1.peer_certificates();
                let certificate =
                    certificates.and_then(|all| all.first()).map(|one| one.clone().into_owned());
                connection(stream, Client { address, certificate }, api, listener, closed).await;
            }
        }
        Accepted::Unix(stream) => {
            let stream = WriteTurns::new(WriteTimeout::new(stream, limits.write), turns);
            let mut values = Values::new(stream, limits.body_bytes);
            // The file system decided who may connect.
            let caller = Caller { listener, identity: None, address: Owner::default() };
            let share = caller.listener.in_flight.answers(caller.address.clone());
            Connection { api, caller, min: None, share }.serve(&mut values, closed).await;
        }
    }
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
/// A peer that ends its half of the stream has not left: many send their request, end it, and wait. Nothing tells that
/// from a peer which has gone, so that only their own time limits end the calls of either; a WebSocket's are dropped.
async fn connection<A: Api, S>(
    stream: S,
    client: Client,
    api: Arc<A>,
    listener: Arc<Listener>,
    mut closed: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = listener.limits;
    let last_call = async {
        stopped(&mut closed).await;
        tokio::time::sleep(LAST_CALL).await;
    };
    let opened = tokio::select! {
        opened = tokio::time::timeout(limits.read, opening::open(stream)) => opened,
        () = last_call => return,
    };
    let Ok(Ok((stream, is_http2))) = opened else { return };
    let (share, unread) = (listener.in_flight.answers(client.address.clone()), stream.unread());
    let http = Http { api, listener, client, share, upgrade: Upgrade::default(), unread };
    if is_http2 {
        return http2::serve(stream, http, closed).await;
    }
    let http = Arc::new(http);
    let service = hyper::service::service_fn(|request| {
        let http = Arc::clone(&http);
        async move { Ok::<_, Infallible>(http.respond(request).await) }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.read)
        .half_close(true)
        .max_headers(HEADERS_MAX);
    let serving = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(serving);
    let served = tokio::select! {
        served = serving.as_mut() => Some(served),
        () = stopped(&mut closed) => None,
    };
    let served = match served {
        Some(served) => served,
        None => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    // A failure here is the peer's connection; nothing can be sent to it.
    if served.is_ok()
        && let Some(Upgraded { caller, min, stream }) = http.upgrade.take()
        && let Ok(stream) = stream.await
    {
        let mut frames = Frames::new(TokioIo::new(stream), &limits).await;
        let (api, share) = (Arc::clone(&http.api), Arc::clone(&http.share));
        Connection { api, caller, min, share }.serve(&mut frames, closed).await;
    }
}

#[cfg(test)]
mod crowd_tests;
#[cfg(test)]
mod half_close_tests;
#[cfg(test)]
mod http2_tests;
#[cfg(test)]
mod http_tests;
#[cfg(test)]
mod stop_tests;
#[cfg(test)]
pub(crate) mod tests;
