//! Channel of one subscription, and the bound on the memory of what waits in it.

use crate::codes;
use crate::error::Error;
use crate::json::Json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Notifications of one subscription that may wait for a slow client; geth's clients buffer as many.
pub const BUFFER: usize = 20_000;
/// Memory of all notifications that may wait on one connection.
const WAITING_MAX_BYTES: usize = 64 << 20;
/// Memory of a notification beside a text of its own.
const EACH_BYTES: usize = 64;

/// Channel of one subscription: the end that publishes and the end that a connection sends from.
#[must_use]
pub fn channel() -> (Publisher, Events) {
    bounded(BUFFER)
}

/// Channel with backpressure, for large notifications made as fast as the client takes them: two may wait.
#[must_use]
pub fn paced() -> (Publisher, Events) {
    bounded(2)
}

pub(super) fn bounded(most: usize) -> (Publisher, Events) {
    let (sender, receiver) = mpsc::channel(most);
    let state = Arc::new(State::default());
    (Publisher { sender, state: Arc::clone(&state) }, Events { receiver, state })
}

/// Memory of the notifications that wait on one connection. Of a text that several subscriptions share, each has its
/// share.
#[derive(Debug, Default)]
pub(super) struct Waiting(AtomicUsize);

impl Waiting {
    fn hold(self: &Arc<Self>, result: &Json) -> Option<Held> {
        let own = match result {
            Json::Static(_) => 0,
            Json::Owned(text) => text.len(),
            Json::Shared(text) => text.len() / Arc::strong_count(text),
        };
        let bytes = EACH_BYTES.saturating_add(own);
        let held = Held { waiting: Arc::clone(self), bytes };
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        (before.saturating_add(bytes) <= WAITING_MAX_BYTES).then_some(held)
    }
}

/// Share of one notification in [`Waiting`], given back when it is dropped.
#[derive(Debug)]
struct Held {
    waiting: Arc<Waiting>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.waiting.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// State that both ends share.
#[derive(Debug, Default)]
struct State {
    /// Counter of the connection; none before the subscription has one.
    waiting: OnceLock<Arc<Waiting>>,
    /// Overflow: the client is too slow, nothing more is sent.
    overflow: OnceLock<String>,
    /// Reason of the end, sent after the notifications that still wait.
    reason: OnceLock<Error>,
}

/// Publishing end of a subscription.
#[derive(Debug)]
pub struct Publisher {
    sender: mpsc::Sender<(Json, Option<Held>)>,
    state: Arc<State>,
}

impl Publisher {
    /// Sends one `result`. False when nobody listens any more, or the client is [`BUFFER`] notifications or too many bytes
    /// behind: then the subscription has ended for good, and the publisher is to be dropped.
    #[must_use]
    pub fn send(&self, result: Json) -> bool {
        if self.state.overflow.get().is_some() {
            return false;
        }
        let held = match self.state.waiting.get().map(|waiting| waiting.hold(&result)) {
            Some(None) => return self.overflow(format!("{WAITING_MAX_BYTES} bytes of notifications")),
            held => held.flatten(),
        };
        match self.sender.try_send((result, held)) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.overflow(format!("{} notifications", self.sender.max_capacity()))
            }
        }
    }

    fn overflow(&self, much: String) -> bool {
        let _ = self.state.overflow.set(much);
        false
    }

    /// Sends one `result`, as soon as there is room for it. False when nobody listens any more.
    pub async fn deliver(&self, result: Json) -> bool {
        self.sender.send((result, None)).await.is_ok()
    }

    /// Waits until the client has gone or has unsubscribed.
    pub async fn closed(&self) {
        self.sender.closed().await;
    }

    /// True when the client has gone, has unsubscribed, or is too far behind.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed() || self.state.overflow.get().is_some()
    }

    /// Ends the subscription after what was sent, and with it the connection.
    pub fn close(self, reason: Error) {
        let _ = self.state.reason.set(reason);
    }
}

/// Receiving end of a subscription, given to the connection.
#[derive(Debug)]
pub struct Events {
    receiver: mpsc::Receiver<(Json, Option<Held>)>,
    state: Arc<State>,
}

impl Events {
    /// Next notification, for those who subscribe without a connection.
    ///
    /// # Errors
    /// The reason why the subscription has ended.
    pub async fn next(&mut self) -> Result<Json, Error> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    /// Counts what waits from now on with what waits on the connection.
    pub(super) fn count_in(&self, waiting: &Arc<Waiting>) {
        let _ = self.state.waiting.set(Arc::clone(waiting));
    }

    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Json, Error>> {
        if let Some(much) = self.state.overflow.get() {
            return Poll::Ready(Err(Error::new(
                codes::LIMIT_EXCEEDED,
                format!("the client is {much} behind"),
            )));
        }
        self.receiver.poll_recv(context).map(|next| {
            let ended = || self.state.reason.get().cloned().unwrap_or_else(|| Error::server("it has ended"));
            next.map(|(result, _)| result).ok_or_else(ended)
        })
    }
}
