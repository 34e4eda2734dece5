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
        })
    }

    /// The master as a target of a health checker.
    #[must_use]
    pub fn master_target(&self) -> Target {
        let address = self.master().url().to_owned();
        Target { name: "master".to_owned(), kind: "Node", address, admin: None, feed: Some(FEED) }
    }

    /// A health checker of these targets; prepared and not started.
    ///
    /// # Errors
    /// The master does not answer, or the settings cannot be written.
    pub fn health(&self, name: &str, targets: &[Target]) -> Outcome<Daemon> {
        let chain_id = self.master().quantity("eth_chainId", &Value::Array(Vec::new()))?;
        let text = settings::health(chain_id, &self.dir.path().join(name), targets);
        Daemon::new(&self.product, "health", name, self.dir.path(), &text)
    }
}
