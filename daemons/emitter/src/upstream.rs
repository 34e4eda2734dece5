//! One node: its queues, its pace, its breaker, and the requests to it.
//!
//! | file | idea |
//! |---|---|
//! | here | lanes in front of the node, and the probe of its chain |
//! | [`link`] | the connection, and the two questions |
//!
//! # Why lanes
//! A node that gets a sender's second transaction before the first finds a gap, and pools of blobs and of delegated
//! accounts refuse that. One request after the other would keep the order at the price of every round trip. So each
//! sender has its lane, lanes go on beside each other, and within a lane one request follows the answer to the one before.
//!
//! # Correctness
//! Nothing here waits for another node, and nothing waits for room in a lane: what does not fit is [`Answer::Busy`] at once,
//! and is asked again later.

pub mod link;

use crate::answer::Ask;
use crate::pending::Answer;
use crate::sound::Sound;
use crate::turn::Standing;
use link::Link;
use maidenlane_chain::B256;
use maidenlane_jsonrpc::client::{Breaker, Pace, Remote, Seen};
use maidenlane_service::{TaskGroup, with_causes};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{self, Receiver, Sender};

/// Interval of questions for the chain id: of a node that told it, and of one that has not.
const PROBE_EVERY: Duration = Duration::from_secs(10);
const PROBE_AGAIN: Duration = Duration::from_millis(500);

/// Settings of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Name in outcomes, metrics and `/status`.
    pub name: String,
    /// Address, credentials and time for an answer.
    pub node: Remote,
    /// Requests at one time.
    pub lanes: usize,
    /// Requests that may wait.
    pub queue_max: usize,
    /// Requests per second; `None` for any number.
    pub per_s: Option<u32>,
}

/// News of a node.
#[derive(Debug)]
pub enum News {
    /// An answer about a transaction.
    Answered {
        /// Hash of the transaction.
        hash: B256,
        /// Index of the node.
        upstream: usize,
        /// The answer.
        answer: Answer,
        /// Time that the request took.
        took: Duration,
    },
    /// The node told its chain, or no longer the right one.
    Stands {
        /// Index of the node.
        upstream: usize,
        /// Standing.
        standing: Standing,
    },
}

/// Request to a node.
#[derive(Debug)]
struct Request {
    tx: Arc<Sound>,
    ask: Ask,
}

/// State of a node, for `/status`.
#[derive(Debug, Default)]
struct State {
    breaker: Breaker,
    pace: Option<Pace>,
    /// Chain that it told.
    chain_id: Option<u64>,
    /// Last fault, in words.
    fault: Option<String>,
}

/// State that the tasks of one node share.
#[derive(Debug)]
struct Node {
    index: usize,
    link: Link,
    state: Mutex<State>,
    born: Instant,
    waiting: AtomicUsize,
}

/// A node's description for `/status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Chain that it told last.
    pub chain_id: Option<u64>,
    /// True while it is left alone after faults.
    pub is_open: bool,
    /// Last fault, in words.
    pub fault: Option<String>,
    /// Requests that wait or are under way.
    pub waiting: usize,
}

/// Handle to one node.
#[derive(Clone, Debug)]
pub struct Upstream {
    node: Arc<Node>,
    lanes: Vec<Sender<Request>>,
}

impl Upstream {
    /// Starts the tasks of the node at `index`: its lanes, and the probe of its chain.
    pub fn start(
        settings: &Settings,
        index: usize,
        chain_id: u64,
        news: &Sender<News>,
        tasks: &TaskGroup,
    ) -> Self {
        let node = Arc::new(Node {
            index,
            link: Link::new(settings.node.clone()),
            state: Mutex::new(State { pace: settings.per_s.map(Pace::new), ..State::default() }),
            born: Instant::now(),
            waiting: AtomicUsize::new(0),
        });
        let name = &settings.name;
        let lanes = settings.lanes.max(1);
        let room = settings.queue_max.div_ceil(lanes).max(1);
        let lanes = (0..lanes).map(|lane| {
            let (sender, requests) = mpsc::channel(room);
            let work = Arc::clone(&node).lane(requests, news.clone(), tasks.shutdown().clone());
            tasks.spawn(&format!("{name} {lane}"), work);
            sender
        });
        let lanes = lanes.collect();
        let probe = Arc::clone(&node).probe(chain_id, news.clone(), tasks.shutdown().clone());
        tasks.spawn(&format!("{name} probe"), probe);
        Self { node, lanes }
    }

