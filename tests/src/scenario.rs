//! A whole network in one directory: geth with the hook, tap, feed, replicas.

mod emitter;
mod fed;
mod health;
mod operator;
mod relay;
mod source;

use std::{fs, path::Path, time::Duration};

use serde_json::Value;
use source::Master;
use tempfile::TempDir;

pub use fed::Fed;

pub use crate::chain::Chain;
use crate::{
    daemon::Daemon,
    failure::{Doing, Failure, Outcome},
    kafka::Broker,
    master::Node,
    product::{self, Product},
    replay::Replay,
    rpc::Client,
    settings::{self, Log},
    wait,
};

/// A replica on the same machine catches up faster than this.
const CATCH_UP: Duration = Duration::from_secs(120);

/// File of the key that all replicas of a network sign their filters with.
const FILTER_KEY: &str = "filter.key";

/// Carrier of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// Files.
    Segment,
    /// A real broker.
    Kafka,
}

/// Parts to start.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The chain.
    pub chain: Chain,
    /// The feed's carrier.
    pub carrier: Carrier,
    /// How many replicas.
    pub replicas: usize,
}

/// The network. Dropping it kills every process and removes the directory.
#[derive(Debug)]
pub struct Net {
    product: Product,
    master: Master,
    tap: Daemon,
    replicas: Vec<Daemon>,
    carrier: Log,
    // Last: fields are dropped in order, and processes write to the directory until they are gone.
    broker: Option<Broker>,
    dir: TempDir,
}

impl Net {
    /// Builds and prepares everything, starts no daemon but geth: its chain id goes into the settings.
    ///
    /// # Errors
    /// Something does not build or start.
    pub fn build(plan: &Plan) -> Outcome<Self> {
        Self::build_from(Product::build()?, plan)
    }

    /// The same with binaries that are there already.
    ///
    /// # Errors
    /// Something does not start.
    pub fn build_from(product: Product, plan: &Plan) -> Outcome<Self> {
        Self::prepare(product, plan, false)
    }

    /// The same with trie nodes: written by the hook, published by the tap, kept by the replicas.
    ///
    /// # Errors
    /// Something does not build or start.
    pub fn proving(plan: &Plan) -> Outcome<Self> {
        Self::prepare(Product::build()?, plan, true)
    }

    /// [`Net::build_from`], or [`Net::proving`] with binaries that are there already.
    ///
    /// # Errors
    /// Something does not start.
    pub fn prepare(product: Product, plan: &Plan, proofs: bool) -> Outcome<Self> {
        let dir = TempDir::with_prefix("maidenlane-").doing(|| "create a directory".to_owned())?;
        Self::furnish(product, plan, proofs, dir)
    }

    /// [`Net::build`] in a directory that the caller has prepared, with disks of its own below it.
    ///
    /// # Errors
    /// Something does not build or start.
    pub fn inside(dir: TempDir, plan: &Plan) -> Outcome<Self> {
        Self::furnish(Product::build()?, plan, false, dir)
    }

    fn furnish(product: Product, plan: &Plan, proofs: bool, dir: TempDir) -> Outcome<Self> {
        let broker = broker(plan, dir.path())?;
        let carrier = match &broker {
            Some(broker) => Log::Kafka(broker.address()),
            None => Log::Segment(dir.path().join("log")),
        };
        Self::assemble(product, plan, proofs, dir, broker, carrier)
    }

    /// The same over a log that the caller keeps, whatever carrier the plan names.
    ///
    /// # Errors
    /// Something does not build or start.
    pub fn over(plan: &Plan, carrier: Log) -> Outcome<Self> {
        let dir = TempDir::with_prefix("maidenlane-").doing(|| "create a directory".to_owned())?;
        Self::assemble(Product::build()?, plan, false, dir, None, carrier)
    }

    fn assemble(
        product: Product,
        plan: &Plan,
        proofs: bool,
        dir: TempDir,
        broker: Option<Broker>,
        carrier: Log,
    ) -> Outcome<Self> {
        let master = Master::start(&plan.chain, dir.path(), proofs)?;
        let chain_id = master.rpc().quantity("eth_chainId", &Value::Array(Vec::new()))?;
        let state = |name: &str| dir.path().join(name);
        let text = settings::tap(&master.spool(), &master.ipc(), chain_id, &carrier, &state("tap"));
        let text = if proofs { settings::proving(&text) } else { text };
        let tap = Daemon::new(&product, "tap", "tap", dir.path(), &text)?;
        let mut replicas = Vec::new();
        fs::write(state(FILTER_KEY), "f".repeat(32)).doing(|| "write the filters' key".to_owned())?;
        for index in 0..plan.replicas {
            let name = format!("replica-{index}");
            let text = settings::replica(chain_id, &carrier, &state(&name));
            let text = settings::sharing(&text, &state(FILTER_KEY));
            let text = if proofs { settings::proving(&text) } else { text };
            replicas.push(Daemon::new(&product, "replica", &name, dir.path(), &text)?);
        }
        let net = Self { product, master, tap, replicas, carrier, broker, dir };
        net.create_topics()?;
        Ok(net)
    }

