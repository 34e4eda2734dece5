//! The daemon: the follower on a thread of its own, the JSON-RPC once the replica first follows.

use crate::config::Settings;
use crate::filters::{self, Filters};
use crate::mempool::{self, Mempool};
use crate::outcomes::{self, Counted};
use crate::rpc::{Rpc, Sinks};
use crate::snapshots;
use crate::submission::{self, Submissions};
use maidenlane_backfill::Plan;
use maidenlane_backfill::job::PIECES_MAX;
use maidenlane_config::shapes;
use maidenlane_jsonrpc::listeners;
use maidenlane_log::Backend;
use maidenlane_replay::Live;
use maidenlane_replay::behind::Past;
use maidenlane_replay::heads::HeadTracker;
use maidenlane_replay::run::Loop;
use maidenlane_service::{Addresses, Context, Current, Exit, Failure, Health, Shutdown, TaskGroup, tracer};
use maidenlane_store::Piece;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::time::Duration;

/// Interval of attempts to make the key of filters on a disk that refuses, and their number.
const KEY_AGAIN: Duration = Duration::from_secs(1);
const KEY_TRIES: u32 = 600;

/// Replica daemon.
#[derive(Debug)]
pub struct Daemon;

impl maidenlane_service::Daemon for Daemon {
    const NAME: &'static str = "replica";
    const ABOUT: &'static str = "Replays a feed and answers JSON-RPC";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn shared(settings: &Settings) -> &shapes::Daemon {
        &settings.daemon
    }

    async fn run(context: Context<Settings>) -> Result<(), Failure> {
        let Context { settings, tasks, health, metrics, addresses } = context;
        let first = settings.get();
        let log = first.backend().map_err(|error| Failure::new(Exit::Settings, error))?;
        let fresh = settings.part(|settings| settings.fresh);
        let shutdown = tasks.shutdown().clone();
        let (mut follow, follows) =
            Loop::new(Self::NAME, first.replay(log.clone()), fresh, health.clone(), &metrics, shutdown);
        let mut fill = None;
        if let Some(plan) = first.backfill.clone() {
            let (sender, pieces) = mpsc::sync_channel(PIECES_MAX);
            follow = follow.with_past(Past { pieces, from: plan.from });
            fill = Some(Fill { plan, pieces: sender, tasks: tasks.clone(), health: health.clone() });
        }
        snapshots::control::start(
            &first.snapshots,
            &first.daemon.state_dir,
            follow.store(),
            &tasks,
            &health,
            &addresses,
        )?;
        snapshots::guard::start(&first, log.clone(), follow.store(), &tasks, &health, &metrics)?;
        let (begun, feed, healthy, stop) =
            (Arc::clone(&first), log.clone(), health.clone(), tasks.shutdown().clone());
        tasks.spawn_thread("follow", move || {
            snapshots::begin::begin(&begun, feed.clone(), &healthy, &stop)?;
            follow.run().map_err(|error| snapshots::gap::told(error, &begun, feed))
        })?;
        let submissions = match &first.transactions {
            Some(wanted) => Some(submission::start(wanted, log.clone(), &tasks, &health, &metrics)?),
            None => None,
        };
        let outcomes = match &first.outcomes {
            Some(wanted) => {
                let (state_dir, counted) = (&first.daemon.state_dir, counted(&first, submissions.as_ref()));
                Some(outcomes::start(wanted, state_dir, log.clone(), counted, (&tasks, &health))?)
            }
            None => None,
        };
        let filters = match &first.filters {
            Some(wanted) => {
                let kept = keep_filters(wanted, &first, log, &tasks, &health);
                let Some(kept) = tasks.shutdown().unless(kept).await else { return Ok(()) };
                Some(kept?)
            }
            None => None,
        };
        let pool = Pool::of(&first, &tasks, &health)?;
        let mempool = pool.as_ref().map(|pool| pool.kept.clone());
        let sinks = Sinks { submissions, filters, outcomes, mempool };
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("rpc", async move {
            match shutdown.unless(follows).await {
                Some(Ok(heads)) => {
                    fill.map_or(Ok(()), |fill| fill.start(Arc::clone(&heads)))?;
                    pool.map_or(Ok(()), |pool| pool.start(Arc::clone(&heads)))?;
                    serve(heads, &settings, sinks, &health, &addresses, &shutdown).await
                }
                // The follower died before it followed: its error is the one to report, not ours.
                Some(Err(_)) => {
                    shutdown.triggered().await;
                    Ok(())
                }
                None => Ok(()),
            }
        });
        Ok(())
    }
}

