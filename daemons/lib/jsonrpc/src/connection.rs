//! Connections that outlive one answer: messages are answered as they become ready, notifications go out between them.

use crate::codes;
use crate::dispatch::{self, Answer, Api, Peer};
use crate::error::Error;
use crate::in_flight::Share;
use crate::limits::Limits;
use crate::listener::Caller;
use crate::min_block::MinBlock;
use crate::subscriptions::{Failed, Subscriptions};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use hyper::body::Bytes;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

/// Period at which a connection with subscriptions asks whether they can go on.
const FIT: Duration = Duration::from_secs(1);
/// Notifications that are written before they are flushed and the peer is heard again.
const BURST: usize = 64;

/// Framed connection. `read` is cancel-safe: dropped before it is ready, it loses nothing that arrived.
pub(crate) trait MessageStream: Send {
    /// The next message; `Err` when the peer has gone or broke the framing.
    fn read(&mut self) -> impl Future<Output = Result<Incoming, Disconnected>> + Send;
    /// Writes one message without flushing it.
    fn feed(&mut self, text: String) -> impl Future<Output = Result<(), Disconnected>> + Send;
    /// Sends what was fed.
    fn flush(&mut self) -> impl Future<Output = Result<(), Disconnected>> + Send;
    /// Asks the peer for a sign of life. `false` where there is no way to.
    fn ping(&mut self) -> impl Future<Output = Result<bool, Disconnected>> + Send;
    /// Closes with a reason.
    fn close(&mut self, reason: CloseReason) -> impl Future<Output = ()> + Send;
}

/// Frame that a peer sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A request or a batch.
    Message(Bytes),
    /// Sign of life without a message, such as a pong.
    Alive,
    /// End of what the peer sends: it may still wait for its answers.
    End,
    /// Broken framing: nothing behind it can be read. Carries a last answer where the peer expects one.
    Broken(CloseReason, Option<&'static str>),
}

/// Peer that cannot be reached any more; nothing can be sent to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Disconnected;

/// Reason for closing, sent in the close frame where the protocol has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The server stops.
    Stop,
    /// Another replica may do better.
    Again(String),
    /// The client breaks a rule.
    Policy(String),
    /// A message is too large.
    Size,
}

/// Resolves once the server stops.
pub(crate) async fn stopped(closed: &mut watch::Receiver<bool>) {
    let _ = closed.wait_for(|closed| *closed).await;
}

/// Connection that outlives one answer, with what was agreed when it was opened.
pub(crate) struct Connection<A> {
    pub(crate) api: Arc<A>,
    pub(crate) caller: Caller,
    /// Minimum block of every message's pin.
    pub(crate) min: Option<MinBlock>,
    /// Share in what all answers may hold.
    pub(crate) share: Arc<Share>,
}

impl<A: Api> Connection<A> {
    fn limits(&self) -> &Limits {
        &self.caller.listener.limits
    }

    /// Serves until the peer leaves or falls silent, a subscription fails, or `closed` turns true.
    pub(crate) async fn serve<W: MessageStream>(&self, stream: &mut W, closed: watch::Receiver<bool>) {
        let waiting = self.caller.listener.in_flight.notifications(self.caller.address.clone());
        let subscriptions = Subscriptions::new(self.limits().subscriptions, waiting);
        if let Ok(reason) = self.run(stream, &subscriptions, closed).await {
            // A peer that does not take the good-bye is left without.
            let _ = timeout(self.limits().drain, stream.close(reason)).await;
        }
    }

    async fn run<W: MessageStream>(
        &self,
        stream: &mut W,
        subscriptions: &Subscriptions,
        mut closed: watch::Receiver<bool>,
    ) -> Result<CloseReason, Disconnected> {
        let mut answers = Answers { running: FuturesUnordered::new(), ready: VecDeque::new() };
        let mut keepalive = Keepalive::new(self.limits().ping);
        let mut fit = Instant::now();
        let stops = loop {
            let busy = answers.len() >= self.limits().messages;
            let due = if subscriptions.is_empty() { keepalive.due } else { keepalive.due.min(fit + FIT) };
            tokio::select! {
                () = stopped(&mut closed) => break true,
                incoming = stream.read(), if !busy => {
                    keepalive.seen();
                    match incoming? {
                        Incoming::Message(body) => {
                            answers.running.push(self.answer(body, subscriptions));
                        }
                        Incoming::Alive => (),
                        Incoming::End => break false,
                        Incoming::Broken(reason, last) => {
                            send(stream, last.map(str::to_owned)).await?;
                            return Ok(reason);
                        }
                    }
                }
                Some(answer) = answers.next(), if !answers.is_empty() => {
                    answers.beside(send_answer(stream, answer, subscriptions)).await?;
                }
                next = poll_fn(|context| subscriptions.poll_next(context)) => {
                    match answers.beside(self.notify(stream, next, subscriptions)).await? {
                        Some(failed) => return end(stream, failed).await,
                        None => keepalive.pause(),
                    }
                }
                () = sleep_until(due) => {
                    if !subscriptions.is_empty() {
                        fit = Instant::now();
                        if let Err(reason) = self.api.fit().and_then(|()| self.caller.stands()) {
                            return end(stream, subscriptions.fail(reason)).await;
                        }
                    }
                    match keepalive.is_due() {
                        // Nothing is read while busy, so silence proves nothing.
                        true if busy => keepalive.seen(),
                        true => keepalive.ask(stream).await?,
                        false => (),
                    }
                }
            }
        };
        // Messages in progress are still answered; nothing more is read.
        while let Some(answer) = answers.next().await {
            answers.beside(send_answer(stream, answer, subscriptions)).await?;
        }
        if !stops {
            return Err(Disconnected);
        }
        let stop = subscriptions.fail(Error::server("the server stops"));
        send(stream, stop.last).await?;
        Ok(CloseReason::Stop)
    }

