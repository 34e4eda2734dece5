//! Reorganisations, driven through the engine API of a real geth as a consensus client would.

mod pool;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use maidenlane_tests::{
    compare::{self, Comparison},
    geth::{
        chaingen,
        engine::{Attributes, Engine},
    },
    install::GETH,
    rpc::{Client, quantity},
    scenario::{Carrier, Chain, Net, Plan},
    wait,
};
use serde_json::{Value, json};

use watch::{Sight, Watch};

/// Blocks of the chain that everything begins on.
const BLOCKS: u32 = 64;
/// Gets a withdrawal of another amount in every block, so that its balance names the branch.
const ACCOUNT: &str = "0x000000000000000000000000000000000000c0de";
const WEI_PER_GWEI: u64 = 1_000_000_000;
/// A replica follows within milliseconds; this is for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is known of a block that was built.
#[derive(Debug, Clone, Copy)]
struct Block {
    number: u64,
    time: u64,
    /// Of [`ACCOUNT`], in wei.
    balance: u64,
}

/// A network on our own chain through all forks, and a consensus client that remembers what it built.
struct Consensus {
    // First: it shall not ask a network that is gone.
    watch: Watch,
    net: Net,
    engine: Engine,
    blocks: BTreeMap<String, Block>,
    /// Every hash that was ever geth's head.
    announced: BTreeSet<String>,
    head: String,
    pool: Vec<String>,
}

impl Consensus {
    /// `None`, said aloud, on a machine without Go.
    fn new() -> Option<Self> {
        if !GETH.met() {
            println!("not run: no Go for a real geth");
            return None;
        }
        let chain = chaingen::chain(BLOCKS, 3).unwrap();
        let plan = Plan { chain: Chain::Import(chain.clone()), carrier: Carrier::Segment, replicas: 1 };
        let mut net = Net::build(&plan).unwrap();
        let engine = net.node().engine().unwrap();
        engine.announce(&chain.join("headfcu.json")).unwrap();
        net.start().unwrap();
        let found = net.master().call("eth_getBlockByNumber", &json!(["latest", false])).unwrap();
        let head = found.get("hash").and_then(Value::as_str).unwrap().to_owned();
        let time = quantity(found.get("timestamp").unwrap()).unwrap();
        let block = Block { number: BLOCKS.into(), time, balance: 0 };
        follows(&mut net, &head);
        let watch = Watch::of(net.replica(0).unwrap(), ACCOUNT);
        let mut pool = pool::transactions();
        pool.reverse();
        let blocks = BTreeMap::from([(head.clone(), block)]);
        let announced = BTreeSet::from([head.clone()]);
        let mut consensus = Self { watch, net, engine, blocks, announced, head, pool };
        // geth goes back to no block that is final, and the imported end is.
        let first = consensus.execute(&consensus.head.clone(), 0);
        consensus.choose(&first);
        consensus.agreed();
        Some(consensus)
    }

    /// Executes a block on `parent`, which becomes the head, without making it the head. Siblings differ by
    /// `recipient`. Takes what is in the pool, which gets more.
    fn execute(&mut self, parent: &str, recipient: u8) -> String {
        for _ in 0..3 {
            let Some(raw) = self.pool.pop() else { break };
            // Those with blobs cannot be sent without them; what follows on them waits in vain.
            let _refused = self.net.master().call("eth_sendRawTransaction", &json!([format!("0x{raw}")]));
        }
        let before = *self.blocks.get(parent).unwrap();
        let gwei = u64::try_from(self.blocks.len()).unwrap() + 1;
        let mut attributes = Attributes::new(before.time + 12, recipient);
        attributes.withdrawals.push(
            json!({"index": format!("0x{gwei:x}"), "validatorIndex": "0x1", "address": ACCOUNT, "amount": format!("0x{gwei:x}")}),
        );
        self.announced.insert(parent.to_owned());
        let payload = self.engine.build(parent, &attributes).unwrap();
        parent.clone_into(&mut self.head);
        self.engine.execute(&payload).unwrap();
        let hash = payload.hash().unwrap().to_owned();
        let balance = before.balance + gwei * WEI_PER_GWEI;
        self.blocks
            .insert(hash.clone(), Block { number: before.number + 1, time: attributes.timestamp, balance });
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
        self.announced.insert(head.to_owned());
        self.engine.choose(head, None).unwrap();
        head.clone_into(&mut self.head);
    }

