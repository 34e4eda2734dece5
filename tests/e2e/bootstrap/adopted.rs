//! A network whose master was synced by a geth without the hook, and whose consensus client is the test.

use std::{fs, path::PathBuf, process::Output};

use maidenlane_tests::{
    compare::{self, Comparison, Question},
    failure::Outcome,
    geth::{
        chaingen,
        engine::{Attributes, Engine},
    },
    install::GETH,
    master::{self, Node, Tracer},
    process,
    product::Product,
    rpc::{Client, quantity},
    scenario::{Carrier, Chain, Net, Plan},
    settings, wait,
};
use serde_json::{Value, json};

use crate::consensus::PATIENCE;

/// Blocks below the head that are asked about.
const ASKED_BLOCKS: u64 = 20;
/// Parts of the names of methods that need no state.
pub(super) const STATELESS: [&str; 6] = [
    "eth_getBlock",
    "eth_getTransactionBy",
    "eth_getTransactionReceipt",
    "eth_getLogs",
    "eth_getUncle",
    "debug_getRaw",
];

pub(super) struct Adopted {
    pub(super) net: Net,
    pub(super) engine: Engine,
    /// Hash and time of the canonical blocks, from the last one that the stock geth had.
    pub(super) chain: Vec<(String, u64)>,
    /// The block whose state was exported, where it is known.
    pub(super) base: u64,
    /// The export, as arguments of the import.
    export: Vec<String>,
}

impl Adopted {
    /// A geth without the hook, synced to a chain whose end is final; `None`, said aloud, without Go.
    pub(super) fn stock(build: fn(&Plan) -> Outcome<Net>, blocks: u32) -> Option<Self> {
        if !GETH.met() {
            println!("not run: no Go for a real geth");
            return None;
        }
        let chain = chaingen::varied(blocks, 5).unwrap();
        let plan = Plan { chain: Chain::Stock(chain.clone()), carrier: Carrier::Segment, replicas: 1 };
        let mut net = build(&plan).unwrap();
        let engine = net.node().engine().unwrap();
        engine.announce(&chain.join("headfcu.json")).unwrap();
        let head = net.master().call("eth_getBlockByNumber", &json!(["latest", false])).unwrap();
        let hash = head.get("hash").and_then(Value::as_str).unwrap().to_owned();
        let time = head.get("timestamp").and_then(quantity).unwrap();
        Some(Self { net, engine, chain: vec![(hash, time)], base: blocks.into(), export: Vec::new() })
    }

    /// The same two blocks later, whose end is not final, with the state of its head dumped, and run with the hook.
    pub(super) fn dumped(build: fn(&Plan) -> Outcome<Net>, blocks: u32) -> Option<Self> {
        let mut world = Self::stock(build, blocks)?;
        world.grow(0, 2);
        world.chain.drain(..2);
        world.base += 2;
        world.net.node().stop().unwrap();
        let (dump, file) = (world.net.node().run(&["snapshot", "dump"]).unwrap(), world.path("dump"));
        fs::write(&file, dump).unwrap();
        world.export = vec!["--dump".to_owned(), file.display().to_string()];
        world.hooked();
        Some(world)
    }

    /// The same by way of two copies: one executes the blocks above its disk's state once more, with the hook, and from the
    /// other that state is exported while geth runs again. Its own data are not touched.
    pub(super) fn copied(build: fn(&Plan) -> Outcome<Net>, blocks: u32) -> Option<Self> {
        let mut world = Self::stock(build, blocks)?;
        world.net.node().stop().unwrap();
        let (rerun, state) = (world.copy("rerun"), world.copy("state"));
        let above = world.path("above.rlp");
        state.run(&["export", &above.display().to_string(), "1", &blocks.to_string()]).unwrap();
        // Of what geth held in memory when it stopped; without it, geth stands where its disk does.
        fs::remove_file(rerun.data().join("geth/triedb/merkle.journal")).unwrap();
        rerun.import(&above, Tracer::Hook).unwrap();
        world.hooked();
        for kind in ["snapshot", "code"] {
            let file = world.path(&format!("{kind}.gz")).display().to_string();
            state.run(&["db", "export", kind, &file]).unwrap();
            world.export.extend([format!("--{kind}"), file]);
        }
        Some(world)
    }