    /// Offers a request; false if its lane is full.
    #[must_use]
    pub fn offer(&self, tx: &Arc<Sound>, ask: Ask) -> bool {
        let [.., last] = tx.sender.0.0;
        let Some(lane) = self.lanes.get(usize::from(last) % self.lanes.len().max(1)) else { return false };
        let taken = lane.try_send(Request { tx: Arc::clone(tx), ask }).is_ok();
        if taken {
            self.node.waiting.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// Description for `/status`.
    #[must_use]
    pub fn shown(&self) -> Shown {
        let state = self.node.state();
        Shown {
            chain_id: state.chain_id,
            is_open: state.breaker.is_open(),
            fault: state.fault.clone(),
            waiting: self.node.waiting.load(Ordering::Relaxed),
        }
    }
}

type Shutdown = maidenlane_service::Shutdown;
type Done = Result<(), maidenlane_service::Failure>;

impl Node {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        maidenlane_service::clock::millis(self.born.elapsed())
    }

    /// Asks one thing after the other.
    async fn lane(
        self: Arc<Self>,
        mut requests: Receiver<Request>,
        news: Sender<News>,
        stop: Shutdown,
    ) -> Done {
        while let Some(Some(Request { tx, ask })) = stop.unless(requests.recv()).await {
            let begun = Instant::now();
            let Some(answer) = stop.unless(self.asked(&tx, ask)).await else { break };
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            let (hash, upstream, took) = (tx.hash, self.index, begun.elapsed());
            // Gone only when the daemon is stopping.
            if news.send(News::Answered { hash, upstream, answer, took }).await.is_err() {
                break;
            }
        }
        stop.triggered().await;
        Ok(())
    }

    async fn asked(&self, tx: &Sound, ask: Ask) -> Answer {
        if !self.state().breaker.allows(self.now_ms()) {
            return Answer::Busy;
        }
        let wait_us = self.state().pace.as_mut().map_or(0, |pace| pace.take(micros(self.born.elapsed())));
        if wait_us > 0 {
            tokio::time::sleep(Duration::from_micros(wait_us)).await;
        }
        let (answer, seen) = match ask {
            Ask::Send => self.link.send(tx.hash, &tx.raw).await,
            Ask::Look => self.link.look(tx.hash).await,
        };
        let now_ms = self.now_ms();
        let mut state = self.state();
        state.breaker.note(seen, now_ms);
        match (&answer, seen) {
            (Answer::Verdict { reason, .. }, Seen::Fault | Seen::Limit) => state.fault.clone_from(reason),
            (_, Seen::Answer) => state.fault = None,
            _ => {}
        }
        answer
    }

    /// Asks for the chain now and then: a node may be exchanged for another one behind its address.
    async fn probe(self: Arc<Self>, chain_id: u64, news: Sender<News>, stop: Shutdown) -> Done {
        let mut standing = Standing::Unproven;
        loop {
            let Some(told) = stop.unless(self.link.chain_id()).await else { return Ok(()) };
            let found = match told {
                Ok(id) => {
                    self.state().chain_id = Some(id);
                    if id == chain_id { Standing::Right } else { Standing::Wrong }
                }
                Err(error) => {
                    self.state().fault = Some(with_causes(&error));
                    // A node that is away is of the chain that it told last.
                    standing
                }
            };
            if std::mem::replace(&mut standing, found) != found
                && news.send(News::Stands { upstream: self.index, standing }).await.is_err()
            {
                break;
            }
            let every = if standing == Standing::Right { PROBE_EVERY } else { PROBE_AGAIN };
            if stop.unless(tokio::time::sleep(every)).await.is_none() {
                return Ok(());
            }
        }
        stop.triggered().await;
        Ok(())
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
