//! The daemon: the follower on a thread of its own, the JSON-RPC once the replica first follows.

use crate::config::Settings;
use crate::filters::{self, Filters};
use crate::metrics::Gauges;
use crate::rpc::{Rpc, Sinks};
use crate::submission;
use maidenlane_chain::{ForkWatch, UnknownFork};
use maidenlane_config::shapes;
use maidenlane_jsonrpc::listeners;
use maidenlane_log::{Backend, TopicNeeds};
use maidenlane_replay::apply::Demands;
use maidenlane_replay::catch_up::CatchUp;
use maidenlane_replay::error::Error;
use maidenlane_replay::events::Event;
use maidenlane_replay::follow::{Follower, Logs};
use maidenlane_replay::heads::HeadTracker;
use maidenlane_replay::liveness::{Liveness, missing};
use maidenlane_replay::{Fitness, Fresh, Live};
use maidenlane_service::{
    Addresses, Context, Current, Exit, Failure, Health, Shutdown, TaskGroup, Tracer, clock, tracer,
};
use maidenlane_state::Head;
use maidenlane_store::Store;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The longest wait for records, and so for a shutdown.
const WAIT: Duration = Duration::from_millis(100);
/// For a look at a log that may be away, in the middle of following.
const LOOK_WAIT: Duration = Duration::from_secs(3);
/// Between attempts to reach a log that is away.
const TRY_AGAIN: Duration = Duration::from_millis(250);
/// Asked for, again and again, by a start that takes long.
const START_WAIT: Duration = Duration::from_secs(30);
/// Without the log for so long, let the service manager begin afresh.
const GIVE_UP_AFTER: Duration = Duration::from_secs(600);