/// Transactions that the reader of outcomes counts for the door.
fn counted(settings: &Settings, submissions: Option<&Submissions>) -> Option<Counted> {
    let topic = settings.transactions.as_ref()?.topic.clone();
    Some(Counted { topic, counts: submissions?.counts().clone() })
}

/// Back-fill that begins once the replica follows.
struct Fill {
    plan: Plan,
    pieces: SyncSender<Piece>,
    tasks: TaskGroup,
    health: Health,
}

impl Fill {
    fn start(self, heads: Arc<HeadTracker>) -> Result<(), Failure> {
        let Self { plan, pieces, tasks, health } = self;
        let (live, shutdown): (Arc<dyn Live>, _) = (heads, tasks.shutdown().clone());
        tasks.spawn_thread("backfill", move || {
            maidenlane_backfill::run(&plan, &live, &pieces, &health, &shutdown, &tracer::logging())?;
            shutdown.wait();
            Ok(())
        })
    }
}

/// The master's pool, which is read once the replica follows.
struct Pool {
    kept: Mempool,
    settings: mempool::Settings,
    log: Backend,
    tasks: TaskGroup,
    health: Health,
}

impl Pool {
    /// Nothing read yet; `None` where none is kept.
    fn of(settings: &Settings, tasks: &TaskGroup, health: &Health) -> Result<Option<Self>, Failure> {
        let Some(wanted) = settings.pool.clone() else { return Ok(None) };
        let log = settings.backend().map_err(|error| Failure::new(Exit::Settings, error))?;
        let (kept, tasks, health) = (Mempool::new(&wanted), tasks.clone(), health.clone());
        Ok(Some(Self { kept, settings: wanted, log, tasks, health }))
    }

    fn start(self, heads: Arc<HeadTracker>) -> Result<(), Failure> {
        let Self { kept, settings, log, tasks, health } = self;
        mempool::start(kept, settings, log, heads, &tasks, &health)
    }
}

async fn serve(
    heads: Arc<HeadTracker>,
    settings: &Current<Settings>,
    sinks: Sinks,
    health: &Health,
    addresses: &Addresses,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let limits = settings.get().rpc.limits;
    let bound = listeners::open(&settings.get().listeners, limits, addresses)?;
    let calls = settings.part(|settings| settings.rpc.clone());
    let rpc = Rpc::with(heads, calls, sinks).map_err(|error| Failure::new(Exit::TaskDied, error))?;
    health.set_ready();
    let served = listeners::serve(bound, rpc.clone(), shutdown).await;
    rpc.stop().await;
    served
}

/// Starts the thread that reads and appends to the filters' topic. Waits while the disk refuses a new key.
async fn keep_filters(
    wanted: &filters::Settings,
    settings: &Settings,
    log: Backend,
    tasks: &TaskGroup,
    health: &Health,
) -> Result<Filters, Failure> {
    let log = submission::brief(log);
    let mut tries = 1;
    let (filters, reader) = loop {
        match Filters::new(wanted, &settings.daemon.state_dir, log.clone()) {
            Err(refused) if refused.exit == Exit::GaveUp && tries < KEY_TRIES => {
                health.set_unready(refused.to_string());
                tokio::time::sleep(KEY_AGAIN).await;
                tries += 1;
            }
            made => break made?,
        }
    };
    let shutdown = tasks.shutdown().clone();
    tasks.spawn_thread("filters", move || {
        reader.run();
        shutdown.wait();
        Ok(())
    })?;
    Ok(filters)
}
