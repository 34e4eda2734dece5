//! Connections that outlive one answer: messages are answered as they become ready, notifications go out between them.

use crate::codes;
use crate::error::Error;
use crate::exchange::{self, Answer, Api, Peer};
use crate::limits::Limits;
use crate::listener::Guest;
use crate::min_block::MinBlock;
use crate::push::{Failed, Subscriptions};
use crate::server::told;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use hyper::body::Bytes;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

/// How often a connection with subscriptions asks whether they can go on.
const FIT: Duration = Duration::from_secs(1);
/// Notifications that are written before they are flushed and the peer is heard again.
const BURST: usize = 64;

/// One framed connection. Nothing of a read may be lost when it is dropped before it is ready.
pub(crate) trait Wire: Send {
    /// The next message; `Err` when the peer has gone or broke the framing.
    fn read(&mut self) -> impl Future<Output = Result<Heard, Gone>> + Send;
    /// Writes one message without flushing it.
    fn feed(&mut self, text: String) -> impl Future<Output = Result<(), Gone>> + Send;
    /// Sends what was fed.
    fn flush(&mut self) -> impl Future<Output = Result<(), Gone>> + Send;
    /// Asks the peer for a sign of life. `false` where there is no way to.
    fn ping(&mut self) -> impl Future<Output = Result<bool, Gone>> + Send;
    /// Says good-bye.
    fn close(&mut self, farewell: Farewell) -> impl Future<Output = ()> + Send;
}

/// What a peer sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A request or a batch.
    Message(Bytes),
    /// A sign of life.
    Life,
    /// Something that cannot be read on from.
    Broken(Farewell, Option<&'static str>),
}

/// The peer cannot be reached any more; there is nobody left to tell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gone;

/// Why we close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// The server stops.
    Stop,
    /// Another replica may do better.
    Again(String),
    /// The client breaks a rule.
    Policy(String),
    /// A message is too large.
    Size,
}

/// A connection as it was opened.
pub(crate) struct Duplex<A> {
    pub(crate) api: Arc<A>,
    pub(crate) guest: Guest,
    /// What every message's pin must satisfy.
    pub(crate) min: Option<MinBlock>,
}

impl<A: Api> Duplex<A> {
    fn limits(&self) -> &Limits {
        &self.guest.listener.limits
    }

    /// Serves until the peer leaves or falls silent, a subscription fails, or `closed` turns true.
    pub(crate) async fn serve<W: Wire>(&self, wire: &mut W, closed: watch::Receiver<bool>) {
        let subscriptions = Subscriptions::new(self.limits().subscriptions);
        if let Ok(farewell) = self.run(wire, &subscriptions, closed).await {
            // A peer that does not take the good-bye is left without.
            let _ = timeout(self.limits().drain, wire.close(farewell)).await;
        }
    }

    async fn run<W: Wire>(
        &self,
        wire: &mut W,
        subscriptions: &Subscriptions,
        mut closed: watch::Receiver<bool>,
    ) -> Result<Farewell, Gone> {
        let mut answers = FuturesUnordered::new();
        let mut life = Life::new(self.limits().ping);
        let mut fit = Instant::now();
        loop {
            let busy = answers.len() >= self.limits().messages;
            let due = if subscriptions.is_empty() { life.due } else { life.due.min(fit + FIT) };
            tokio::select! {
                () = told(&mut closed) => break,
                heard = wire.read(), if !busy => {
                    life.seen();
                    match heard? {
                        Heard::Message(body) => answers.push(self.answer(body, subscriptions)),
                        Heard::Life => (),
                        Heard::Broken(farewell, said) => {
                            send(wire, said.map(str::to_owned)).await?;
                            return Ok(farewell);
                        }
                    }
                }
                Some(answer) = answers.next(), if !answers.is_empty() => {
                    send_answer(wire, answer, subscriptions).await?;
                }
                next = poll_fn(|context| subscriptions.poll_next(context)) => {
                    match self.notify(wire, next, subscriptions).await? {
                        Some(failed) => return end(wire, failed).await,
                        None => life.pause(),
                    }
                }
                () = sleep_until(due) => {
                    if !subscriptions.is_empty() {
                        fit = Instant::now();
                        if let Err(reason) = self.api.fit() {
                            return end(wire, subscriptions.fail(reason)).await;
                        }
                    }
                    match life.is_due() {
                        // What the peer says is not heard now.
                        true if busy => life.seen(),
                        true => life.ask(wire).await?,
                        false => (),
                    }
                }
            }
        }
        // Messages in progress are still answered; nothing more is read.
        while let Some(answer) = answers.next().await {
            send_answer(wire, answer, subscriptions).await?;
        }
        let stop = subscriptions.fail(Error::server("the server stops"));
        send(wire, stop.last).await?;
        Ok(Farewell::Stop)
    }

    async fn answer(&self, body: Bytes, subscriptions: &Subscriptions) -> Answer {
        let pin = Arc::new(self.api.pin(self.min.clone().map(Ok)).await);
        let peer = Peer { subscriptions: Some(subscriptions), guest: Some(&self.guest) };
        exchange::answer_to(peer, &*self.api, &pin, &body, self.limits()).await
    }

    /// Sends this notification and those that are ready behind it.
    async fn notify<W: Wire>(
        &self,
        wire: &mut W,
        first: Result<String, Failed>,
        subscriptions: &Subscriptions,
    ) -> Result<Option<Failed>, Gone> {
        let mut next = first;
        for _ in 0..BURST {
            match next {
                Ok(text) => wire.feed(text).await?,
                Err(failed) => return Ok(Some(failed)),
            }
            next = match subscriptions.try_next() {
                Some(next) => next,
                None => return wire.flush().await.map(|()| None),
            };
        }
        match next {
            Ok(text) => send(wire, Some(text)).await.map(|()| None),
            Err(failed) => Ok(Some(failed)),
        }
    }
}

async fn send<W: Wire>(wire: &mut W, texts: impl IntoIterator<Item = String>) -> Result<(), Gone> {
    for text in texts {
        wire.feed(text).await?;
    }
    wire.flush().await
}

async fn send_answer<W: Wire>(
    wire: &mut W,
    answer: Answer,
    subscriptions: &Subscriptions,
) -> Result<(), Gone> {
    if !answer.body.is_empty() {
        send(wire, Some(answer.body)).await?;
    }
    subscriptions.activate(answer.opened);
    Ok(())
}

async fn end<W: Wire>(wire: &mut W, failed: Failed) -> Result<Farewell, Gone> {
    send(wire, failed.last).await?;
    let text = failed.reason.message.into_owned();
    Ok(if failed.reason.code == codes::LIMIT_EXCEEDED {
        Farewell::Policy(text)
    } else {
        Farewell::Again(text)
    })
}

/// Whether the peer is there.
struct Life {
    every: Duration,
    due: Instant,
    asked: bool,
}

impl Life {
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

    async fn ask<W: Wire>(&mut self, wire: &mut W) -> Result<(), Gone> {
        if self.asked {
            return Err(Gone);
        }
        self.asked = wire.ping().await?;
        self.due = Instant::now() + self.every;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