    /// Builds, and starts everything.
    ///
    /// # Errors
    /// Something does not build or start.
    pub fn started(plan: &Plan) -> Outcome<Self> {
        let mut net = Self::build(plan)?;
        net.start()?;
        Ok(net)
    }

    /// Has all replicas take transactions from their next start on, for the consumer group `emitter`.
    ///
    /// # Errors
    /// The settings cannot be written.
    pub fn take_transactions(&mut self) -> Outcome<()> {
        self.replicas.iter().try_for_each(|replica| replica.edit(settings::taking))
    }

    /// Starts tap and replicas and waits until all serve.
    ///
    /// # Errors
    /// One of them ended, or was not there in time.
    pub fn start(&mut self) -> Outcome<()> {
        self.tap.start()?;
        for replica in &mut self.replicas {
            replica.start()?;
        }
        self.until("all replicas to serve", Daemon::alive, |net| {
            net.replicas.iter().try_for_each(|replica| replica.bound("rpc").map(drop))
        })
    }

    /// Waits as [`wait::until`] does, and no longer once `fit` fails for one of our daemons.
    fn until(
        &mut self,
        what: &str,
        fit: impl Fn(&mut Daemon) -> Outcome<()>,
        mut probe: impl FnMut(&mut Self) -> Result<(), String>,
    ) -> Outcome<()> {
        wait::until(what, CATCH_UP, || {
            let unfit = std::iter::once(&mut self.tap).chain(&mut self.replicas).try_for_each(&fit);
            if let Err(failure) = unfit { Ok(Err(failure)) } else { probe(self).map(Ok) }
        })?
    }

    /// Stops everything in the order of the data: nothing may be lost or complain.
    ///
    /// # Errors
    /// One of them did not end cleanly.
    pub fn stop(&mut self) -> Outcome<()> {
        for replica in &mut self.replicas {
            replica.stop()?;
        }
        self.tap.stop()?;
        if let Master::Geth(node) = &mut self.master {
            node.stop()?;
        }
        if let Some(broker) = &mut self.broker {
            broker.stop();
        }
        Ok(())
    }

    /// The master.
    ///
    /// # Panics
    /// The plan has none but recordings.
    pub fn node(&mut self) -> &mut Node {
        match &mut self.master {
            Master::Geth(node) => node,
            Master::Replay(_) => panic!("a recorded chain has no geth"),
        }
    }

    /// The recordings in the master's place, if the plan has them there.
    #[must_use]
    pub fn replay(&self) -> Option<&Replay> {
        match &self.master {
            Master::Geth(_) => None,
            Master::Replay(replay) => Some(replay),
        }
    }

    /// The tap.
    pub fn tap(&mut self) -> &mut Daemon {
        &mut self.tap
    }

    /// A second tap for the same master and feed, prepared and not started.
    ///
    /// # Errors
    /// The master does not answer, or the settings cannot be written.
    pub fn another_tap(&self) -> Outcome<Daemon> {
        let state = self.dir.path().join("tap-too");
        let chain_id = self.master().quantity("eth_chainId", &Value::Array(Vec::new()))?;
        let text = settings::tap(&self.master.spool(), &self.master.ipc(), chain_id, &self.carrier, &state);
        Daemon::new(&self.product, "tap", "tap-too", self.dir.path(), &text)
    }

    /// A replica's process.
    ///
    /// # Errors
    /// There are not so many.
    pub fn replica_daemon(&mut self, index: usize) -> Outcome<&mut Daemon> {
        self.replicas.get_mut(index).ok_or_else(|| Failure::new(format!("the plan has no replica {index}")))
    }

    /// The broker, if one carries the feed.
    pub fn broker(&mut self) -> Option<&mut Broker> {
        self.broker.as_mut()
    }

    /// Asks the master.
    #[must_use]
    pub fn master(&self) -> Client {
        self.master.rpc()
    }

