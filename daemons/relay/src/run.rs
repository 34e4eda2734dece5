//! The daemon: the follower of the feed, the appenders, a reader for each partition of orders and fates, and, once all of them stand
//! at the end of what they read, the JSON-RPC and the lanes to builders.
//!
//! # Why there are two ends
//! With the shutdown, nothing more is taken. What is due goes out all the same, for [`DELIVER_WITHIN`] at most, and so the readers, the
//! heads and the lanes live on until a second token. What is left after that stays for the next start, or for other relays.

use crate::company::{self, Company};
use crate::config::{Settings, Simulation};
use crate::courier::Courier;
use crate::desk::Desk;
use crate::enrolled::Register;
use crate::error::Error;
use crate::failsafe::Failsafe;
use crate::fates::Fates;
use crate::feeds::Feeds;
use crate::front::{Front, Known, Terms};
use crate::heads::Watcher;
use crate::intake::{TakeFates, TakeOrders};
use crate::journal::Journal;
use crate::keyring::Keyring;
use crate::metrics::Gauges;
use crate::orders::Orders;
use crate::reader::{Reader, Sink};
use crate::redacted::Redacted;
use crate::seal::{Opener, Place};
use crate::simulator::Simulator;
use crate::tips::Tips;
use maidenlane_config::listeners::SecretFile;
use maidenlane_config::shapes;
use maidenlane_evm::pool::Pool;
use maidenlane_jsonrpc::client::Link;
use maidenlane_jsonrpc::roll::Roll;
use maidenlane_jsonrpc::{Limits, control, listeners};
use maidenlane_log::Backend;
use maidenlane_replay::heads::HeadTracker;
use maidenlane_replay::run::Loop;
use maidenlane_service::{Addresses, Context, Exit, Failure, Health, Shutdown, TaskGroup, clock};
use maidenlane_wire::SealedKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// Time after the shutdown in which what is due is delivered.
const DELIVER_WITHIN: Duration = Duration::from_secs(10);
/// Histories that are kept for each order that may be known: of such as are final, and of such as come yet.
const HISTORIES: usize = 4;

/// Relay daemon.
#[derive(Debug)]
pub struct Daemon;

