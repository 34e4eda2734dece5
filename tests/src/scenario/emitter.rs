//! Emitters of a network.

use serde_json::Value;

use super::Net;
use crate::{daemon::Daemon, failure::Outcome, settings};

impl Net {
    /// An emitter that sends to these nodes, by name and address; prepared and not started. All of a network are one group,
    /// the one that its replicas ask for.
    ///
    /// # Errors
    /// The master does not answer, or the settings cannot be written.
    pub fn emitter(&self, name: &str, nodes: &[(&str, &str)]) -> Outcome<Daemon> {
        let chain_id = self.master().quantity("eth_chainId", &Value::Array(Vec::new()))?;
        let text = settings::emitter(chain_id, &self.carrier, &self.dir.path().join(name), nodes);
        Daemon::new(&self.product, "emitter", name, self.dir.path(), &text)
    }

    /// Path of the master's IPC socket.
    #[must_use]
    pub fn master_ipc(&self) -> String {
        self.master.ipc().display().to_string()
    }
}
