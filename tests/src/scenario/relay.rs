//! Relays of a network.

use std::fs;

use serde_json::Value;

use super::Net;
use crate::{
    daemon::Daemon,
    failure::{Doing, Outcome},
    settings,
};

/// Keys of what the log keeps, which all relays of a network have.
const KEYRING: &str = "hash 0101010101010101010101010101010101010101010101010101010101010101\n\
                       seal 0202020202020202020202020202020202020202020202020202020202020202\n";

impl Net {
    /// A relay, prepared and not started, with these identities, whose tokens are their names, and builders that orders are sent
    /// to by name and address.
    ///
    /// # Errors
    /// The master does not answer, or files cannot be written.
    pub fn relay(&mut self, name: &str, identities: &[&str], builders: &[(&str, &str)]) -> Outcome<Daemon> {
        let chain_id = self.master().quantity("eth_chainId", &Value::Array(Vec::new()))?;
        let keyring = self.dir.path().join("keyring");
        fs::write(&keyring, KEYRING).doing(|| format!("write {}", keyring.display()))?;
        let key = self.dir.path().join("relay.key");
        fs::write(&key, "07".repeat(32)).doing(|| format!("write {}", key.display()))?;
        let replica = self.replica(0)?;
        let mut tokens = Vec::new();
        for identity in identities {
            let token = self.dir.path().join(format!("{identity}.token"));
            fs::write(&token, identity).doing(|| format!("write {}", token.display()))?;
            tokens.push((*identity, token));
        }
        let tokens: Vec<_> = tokens.iter().map(|(name, token)| (*name, token.as_path())).collect();
        let state = self.dir.path().join(name);
        let text = settings::relay(
            chain_id,
            &self.carrier,
            &state,
            (&keyring, &key),
            &tokens,
            builders,
            replica.url(),
        );
        Daemon::new(&self.product, "relay", name, self.dir.path(), &text)
    }
}