impl maidenlane_service::Daemon for Daemon {
    const NAME: &'static str = "relay";
    const ABOUT: &'static str = "Keeps private orders durably and delivers them to builders";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn shared(settings: &Settings) -> &shapes::Daemon {
        &settings.daemon
    }

    async fn run(context: Context<Settings>) -> Result<(), Failure> {
        let Context { settings, tasks, health, metrics, addresses } = context;
        let first = settings.get();
        let log = first.backend().map_err(|error| Failure::new(Exit::Settings, error))?;
        let keys = keyring(&first.keyring)?;
        let fresh = settings.part(|settings| settings.fresh);
        let dir = &first.daemon.state_dir;
        let register = Register::open(dir).map_err(|error| Failure::file("identities", &error))?;
        let relay = company::name(dir).map_err(|error| Failure::file("relay-id", &error))?;
        let (roll, desk) = (register.roll(), Desk::new(register, &first));
        control::start(dir, &addresses, &tasks, move |question| desk.clone().answer(question))?;
        let shutdown = tasks.shutdown().clone();
        let (follow, follows) =
            Loop::new("feed", first.replay(log.clone()), fresh, health.clone(), &metrics, shutdown.clone());
        tasks.spawn_thread("follow", move || Ok(follow.run()?))?;
        let parts = Parts {
            log,
            keys,
            tasks: tasks.clone(),
            health,
            addresses,
            roll,
            relay,
            gauges: Gauges::new(&metrics),
            ended: Shutdown::new(),
        };
        tasks.spawn("rpc", async move {
            match shutdown.unless(follows).await {
                Some(Ok(heads)) => Box::pin(parts.serve(heads, &first, &shutdown)).await,
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

/// Parts of the daemon that exist before the chain is known.
struct Parts {
    log: Backend,
    keys: Keyring,
    tasks: TaskGroup,
    health: Health,
    addresses: Addresses,
    roll: Roll,
    /// Name of this relay.
    relay: [u8; 16],
    gauges: Gauges,
    /// The second end.
    ended: Shutdown,
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.ended.trigger();
    }
}

impl Parts {
    async fn serve(
        self,
        heads: Arc<HeadTracker>,
        settings: &Settings,
        shutdown: &Shutdown,
    ) -> Result<(), Failure> {
        let place = |topic: &String| Place { topic: topic.clone(), chain_id: settings.chain_id };
        let (of_orders, of_fates) = (place(&settings.bundles_topic), place(&settings.fates_topic));
        let relay = self.relay;
        let orders = Orders::new(
            self.keys.clone(),
            of_orders.clone(),
            self.journal("journal", &of_orders, SealedKind::Order)?,
            settings.bounds,
        );
        let most = settings.bounds.orders.saturating_mul(HISTORIES);
        let journal = self.journal("fates journal", &of_fates, SealedKind::Fate)?;
        let fates = Fates::new(self.keys.clone(), of_fates.clone(), journal, relay, most);
        let partitions = self.partitions(&of_orders).await?;
        let company = Company::new(fates.clone(), usize::try_from(partitions).unwrap_or(usize::MAX));
        let courier = self.courier(&orders, &fates, &company, settings)?;
        let failsafe = self.failsafe((&orders, &fates, &company), settings)?;
        let (feeds, tips) = (Feeds::default(), Tips::default());
        let simulator = self.simulator(&heads, &orders, &courier, &tips, settings);
        let watcher = Watcher {
            live: heads,
            orders: orders.clone(),
            fates: fates.clone(),
            courier: courier.clone(),
            failsafe,
            tips: tips.clone(),
            simulator: simulator.clone(),
            gauges: self.gauges.clone(),
            health: self.health.clone(),
            is_complete: Arc::new(AtomicBool::new(false)),
        };
        watcher.tell();
        self.tasks.spawn("heads", watcher.clone().run(self.ended.clone(), shutdown.clone()));
        let take_orders = TakeOrders {
            orders: orders.clone(),
            courier: courier.clone(),
            simulator: simulator.clone(),
            feeds: feeds.clone(),
            company: company.clone(),
            relay,
        };
        let take_fates = TakeFates {
            fates: fates.clone(),
            orders: orders.clone(),
            feeds: feeds.clone(),
            courier: courier.clone(),
            company: company.clone(),
        };
        if !self.recover((&of_orders, take_orders), (&of_fates, take_fates)).await? {
            return Ok(());
        }
        let roll_of = |name: &str| settings.enrols.iter().any(|each| each == name).then(|| self.roll.clone());
        let bound =
            listeners::open_enrolling(&settings.listeners, limits(settings), &self.addresses, roll_of)?;
        watcher.is_complete.store(true, Ordering::Release);
        company.join().await;
        self.tasks.spawn("beats", company.clone().run(self.ended.clone(), shutdown.clone()));
        courier.start(&self.tasks, &self.ended);
        let calls = self.simulate(&simulator, settings)?;
        self.health.set_ready();
        let replica = settings.replica.clone().map(Link::new);
        let known = Known { orders, fates, company: company.clone(), feeds, tips, simulator, calls, replica };
        let front = Front::new(known, watcher.live, terms(settings, relay), self.gauges.clone());
        let served = listeners::serve(bound, front.clone(), shutdown).await;
        front.quiet().await;
        courier.drained(DELIVER_WITHIN).await;
        company.leave();
        served
    }

    /// Starts a thread that lives until its work has ended and the shutdown has come: an end of the work before that has a reason
    /// elsewhere, which is the one to be told.
    fn thread(
        &self,
        name: &str,
        work: impl FnOnce() -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Failure> {
        let stop = self.tasks.shutdown().clone();
        self.tasks.spawn_thread(name, move || {
            work()?;
            stop.wait();
            Ok(())
        })
    }

    fn courier(
        &self,
        orders: &Orders,
        fates: &Fates,
        company: &Company,
        settings: &Settings,
    ) -> Result<Courier, Error> {
        let (orders, fates, gauges) = (orders.clone(), fates.clone(), self.gauges.clone());
        Courier::new(orders, fates, company.clone(), &settings.builders, gauges).map_err(Error::Builder)
    }

    /// Failsafe of the settings, if they have one, with its publisher at work.
    fn failsafe(
        &self,
        (orders, fates, company): (&Orders, &Fates, &Company),
        settings: &Settings,
    ) -> Result<Option<Failsafe>, Failure> {
        let Some(after_blocks) = settings.mempool_after else { return Ok(None) };
        let topic = (self.log.clone(), settings.transactions_topic.clone());
        let known = (orders.clone(), fates.clone(), company.clone());
        let (failsafe, publisher) = Failsafe::new(after_blocks, topic, known, self.gauges.clone());
        self.thread("failsafe", move || {
            publisher.run();
            Ok(())
        })?;
        Ok(Some(failsafe))
    }

    fn simulator(
        &self,
        heads: &Arc<HeadTracker>,
        orders: &Orders,
        courier: &Courier,
        tips: &Tips,
        settings: &Settings,
    ) -> Simulator {
        let (orders, courier, tips, gauges) =
            (orders.clone(), courier.clone(), tips.clone(), self.gauges.clone());
        let accounts_max = settings.bounds.orders;
        Simulator::new(
            Arc::clone(heads) as _,
            orders,
            courier,
            settings.simulation,
            gauges,
            tips,
            accounts_max,
        )
    }

    /// Starts the threads of a simulator, and has it begin with the present head; the threads for what callers ask.
    fn simulate(
        &self,
        simulator: &Simulator,
        settings: &Settings,
    ) -> Result<Pool<Redacted<String>>, Failure> {
        simulator.advance();
        let Simulation { threads, queue, .. } = settings.simulation;
        for number in 0..threads {
            let simulator = simulator.clone();
            self.thread(&format!("simulation {number}"), move || {
                simulator.work();
                Ok(())
            })?;
        }
        Pool::start(threads, queue).map_err(|error| Failure::new(Exit::TaskDied, error))
    }

    fn journal(&self, name: &str, place: &Place, kind: SealedKind) -> Result<Journal, Failure> {
        let (journal, appender) = Journal::new(self.log.clone(), place.topic.clone(), kind);
        self.thread(name, move || {
            appender.run();
            Ok(())
        })?;
        Ok(journal)
    }

    async fn partitions(&self, place: &Place) -> Result<u32, Failure> {
        let (log, topic) = (self.log.clone(), place.topic.clone());
        let partitions = tokio::task::spawn_blocking(move || log.partitions(&topic)).await;
        let partitions = partitions.map_err(|panic| Failure::new(Exit::TaskDied, panic))?;
        Ok(partitions.map_err(Error::Log)?)
    }

    /// Reads what the log held: the orders first, so that whoever asks for fates of before learns whose they are. False if the
    /// daemon ends before that.
    async fn recover(
        &self,
        (of_orders, orders): (&Place, TakeOrders),
        (of_fates, fates): (&Place, TakeFates),
    ) -> Result<bool, Failure> {
        self.health.set_unready("recovering: reading the orders of the log");
        Ok(self.read(of_orders, || orders.clone()).await? && self.read(of_fates, || fates.clone()).await?)
    }

    /// Starts a reader for each partition of a topic, and waits until each has read what stood there; false if the daemon ends before that.
    async fn read<S: Sink + 'static>(&self, place: &Place, sink: impl Fn() -> S) -> Result<bool, Failure> {
        let mut all = Vec::new();
        for partition in 0..self.partitions(place).await? {
            let (caught_up, told) = oneshot::channel();
            let reader = Reader {
                log: self.log.clone(),
                place: place.clone(),
                partition,
                opener: Opener::new(self.keys.clone(), place.clone()),
                sink: sink(),
                caught_up: Some(caught_up),
                health: self.health.clone(),
                shutdown: self.ended.clone(),
            };
            self.thread(&format!("{:?}s {partition}", S::KIND), move || reader.run())?;
            all.push(told);
        }
        let shutdown = self.tasks.shutdown();
        for caught_up in all {
            // A reader that died says why itself.
            if !matches!(shutdown.unless(caught_up).await, Some(Ok(()))) {
                shutdown.triggered().await;
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn limits(settings: &Settings) -> Limits {
    Limits { body_bytes: settings.body_bytes, ..Limits::default() }
}

fn terms(settings: &Settings, relay: [u8; 16]) -> Terms {
    let builders = settings.builders.iter().map(|builder| (builder.name.clone(), builder.pulls.clone()));
    Terms {
        chain_id: settings.chain_id,
        relay,
        ahead_max: settings.bounds.ahead_max,
        order_bytes: settings.order_bytes,
        mempool: settings.mempool_after.is_some(),
        repeat_ms: clock::millis(settings.repeat),
        builders: builders.collect(),
    }
}

fn keyring(file: &SecretFile) -> Result<Keyring, Error> {
    let credentials = maidenlane_service::env("CREDENTIALS_DIRECTORY");
    let path = file.path(credentials.as_deref());
    let path = path.map_err(|problem| Error::NoKeyring { place: String::new(), problem })?;
    let place = path.display().to_string();
    let text = std::fs::read_to_string(&path);
    let text = text.map_err(|error| Error::NoKeyring { place: place.clone(), problem: error.to_string() })?;
    Keyring::parse(&text).map_err(|source| Error::Keyring { place, source })
}
