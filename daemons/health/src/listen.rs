//! Listeners: a bounded number of connections, of clients that are allowed.

use crate::allow::Allow;
use maidenlane_service::{Addresses, Exit, Failure, Shutdown};
use std::fmt::Display;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Pause after a failure to accept, of descriptors mostly.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// Binds a listener and tells where.
///
/// # Errors
/// When the address cannot be bound.
pub async fn bind(name: &str, at: SocketAddr, addresses: &Addresses) -> Result<TcpListener, Failure> {
    let refused = |error| Failure::new(Exit::Settings, format!("{name}.listen {at}: {error}"));
    let listener = TcpListener::bind(at).await.map_err(refused)?;
    addresses.add(name, listener.local_addr().map_err(refused)?)?;
    Ok(listener)
}

/// Has `converse` speak with each client, until the shutdown; with `most` at one time, while others wait.
///
/// # Errors
/// None: what fails is one connection.
pub async fn serve<F, W, E>(
    listener: TcpListener,
    (allow, most): (Allow, usize),
    shutdown: Shutdown,
    converse: F,
) -> Result<(), Failure>
where
    F: Fn(TcpStream) -> W,
    W: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    let room = Arc::new(Semaphore::new(most));
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.triggered() => return Ok(()),
            Some(ended) = open.join_next() => {
                if let Ok(Err(error)) = ended {
                    tracing::debug!("connection: {error}");
                }
                continue;
            }
            accepted = accept(&listener, &room) => accepted,
        };
        match accepted {
            Ok((stream, client, place)) if allow.admits(client.ip()) => {
                let conversation = converse(stream);
                open.spawn(async move {
                    let ended = conversation.await;
                    drop(place);
                    ended
                });
            }
            Ok((_, client, _)) => tracing::debug!("{client} is not in `allow`"),
            Err(error) => {
                tracing::warn!("accept: {error}");
                shutdown.unless(tokio::time::sleep(ACCEPT_AGAIN)).await;
            }
        }
    }
}

type Accepted = (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> std::io::Result<Accepted> {
    let place = Arc::clone(room).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, client) = listener.accept().await?;
    Ok((stream, client, place))
}
