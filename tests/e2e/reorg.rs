//! Reorganisations, driven through the engine API of a real geth as a consensus client would.

use std::{collections::BTreeMap, time::Duration};

use maidenlane_tests::{
    compare::{self, Comparison},
    geth::{
        chaingen,
        engine::{Attributes, Engine},
    },
    install::GO,
    rpc::quantity,
    scenario::{Carrier, Chain, Net, Plan},
    wait,
};
use serde_json::{Value, json};

/// Blocks of the chain that everything begins on.
const BLOCKS: u32 = 64;

/// A network on our own chain through all forks, and a consensus client that remembers what it built.
struct Consensus {
    net: Net,
    engine: Engine,
    /// Timestamps of known blocks, by hash.
    times: BTreeMap<String, u64>,
    head: String,
}

impl Consensus {
    /// `None`, said aloud, on a machine without Go.
    fn new() -> Option<Self> {
        if !GO.met() {
            println!("not run: no Go for a real geth");
            return None;
        }
        let chain = chaingen::chain(BLOCKS, 3).unwrap();
        let plan = Plan { chain: Chain::Import(chain.clone()), carrier: Carrier::Segment, replicas: 1 };
        let mut net = Net::build(&plan).unwrap();
        let engine = net.node().engine().unwrap();
        engine.announce(&chain.join("headfcu.json")).unwrap();
        net.start().unwrap();
        let head = net.master().call("eth_getBlockByNumber", &json!(["latest", false])).unwrap();
        let hash = head.get("hash").and_then(Value::as_str).unwrap().to_owned();
        let time = quantity(head.get("timestamp").unwrap()).unwrap();
        let mut consensus = Self { net, engine, times: BTreeMap::from([(hash.clone(), time)]), head: hash };
        consensus.agreed();
        Some(consensus)
    }

    /// Executes a block on `parent` without making it the head. Siblings differ by `recipient`.
    fn execute(&mut self, parent: &str, recipient: u8) -> String {
        let time = self.times.get(parent).unwrap() + 12;
        let payload = self.engine.build(parent, &Attributes::new(time, recipient)).unwrap();
        self.engine.execute(&payload).unwrap();
        let hash = payload.hash().unwrap().to_owned();
        self.times.insert(hash.clone(), time);
        hash
    }

    /// A branch of `depth` blocks on `parent`; returns its tip. Building moves geth's head along the branch.
    fn branch(&mut self, parent: &str, depth: u32, recipient: u8) -> String {
        let mut tip = parent.to_owned();
        for _ in 0..depth {
            tip = self.execute(&tip, recipient);
            self.choose(&tip);
        }
        tip
    }

    fn choose(&mut self, head: &str) {
        self.engine.choose(head, None).unwrap();
        head.clone_into(&mut self.head);
    }

    /// Waits until the replica has the chosen head and answers as geth does.
    fn agreed(&mut self) {
        let (master, replica) = (self.net.master(), self.net.replica(0).unwrap());
        wait::until("the replica to follow", Duration::from_secs(30), || {
            let hash = replica.block_hash("latest").map_err(|failure| failure.to_string())?;
            if hash == self.head { Ok(()) } else { Err(format!("head {hash}, not {}", self.head)) }
        })
        .unwrap_or_else(|failure| panic!("{failure}\n{}", self.net.tap().log_tail(10)));
        let head = master.block_number().unwrap();
        let questions = compare::questions(&master, head).unwrap();
        // The last few blocks are what a reorganisation touches; the rest was compared at the start.
        let comparison = Comparison::of(&master, &replica, &questions).unwrap();
        assert!(comparison.perfect(), "{:#?}", comparison.differences);
    }
}

#[test]
fn siblings_are_switched_to_and_back() {
    let Some(mut consensus) = Consensus::new() else { return };
    let base = consensus.head.clone();
    let (one, two) = (consensus.execute(&base, 1), consensus.execute(&base, 2));
    for head in [&one, &two, &one, &two, &base, &two] {
        consensus.choose(head);
        consensus.agreed();
    }
    consensus.net.equals_fresh_replay(0).unwrap();
}

#[test]
fn branches_of_all_depths_are_switched_to_and_back() {
    let Some(mut consensus) = Consensus::new() else { return };
    for depth in [1, 2, 3, 5, 8, 16, 32] {
        let base = consensus.head.clone();
        let one = consensus.branch(&base, depth, 1);
        consensus.agreed();
        // geth refuses to go back by more than 32 blocks at once, so the sibling branch begins at the base itself.
        consensus.choose(&base);
        consensus.agreed();
        let two = consensus.branch(&base, depth + 1, 2);
        consensus.agreed();
        for head in [&one, &two] {
            consensus.choose(head);
            consensus.agreed();
        }
    }
    consensus.net.equals_fresh_replay(0).unwrap();
}

#[test]
fn a_branch_changes_while_the_tap_or_the_replica_is_down() {
    let Some(mut consensus) = Consensus::new() else { return };
    for (round, tap) in [true, false, true, false].into_iter().enumerate() {
        let base = consensus.head.clone();
        let recipient = u8::try_from(round).unwrap() + 10;
        consensus.branch(&base, 4, recipient);
        consensus.agreed();
        if tap {
            consensus.net.tap().kill();
        } else {
            consensus.net.replica_daemon(0).unwrap().kill();
        }
        consensus.choose(&base);
        consensus.branch(&base, 3, recipient + 10);
        if tap {
            consensus.net.tap().start().unwrap();
        } else {
            consensus.net.replica_daemon(0).unwrap().start().unwrap();
        }
        consensus.agreed();
    }
    consensus.net.equals_fresh_replay(0).unwrap();
}