    async fn answer(&self, body: Bytes, subscriptions: &Subscriptions) -> Answer {
        if let Err(error) = self.caller.spend(body.len()) {
            return Answer::refusal(&error);
        }
        let pin = self.api.pin(self.min.clone().map(Ok)).await;
        let pin = Arc::new(A::owned(pin, self.caller.owner()));
        let peer =
            Peer { subscriptions: Some(subscriptions), caller: Some(&self.caller), share: Some(&self.share) };
        dispatch::answer_to(peer, &*self.api, &pin, &body, self.limits()).await
    }

    /// Sends one notification and those that are ready behind it.
    async fn notify<W: MessageStream>(
        &self,
        stream: &mut W,
        first: Result<String, Failed>,
        subscriptions: &Subscriptions,
    ) -> Result<Option<Failed>, Disconnected> {
        let mut next = first;
        for _ in 0..BURST {
            match next {
                Ok(text) => stream.feed(text).await?,
                Err(failed) => return Ok(Some(failed)),
            }
            next = match subscriptions.try_next() {
                Some(next) => next,
                None => return stream.flush().await.map(|()| None),
            };
        }
        match next {
            Ok(text) => send(stream, Some(text)).await.map(|()| None),
            Err(failed) => Ok(Some(failed)),
        }
    }
}

/// Answers of one connection that are not yet being sent.
struct Answers<F> {
    running: FuturesUnordered<F>,
    ready: VecDeque<Answer>,
}

impl<F: Future<Output = Answer>> Answers<F> {
    fn len(&self) -> usize {
        self.running.len().saturating_add(self.ready.len())
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    async fn next(&mut self) -> Option<Answer> {
        match self.ready.pop_front() {
            Some(answer) => Some(answer),
            None => self.running.next().await,
        }
    }

    /// Does `work`, which waits for the peer. Answers that become ready meanwhile are taken: results that other threads
    /// have made would wait for that unasked, and count for nobody.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                Some(answer) = self.running.next(), if !self.running.is_empty() => self.ready.push_back(answer),
            }
        }
    }
}

async fn send<W: MessageStream>(
    stream: &mut W,
    texts: impl IntoIterator<Item = String>,
) -> Result<(), Disconnected> {
    for text in texts {
        stream.feed(text).await?;
    }
    stream.flush().await
}

async fn send_answer<W: MessageStream>(
    stream: &mut W,
    answer: Answer,
    subscriptions: &Subscriptions,
) -> Result<(), Disconnected> {
    if !answer.body.is_empty() {
        send(stream, Some(answer.body.into_string())).await?;
    }
    subscriptions.activate(answer.opened);
    Ok(())
}

async fn end<W: MessageStream>(stream: &mut W, failed: Failed) -> Result<CloseReason, Disconnected> {
    send(stream, failed.last).await?;
    let text = failed.reason.message.into_owned();
    Ok(if failed.reason.code == codes::LIMIT_EXCEEDED {
        CloseReason::Policy(text)
    } else {
        CloseReason::Again(text)
    })
}

/// Keepalive: pings a silent peer, and gives up one that does not answer.
struct Keepalive {
    every: Duration,
    due: Instant,
    asked: bool,
}

impl Keepalive {
    fn new(every: Duration) -> Self {
        Self { every, due: Instant::now() + every, asked: false }
    }

    fn seen(&mut self) {
        self.pause();
        self.asked = false;
    }

    /// Traffic of ours keeps the connection busy, but proves nothing: an unanswered ping stays unanswered.
    fn pause(&mut self) {
        if !self.asked {
            self.due = Instant::now() + self.every;
        }
    }

    fn is_due(&self) -> bool {
        Instant::now() >= self.due
    }

    async fn ask<W: MessageStream>(&mut self, stream: &mut W) -> Result<(), Disconnected> {
        if self.asked {
            return Err(Disconnected);
        }
        self.asked = stream.ping().await?;
        self.due = Instant::now() + self.every;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
