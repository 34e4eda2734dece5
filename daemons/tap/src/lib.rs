//! The tap: turns what a master *executed* (frames in its spool) into what is *canonical* (records of a feed).
//!
//! | module | idea |
//! |---|---|
//! | [`follow`] | pure: announced heads in, next step out |
//! | [`published`] | the published chain as far back as it is known |
//! | [`spool`] | finds frames by block hash, while geth writes them |
//! | [`block`], [`begin`], [`audit`] | pure: what must be true before anything is published |
//! | [`nodes`] | trie nodes, on their way to the `proofs` topic |
//! | [`pool`] | the master's pool, in a topic beside the feed |
//! | [`tail`] | the feed's state: what `maidenlane_feed` reads, folded into chain and finality |
//! | [`publish`] | the feed's one writer: epochs and the proof that they are ours |
//! | [`ipc`], [`master`] | questions to geth and announcements from it |
//! | [`run`] | the loop that ties them together |
//! | [`repair`] | closes a hole, for the command line |

extern crate maidenlane_config as serde_dhall;

pub mod audit;
pub mod begin;
pub mod block;
pub mod config;
pub mod error;
pub mod events;
pub mod failpoints;
pub mod follow;
pub mod ipc;
pub mod master;
pub mod nodes;
pub mod pool;
pub mod publish;
pub mod published;
pub mod repair;
pub mod run;
pub mod spool;
pub mod tail;

use crate::config::Settings;
use crate::error::Error;
use crate::events::Event;
use crate::pool::{Follower, Owned};
use crate::tail::Chain;
use maidenlane_config::shapes;
use maidenlane_log::{Backend, TopicNeeds};
use maidenlane_service::{Context, Current, Failure, Health, Shutdown, Tracer, tracer, with_causes};
use std::time::Duration;

/// Interval of attempts to ask a master for its genesis.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// The tap as a daemon.
#[derive(Debug)]
pub struct Daemon;

impl maidenlane_service::Daemon for Daemon {
    const NAME: &'static str = "tap";
    const ABOUT: &'static str = "Publishes one master's canonical history as a feed";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn shared(settings: &Settings) -> &shapes::Daemon {
        &settings.daemon
    }

    async fn run(context: Context<Settings>) -> Result<(), Failure> {
        let events = tracer::logging().and(&events::counting(&context.metrics));
        let (settings, health) = (context.settings, context.health);
        let shutdown = context.tasks.shutdown().clone();
        let owned = Owned::default();
        if let Some(topic) = settings.get().pool_topic.clone() {
            let log = settings.get().backend().map_err(Error::from)?;
            let (health, shutdown) = (health.clone(), shutdown.clone());
            let pool = Follower::new(
                settings.clone(),
                (log, topic),
                owned.clone(),
                events.clone(),
                health,
                shutdown,
            );
            context.tasks.spawn_thread("pool", move || {
                pool.run();
                Ok(())
            })?;
        }
        context.tasks.spawn_thread("tap", move || Ok(work(&settings, owned, &events, &health, &shutdown)?))
    }
}

/// The work of the tap's thread.
fn work(
    current: &Current<Settings>,
    owned: Owned,
    events: &Tracer<Event>,
    health: &Health,
    shutdown: &Shutdown,
) -> Result<(), Error> {
    let settings = current.get();
    let log = settings.backend()?;
    let mut start = run::Start::new(events.clone(), health.clone(), shutdown.clone());
    let Some(()) = start.attempt(|| fit(&settings, &log))? else { return Ok(()) };
    health.set_unready("not connected to the master");
    let Some(chain) = chain(&settings, events, health, shutdown) else { return Ok(()) };
    let tap =
        || run::Tap::new(current.clone(), chain, &log, events.clone(), health.clone(), shutdown.clone());
    start.attempt(tap)?.map_or(Ok(()), |tap| tap.telling(owned).run())
}

/// Refuses topics that would lose what is published.
fn fit(settings: &Settings, log: &Backend) -> Result<(), Error> {
    let needs = TopicNeeds::of_feed(maidenlane_wire::parts::ENTRY_MAX_BYTES);
    for topic in std::iter::once(&settings.topic).chain(&settings.proofs_topic) {
        let problems = log.check(topic, &needs)?;
        if !problems.is_empty() {
            return Err(Error::Unfit { topic: topic.clone(), problems });
        }
    }
    Ok(())
}

/// The chain of the settings, with the master's genesis if they name none. `None` at a shutdown.
fn chain(settings: &Settings, events: &Tracer<Event>, health: &Health, shutdown: &Shutdown) -> Option<Chain> {
    let id = settings.chain_id;
    if let Some(genesis) = settings.genesis {
        return Some(Chain { id, genesis });
    }
    let mut last = None;
    while !shutdown.is_triggered() {
        match master::Master::connect(&settings.ipc).and_then(|mut master| master.identity()) {
            Ok((_, genesis)) => return Some(Chain { id, genesis }),
            Err(error) => {
                let reason = with_causes(&Error::from(error));
                if last.as_ref() != Some(&reason) {
                    events.emit(&Event::Away { reason: reason.clone() });
                }
                last = Some(reason);
            }
        }
        health.set_status_line("waiting for the master");
        health.extend_timeout(run::START_WAIT);
        std::thread::sleep(ASK_EVERY);
    }
    None
}
