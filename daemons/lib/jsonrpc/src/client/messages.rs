//! Requests as bytes on one connection over TLS, each under an id of its sender's: for servers that want requests signed where no
//! header can stand beside them.
//!
//! The connection is made by the first request and kept. What loses it, or leaves it idle for long, has the next request make another.
//!
//! # Correctness
//! - An answer belongs to the request whose id it has, in whatever order answers come; one that belongs to none is passed over.
//! - A connection ends as a whole: when it is lost, when a write takes too long, at an answer that is too large, and where an answer is
//!   due and nothing at all came until its time was over. All who wait on it are told at once, and nothing is sent again by itself.

use super::endpoint::Endpoint;
use super::error::{ClientError, Failure};
use super::framing::{self, Framing, Sink, Source};
use super::options::Options;
use super::tls;
use ::http::Uri;
use serde::Deserialize;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_rustls::rustls::ClientConfig;

/// Idle time after which another connection is made: sooner than servers and what stands between close it, which would lose a request.
const IDLE: Duration = Duration::from_secs(30);

/// Client of one server. Keeps its connection.
pub struct Messages {
    uri: Uri,
    framing: Framing,
    options: Options,
    config: Arc<ClientConfig>,
    slot: Mutex<Slot>,
}

/// The connection, and the task that works on it: it ends with the client.
#[derive(Default)]
struct Slot {
    open: Option<Arc<Connection>>,
    tasks: JoinSet<()>,
}

type Waiting = HashMap<u64, oneshot::Sender<Vec<u8>>>;

struct Connection {
    queue: mpsc::Sender<String>,
    /// Requests whose answers are due; `None` once it has ended.
    waiting: StdMutex<Option<Waiting>>,
    /// Number of messages that came.
    heard: AtomicU64,
    ended: Notify,
    born: Instant,
    /// Time since then at which it was asked last, in milliseconds.
    asked_ms: AtomicU64,
}

/// Request on a connection. Dropped without its answer, nobody waits for that any more.
struct Ticket<'c> {
    connection: &'c Connection,
    id: u64,
    heard: u64,
}

#[derive(Deserialize)]
struct Answer {
    id: u64,
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Messages({})", self.endpoint())
    }
}

impl Messages {
    /// Client for the server at `uri`, which is spoken to over TLS whatever its scheme. Nothing is sent yet.
    ///
    /// # Errors
    /// When certificates cannot be used.
    pub fn new(uri: &Uri, framing: Framing, options: Options) -> Result<Self, Box<ClientError>> {
        let config = tls::config(&options).map_err(|error| {
            let endpoint = Endpoint::WebSocket(uri.clone());
            Box::new(ClientError::new("connect to", "server", &endpoint, error.into()))
        })?;
        let slot = Mutex::default();
        Ok(Self { uri: uri.clone(), framing, options, config: Arc::new(config), slot })
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::WebSocket(self.uri.clone())
    }

    /// Sends a request, whose id `message` has, and waits for its answer.
    ///
    /// # Errors
    /// There is no answer: the request may have come or not.
    pub async fn ask(&self, id: u64, message: String) -> Result<Vec<u8>, ClientError> {
        let within = self.options.request_timeout;
        let asked = tokio::time::timeout(within, self.asked(id, message)).await;
        let asked = asked.unwrap_or(Err(Failure::Timeout(within)));
        asked.map_err(|failure| ClientError::new("send to", "server", &self.endpoint(), failure))
    }

    async fn asked(&self, id: u64, message: String) -> Result<Vec<u8>, Failure> {
        let connection = self.connection().await?;
        let (answer, answered) = oneshot::channel();
        let _ticket = connection.expect(id, answer)?;
        connection.queue.send(message).await.map_err(|_| lost())?;
        answered.await.map_err(|_| lost())
    }