/// The daemon.
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
        let (first, follows) = oneshot::channel();
        let loop_ = Loop {
            settings: settings.clone(),
            fresh: settings.part(|settings| settings.fresh),
            events: tracer::logging(),
            health: health.clone(),
            gauges: Gauges::new(&metrics),
            shutdown: tasks.shutdown().clone(),
            first: Some(first),
            catch_up: None,
            forks: ForkWatch::default(),
            stale: false,
        };
        tasks.spawn_thread("follow", move || Ok(loop_.run()?))?;
        let first = settings.get();
        let submissions = match &first.transactions {
            Some(wanted) => Some(submission::start(wanted, first.backend(), &tasks, &health, &metrics)?),
            None => None,
        };
        let filters = match &first.filters {
            Some(wanted) => Some(keep_filters(wanted, &first, &tasks)?),
            None => None,
        };
        let sinks = Sinks { submissions, filters };
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("rpc", async move {
            match shutdown.unless(follows).await {
                Some(Ok(heads)) => serve(heads, &settings, sinks, &health, &addresses, &shutdown).await,
                // The follower died before it followed: its error is the one to tell, not ours.
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
    let bound = listeners::open(&settings.get().listeners, limits, addresses).await?;
    let calls = settings.part(|settings| settings.rpc.clone());
    let rpc = Rpc::with(heads, calls, sinks).map_err(|error| Failure::new(Exit::TaskDied, error))?;
    health.set_ready();
    let served = listeners::serve(bound, rpc.clone(), shutdown).await;
    rpc.stop().await;
    served
}

/// Starts the thread that reads where filters stand.
fn keep_filters(
    wanted: &filters::Settings,
    settings: &Settings,
    tasks: &TaskGroup,
) -> Result<Filters, Failure> {
    let (filters, reader) =
        Filters::new(wanted, &settings.daemon.state_dir, submission::brief(settings.backend()))
            .map_err(|error| Failure::new(Exit::Settings, format!("filters: {error}")))?;
    let shutdown = tasks.shutdown().clone();
    tasks.spawn_thread("filters", move || {
        reader.run();
        submission::await_shutdown(&shutdown);
        Ok(())
    })?;
    Ok(filters)
}

struct Loop {
    settings: Current<Settings>,
    fresh: Current<Fresh>,
    events: Tracer<Event>,
    health: Health,
    gauges: Gauges,
    shutdown: Shutdown,
    first: Option<oneshot::Sender<Arc<HeadTracker>>>,
    /// Until it first follows.
    catch_up: Option<CatchUp>,
    forks: ForkWatch,
    stale: bool,
}

impl Loop {
    fn run(mut self) -> Result<(), Error> {
        self.health.set_unready("bootstrapping");
        let path = maidenlane_replay::store_path(&self.settings.get().daemon.state_dir);
        let cache = usize::try_from(self.settings.get().store_cache_bytes).unwrap_or(usize::MAX);
        let store = Arc::new(Store::open(&path, cache)?);
        let liveness = Arc::new(Liveness::default());
        let Some(mut follower) = self.follower(&store, &liveness)? else { return Ok(()) };
        self.events.emit(&Event::Opened { head: follower.facts().head });
        let mut heads: Option<Arc<HeadTracker>> = None;
        let mut away: Option<Instant> = None;
        let mut looked = Instant::now();
        while !self.shutdown.is_triggered() {
            store.sound()?;
            let showable = match follower.turn(WAIT) {
                Ok(showable) => showable,
                Err(Error::Log(source)) if passes(&source) => {
                    self.wait_for_log(&mut away, source)?;
                    continue;
                }
                Err(error) if error.may_be_cut() => {
                    match self.elsewhere(&follower, error, &store, &liveness)? {
                        Some(next) => {
                            follower = next;
                            continue;
                        }
                        None => break,
                    }
                }
                Err(error) => return Err(error),
            };
            away = None;
            match &heads {
                Some(heads) if showable => follower.show(heads)?,
                Some(_) => {}
                None => heads = self.first_head(&mut follower, &liveness)?,
            }
            self.tell(&mut follower, heads.as_deref());
            let silence_max = self.fresh.get().silence_max;
            if liveness.silent().min(looked.elapsed()) > silence_max {
                looked = Instant::now();
                follower = self.anew(&store, &liveness)?.unwrap_or(follower);
            }
        }
        store.sync()?;
        Ok(())
    }

    /// What did not fit may be new in its place, because the log was cut: then goes on from where our head is found.
    /// Otherwise `error` it is. `None` at a shutdown.
    fn elsewhere(
        &self,
        follower: &Follower,
        error: Error,
        store: &Arc<Store>,
        liveness: &Arc<Liveness>,
    ) -> Result<Option<Follower>, Error> {
        let next = self.follower(store, liveness)?;
        let beyond = matches!(error, Error::Log(maidenlane_log::Error::BeyondEnd { .. }));
        match &next {
            Some(next) if !beyond && next.facts().position == follower.facts().position => Err(error),
            _ => Ok(next),
        }
    }

    /// Silence may be ours: a client that does not notice that its broker came back with an older log, or records of a
    /// log written anew with an epoch that we know, of a writer that we do not. Looks with a new client where our head
    /// is. `None` while the log is away.
    fn anew(&self, store: &Arc<Store>, liveness: &Arc<Liveness>) -> Result<Option<Follower>, Error> {
        let mut log = self.settings.get().backend();
        if let Backend::Kafka(options) = &mut log {
            options.timeout = LOOK_WAIT;
        }
        match self.logs(&log).and_then(|logs| self.follow(store, liveness, logs)) {
            Ok(follower) => Ok(Some(follower)),
            Err(Error::Log(source)) if passes(&source) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn follow(&self, store: &Arc<Store>, liveness: &Arc<Liveness>, logs: Logs) -> Result<Follower, Error> {
        let settings = self.settings.get();
        let proofs = settings.proofs_topic.is_some();
        let demands = Demands { chain_id: settings.chain_id, genesis: settings.genesis, proofs };
        let (store, events, liveness) = (Arc::clone(store), self.events.clone(), Arc::clone(liveness));
        Follower::new(store, settings.keep, demands, logs, events, liveness)
    }

    /// Opens the log; waits while it is away. `None` at a shutdown.
    fn follower(&self, store: &Arc<Store>, liveness: &Arc<Liveness>) -> Result<Option<Follower>, Error> {
        let mut away = None;
        while !self.shutdown.is_triggered() {
            match self.open().and_then(|logs| self.follow(store, liveness, logs)) {
                Ok(follower) => return Ok(Some(follower)),
                Err(Error::Log(source)) if passes(&source) => self.wait_for_log(&mut away, source)?,
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn open(&self) -> Result<Logs, Error> {
        let settings = self.settings.get();
        let log = settings.backend();
        let needs = TopicNeeds::of_feed(maidenlane_wire::parts::ENTRY_MAX_BYTES);
        let feed = (&settings.topic, needs.clone());
        let proofs = settings.proofs_topic.as_ref().map(|topic| (topic, needs));
        let transactions =
            settings.transactions.as_ref().map(|taken| (&taken.topic, submission::needs(taken)));
        let filters = settings.filters.as_ref().map(|kept| (&kept.topic, filters::needs()));
        let written: Vec<_> = transactions.into_iter().chain(filters).collect();
        for (topic, needs) in [feed].into_iter().chain(proofs).chain(written.clone()) {
            let problems = log.check(topic, &needs)?;
            if !problems.is_empty() {
                return Err(Error::Unfit { topic: topic.clone(), problems });
            }
        }
        // Better told now than to the first who sends something.
        written.iter().try_for_each(|(topic, _)| log.producer(topic).map(drop))?;
        self.logs(&log)
    }

    fn logs(&self, log: &Backend) -> Result<Logs, Error> {
        let settings = self.settings.get();
        Logs::open(log, &settings.topic, settings.proofs_topic.as_deref())
    }

    fn wait_for_log(&self, away: &mut Option<Instant>, source: maidenlane_log::Error) -> Result<(), Error> {
        let since = *away.get_or_insert_with(|| {
            self.events.emit(&Event::LogAway { reason: source.to_string() });
            Instant::now()
        });
        if since.elapsed() > GIVE_UP_AFTER {
            return Err(Error::Away { waited_s: since.elapsed().as_secs(), source });
        }
        self.health.progress();
        if self.first.is_some() {
            self.health.set_status_line("waiting for the log");
            self.health.extend_timeout(START_WAIT);
        }
        std::thread::sleep(TRY_AGAIN);
        Ok(())
    }

    /// Hands the heads to the RPC once the replica is fit for the first time.
    fn first_head(
        &mut self,
        follower: &mut Follower,
        liveness: &Arc<Liveness>,
    ) -> Result<Option<Arc<HeadTracker>>, Error> {
        if let Some(block) = liveness.missing() {
            self.health.set_unready(format!("recovering: {}", missing(block)));
            return Ok(None);
        }
        if !liveness.any() || liveness.silent() > self.fresh.get().silence_max {
            self.health.set_unready("bootstrapping: the feed has no sign of life yet");
            return Ok(None);
        }
        let Some(shown) = follower.shown()? else { return Ok(None) };
        let heads = Arc::new(HeadTracker::new(shown, Arc::clone(liveness), self.fresh.clone()));
        if let Some(reason) = heads.fitness().stale {
            self.health.set_unready(format!("recovering: {reason}"));
            return Ok(None);
        }
        if let Some(first) = self.first.take() {
            // Gone only when the daemon is stopping.
            let _ = first.send(Arc::clone(&heads));
        }
        self.events.emit(&Event::Following);
        Ok(Some(heads))
    }

    /// Tells the present truth to metrics, `/status`, `/ready` and the service manager.
    fn tell(&mut self, follower: &mut Follower, heads: Option<&HeadTracker>) {
        self.health.progress();
        let head = follower.facts().head.unwrap_or_default();
        self.gauges.head.set(i64::try_from(head.number).unwrap_or(i64::MAX));
        let Some(heads) = heads else { return self.tell_catch_up(follower, head.number) };
        let fitness = heads.fitness();
        self.gauges.expected.set(i64::try_from(fitness.expected).unwrap_or(i64::MAX));
        match &fitness.stale {
            Some(reason) if !self.stale => {
                self.events.emit(&Event::Stale { reason: reason.clone() });
                self.health.set_unready(reason.clone());
            }
            None if self.stale => {
                self.events.emit(&Event::Following);
                self.health.set_ready();
            }
            _ => {}
        }
        self.stale = fitness.stale.is_some();
        let lag = fitness.expected.saturating_sub(head.number);
        self.health
            .set_status_line(&format!("block {} (lag {lag}, silent {} ms)", head.number, fitness.silent_ms));
        let state = if self.stale { "stale" } else { "following" };
        self.section(state, head.number, &fitness);
        self.tell_forks(heads);
    }

    /// Where it is on its way to the feed's end; a start that waits for that is given the time.
    fn tell_catch_up(&mut self, follower: &mut Follower, head: u64) {
        self.health.extend_timeout(START_WAIT);
        let now = Instant::now();
        let first = follower.facts().position.map_or(0, |position| position.offset);
        let catch_up = self.catch_up.get_or_insert_with(|| CatchUp::new(first, now));
        if !catch_up.due(now) {
            return;
        }
        // A log that is away is the next read's to tell.
        let Ok((next, end)) = follower.reach() else { return };
        let progress = catch_up.progress(next, end, now);
        let waits = progress.left == 0;
        self.health.set_status_line(&match (follower.missing(), end, waits) {
            (Some(block), _, _) => missing(block),
            (None, 0, _) => "the feed is empty: is its tap running?".to_owned(),
            (None, _, true) => format!("at block {head}, the feed's end: its tap is silent"),
            (None, _, false) => format!("recovering at block {head}: {progress}"),
        });
        let value = serde_json::json!({
            "state": "recovering", "head": head, "recordsLeft": progress.left,
            "etaSeconds": progress.eta.filter(|_| !waits).map(|eta| eta.as_secs()),
        });
        self.health.set_section("replica", value);
    }

    fn section(&self, state: &str, head: u64, fitness: &Fitness) {
        let value = serde_json::json!({
            "state": state, "head": head, "expected": fitness.expected, "silentMs": fitness.silent_ms,
        });
        self.health.set_section("replica", value);
    }

    /// The next fork that this build does not implement.
    fn tell_forks(&mut self, heads: &HeadTracker) {
        let (view, now_s) = (heads.view(), clock::now().as_secs());
        let Head { header, rules, .. } = view.head();
        let unknown = UnknownFork::next(rules.forks(), header.number, header.timestamp, now_s);
        if let Some(fork) = unknown.as_ref().filter(|fork| self.forks.is_due(fork, now_s)) {
            self.events.emit(&Event::UnknownFork(fork.clone()));
        }
        let time_s = unknown.as_ref().map_or(0, |fork| i64::try_from(fork.time_s).unwrap_or(i64::MAX));
        self.gauges.unknown_fork.set(time_s);
        let fork =
            unknown.map(|fork| serde_json::json!({ "name": fork.name, "secondsLeft": fork.seconds_left }));
        self.health.set_section("unknownFork", fork.into());
    }
}

/// Whether waiting may help.
fn passes(error: &maidenlane_log::Error) -> bool {
    use maidenlane_log::Error::{Kafka, NoTopic, Timeout};
    matches!(error, Kafka { .. } | NoTopic { .. } | Timeout { .. })
}