    /// A node on a copy of the master's data, with the master's spool.
    fn copy(&mut self, name: &str) -> Node {
        let (master, chain) = (master::build().unwrap(), Chain::Stock(PathBuf::new()));
        let mut node = Node::new(&master, &self.path(name), &chain).unwrap();
        node.eager();
        node.hook("spool", self.net.node().spool().display().to_string().into());
        let mut cp = std::process::Command::new("cp");
        process::output(cp.args(["-a", "--reflink=auto"]).args([self.net.node().data(), node.data()]))
            .unwrap();
        node
    }

    /// Runs the master with the hook, and lets the tap begin where its spool does.
    fn hooked(&mut self) {
        self.net.node().tracer(Tracer::Hook);
        self.net.node().restart().unwrap();
        self.engine.choose(&self.chain[0].0, None).unwrap();
        self.net.tap().edit(settings::adopting).unwrap();
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.net.dir().join(name)
    }

    /// Replaces the newest blocks by new ones; each of these becomes the head.
    pub(super) fn grow(&mut self, replaced: usize, blocks: usize) {
        self.chain.truncate(self.chain.len() - replaced);
        for _ in 0..blocks {
            let (parent, time) = self.chain.last().unwrap().clone();
            let mut attributes = Attributes::new(time + 12, u8::try_from(replaced).unwrap());
            attributes.withdrawals.push(json!({
                "index": format!("0x{time:x}"), "validatorIndex": "0x1", "address": format!("0x{:040x}", 0xc0de),
                "amount": format!("0x{:x}", self.chain.len() + replaced),
            }));
            let payload = self.engine.extend(&parent, &attributes).unwrap();
            self.chain.push((payload.hash().unwrap().to_owned(), time + 12));
        }
    }

    /// Waits until the replica has the head.
    pub(super) fn followed(&mut self) {
        let (head, _) = self.chain.last().unwrap().clone();
        let replica = self.net.replica(0).unwrap();
        wait::until("the replica to have the head", PATIENCE, || {
            self.net.replica_daemon(0).unwrap().alive().map_err(|failure| failure.to_string())?;
            let found = replica.block_hash("latest").map_err(|failure| failure.to_string())?;
            if found == head { Ok(()) } else { Err(found) }
        })
        .unwrap_or_else(|failure| panic!("{failure}\n{}", self.net.last_words()));
    }

    /// The import of the state of `block`, killed at a point, if one is named.
    pub(super) fn import(&mut self, block: u64, killed: &str) -> Output {
        let config = self.net.replica_daemon(0).unwrap().config().to_owned();
        let mut command = Product::build().unwrap().command("maidenlane");
        command.args(["replica", "import", "--journal-rows", "100", "--block", &block.to_string()]);
        command.args(&self.export).arg("--config").arg(config).arg("--node").arg(self.net.node().ipc());
        command.env("MAIDENLANE_FAILPOINT", killed).output().unwrap()
    }

    pub(super) fn imported(&mut self) -> Value {
        let output = self.import(self.base, "");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)))
    }

    /// Checks that the replica answers as geth does: about its newest blocks all, about those up to its base what needs
    /// no state.
    pub(super) fn check(&mut self) {
        let (master, replica) = (self.net.master(), self.net.replica(0).unwrap());
        let head = master.block_number().unwrap();
        let first = head.saturating_sub(ASKED_BLOCKS).max(self.base + 1);
        agree(&master, &replica, &compare::questions_from(&master, first, head).unwrap());
        let below = compare::questions(&master, self.base).unwrap();
        let stateless = |question: &Question| STATELESS.iter().any(|part| question.method.starts_with(part));
        agree(&master, &replica, &below.into_iter().filter(stateless).collect::<Vec<_>>());
        let balance = json!([format!("0x{:040x}", 0xc0de), format!("{:#x}", self.base - 1)]);
        let pruned = replica.respond("eth_getBalance", &balance).unwrap();
        assert_eq!(pruned.pointer("/error/code"), Some(&json!(4444)), "{pruned}");
    }
}

pub(super) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(super) fn agree(master: &Client, replica: &Client, questions: &[Question]) {
    let comparison = Comparison::of(master, replica, questions).unwrap();
    assert!(comparison.perfect(), "{:#?}", comparison.differences);
}