    fn sight(&self, hash: &str) -> Sight {
        let block = self.blocks.get(hash).unwrap();
        (block.number, hash.to_owned(), block.balance)
    }

    /// Waits until the reader has seen the chosen head.
    fn followed(&mut self) {
        let wanted = self.sight(&self.head);
        self.shown(&wanted);
    }

    /// Waits until the reader sees `wanted`.
    fn shown(&mut self, wanted: &Sight) {
        let mut last = None;
        let seen = wait::until("the reader to see the head", PATIENCE, || {
            last = self.watch.next().or(last.take());
            if last.as_ref() == Some(wanted) { Ok(()) } else { Err(format!("{last:?}, not {wanted:?}")) }
        });
        seen.unwrap_or_else(|failure| panic!("{failure}\n{}", self.net.tap().log_tail(10)));
    }

    /// Waits until the replica has the chosen head, and compares its answers with geth's.
    fn agreed(&mut self) {
        self.followed();
        let (master, replica) = (self.net.master(), self.net.replica(0).unwrap());
        let head = master.block_number().unwrap();
        let questions = compare::questions(&master, head).unwrap();
        let comparison = Comparison::of(&master, &replica, &questions).unwrap();
        assert!(comparison.perfect(), "{:#?}", comparison.differences);
    }

    /// The end of every scenario: answers, every head that the reader was ever shown, and the whole state.
    fn end(mut self) {
        self.agreed();
        let announced: BTreeSet<Sight> = self.announced.iter().map(|hash| self.sight(hash)).collect();
        let seen = self.watch.seen();
        let invented: Vec<_> = seen.difference(&announced).collect();
        assert!(invented.is_empty(), "the reader saw what geth never announced: {invented:#?}");
        assert!(seen.len() > 1);
        self.net.equals_fresh_replay(0).unwrap();
    }

    fn kill_replica(&mut self) {
        self.net.replica_daemon(0).unwrap().kill();
    }

    fn start_replica(&mut self) {
        self.net.replica_daemon(0).unwrap().start().unwrap();
        self.watch.moved(self.net.replica(0).unwrap());
    }

    /// Master and replica.
    fn sides(&mut self) -> (Client, Client) {
        (self.net.master(), self.net.replica(0).unwrap())
    }

    /// Executes siblings on `parent` until geth has put transactions into one: it first builds an empty block.
    fn busy(&mut self, parent: &str) -> String {
        let master = self.net.master();
        let mut recipient = 100;
        wait::until("a block with transactions", PATIENCE, || {
            recipient += 1;
            let hash = self.execute(parent, recipient);
            let count = master.quantity("eth_getBlockTransactionCountByHash", &json!([hash]));
            if count.map_err(|failure| failure.to_string())? > 0 { Ok(hash) } else { Err("empty".to_owned()) }
        })
        .unwrap()
    }
}

/// Waits until the replica has block `head`.
fn follows(net: &mut Net, head: &str) {
    let replica = net.replica(0).unwrap();
    wait::until("the replica to follow", PATIENCE, || {
        let hash = replica.block_hash("latest").map_err(|failure| failure.to_string())?;
        if hash == head { Ok(()) } else { Err(format!("head {hash}, not {head}")) }
    })
    .unwrap_or_else(|failure| panic!("{failure}\n{}", net.tap().log_tail(10)));
}

#[test]
fn siblings_are_switched_to_and_back() {
    let Some(mut consensus) = Consensus::new() else { return };
    let base = consensus.head.clone();
    let (one, two) = (consensus.execute(&base, 1), consensus.execute(&base, 2));
    for head in [&one, &two, &one, &two, &base, &two] {
        consensus.choose(head);
        consensus.followed();
    }
    consensus.end();
}

