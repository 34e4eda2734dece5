//! A generated chain with a real geth that makes blocks of what it is told, and a relay that follows it.

use super::super::{SOON, Searcher, body};
use super::bundles::{Made, Maker};
use maidenlane_tests::{
    daemon::Daemon,
    geth::{
        chaingen,
        engine::{Attributes, Engine, Payload},
    },
    install::GETH,
    rpc::{Client, quantity},
    scenario::{Carrier, Chain, Net, Plan},
    wait,
};
use serde_json::{Value, json};

/// Beacon root of blocks that nobody's consensus client asked for.
pub(super) const ZERO: &str = "0x0000000000000000000000000000000000000000000000000000000000000000";
/// Seed of the bundles.
const SEED: u64 = 23;

/// A generated chain, the geth that has it, and a relay that follows it.
pub(super) struct Lab {
    net: Net,
    engine: Engine,
    pub(super) relay: Daemon,
    /// The head, as geth tells it.
    pub(super) head: Value,
    pub(super) maker: Maker,
}

/// A block that geth made of some transactions.
pub(super) struct Block {
    pub(super) payload: Payload,
    pub(super) receipts: Value,
    pub(super) hash: String,
    /// Tips in wei.
    pub(super) fees: i128,
}

fn wei(hex: &Value) -> i128 {
    i128::from_str_radix(hex.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

/// Bytes of transactions, as they are sent.
pub(super) fn raws<'a>(made: impl IntoIterator<Item = &'a Made>) -> Vec<&'a str> {
    made.into_iter().map(|made| made.raw.as_str()).collect()
}

impl Lab {
    /// `None`, said aloud, on a machine without Go.
    pub(super) fn new(edit: impl FnOnce(&str) -> String) -> Option<Self> {
        if !GETH.met() {
            println!("not run: no Go for a real geth");
            return None;
        }
        let chain = chaingen::chain(64, 3).unwrap();
        let plan = Plan { chain: Chain::Import(chain.clone()), carrier: Carrier::Segment, replicas: 1 };
        let mut net = Net::build(&plan).unwrap();
        let engine = net.node().engine().unwrap();
        engine.announce(&chain.join("headfcu.json")).unwrap();
        net.start().unwrap();
        println!("seed {SEED}");
        let mut relay = net.relay("relay-0", &["builder", "searcher"], &[]).unwrap();
        relay.edit(edit).unwrap();
        relay.start().unwrap();
        relay.ready(SOON).unwrap_or_else(|failure| panic!("{failure}\n{}", relay.log_tail(20)));
        let mut lab = Self { net, engine, relay, head: Value::Null, maker: Maker::new(&[0; 8], SEED) };
        // The chain's own end has a beacon root of its own; from now on they are zero.
        let (head, time) = lab.geth().block("latest").unwrap();
        let payload = lab.engine.extend(&head, &Attributes::new(time + 12, 0xfe)).unwrap();
        lab.settle(payload.hash().unwrap());
        lab.maker = Maker::new(&lab.nonces(), SEED);
        let deployments = lab.maker.deployments();
        let env = lab.env();
        let block = lab.block(&raws(&deployments), &env).unwrap();
        assert_eq!(block.receipts.as_array().unwrap().len(), deployments.len());
        lab.choose(&block);
        Some(lab)
    }

    fn geth(&self) -> Client {
        self.net.master()
    }

    fn nonces(&self) -> Vec<u64> {
        let nonce = |account| {
            let address = self.maker.address(account);
            self.geth().quantity("eth_getTransactionCount", &json!([address, "latest"])).unwrap()
        };
        (0..8).map(nonce).collect()
    }

    /// Makes a block the head, and waits until the relay follows.
    pub(super) fn choose(&mut self, block: &Block) {
        self.engine.choose(&block.hash, None).unwrap();
        self.settle(&block.hash.clone());
    }

    fn settle(&mut self, hash: &str) {
        self.head = self.geth().call("eth_getBlockByHash", &json!([hash, false])).unwrap();
        assert_eq!(self.head["hash"], hash);
        let number = quantity(&self.head["number"]).unwrap();
        let relay = Client::new(self.url("rpc"));
        let followed = wait::until("the relay to follow", SOON, || {
            let there = relay.block_number().map_err(|failure| failure.to_string())?;
            if there == number { Ok(()) } else { Err(format!("{there}, not {number}")) }
        });
        followed.unwrap_or_else(|failure| panic!("{failure}\n{}", self.relay.log_tail(20)));
        self.maker.nonces = self.nonces();
    }

    pub(super) fn url(&mut self, listener: &str) -> String {
        format!("http://{}", self.relay.address(listener).unwrap())
    }

    pub(super) fn ask(&mut self, method: &str, params: &Value) -> Value {
        let (one, body) = (Searcher::new(1), body(method, params));
        let client = Client::new(self.url("rpc"));
        let (_, answer) = client.post_with(&body, &[("X-Flashbots-Signature", &one.header(&body))]).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// The next block, as a relay takes it to be.
    pub(super) fn env(&self) -> Value {
        let time = quantity(&self.head["timestamp"]).unwrap() + 12;
        json!({
            "timestamp": format!("{time:#x}"), "prevRandao": self.head["mixHash"], "withdrawals": [],
            "suggestedFeeRecipient": self.head["miner"], "parentBeaconBlockRoot": ZERO,
        })
    }

    pub(super) fn build(&self, txs: &[&str], env: &Value) -> Value {
        self.geth().respond("testing_buildBlockV1", &json!([self.head["hash"], env, txs])).unwrap()
    }

    /// A block of exactly these transactions, executed; `None` where geth can make none.
    pub(super) fn block(&self, txs: &[&str], env: &Value) -> Option<Block> {
        let mut built = self.build(txs, env);
        let fees = built.pointer("/result/blockValue").map(wei);
        let payload = Payload::from(built.get_mut("result")?.take());
        self.engine.execute(&payload).unwrap();
        let hash = payload.hash().unwrap().to_owned();
        let receipts = self.geth().call("eth_getBlockReceipts", &json!([hash])).unwrap();
        Some(Block { payload, receipts, hash, fees: fees? })
    }

    fn balance(&self, address: &Value, hash: &Value) -> i128 {
        wei(&self.geth().call("eth_getBalance", &json!([address, {"blockHash": hash}])).unwrap())
    }

    /// Gain of an account in a block on the head.
    pub(super) fn gain(&self, address: &Value, block: &Block) -> i128 {
        self.balance(address, &json!(block.hash)) - self.balance(address, &self.head["hash"])
    }

    /// A relay's account of an order on the present head.
    pub(super) fn simulation(&mut self, hash: &Value) -> Value {
        let head = self.head["hash"].clone();
        let seen = wait::until("the order to be simulated", SOON, || {
            let status = self.ask("maidenlane_bundleStatus", &json!([{"bundleHash": hash}]));
            let simulation = &status["result"][0]["simulation"];
            if simulation["parentHash"] == head { Ok(simulation.clone()) } else { Err(status.to_string()) }
        });
        seen.unwrap_or_else(|failure| panic!("{failure}\n{}", self.relay.log_tail(20)))
    }
}