    /// Asks a replica; waits until its RPC port is open.
    ///
    /// # Errors
    /// It is not running, or its port stays closed.
    pub fn replica(&mut self, index: usize) -> Outcome<Client> {
        let address = self.replica_daemon(index)?.address("rpc")?;
        Ok(Client::new(format!("http://{address}")))
    }

    /// The last words of all our daemons, for a failure's explanation: the directory goes with the network.
    #[must_use]
    pub fn last_words(&self) -> String {
        let tails = std::iter::once(&self.tap).chain(&self.replicas).map(|daemon| daemon.log_tail(6));
        tails.collect::<Vec<_>>().join("\n")
    }

    /// The directory of everything.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// How the feed is carried.
    #[must_use]
    pub fn carrier(&self) -> &Log {
        &self.carrier
    }

    /// Starts again what gave up on a dependency, as the service manager does.
    ///
    /// # Errors
    /// A daemon ended in another way.
    pub fn tend(&mut self) -> Outcome<()> {
        self.tap.tend()?;
        self.replicas.iter_mut().try_for_each(Daemon::tend)
    }

    /// Waits, with a service manager's eye on them, until all daemons are ready.
    ///
    /// # Errors
    /// A daemon ended otherwise than by giving up on a dependency, or it took too long.
    pub fn recovered(&mut self) -> Outcome<()> {
        self.until("all daemons to be ready", Daemon::tend, |net| {
            std::iter::once(&mut net.tap).chain(&mut net.replicas).try_for_each(Daemon::readiness)
        })
    }

    /// Waits until replica `index` has the head that the master has now, and returns its number.
    ///
    /// # Errors
    /// A process died, or it took too long.
    pub fn caught_up(&mut self, index: usize) -> Outcome<u64> {
        let head = self.master().block_number()?;
        let tag = format!("0x{head:x}");
        let wanted = self.master().block_hash(&tag)?;
        let replica = self.replica(index)?;
        self.until(&format!("replica {index} to serve block {head}"), Daemon::refused, |_| {
            let found = replica.block_hash(&tag).map_err(|failure| failure.to_string())?;
            if found == wanted { Ok(()) } else { Err(format!("hash {found}, not {wanted}")) }
        })
        .doing(|| format!("tap: {}", self.tap.log_tail(5)))?;
        Ok(head)
    }

    /// A new replica that replays the feed from its beginning: what all others must equal. Returns its index.
    ///
    /// # Errors
    /// It does not start.
    pub fn fresh_replica(&mut self) -> Outcome<usize> {
        let index = self.replicas.len();
        let name = format!("replica-{index}");
        let chain_id = self.master().quantity("eth_chainId", &Value::Array(Vec::new()))?;
        let text = settings::replica(chain_id, &self.carrier, &self.dir.path().join(&name));
        let text = settings::sharing(&text, &self.dir.path().join(FILTER_KEY));
        let mut replica = Daemon::new(&self.product, "replica", &name, self.dir.path(), &text)?;
        replica.start()?;
        replica.address("rpc")?;
        self.replicas.push(replica);
        Ok(index)
    }

    /// Fails with both dumps' first difference unless replica `index` has the state of a fresh replay. Stops both.
    ///
    /// # Errors
    /// They differ.
    pub fn equals_fresh_replay(&mut self, index: usize) -> Outcome<()> {
        let fresh = self.fresh_replica()?;
        let (old, new) = (self.caught_up(index)?, self.caught_up(fresh)?);
        self.tap.stop()?;
        for each in [index, fresh] {
            self.replica_daemon(each)?.stop()?;
        }
        let (left, right) = (self.dump(index)?, self.dump(fresh)?);
        if let Some((left, right)) = left.lines().zip(right.lines()).find(|(left, right)| left != right) {
            return Err(Failure::new(format!(
                "at heads {old} and {new}:\n  replica: {left}\n  fresh:   {right}"
            )));
        }
        let lines = (left.lines().count(), right.lines().count());
        if lines.0 == lines.1 {
            Ok(())
        } else {
            Err(Failure::new(format!("{} and {} rows", lines.0, lines.1)))
        }
    }
}

fn broker(plan: &Plan, dir: &Path) -> Outcome<Option<Broker>> {
    match plan.carrier {
        Carrier::Segment => Ok(None),
        Carrier::Kafka => {
            let cache = product::cache().join("kafka");
            Broker::start(&cache, &dir.join("kafka")).map(Some).map_err(Failure::new)
        }
    }
}
