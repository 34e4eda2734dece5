//! Foundry on a replica: cast is told what geth tells it, and a contract runs on a fork by anvil as on one of geth.

use std::{
    env::consts::{ARCH, OS},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use maidenlane_tests::{
    install::GETH,
    kafka::free_port,
    process::{self, Process},
    rpc::{Client, quantity},
    scenario::{Carrier, Chain, Net, Plan},
    traffic::Traffic,
    wait,
};
use serde_json::{Value, json};

use crate::clients;

/// Directory of Foundry's packages.
pub(crate) struct Foundry(PathBuf);

/// Foundry; `None`, said aloud, on a machine without npm.
pub(crate) fn installed() -> Option<Foundry> {
    clients::foundry().map(Foundry)
}

const BURSTS: usize = 6;
const SOON: Duration = Duration::from_secs(60);
const WORD: &str = "0x3333333333333333333333333333333333333333333333333333333333333333";
/// Outcomes of a call that are compared; the fifth is the contract's count of its calls.
const PER_CALL: usize = 7;
/// An account that anvil signs for.
const RICH: &str = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";

impl Foundry {
    /// A program itself: npm's launcher, killed, would leave it behind.
    pub(crate) fn command(&self, program: &str) -> Command {
        let machine = match ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Command::new(self.0.join(format!("{program}-{OS}-{machine}/bin/{program}")))
    }
}

/// cast's answers to the same questions by both, of a chain whose `contract` counts and logs.
fn casts(foundry: &Foundry, net: &Net, urls: [&str; 2], contract: &str, block: u64) {
    let tag = format!("{block:#x}");
    let (block, hash) = (block.to_string(), net.master().block_hash(&tag).unwrap());
    let logs = json!([{"address": contract, "fromBlock": "0x0", "toBlock": tag}]);
    let logs = net.master().call("eth_getLogs", &logs).unwrap();
    let (sent, none) = (logs[0]["transactionHash"].as_str().unwrap(), "0x00");
    let at = ["--block", &block];
    let questions: [(&[&str], bool); 18] = [
        (&["chain-id"], false),
        (&["block", &block, "--json"], false),
        (&["block", &hash, "--full"], false),
        (&["base-fee", &block], false),
        (&["age", &block], false),
        (&["tx", sent], false),
        (&["tx", sent, "--raw"], false),
        (&["receipt", sent, "--json"], false),
        (&["run", sent], false),
        (&["logs", "--address", contract, "--from-block", "0", "--to-block", &block], false),
        (&["balance", contract], true),
        (&["nonce", contract], true),
        (&["code", contract], true),
        (&["storage", contract, "0"], true),
        (&["proof", contract, "0"], true),
        (&["call", contract, "--data", WORD], true),
        (&["call", contract, "--data", none], true),
        (&["rpc", "debug_traceTransaction", sent], false),
    ];
    for (words, dated) in questions {
        let [theirs, ours] = urls.map(|url| {
            let mut cast = foundry.command("cast");
            cast.args(words).args(if dated { at.as_slice() } else { &[] }).args(["--rpc-url", url]);
            String::from_utf8(process::output(&mut cast).unwrap()).unwrap()
        });
        assert!(!theirs.trim().is_empty(), "{words:?}");
        assert_eq!(theirs, ours, "cast {words:?}");
    }
}

/// An anvil that forks `url` at `block`.
fn fork(foundry: &Foundry, url: &str, block: u64, dir: &Path, name: &str) -> (Process, Client) {
    let address: SocketAddr = free_port().unwrap();
    let (mut anvil, port, block) = (foundry.command("anvil"), address.port().to_string(), block.to_string());
    anvil.args(["--fork-url", url, "--fork-block-number", &block, "--port", &port]).current_dir(dir);
    let mut process = Process::start(name, &mut anvil, &dir.join(name)).unwrap();
    let client = Client::new(format!("http://{address}"));
    wait::until("anvil", SOON, || {
        process.alive().map_err(|failure| failure.to_string())?;
        client.block_number().map(drop).map_err(|failure| failure.to_string())
    })
    .unwrap();
    (process, client)
}

/// A contract test on a fork: the contract of the chain is called, a copy of it made and called; what came of it.
fn contract_test(fork: &Client, contract: &str) -> Vec<Value> {
    let mut seen = Vec::new();
    let code = fork.call("eth_getCode", &json!([contract, "latest"])).unwrap();
    let runtime = code.as_str().unwrap().trim_start_matches("0x");
    let length = runtime.len() / 2;
    let creation = format!("0x60{length:02x}80600b6000396000f3{runtime}");
    let copy = mined(fork, &json!({"from": RICH, "data": creation}));
    let made = copy["contractAddress"].as_str().unwrap();
    for to in [contract, made, contract] {
        let receipt = mined(fork, &json!({"from": RICH, "to": to, "data": WORD, "gas": "0x30d40"}));
        seen.extend(["status", "gasUsed"].map(|name| receipt[name].clone()));
        seen.extend(["data", "topics"].map(|name| receipt["logs"][0][name].clone()));
        for slot in ["0x0", receipt["blockNumber"].as_str().unwrap()] {
            seen.push(fork.call("eth_getStorageAt", &json!([to, slot, "latest"])).unwrap());
        }
        seen.push(fork.call("eth_call", &json!([{"to": to, "data": WORD}, "latest"])).unwrap());
    }
    let count = |at: usize| quantity(&seen[at]).unwrap();
    assert_eq!((count(4) + 1, count(4 + PER_CALL)), (count(4 + 2 * PER_CALL), 1), "{seen:?}");
    seen
}

fn mined(fork: &Client, transaction: &Value) -> Value {
    let hash = fork.call("eth_sendTransaction", &json!([transaction])).unwrap();
    let receipt = fork.receipt(&hash, SOON).unwrap();
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    receipt
}

#[test]
fn foundry_works_on_a_replica_as_on_geth() {
    let Some(foundry) = installed() else { return };
    if !GETH.met() {
        return println!("not run: no {}", GETH.name);
    }
    let plan = Plan { chain: Chain::Developer, carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::proving(&plan).unwrap();
    net.start().unwrap();
    let mut traffic = Traffic::open(&net.master()).unwrap();
    for _ in 0..BURSTS {
        traffic.burst().unwrap();
        traffic.settle().unwrap();
    }
    let block = net.caught_up(0).unwrap();
    let (geth, replica, dir) = (net.master(), net.replica(0).unwrap(), tempfile::tempdir().unwrap());
    casts(&foundry, &net, [geth.url(), replica.url()], traffic.contract(), block);
    let forks = [("anvil-geth", geth.url()), ("anvil-replica", replica.url())];
    let forks = forks.map(|(name, url)| fork(&foundry, url, block, dir.path(), name));
    let [theirs, ours] = forks.each_ref().map(|(_, fork)| contract_test(fork, traffic.contract()));
    assert_eq!(theirs, ours);
    net.stop().unwrap();
}
