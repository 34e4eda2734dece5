//! A relay beside the demo with two simulated builders, and a stock client that hands bundles in and looks at what becomes of them.

use std::{process::Command, time::Duration};

use serde_json::{Value, json};

use super::Net;
use crate::{
    daemon::Daemon,
    door::Door,
    failure::{Failure, Outcome},
    libraries, process, product,
    rpc::Client,
};

/// A relay reads the log and follows the head before it takes anything.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The client's own account.
const KEY: &str = "0x0101010101010101010101010101010101010101010101010101010101010101";
const ADDRESS: &str = "0x1a642f0e3c3af545e7acbd38b07251b3990914f1";
/// The client and its libraries.
const CLIENT: &str = "tests/e2e/clients/flashbots";

/// A relay, and builders that it sends to. Dropping it ends all of it.
pub(super) struct Private {
    relay: Daemon,
    builders: [(&'static str, Door); 2],
}

impl Private {
    /// Starts all of it beside a master that mines what a builder hands it.
    pub(super) fn start(net: &mut Net) -> Outcome<Self> {
        eprintln!("starting a relay and two builders …");
        let (including, idle) = (builder(Some(net.master()))?, builder(None)?);
        let builders = [("including", including), ("idle", idle)];
        let urls = builders.each_ref().map(|(name, door)| (*name, door.url()));
        let named = urls.each_ref().map(|(name, url)| (*name, url.as_str()));
        let mut relay = net.relay("relay", &["builder"], &named)?;
        relay.start()?;
        relay.ready(READY_WITHIN)?;
        Ok(Self { relay, builders })
    }

    /// Names and addresses for whoever looks.
    pub(super) fn addresses(&mut self) -> Outcome<Vec<(&'static str, String)>> {
        let relay = format!("http://{}", self.relay.address("rpc")?);
        let builders = self.builders.iter().map(|(name, door)| (*name, door.url()));
        Ok([("relay", relay)].into_iter().chain(builders).collect())
    }

    /// Words of a stock client while it hands in bundles and private transactions; `None`, said aloud, without Node.js.
    ///
    /// # Errors
    /// Something did not become of them what should.
    pub(super) fn show(&mut self, master: &Client) -> Outcome<Option<String>> {
        let folder = product::root().join(CLIENT);
        let Some(dir) = libraries::npm("flashbots", &folder)? else { return Ok(None) };
        let script = libraries::copied(&folder.join("flashbots.mjs"), &dir)?;
        let accounts = master.call("eth_accounts", &json!([]))?;
        let gift = json!({"from": accounts.get(0), "to": ADDRESS, "value": "0xde0b6b3a7640000"});
        let hash = master.call("eth_sendTransaction", &json!([gift]))?;
        master.receipt(&hash, READY_WITHIN)?;
        let relay = format!("http://{}", self.relay.address("rpc")?);
        let said = process::output(Command::new("node").arg(script).args([&relay, master.url(), KEY]))?;
        Ok(Some(String::from_utf8_lossy(&said).trim_end().to_owned()))
    }

    /// Stops it.
    pub(super) fn stop(mut self) -> Outcome<()> {
        self.relay.stop()
    }
}

/// A builder that takes everything, and hands a node what it takes.
fn builder(node: Option<Client>) -> Outcome<Door> {
    Door::open(move |request| {
        let call: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let txs = call.pointer("/params/0/txs").and_then(Value::as_array);
        for tx in txs.into_iter().flatten() {
            if let Some(node) = &node {
                // Known the second time.
                let _sent: Result<Value, Failure> = node.respond("eth_sendRawTransaction", &json!([tx]));
            }
        }
        Some(("200 OK", json!({"jsonrpc": "2.0", "id": 1, "result": {}}).to_string()))
    })
}
