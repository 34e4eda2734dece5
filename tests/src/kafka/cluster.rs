//! Several brokers, each of which also votes: any one may go.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Broker, Quorum, free_port, install, settings};

/// Time for a broker that came back to copy what it lacks.
const IN_SYNC_WAIT: Duration = Duration::from_secs(60);

/// Running brokers of one cluster.
#[derive(Debug)]
pub struct Cluster {
    /// The brokers; the first has id 1.
    pub brokers: Vec<Broker>,
}

impl Cluster {
    /// Starts `members` brokers that keep their data in `dir`; returns once all take connections.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn start(cache: &Path, dir: &Path, members: usize) -> Result<Self, String> {
        let libs = install(cache)?;
        let mut places = Vec::new();
        for id in 1..=members {
            places.push((id, free_port()?, free_port()?));
        }
        let voters: Vec<String> =
            places.iter().map(|(id, _, controller)| format!("{id}@{controller}")).collect();
        let mut brokers = Vec::new();
        for (id, address, controller) in places {
            let home = dir.join(format!("broker-{id}"));
            let quorum = Quorum::Of { id, members, voters: voters.join(",") };
            settings::write(&home, address, controller, &quorum, None)?;
            let broker = Broker { libs: libs.clone(), dir: home, address, guarded: None, child: None };
            broker.format(&[])?;
            brokers.push(broker);
        }
        // None takes connections before a majority votes.
        brokers.iter_mut().try_for_each(Broker::launch)?;
        brokers.iter_mut().try_for_each(Broker::await_connections)?;
        Ok(Self { brokers })
    }

    /// Waits until every broker has a copy of every entry again.
    ///
    /// # Errors
    /// One lacks some for too long.
    pub fn in_sync(&self) -> Result<(), String> {
        let addresses = self.addresses();
        let ask = ["--bootstrap-server", &addresses, "--describe", "--under-replicated-partitions"];
        let deadline = Instant::now() + IN_SYNC_WAIT;
        let first = self.brokers.first().ok_or("no broker")?;
        loop {
            let behind = first.tool("TopicCommand", &ask)?;
            if behind.trim().is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("still behind:\n{behind}"));
            }
        }
    }

    /// Moves the first partition of `topic` to these brokers, of which the first leads then; returns once it is there.
    ///
    /// # Errors
    /// What the tool said.
    pub fn reassign(&self, topic: &str, to: &[usize]) -> Result<(), String> {
        let first = self.brokers.first().ok_or("no broker")?;
        let addresses = self.addresses();
        let (plan, path) = (reassignment(topic, to), first.dir.join("reassignment.json"));
        fs::write(&path, plan).map_err(|error| format!("write {}: {error}", path.display()))?;
        let file = path.to_string_lossy();
        let reassign = |step| {
            let words = ["--bootstrap-server", &addresses, "--reassignment-json-file", &file, step];
            first.tool("reassign.ReassignPartitionsCommand", &words)
        };
        reassign("--execute")?;
        let deadline = Instant::now() + IN_SYNC_WAIT;
        while !reassign("--verify")?.contains("is completed") {
            if Instant::now() > deadline {
                return Err(format!("{topic} is still on its way to {to:?}"));
            }
        }
        let elect = ["--election-type", "preferred", "--topic", topic, "--partition", "0"];
        first.tool(
            "LeaderElectionCommand",
            &[&["--bootstrap-server", &addresses], elect.as_slice()].concat(),
        )?;
        Ok(())
    }

    /// `host:port` of all, with commas.
    #[must_use]
    pub fn addresses(&self) -> String {
        self.brokers.iter().map(Broker::address).collect::<Vec<_>>().join(",")
    }
}

fn reassignment(topic: &str, to: &[usize]) -> String {
    serde_json::json!({"version": 1, "partitions": [{"topic": topic, "partition": 0, "replicas": to}]})
        .to_string()
}
