//! Subscriptions: notifications on connections that outlive one answer.
//!
//! The [`Api`](crate::Api) makes a [`channel`] per subscription, keeps the [`Publisher`] and gives the [`Events`] away.
//! Ids, framing, order after the answer, back-pressure and the end of a connection are this crate's.
//!
//! # Why a subscription that fails ends its connection
//! Stock clients know no way to learn that one subscription ended, and would wait for ever. They notice a closed
//! connection, connect again (through a load balancer: to a replica that is fit) and subscribe again. The reason is
//! sent twice: as `{"method":"eth_subscription","params":{"subscription":…,"error":{…}}}` and in the WebSocket's close
//! frame.

mod channel;

use crate::codes;
use crate::error::Error;
use crate::in_flight::Share;
use crate::json::{Object, push_str};
pub use channel::{BUFFER, Events, Publisher, channel, paced};
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A subscription on its way: its id is in an answer that is not sent yet.
#[derive(Debug)]
pub(crate) struct Opened {
    id: String,
    namespace: String,
    events: Events,
    _place: Place,
}

/// Room for one more subscription on a connection.
#[derive(Debug)]
pub(crate) struct Place {
    waiting: Arc<Share>,
    _permit: OwnedSemaphorePermit,
}

impl Opened {
    pub(crate) fn new(namespace: &str, events: Events, place: Place) -> Self {
        events.count_in(&place.waiting);
        Self { id: new_id(), namespace: namespace.to_owned(), events, _place: place }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

/// A random quantity of up to 16 bytes, as geth's. It is no secret: it counts on its own connection only.
fn new_id() -> String {
    let random = || std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("0x{:x}", (u128::from(random()) << 64) | u128::from(random()))
}

/// The subscriptions of one connection.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    most: usize,
    /// Free places; subscriptions that are on their way hold theirs.
    places: Arc<Semaphore>,
    waiting: Arc<Share>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    active: Vec<Opened>,
    /// Round robin: index polled first next time, so that a busy subscription does not silence the others.
    turn: usize,
}

impl Subscriptions {
    /// None yet, and at most so many; what waits for their client counts in `waiting`.
    pub(crate) fn new(most: usize, waiting: Arc<Share>) -> Self {
        Self { most, places: Arc::new(Semaphore::new(most)), waiting, open: Mutex::default() }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for one more.
    pub(crate) fn reserve(&self) -> Result<Place, Error> {
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            let text = format!("no more than {} subscriptions on one connection", self.most);
            Error::new(codes::LIMIT_EXCEEDED, text)
        })?;
        Ok(Place { waiting: Arc::clone(&self.waiting), _permit: permit })
    }

    /// Starts sending the events of subscriptions whose ids were sent.
    pub(crate) fn activate(&self, opened: Vec<Opened>) {
        self.open().active.extend(opened);
    }

    pub(crate) fn remove(&self, id: &str) -> Result<(), Error> {
        let mut open = self.open();
        let index = open.active.iter().position(|each| each.id == id);
        let index = index.ok_or_else(|| Error::server("subscription not found"))?;
        open.active.swap_remove(index);
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open().active.is_empty()
    }

    /// Next notification, ready to be sent, or the last one of a subscription that ends, together with its reason.
    pub(crate) fn poll_next(&self, context: &mut Context<'_>) -> Poll<Result<String, Failed>> {
        let mut open = self.open();
        let open = &mut *open;
        for step in 0..open.active.len() {
            let index = (open.turn + step) % open.active.len();
            let Some(each) = open.active.get_mut(index) else { break };
            match each.events.poll_next(context) {
                Poll::Pending => (),
                Poll::Ready(Ok(result)) => {
                    open.turn = index + 1;
                    return Poll::Ready(Ok(notification(each, |params| {
                        params.raw("result", result.as_str());
                    })));
                }
                Poll::Ready(Err(reason)) => {
                    let last = vec![last_notification(each, &reason)];
                    return Poll::Ready(Err(Failed { reason, last }));
                }
            }
        }
        Poll::Pending
    }

    /// Next notification without waiting, `None` if there is none now.
    pub(crate) fn try_next(&self) -> Option<Result<String, Failed>> {
        match self.poll_next(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(next) => Some(next),
            Poll::Pending => None,
        }
    }

    /// Ends all subscriptions.
    pub(crate) fn fail(&self, reason: Error) -> Failed {
        let last = self.open().active.iter().map(|each| last_notification(each, &reason)).collect();
        Failed { reason, last }
    }
}

/// Failure that ends a connection: the reason, and the last notifications sent on it.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) reason: Error,
    pub(crate) last: Vec<String>,
}

