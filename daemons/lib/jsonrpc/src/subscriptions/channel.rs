//! Channel of one subscription; what waits in it is counted with all that is on its way to clients.

use crate::codes;
use crate::error::Error;
use crate::in_flight::{Full, Held, Share};
use crate::json::Json;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Notifications of one subscription that may wait for a slow client; geth's clients buffer as many.
pub const BUFFER: usize = 20_000;
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

/// Memory of a notification that waits. Of a text that several subscriptions share, each has its share.
fn bytes_of(result: &Json) -> usize {
    let own = match result {
        Json::Static(_) => 0,
        Json::Owned(text) => text.len(),
        Json::Shared(text) => text.len() / Arc::strong_count(text),
        Json::Cached(text) => text.as_str().len() / Arc::strong_count(text),
    };
    EACH_BYTES.saturating_add(own)
}

/// State that both ends share.
#[derive(Debug, Default)]
struct State {
    /// Share of the connection in what may wait; none before the subscription has one.
    waiting: OnceLock<Arc<Share>>,
    /// Overflow: the client is too slow, nothing more is sent.
    overflow: OnceLock<String>,
    /// Reason of the end, sent after the notifications that still wait.
    reason: OnceLock<Error>,
}

/// Publishing end of a subscription.
#[derive(Debug)]
pub struct Publisher {
    sender: mpsc::Sender<(Json, Held)>,
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
        let mut held = Held::of(self.state.waiting.get());
        match held.take(bytes_of(&result)) {
            Err(Full::Connection(most)) => return self.overflow(format!("{most} bytes of notifications")),
            Err(Full::Owner) => return self.overflow("too many bytes of notifications".to_owned()),
            Ok(()) => (),
        }
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
        self.sender.send((result, Held::default())).await.is_ok()
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
    receiver: mpsc::Receiver<(Json, Held)>,
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
    pub(super) fn count_in(&self, waiting: &Arc<Share>) {
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
