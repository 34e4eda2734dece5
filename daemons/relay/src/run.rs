//! The daemon: the follower of the feed, the appender, a reader for each partition of the orders' topic, and the JSON-RPC once
//! all of them stand at the end of what they read.

use crate::book::Head;
use crate::config::Settings;
use crate::error::Error;
use crate::front::{Front, Terms};
use crate::journal::Journal;
use crate::keyring::Keyring;
use crate::metrics::Gauges;
use crate::orders::Orders;
use crate::reader::Reader;
use crate::seal::Place;
use maidenlane_config::listeners::SecretFile;
use maidenlane_config::shapes;
use maidenlane_jsonrpc::{Limits, listeners};
use maidenlane_log::Backend;
use maidenlane_replay::Live;
use maidenlane_replay::heads::HeadTracker;
use maidenlane_replay::run::Loop;
use maidenlane_service::{Addresses, Context, Exit, Failure, Health, Shutdown, TaskGroup};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Interval at which the shutdown is polled.
const NAP: Duration = Duration::from_millis(50);

/// Relay daemon.
#[derive(Debug)]
pub struct Daemon;

impl maidenlane_service::Daemon for Daemon {
    const NAME: &'static str = "relay";
    const ABOUT: &'static str = "Keeps private orders durably, for builders";
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
        let shutdown = tasks.shutdown().clone();
        let (follow, follows) =
            Loop::new("feed", first.replay(log.clone()), fresh, health.clone(), &metrics, shutdown.clone());
        tasks.spawn_thread("follow", move || Ok(follow.run()?))?;
        let parts =
            Parts { log, keys, tasks: tasks.clone(), health, addresses, gauges: Gauges::new(&metrics) };
        tasks.spawn("rpc", async move {
            match shutdown.unless(follows).await {
                Some(Ok(heads)) => parts.serve(heads, &first, &shutdown).await,
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
    gauges: Gauges,
}

impl Parts {
    async fn serve(
        self,
        heads: Arc<HeadTracker>,
        settings: &Settings,
        shutdown: &Shutdown,
    ) -> Result<(), Failure> {
        let place = Place { topic: settings.bundles_topic.clone(), chain_id: settings.chain_id };
        let (journal, appender) = Journal::new(self.log.clone(), place.topic.clone());
        let stop = shutdown.clone();
        self.tasks.spawn_thread("journal", move || {
            appender.run();
            // Its end comes with that of the listeners, whose reason is the one to be told.
            while !stop.is_triggered() {
                std::thread::sleep(NAP);
            }
            Ok(())
        })?;
        let orders = Orders::new(self.keys.clone(), place, journal, settings.bounds);
        let live: Arc<dyn Live> = heads;
        orders.advance(head(&*live));
        self.watch(&orders, &live, shutdown);
        let caught_up = self.read(&orders, settings).await?;
        self.health.set_unready("recovering: reading the orders of the log");
        for caught_up in caught_up {
            // A reader that died says why itself.
            if !matches!(shutdown.unless(caught_up).await, Some(Ok(()))) {
                shutdown.triggered().await;
                return Ok(());
            }
        }
        let limits = Limits { body_bytes: settings.body_bytes, ..Limits::default() };
        let bound = listeners::open(&settings.listeners, limits, &self.addresses)?;
        let terms = Terms {
            chain_id: settings.chain_id,
            relay: rand::random(),
            ahead_max: settings.bounds.ahead_max,
            order_bytes: settings.order_bytes,
            repeat_ms: u64::try_from(settings.repeat.as_millis()).unwrap_or(u64::MAX),
            builders: settings.builders.clone(),
        };
        self.health.set_ready();
        listeners::serve(bound, Front::new(orders, live, terms, self.gauges), shutdown).await
    }

    /// Tells the orders of every head.
    fn watch(&self, orders: &Orders, live: &Arc<dyn Live>, shutdown: &Shutdown) {
        let (orders, live, shutdown) = (orders.clone(), Arc::clone(live), shutdown.clone());
        let (mut changes, gauges, health) = (live.changes(), self.gauges.clone(), self.health.clone());
        self.tasks.spawn("heads", async move {
            while let Some(Ok(())) = shutdown.unless(changes.changed()).await {
                changes.borrow_and_update();
                let head = head(&*live);
                orders.advance(head);
                gauges.holds(&orders);
                let (count, bytes) = orders.book().size();
                health.set_section(
                    "orders",
                    serde_json::json!({ "known": count, "bytes": bytes, "head": head.number }),
                );
            }
            Ok(())
        });
    }

    /// Starts a reader for each partition; what each tells once it has read what stood there.
    async fn read(
        &self,
        orders: &Orders,
        settings: &Settings,
    ) -> Result<Vec<oneshot::Receiver<()>>, Failure> {
        let (log, topic) = (self.log.clone(), settings.bundles_topic.clone());
        let partitions = tokio::task::spawn_blocking(move || log.partitions(&topic)).await;
        let partitions = partitions.map_err(|panic| Failure::new(Exit::TaskDied, panic))?;
        let mut all = Vec::new();
        for partition in 0..partitions.map_err(Error::Log)? {
            let (caught_up, told) = oneshot::channel();
            let reader = Reader {
                log: self.log.clone(),
                partition,
                orders: orders.clone(),
                caught_up: Some(caught_up),
                health: self.health.clone(),
                shutdown: self.tasks.shutdown().clone(),
            };
            self.tasks.spawn_thread(&format!("orders-{partition}"), move || Ok(reader.run()?))?;
            all.push(told);
        }
        Ok(all)
    }
}

/// Head of the chain, as far as orders depend on it.
fn head(live: &dyn Live) -> Head {
    let view = live.view();
    let head = view.head();
    Head {
        number: head.block.number,
        timestamp_s: head.header.timestamp,
        finalized: head.finalized.map(|block| block.number),
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