fn last_notification(each: &Opened, reason: &Error) -> String {
    notification(each, |params| reason.write(params.value("error")))
}

fn notification(each: &Opened, fill: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = String::new();
    let mut object = Object::new(&mut out);
    object.raw("jsonrpc", "\"2.0\"");
    push_str(object.value("method"), &format!("{}_subscription", each.namespace));
    let mut params = Object::new(object.value("params"));
    push_str(params.value("subscription"), &each.id);
    fill(&mut params);
    params.end();
    object.end();
    out
}

#[cfg(test)]
mod tests {
    use super::channel::bounded;
    use super::*;
    use crate::json::Json;
    use crate::{Limits, Owner, in_flight::InFlight};

    fn two() -> (Subscriptions, Publisher, Publisher) {
        let waiting = InFlight::new(&Limits::default()).notifications(Owner::default());
        let subscriptions = Subscriptions::new(2, waiting);
        let ((a, events_a), (b, events_b)) = (bounded(2), bounded(2));
        let opened = |events, id: &str| {
            let place = subscriptions.reserve().expect("there is room for two");
            Opened { id: id.to_owned(), ..Opened::new("eth", events, place) }
        };
        let opened = vec![opened(events_a, "0xa"), opened(events_b, "0xb")];
        subscriptions.activate(opened);
        (subscriptions, a, b)
    }

    #[test]
    fn notifications_are_geths_and_take_turns() {
        let (subscriptions, a, b) = two();
        assert!(subscriptions.try_next().is_none());
        assert!(a.send(Json::TRUE) && a.send(Json::NULL) && b.send(Json::FALSE));
        let text = |id: &str, result: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","method":"eth_subscription","params":{{"subscription":"{id}","result":{result}}}}}"#
            )
        };
        for expect in [text("0xa", "true"), text("0xb", "false"), text("0xa", "null")] {
            assert_eq!(subscriptions.try_next().map(|next| next.ok()), Some(Some(expect)));
        }
    }

    #[test]
    fn a_slow_client_is_told_why_it_ends() {
        let (subscriptions, a, _b) = two();
        assert!(a.send(Json::NULL) && a.send(Json::NULL));
        assert!(!a.send(Json::NULL), "the third does not fit");
        let failed = subscriptions.try_next().and_then(Result::err).expect("the end");
        assert_eq!(failed.reason.message, "the client is 2 notifications behind");
        let last = failed.last.concat();
        assert!(last.contains(r#""subscription":"0xa","error":{"code":-32005,"#), "{last}");
    }

    #[test]
    fn bytes_that_wait_on_a_connection_are_bounded() {
        let (subscriptions, a, b) = two();
        let text = |mib: usize| "x".repeat(mib << 20);
        assert!(a.send(Json::Owned(text(40))));
        let shared: Vec<Arc<str>> = vec![text(40).into(); 9];
        assert!(b.send(Json::Shared(Arc::clone(&shared[0]))), "a tenth of it");
        assert!(a.send(Json::Owned(text(15))));
        assert!(!b.send(Json::Owned(text(10))), "beyond the bound");
        let failed = std::iter::from_fn(|| subscriptions.try_next()).find_map(Result::err).expect("the end");
        assert_eq!(failed.reason.message, "the client is 67108864 bytes of notifications behind");
        // What is taken or forgotten makes room.
        let (subscriptions, a, b) = two();
        assert!(a.send(Json::Owned(text(60))));
        assert!(subscriptions.try_next().is_some_and(|next| next.is_ok()));
        assert!(a.send(Json::Owned(text(60))));
        subscriptions.remove("0xa").expect("it is open");
        assert!(b.send(Json::Owned(text(60))));
    }

    #[test]
    fn a_reason_comes_after_what_was_sent() {
        let (subscriptions, a, _b) = two();
        assert!(a.send(Json::NULL));
        a.close(Error::new(codes::STALE, "stale"));
        assert!(subscriptions.try_next().is_some_and(|next| next.is_ok()));
        let failed = subscriptions.try_next().and_then(Result::err).expect("the end");
        assert_eq!(failed.reason.code, codes::STALE);
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let (subscriptions, a, _b) = two();
        assert_eq!(subscriptions.reserve().expect_err("two are open").code, codes::LIMIT_EXCEEDED);
        assert_eq!(subscriptions.remove("0xc").expect_err("no such").message, "subscription not found");
        subscriptions.remove("0xa").expect("it is open");
        assert!(a.is_closed() && !a.send(Json::NULL));
        let _ = subscriptions.reserve().expect("one has gone");
        assert!(new_id() != new_id());
    }
}
