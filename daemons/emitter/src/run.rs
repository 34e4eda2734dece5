//! The daemon: one loop, one thread each for the member of the group, the journal and the feed, and the nodes' tasks.

use crate::config::Settings;
use crate::deliver::{Deliver, Seen, Sources, Steady};
use crate::error::Error;
use crate::follow::Follower;
use crate::intake::{Commits, Intake};
use crate::journal::Journal;
use crate::metrics::Gauges;
use crate::pending::Pending;
use crate::upstream::Upstream;
use maidenlane_config::shapes;
use maidenlane_log::Backend;
use maidenlane_service::{Context, Exit, Failure, Health, Shutdown, with_causes};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::sync_channel;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// News of the topic of transactions that may wait: each holds up to a megabyte.
const ENTRIES_MAX: usize = 64;
/// Changes of the head, and answers, that may wait.
const CHANGES_MAX: usize = 64;
const ANSWERS_MAX: usize = 1_024;
/// Appends that may wait.
const APPENDS_MAX: usize = 64;
/// Wishes for blocks that may wait: more than topics have partitions.
const WISHES_MAX: usize = 4_096;
/// Interval of attempts to find the topics, and how often that is tried.
const CHECK_AGAIN: Duration = Duration::from_secs(1);
const CHECKS_MAX: u32 = 600;

/// Emitter daemon.
#[derive(Debug)]
pub struct Daemon;

impl maidenlane_service::Daemon for Daemon {
    const NAME: &'static str = "emitter";
    const ABOUT: &'static str = "Delivers transactions to nodes and tells what became of them";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn shared(settings: &Settings) -> &shapes::Daemon {
        &settings.daemon
    }

    async fn run(context: Context<Settings>) -> Result<(), Failure> {
        let settings = context.settings.get();
        let log = settings.backend().map_err(|error| Failure::new(Exit::Settings, error))?;
        if fit(&settings, &log, &context.health, context.tasks.shutdown()).await? {
            start(&context, &settings, &log)?;
        }
        Ok(())
    }
}

/// Starts everything.
fn start(context: &Context<Settings>, settings: &Settings, log: &Backend) -> Result<(), Failure> {
    let Context { tasks, health, metrics, .. } = context;
    let shutdown = tasks.shutdown().clone();
    let names: Vec<String> = settings.upstreams.iter().map(|upstream| upstream.name.clone()).collect();
    let (entries, intake) = mpsc::channel(ENTRIES_MAX);
    let (changes, feed) = mpsc::channel(CHANGES_MAX);
    let (answers, upstreams) = mpsc::channel(ANSWERS_MAX);
    let (journal, outcomes) = mpsc::channel(APPENDS_MAX);
    let (kept, durable) = watch::channel(0);
    let (wanted, wishes) = sync_channel(WISHES_MAX);
    let (commits, full, clock) = (Commits::default(), Arc::new(AtomicBool::new(false)), Steady::new());

    let member = Intake {
        log: log.clone(),
        topics: (settings.transactions_topic.clone(), settings.outcomes_topic.clone()),
        group: settings.group.clone(),
        chain_id: settings.chain_id,
        names: names.clone(),
        lifetime_ms: settings.terms.lifetime_ms,
        news: entries,
        commits: Arc::clone(&commits),
        full: Arc::clone(&full),
        steady_ms: Arc::new(move || clock.ms()),
        health: health.clone(),
        shutdown: shutdown.clone(),
    };
    tasks.spawn_thread("intake", move || Ok(member.run()?))?;
    let outcomes_topic = (log.clone(), settings.outcomes_topic.clone());
    let appender = Journal::new(outcomes_topic, outcomes, kept, health.clone(), shutdown.clone());
    let stop = shutdown.clone();
    tasks.spawn_thread("journal", move || {
        appender.run()?;
        // Its end comes with that of the loop, whose reason is the one to be told.
        stop.wait();
        Ok(())
    })?;
    let feed_topic = (log.clone(), settings.feed_topic.clone());
    let follower =
        Follower::new(feed_topic, settings.silence_max, (changes, wishes), health.clone(), shutdown.clone());
    tasks.spawn_thread("feed", move || Ok(follower.run()?))?;

    let each = settings.upstreams.iter().enumerate();
    let nodes = each.map(|(index, node)| Upstream::start(node, index, settings.chain_id, &answers, tasks));
    let deliver = Deliver {
        upstreams: nodes.collect(),
        pending: Pending::new(names.clone(), settings.routes.clone(), settings.terms),
        names,
        room: (settings.pending_max, settings.pending_max_bytes),
        journal,
        commits,
        full,
        wanted,
        clock,
        gauges: Gauges::new(metrics),
        health: health.clone(),
        seen: Seen::default(),
    };
    let sources = Sources { intake, feed, upstreams, durable };
    tasks.spawn("deliver", deliver.run(sources, shutdown));
    Ok(())
}

/// Refuses topics that would lose transactions or fates; waits while the log is away. False at a shutdown.
async fn fit(
    settings: &Settings,
    log: &Backend,
    health: &Health,
    shutdown: &Shutdown,
) -> Result<bool, Failure> {
    let mut tries = 0;
    while !shutdown.is_triggered() {
        let (checked, log) = (settings.clone(), log.clone());
        let check = tokio::task::spawn_blocking(move || check(&checked, &log));
        let error = match check.await.map_err(|panic| Failure::new(Exit::TaskDied, panic))? {
            Ok(()) => return Ok(true),
            Err(Error::Log(error)) if error.may_come() && tries < CHECKS_MAX => error,
            Err(error) => return Err(error.into()),
        };
        let reason = format!("waiting: {}", with_causes(&error));
        health.set_status_line(&reason);
        health.set_unready(reason);
        health.extend_timeout(CHECK_AGAIN * 10);
        tries += 1;
        shutdown.unless(tokio::time::sleep(CHECK_AGAIN)).await;
    }
    Ok(false)
}

fn check(settings: &Settings, log: &Backend) -> Result<(), Error> {
    for topic in [&settings.transactions_topic, &settings.outcomes_topic] {
        let problems = log.check(topic, &settings.needs())?;
        if !problems.is_empty() {
            return Err(Error::Unfit { topic: topic.clone(), problems });
        }
    }
    let [transactions, outcomes] =
        [&settings.transactions_topic, &settings.outcomes_topic].map(|topic| log.partitions(topic));
    let (transactions, outcomes) = (transactions?, outcomes?);
    if transactions != outcomes {
        let problem = format!(
            "it has {outcomes} partitions, {} has {transactions}: a transaction's entries must share a number; \
             create both with `maidenlane log init`",
            settings.transactions_topic
        );
        return Err(Error::Unfit { topic: settings.outcomes_topic.clone(), problems: vec![problem] });
    }
    Ok(())
}
