//! Health checkers of a network.

use serde_json::Value;

use super::Net;
use crate::{
    daemon::Daemon,
    failure::Outcome,
    settings::{self, FEED, Target},
};

impl Net {
    /// The replica at `index` as a target of a health checker.
    ///
    /// # Errors
    /// It is not running.
    pub fn replica_target(&mut self, index: usize) -> Outcome<Target> {
        let replica = self.replica_daemon(index)?;
        let (rpc, admin) = (replica.address("rpc")?, replica.address("admin")?);
        Ok(Target {
            name: format!("replica-{}", index + 1),
            kind: "Replica",
            address: format!("http://{rpc}"),
            admin: Some(format!("http://{admin}")),
            feed: Some(FEED),
            serves: Some(rpc),
        })
    }

    /// Tap, feed and, where the chain has one that answers questions, the master as targets of a health checker.
    ///
    /// # Errors
    /// The tap is not running.
    pub fn sources(&mut self) -> Outcome<Vec<Target>> {
        let target = |name: &str, kind, address, feed| Target {
            name: name.to_owned(),
            kind,
            address,
            admin: None,
            feed,
            serves: None,
        };
        let tap = format!("http://{}", self.tap().address("admin")?);
        let mut found =
            vec![target("tap", "Daemon", tap, None), target("feed", "Feed", FEED.to_owned(), None)];
        // A recording answers what was asked of a geth once, and no questions of a checker.
        if self.replay().is_none() {
            found.push(target("master", "Node", self.master().url().to_owned(), Some(FEED)));
        }
        Ok(found)
    }

    /// A health checker of these targets; prepared and not started.
    ///
    /// # Errors
    /// The master does not answer, or the settings cannot be written.
    pub fn health(&self, name: &str, targets: &[Target]) -> Outcome<Daemon> {
        let chain_id = self.master().quantity("eth_chainId", &Value::Array(Vec::new()))?;
        let text = settings::health(chain_id, self.carrier(), &self.dir.path().join(name), targets);
        Daemon::new(&self.product, "health", name, self.dir.path(), &text)
    }
}
