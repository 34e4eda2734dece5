//! The daemon: the follower on a thread of its own, the JSON-RPC once the replica first follows.

use crate::config::Settings;
use crate::filters::{self, Filters};
use crate::rpc::{Rpc, Sinks};
use crate::submission;
use maidenlane_config::shapes;
use maidenlane_jsonrpc::listeners;
use maidenlane_log::Backend;
use maidenlane_replay::heads::HeadTracker;
use maidenlane_replay::run::Loop;
use maidenlane_service::{Addresses, Context, Current, Exit, Failure, Health, Shutdown, TaskGroup};
use std::sync::Arc;

/// Replica daemon.
#[derive(Debug)]
pub struct Daemon;

impl maidenlane_service::Daemon for Daemon {
    const NAME: &'static str = "replica";
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
        let (follow, follows) =
            Loop::new(Self::NAME, first.replay(log.clone()), fresh, health.clone(), &metrics, shutdown);
        tasks.spawn_thread("follow", move || Ok(follow.run()?))?;
        let submissions = match &first.transactions {
            Some(wanted) => Some(submission::start(wanted, log.clone(), &tasks, &health, &metrics)?),
            None => None,
        };
        let filters = match &first.filters {
            Some(wanted) => Some(keep_filters(wanted, &first, log, &tasks)?),
            None => None,
        };
        let sinks = Sinks { submissions, filters };
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("rpc", async move {
            match shutdown.unless(follows).await {
                Some(Ok(heads)) => serve(heads, &settings, sinks, &health, &addresses, &shutdown).await,
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

/// Starts the thread that reads and appends to the filters' topic.
fn keep_filters(
    wanted: &filters::Settings,
    settings: &Settings,
    log: Backend,
    tasks: &TaskGroup,
) -> Result<Filters, Failure> {
    let (filters, reader) = Filters::new(wanted, &settings.daemon.state_dir, submission::brief(log))
        .map_err(|error| Failure::new(Exit::Settings, format!("filters: {error}")))?;
    let shutdown = tasks.shutdown().clone();
    tasks.spawn_thread("filters", move || {
        reader.run();
        submission::await_shutdown(&shutdown);
        Ok(())
    })?;
    Ok(filters)
}
