//! The newest records of the log are lost and others written in their place, as when a disk or a broker without
//! copies loses what it had acknowledged. A replica that is ahead finds its head by hash and goes on from there.

use std::{fs, time::Duration};

use maidenlane_tests::{
    geth::{
        chaingen,
        engine::{Attributes, Engine},
    },
    install::GO,
    scenario::{Carrier, Chain, Net, Plan},
    settings, wait,
};
use rustix::process::Signal;
use serde_json::json;

use crate::{check_everything, long, moment::Moment};

const SEED: u64 = 0x6375_7421;
/// Of the chain that everything begins on.
const BLOCKS: u32 = 64;
/// The spool keeps what is not final, and only that can be published again: so many entries must not reach below it.
const ENTRIES_MAX: u64 = 50;
const BRANCH_MAX: u64 = 4;
const PATIENCE: Duration = Duration::from_secs(60);

/// What the daemons do while the log is cut.
#[derive(Debug, Clone, Copy)]
enum Meanwhile {
    /// Both are stopped.
    Stopped,
    /// Both run: the tap gives up and is started again, the replica finds its place while it serves.
    Running,
    /// The replica looks again only after a new tap has written more than was lost.
    Frozen,
}

/// A network driven block by block.
struct Cutting {
    net: Net,
    engine: Engine,
    /// Hash and time of the canonical blocks that we made.
    chain: Vec<(String, u64)>,
}

impl Cutting {
    fn new() -> Self {
        let chain = chaingen::chain(BLOCKS, 3).unwrap();
        let plan = Plan { chain: Chain::Import(chain.clone()), carrier: Carrier::Segment, replicas: 1 };
        let mut net = Net::build(&plan).unwrap();
        let engine = net.node().engine().unwrap();
        engine.announce(&chain.join("headfcu.json")).unwrap();
        // A replica that waits in vain for signs of life looks sooner whether its place in the log is still there.
        let config = net.replica_daemon(0).unwrap().config().to_owned();
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, text.replace("maxSilence_ms = 15000", "maxSilence_ms = 2000")).unwrap();
        net.start().unwrap();
        let head = net.master().call("eth_getBlockByNumber", &json!(["latest", false])).unwrap();
        let hash = head.get("hash").unwrap().as_str().unwrap().to_owned();
        let time = maidenlane_tests::rpc::quantity(head.get("timestamp").unwrap()).unwrap();
        Self { net, engine, chain: vec![(hash, time)] }
    }

    /// Makes `blocks` blocks on the canonical block `depth` below the head.
    fn grow(&mut self, depth: u64, blocks: u64, recipient: u8) {
        for _ in 0..depth {
            self.chain.pop();
        }
        for _ in 0..blocks {
            let (parent, time) = self.chain.last().unwrap().clone();
            let mut attributes = Attributes::new(time + 12, recipient);
            let index = format!("0x{:x}", self.chain.len());
            attributes.withdrawals.push(json!({
                "index": index, "validatorIndex": "0x1", "address": format!("0x{:040x}", 0xc0de),
                "amount": format!("0x{:x}", u64::from(recipient) + 1),
            }));
            let payload = self.engine.extend(&parent, &attributes).unwrap();
            self.chain.push((payload.hash().unwrap().to_owned(), time + 12));
        }
    }

    /// Waits until the replica has the head, under a service manager's eye.
    fn followed(&mut self, what: &str) {
        let head = self.chain.last().unwrap().0.clone();
        self.net.recovered().unwrap_or_else(|failure| panic!("{what}: {failure}\n{}", self.net.last_words()));
        let replica = self.net.replica(0).unwrap();
        let shown = wait::until("the replica to have the head", PATIENCE, || {
            self.net.tend().map_err(|failure| failure.to_string())?;
            let hash = replica.block_hash("latest").map_err(|failure| failure.to_string())?;
            if hash == head { Ok(()) } else { Err(format!("head {hash}, not {head}")) }
        });
        shown.unwrap_or_else(|failure| panic!("{what}: {failure}\n{}", self.net.last_words()));
    }

    fn log(&self, verb: &[&str]) -> u64 {
        let place = self.net.dir().join("log").display().to_string();
        let topic = settings::topic();
        let [verb, options @ ..] = verb else { panic!("no verb") };
        let line = [["log", verb, "--dir", &place, "--topic", &topic].as_slice(), options].concat();
        let said = self.net.command(&line).unwrap();
        let last: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        last.get("end").unwrap().as_u64().unwrap()
    }

    /// Cuts `entries` off; if `depth` is more than 0, another branch replaces so many blocks meanwhile.
    fn round(&mut self, entries: u64, depth: u64, recipient: u8, meanwhile: Meanwhile) {
        self.grow(0, BRANCH_MAX, recipient);
        self.followed("before the cut");
        let end = self.log(&["inspect"]);
        let cut = |all: &Self| all.log(&["cut", "--entries", &entries.to_string()]);
        match meanwhile {
            Meanwhile::Stopped => {
                self.net.tap().stop().unwrap();
                self.net.replica_daemon(0).unwrap().stop().unwrap();
                cut(self);
                self.grow(depth, depth * 2, recipient + 1);
                self.net.tap().start().unwrap();
                self.net.replica_daemon(0).unwrap().start().unwrap();
            }
            Meanwhile::Running => {
                cut(self);
                self.grow(depth, depth * 2, recipient + 1);
            }
            Meanwhile::Frozen => {
                self.net.tap().stop().unwrap();
                self.signal_replica(Signal::STOP);
                cut(self);
                self.grow(depth, depth * 2, recipient + 1);
                self.net.tap().start().unwrap();
                wait::until("more than was lost", PATIENCE, || {
                    let now = self.log(&["inspect"]);
                    if now > end { Ok(()) } else { Err(format!("{now} of {end}")) }
                })
                .unwrap();
                self.signal_replica(Signal::CONT);
            }
        }
        self.followed(&format!("{entries} entries cut off, {depth} blocks replaced, {meanwhile:?}"));
    }

    fn signal_replica(&mut self, signal: Signal) {
        self.net.replica_daemon(0).unwrap().process().unwrap().signal(signal);
    }
}

#[test]
fn a_replica_finds_its_place_in_a_log_that_was_cut_and_written_anew() {
    if !GO.met() {
        return println!("not run: no Go for a real geth");
    }
    let mut cutting = Cutting::new();
    cutting.grow(0, ENTRIES_MAX, 0);
    let mut moment = Moment::new(SEED);
    let few = [1, 2, 7, 19, 33, ENTRIES_MAX];
    let all: Vec<u64> = (1..=ENTRIES_MAX).collect();
    let counts = if long() { all.as_slice() } else { few.as_slice() };
    for (round, entries) in counts.iter().copied().enumerate() {
        let meanwhile = [Meanwhile::Stopped, Meanwhile::Running, Meanwhile::Frozen][round % 3];
        // The same blocks again, or others in place of some.
        let depth = if round % 2 == 0 { 0 } else { 1 + moment.below(BRANCH_MAX) };
        cutting.round(entries, depth, u8::try_from(2 * round + 1).unwrap(), meanwhile);
    }
    let log = fs::read_to_string(cutting.net.dir().join("replica-0.log")).unwrap();
    let found = log.lines().filter(|line| line.contains("the log was cut: went back")).count();
    assert!(found >= counts.len(), "the replica noticed {found} of {} cuts", counts.len());
    check_everything(&mut cutting.net);
}
