//! HTTP/2 by clients that know without asking (h2c), as proxies speak it to what is behind them. Each connection has as
//! many streams as a WebSocket has messages, and their bodies, calls and times are bounded as those of HTTP/1.1.

use crate::body::Frames;
use crate::connection::stopped;
use crate::dispatch::Api;
use crate::http::Http;
use crate::limits::Limits;
use http::{Request, Response};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Size of a request's head, as large as HTTP/1.1 takes it here.
const HEAD_BYTES: u32 = 400 << 10;
/// Part of an answer that is handed over at one time. Between two of them it shows whether the client takes any.
const PART_BYTES: usize = 64 << 10;

/// Serves one stream until the peer leaves, asks nothing for too long, takes nothing of its answers, or `closed` turns
/// true. A request whose client takes it back, or leaves, is dropped.
pub(crate) async fn serve<A: Api, S>(stream: S, http: Http<A>, mut closed: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = http.listener.limits;
    let (http, activity, tasks) = (Arc::new(http), Arc::new(Activity::new()), Tasks::default());
    let service = hyper::service::service_fn(|request: Request<Incoming>| {
        let (http, busy) = (Arc::clone(&http), Busy::new(&activity));
        async move {
            let (head, mut asked) = request.into_parts();
            let answer = http.respond(Request::from_parts(head, &mut asked)).await;
            let (head, rest) = answer.into_parts();
            let parts = Parts { rest, busy: busy.answering(), _asked: asked };
            Ok::<_, Infallible>(Response::from_parts(head, parts))
        }
    });
    let streams = u32::try_from(limits.messages).unwrap_or(u32::MAX);
    let mut builder = hyper::server::conn::http2::Builder::new(tasks.clone());
    builder.timer(TokioTimer::new()).max_concurrent_streams(streams).max_header_list_size(HEAD_BYTES);
    let _owner = Owner(tasks);
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let stalled = tokio::select! {
        // A failure is the peer's connection; nothing can be sent to it.
        _ = serving.as_mut() => return,
        () = stopped(&mut closed) => false,
        stalled = activity.ended(limits.read, &limits) => stalled,
    };
    if !stalled {
        serving.as_mut().graceful_shutdown();
        tokio::select! {
            _ = serving => (),
            _ = activity.ended(limits.write, &limits) => (),
        }
    }
}

/// Tasks of one connection's streams.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, stream: F) {
        let mut tasks = self.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(stream);
    }
}

/// Owner of the tasks: they hold them, too, and would outlive the connection.
struct Owner(Tasks);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.lock().abort_all();
    }
}

/// Activity on one connection.
struct Activity(Mutex<Active>);

struct Active {
    /// Requests that are not answered to their end.
    requests: usize,
    /// Answers that have begun among them.
    answers: usize,
    /// Time at which a client last took some of an answer, or had nothing to take.
    taken: Instant,
}

impl Activity {
    fn new() -> Self {
        Self(Mutex::new(Active { requests: 0, answers: 0, taken: Instant::now() }))
    }

    fn lock(&self) -> MutexGuard<'_, Active> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there has been no request for `idle`, or a client takes nothing of any answer: then true.
    async fn ended(&self, idle: Duration, limits: &Limits) -> bool {
        loop {
            let now = Instant::now();
            let due = {
                let active = self.lock();
                match (active.requests, active.answers) {
                    (0, _) => active.taken + idle,
                    // A call has its own limit.
                    (_, 0) => now + limits.write,
                    _ => active.taken + limits.write,
                }
            };
            if due <= now {
                return self.lock().requests > 0;
            }
            sleep_until(due).await;
        }
    }
}

/// A request that counts as active.
struct Busy {
    activity: Arc<Activity>,
    answers: bool,
}

impl Busy {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.lock().requests += 1;
        Self { activity: Arc::clone(activity), answers: false }
    }

    fn answering(mut self) -> Self {
        let mut active = self.activity.lock();
        if active.answers == 0 {
            active.taken = Instant::now();
        }
        active.answers += 1;
        drop(active);
        self.answers = true;
        self
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut active = self.activity.lock();
        active.requests = active.requests.saturating_sub(1);
        active.answers = active.answers.saturating_sub(usize::from(self.answers));
        active.taken = Instant::now();
    }
}

/// Body of an answer, which is asked for its next part when the part before has been taken.
struct Parts {
    rest: Frames,
    busy: Busy,
    /// Body of the request: to drop one that was not read resets the stream, and takes back an answer that is not sent.
    _asked: Incoming,
}

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(part) = self.rest.part(PART_BYTES) else { return Poll::Ready(None) };
        self.busy.activity.lock().taken = Instant::now();
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.rest.size_hint()
    }
}