    /// The connection, made anew where it has ended. Others that want it meanwhile wait for the same one.
    async fn connection(&self) -> Result<Arc<Connection>, Failure> {
        let mut slot = self.slot.lock().await;
        if let Some(open) = slot.open.as_ref().filter(|open| open.is_fit()) {
            return Ok(Arc::clone(open));
        }
        let within = self.options.connect_timeout;
        let connecting = framing::connect(&self.uri, self.framing, &self.options, Arc::clone(&self.config));
        let connected = tokio::time::timeout(within, Box::pin(connecting)).await;
        let (sink, source) = connected.unwrap_or(Err(Failure::Timeout(within)))?;
        let (queue, queued) = mpsc::channel(self.options.requests_max.max(1));
        let connection = Arc::new(Connection {
            queue,
            waiting: StdMutex::new(Some(HashMap::new())),
            heard: AtomicU64::new(0),
            ended: Notify::new(),
            born: Instant::now(),
            asked_ms: AtomicU64::new(0),
        });
        if let Some(before) = slot.open.take() {
            before.end();
        }
        slot.tasks.abort_all();
        while slot.tasks.try_join_next().is_some() {}
        let work = Arc::clone(&connection).work(sink, source, queued, self.options.request_timeout);
        slot.tasks.spawn(work);
        slot.open = Some(Arc::clone(&connection));
        Ok(connection)
    }
}

impl Connection {
    /// True unless it has ended, or nobody asked for so long that it may have.
    fn is_fit(&self) -> bool {
        let idle = self.now_ms().saturating_sub(self.asked_ms.load(Ordering::Relaxed));
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.as_ref().is_some_and(|waiting| !waiting.is_empty() || u128::from(idle) < IDLE.as_millis())
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn expect(&self, id: u64, answer: oneshot::Sender<Vec<u8>>) -> Result<Ticket<'_>, Failure> {
        self.asked_ms.store(self.now_ms(), Ordering::Relaxed);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = waiting.as_mut().ok_or_else(lost)?;
        if waiting.contains_key(&id) {
            return Err(Failure::Unreadable("a request of this id is under way".into()));
        }
        waiting.insert(id, answer);
        Ok(Ticket { connection: self, id, heard: self.heard.load(Ordering::Relaxed) })
    }

    /// Sends and receives until one of them ends.
    async fn work(
        self: Arc<Self>,
        sink: Sink,
        source: Source,
        queued: mpsc::Receiver<String>,
        within: Duration,
    ) {
        tokio::select! {
            () = send(sink, queued, within) => {}
            () = self.receive(source) => {}
            () = self.ended.notified() => {}
        }
        self.end();
    }

    /// Ends it: who waits learns by that that there is no answer.
    fn end(&self) {
        drop(self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    async fn receive(&self, mut source: Source) {
        while let Some(message) = source.next().await {
            self.heard.fetch_add(1, Ordering::Relaxed);
            let Ok(Answer { id }) = serde_json::from_slice(&message) else { continue };
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(answer) = waiting.as_mut().and_then(|waiting| waiting.remove(&id)) {
                // Gone only when its time was over.
                let _ = answer.send(message);
            }
        }
    }
}

async fn send(mut sink: Sink, mut queued: mpsc::Receiver<String>, within: Duration) {
    while let Some(message) = queued.recv().await {
        if !matches!(tokio::time::timeout(within, sink.send(message)).await, Ok(Ok(()))) {
            return;
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let Connection { waiting, heard, ended, .. } = self.connection;
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_unanswered = waiting.as_mut().is_some_and(|waiting| waiting.remove(&self.id).is_some());
        // A server that answers others lives, and may be slow; of one that says nothing nobody knows.
        if is_unanswered && heard.load(Ordering::Relaxed) == self.heard {
            // At once: whoever asks next must not meet it.
            *waiting = None;
            ended.notify_one();
        }
    }
}

fn lost() -> Failure {
    Failure::Disconnected("it ended while an answer was due".into())
}

#[cfg(test)]
mod tests;