#[test]
fn undone_blocks_stay_readable_and_those_never_chosen_are_unknown() {
    let Some(mut consensus) = Consensus::new() else { return };
    let base = consensus.head.clone();
    let undone = consensus.busy(&base);
    let never = consensus.execute(&base, 1);
    let kept = consensus.execute(&base, 2);
    for head in [&undone, &kept] {
        consensus.choose(head);
        consensus.followed();
    }
    let (master, replica) = consensus.sides();
    let by_hash = |hash: &str| {
        [
            ("eth_getBlockByHash", json!([hash, true])),
            ("eth_getBlockReceipts", json!([hash])),
            ("eth_getBlockReceipts", json!([{"blockHash": hash}])),
            ("eth_getBlockTransactionCountByHash", json!([hash])),
            ("eth_getTransactionByBlockHashAndIndex", json!([hash, "0x0"])),
            ("debug_getRawBlock", json!([{"blockHash": hash}])),
            ("debug_getRawReceipts", json!([{"blockHash": hash}])),
            ("eth_getLogs", json!([{"blockHash": hash}])),
        ]
    };
    for (method, params) in by_hash(&undone) {
        let answers = [&master, &replica].map(|side| side.call(method, &params).unwrap());
        assert!(!answers[0].is_null(), "{method}");
        assert_eq!(answers[0], answers[1], "{method}");
    }
    assert!(master.call("eth_getBlockByHash", &json!([never, false])).unwrap().is_object());
    assert_eq!(replica.call("eth_getBlockByHash", &json!([never, false])).unwrap(), Value::Null);
    assert_eq!(replica.call("eth_getBlockReceipts", &json!([never])).unwrap(), Value::Null);
    for (hash, told) in [(&undone, "header not found"), (&never, "header for hash not found")] {
        let answer = replica.respond("eth_getBalance", &json!([ACCOUNT, {"blockHash": hash}])).unwrap();
        assert_eq!(answer.pointer("/error/code"), Some(&json!(-32000)), "{answer}");
        assert_eq!(answer.pointer("/error/message"), Some(&json!(told)), "{answer}");
    }
    consensus.end();
}

#[test]
fn branches_of_all_depths_are_switched_to_and_back() {
    let Some(mut consensus) = Consensus::new() else { return };
    for depth in [1, 2, 8, 32] {
        let base = consensus.head.clone();
        let one = consensus.branch(&base, depth, 1);
        consensus.followed();
        // geth refuses to go back by more than 32 blocks at once, so the sibling branch begins at the base itself.
        consensus.choose(&base);
        consensus.followed();
        let two = consensus.branch(&base, depth, 2);
        for head in [&two, &one, &two] {
            consensus.choose(head);
            consensus.followed();
        }
        consensus.agreed();
    }
    consensus.end();
}

#[test]
fn a_branch_changes_while_the_tap_or_the_replica_is_down() {
    let Some(mut consensus) = Consensus::new() else { return };
    for (round, tap) in [true, false, true, false].into_iter().enumerate() {
        let base = consensus.head.clone();
        let recipient = u8::try_from(round).unwrap() + 10;
        consensus.branch(&base, 4, recipient);
        consensus.followed();
        if tap {
            consensus.net.tap().kill();
        } else {
            consensus.kill_replica();
        }
        consensus.choose(&base);
        consensus.branch(&base, 3, recipient + 10);
        if tap {
            consensus.net.tap().start().unwrap();
        } else {
            consensus.start_replica();
        }
        consensus.followed();
    }
    consensus.end();
}

#[test]
fn a_tap_that_dies_between_undo_and_advance_shows_nobody_a_head_in_between() {
    let Some(mut consensus) = Consensus::new() else { return };
    for depth in [1, 8] {
        let base = consensus.head.clone();
        let one = consensus.branch(&base, depth, 1);
        let two = consensus.branch(&base, depth, 2);
        consensus.choose(&one);
        consensus.followed();
        consensus.net.tap().kill();
        consensus.net.tap().environment("MAIDENLANE_FAILPOINT", "tap.between_undo_and_advance");
        consensus.net.tap().start().unwrap();
        consensus.net.tap().ready(PATIENCE).unwrap();
        consensus.choose(&two);
        let died = consensus.net.tap().wait(PATIENCE);
        let died = died.unwrap_or_else(|failure| panic!("{failure}\n{}", consensus.net.tap().log_tail(20)));
        assert_eq!(died.code(), None, "killed, not ended");
        // The undos are in the feed, and still nobody sees anything but the head before, nor after a restart.
        let before = consensus.sight(&one);
        consensus.shown(&before);
        consensus.kill_replica();
        // It has taken the undos and has no whole head to serve: it opens no RPC until the tap has come back.
        consensus.net.replica_daemon(0).unwrap().start().unwrap();
        consensus.net.tap().environment("MAIDENLANE_FAILPOINT", "");
        consensus.net.tap().start().unwrap();
        consensus.watch.moved(consensus.net.replica(0).unwrap());
        consensus.followed();
    }
    consensus.end();
}
