//! Probes: one task for each target, which asks it again and again, whoever wants to know. No request of a balancer ever waits
//! for one.

mod batch;
mod daemon;
mod feed;
mod heads;
mod node;
mod proof;
mod state;

use crate::board::Target;
use crate::observe::{Asks, Observation, Seen};
use crate::view::View;
use daemon::{Beacon, Daemon};
use feed::Heard;
use heads::Heads;
use maidenlane_chain::Address;
use maidenlane_config::feed::Feed;
use maidenlane_jsonrpc::client::{LinkError, Remote};
use maidenlane_service::{Failure, Shutdown, TaskGroup, with_causes};
use node::Node;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

/// Rounds after which the next comes soon: what all targets are asked in common follows from their first answers.
const FIRST_ROUNDS: u64 = 2;
/// Time until it, which a view needs.
const SOON: Duration = Duration::from_millis(300);
/// Moments of an interval at which targets are asked.
const MOMENTS: u32 = 4;
/// Time between rounds that follow from announced heads, however fast the chain is.
const APART: Duration = Duration::from_millis(500);

/// Settings of one target's probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Target, as verdicts know it.
    pub target: Target,
    /// Kind and address.
    pub kind: Kind,
    /// Admin listener, of one of our daemons.
    pub admin: Option<Remote>,
}

/// Kind and address of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A replica, by its JSON-RPC.
    Replica(Remote),
    /// An execution client, by its JSON-RPC.
    Node(Remote),
    /// A daemon that is no replica, by its admin listener.
    Daemon(Remote),
    /// A beacon node, by its REST interface.
    Beacon(Remote),
    /// A feed, by its log.
    Feed(Box<Feed>),
}

/// News of a target, by its number.
pub type News = (usize, Observation);

/// Probe of one target.
#[derive(Debug)]
pub struct Probe {
    index: usize,
    name: String,
    interval: Duration,
    timeout: Duration,
    way: Way,
    admin: Option<Daemon>,
}

/// Way to look at a target.
#[derive(Debug)]
enum Way {
    Node(Node),
    Daemon(Daemon),
    Beacon(Beacon),
    Feed(Arc<Heard>),
}

impl Probe {
    /// Probe of the target at `index`, with the times of its group. Readers of feeds begin to read.
    ///
    /// # Errors
    /// When a secret of the settings cannot be read, or the machine gives no thread.
    pub fn new(
        index: usize,
        settings: &Settings,
        (interval, timeout): (Duration, Duration),
        accounts: &[Address],
        tasks: &TaskGroup,
    ) -> Result<Self, Failure> {
        let name = settings.target.name.clone();
        let pages = |remote: &Remote| Daemon::new(remote).map_err(|error| refused(&name, &error));
        let way = match &settings.kind {
            Kind::Replica(remote) => Way::Node(Node::new(remote, false, accounts)),
            Kind::Node(remote) => Way::Node(Node::new(remote, true, accounts)),
            Kind::Daemon(remote) => Way::Daemon(pages(remote)?),
            Kind::Beacon(remote) => Way::Beacon(Beacon::new(remote).map_err(|error| refused(&name, &error))?),
            Kind::Feed(feed) => Way::Feed(feed::start(&name, feed, tasks)?),
        };
        let admin = settings.admin.as_ref().map(pages).transpose()?;
        Ok(Self { index, name, interval, timeout, way, admin })
    }

    /// Asks until the shutdown.
    pub async fn run(
        self,
        news: mpsc::Sender<News>,
        view: watch::Receiver<Arc<View>>,
        shutdown: Shutdown,
    ) -> Result<(), Failure> {
        // Not all at the same moment, and not each at one of its own: what wakes for one does for others.
        let part = u32::try_from(self.index).unwrap_or(0) % MOMENTS;
        let mut ticks =
            tokio::time::interval_at((Instant::now() + self.interval / MOMENTS * part).into(), self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heads = Heads::of(self.node());
        let apart = (self.interval / 2).min(APART);
        let mut began = Instant::now();
        for round in 0_u64.. {
            let due = async {
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = heads.next() => tokio::time::sleep_until((began + apart).into()).await,
                }
            };
            if shutdown.unless(due).await.is_none() {
                return Ok(());
            }
            heads.skip();
            ticks.reset();
            began = Instant::now();
            let asks = view.borrow().asks.clone();
            let Some(observation) = shutdown.unless(Box::pin(self.round(&asks))).await else { return Ok(()) };
            if let Err(reason) = &observation.seen {
                tracing::debug!("{}: {reason}", self.name);
                heads.close();
            }
            if shutdown.unless(news.send((self.index, observation))).await.is_none() {
                return Ok(());
            }
            if round < FIRST_ROUNDS {
                ticks.reset_after(self.interval.min(SOON));
            }
        }
        Ok(())
    }

    fn node(&self) -> Option<&Node> {
        match &self.way {
            Way::Node(node) => Some(node),
            _ => None,
        }
    }

    /// One round: all questions, within the time that they have together.
    async fn round(&self, asks: &Asks) -> Observation {
        let began = Instant::now();
        let asked = tokio::time::timeout(self.timeout, Box::pin(self.ask(asks))).await;
        let (took, late) = (began.elapsed(), asked.is_err());
        if let Some(node) = self.node().filter(|_| late) {
            node.forget().await;
        }
        let seen = asked.unwrap_or_else(|_| Err(format!("no answer within {} ms", self.timeout.as_millis())));
        Observation { took, seen }
    }

    async fn ask(&self, asks: &Asks) -> Result<Seen, String> {
        let rpc = async {
            match &self.way {
                Way::Node(node) => node.ask(asks).await,
                Way::Daemon(daemon) => daemon.ask().await.map_err(|error| with_causes(&error)),
                Way::Beacon(beacon) => beacon.ask().await,
                Way::Feed(heard) => heard.tell(asks),
            }
        };
        let Some(admin) = &self.admin else { return rpc.await };
        let (seen, told) = tokio::join!(rpc, admin.ask());
        match (seen, told) {
            (Ok(seen), Ok(told)) => Ok(Seen {
                ready: told.ready,
                clock_ahead_ms: told.clock_ahead_ms,
                unknown_fork: told.unknown_fork,
                obstacle: told.obstacle,
                snapshot_due: told.snapshot_due,
                room: told.room,
                ..seen
            }),
            // A daemon that is not fit may have closed its JSON-RPC; its own word says more.
            (Err(_), Ok(told)) if told.ready != Some(crate::observe::Ready::Yes) => Ok(told),
            (Err(reason), _) => Err(reason),
            (Ok(_), Err(error)) => Err(format!("admin: {}", with_causes(&error))),
        }
    }
}

fn refused(name: &str, error: &LinkError) -> Failure {
    Failure::new(maidenlane_service::Exit::Settings, format!("target {name}: {}", with_causes(error)))
}
