//! A consensus client of our own: drives one or two real geths through the engine API and remembers what it built.

mod filled;
mod peer;
mod pool;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use maidenlane_tests::{
    compare::{self, Comparison},
    failure::Outcome,
    geth::{
        chaingen,
        engine::{Attributes, Engine, Payload},
    },
    install::GETH,
    rpc::Client,
    scenario::{Carrier, Chain, Net, Plan},
    wait,
};
use serde_json::{Value, json};

use peer::Peer;
pub(crate) use watch::Sight;
use watch::Watch;

/// Blocks of the chain that everything begins on.
pub(crate) const BLOCKS: u32 = 64;
/// Gets a withdrawal of another amount in every block, so that its balance names the branch.
pub(crate) const ACCOUNT: &str = "0x000000000000000000000000000000000000c0de";
/// A replica follows within milliseconds; this is for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const WEI_PER_GWEI: u64 = 1_000_000_000;
/// How far behind the head blocks become safe and final, in scenarios where they do.
const SETTLED_DEPTH: u32 = 3;

/// A block that was built, as far as it is known.
#[derive(Debug, Clone)]
struct Block {
    number: u64,
    time: u64,
    /// Of [`ACCOUNT`], in wei.
    balance: u64,
    parent: String,
    /// To feed it again; the imported chain's end has none.
    payload: Option<Payload>,
}

/// A network on our own chain through all forks, and what its consensus client knows.
pub(crate) struct Consensus {
    // First: it shall not ask a network that is gone.
    watch: Watch,
    pub(crate) net: Net,
    engine: Engine,
    /// Builds the blocks, if it is there.
    peer: Option<Peer>,
    /// The master takes what it is fed: it was not killed, or is back.
    attached: bool,
    /// Blocks become safe and final some way behind the head.
    settling: bool,
    blocks: BTreeMap<String, Block>,
    /// Every hash that was ever geth's head.
    announced: BTreeSet<String>,
    head: String,
    pool: Vec<String>,
}

impl Consensus {
    /// `None`, said aloud, on a machine without Go.
    pub(crate) fn new(carrier: Carrier) -> Option<Self> {
        Self::on(carrier, Net::build)
    }

    /// The same on a network of another kind.
    pub(crate) fn on(carrier: Carrier, build: fn(&Plan) -> Outcome<Net>) -> Option<Self> {
        if !GETH.met() {
            println!("not run: no Go for a real geth");
            return None;
        }
        let chain = chaingen::chain(BLOCKS, 3).unwrap();
        let plan = Plan { chain: Chain::Import(chain.clone()), carrier, replicas: 1 };
        let mut net = build(&plan).unwrap();
        let engine = net.node().engine().unwrap();
        engine.announce(&chain.join("headfcu.json")).unwrap();
        net.start().unwrap();
        let (head, time) = net.master().block("latest").unwrap();
        let parent = net.master().block_hash(&format!("{:#x}", BLOCKS - 1)).unwrap();
        let block = Block { number: BLOCKS.into(), time, balance: 0, parent, payload: None };
        follows(&mut net, &head);
        let watch = Watch::of(net.replica(0).unwrap(), ACCOUNT);
        let mut pool = pool::transactions();
        pool.reverse();
        let blocks = BTreeMap::from([(head.clone(), block)]);
        let announced = BTreeSet::from([head.clone()]);
        let (peer, attached, settling) = (None, true, false);
        let mut consensus =
            Self { watch, net, engine, peer, attached, settling, blocks, announced, head, pool };
        // geth goes back to no block that is final, and the imported end is.
        let first = consensus.execute(&consensus.head.clone(), 0);
        consensus.choose(&first);
        consensus.followed();
        Some(consensus)
    }

    /// From now on, blocks become safe and final behind the head, and there are enough for that.
    pub(crate) fn settle(&mut self) {
        self.settling = true;
        self.branch(&self.head(), SETTLED_DEPTH + 1, 1);
    }

    pub(crate) fn head(&self) -> String {
        self.head.clone()
    }

    /// The head's number.
    pub(crate) fn number(&self) -> u64 {
        self.blocks.get(&self.head).unwrap().number
    }

    /// The block so far behind the head.
    pub(crate) fn ancestor(&self, depth: usize) -> String {
        self.since(0).into_iter().rev().nth(depth).unwrap()
    }

    fn payload(&self, hash: &str) -> &Payload {
        self.blocks.get(hash).and_then(|block| block.payload.as_ref()).unwrap()
    }

    fn builder(&self) -> &Engine {
        self.peer.as_ref().map_or(&self.engine, |peer| &peer.engine)
    }

    /// The engines that take what they are fed.
    fn engines(&self) -> impl Iterator<Item = &Engine> {
        let master = self.attached.then_some(&self.engine);
        self.peer.as_ref().map(|peer| &peer.engine).into_iter().chain(master)
    }

    /// Executes a block on `parent`, which becomes the head, without making it the head. Siblings differ by
    /// `recipient`. Takes what is in the pool, which gets more.
    pub(crate) fn execute(&mut self, parent: &str, recipient: u8) -> String {
        for _ in 0..3 {
            let Some(raw) = self.pool.pop() else { break };
            let node = self.peer.as_ref().map_or_else(|| self.net.master(), |peer| peer.node.rpc());
            // Those with blobs cannot be sent without them; what follows on them waits in vain.
            let _refused = node.call("eth_sendRawTransaction", &json!([format!("0x{raw}")]));
        }
        let gwei = u64::try_from(self.blocks.len()).unwrap() + 1;
        self.try_execute(parent, recipient, gwei).unwrap()
    }

    /// The same, with a withdrawal of so much to [`ACCOUNT`].
    pub(crate) fn try_execute(&mut self, parent: &str, recipient: u8, gwei: u64) -> Outcome<String> {
        self.executed(parent, self.after(parent, recipient), gwei, Engine::build)
    }

    /// The same on the head, with time for what is in the pool.
    pub(crate) fn try_fill(&mut self, recipient: u8, gwei: u64) -> Outcome<String> {
        self.executed(&self.head(), self.after(&self.head, recipient), gwei, Engine::fill)
    }

    /// Attributes of a block a slot after its parent.
    fn after(&self, parent: &str, recipient: u8) -> Attributes {
        Attributes::new(self.blocks.get(parent).unwrap().time + 12, recipient)
    }

    /// A block on the head that becomes the head, with this timestamp; none where the head's is as late.
    pub(crate) fn execute_at(&mut self, time: u64) {
        let gwei = u64::try_from(self.blocks.len()).unwrap() + 1;
        if time <= self.blocks.get(&self.head).unwrap().time {
            return;
        }
        let head = self.executed(&self.head(), Attributes::new(time, 0), gwei, Engine::build).unwrap();
        self.choose(&head);
    }

    fn executed(
        &mut self,
        parent: &str,
        mut attributes: Attributes,
        gwei: u64,
        build: fn(&Engine, &str, &Attributes) -> Outcome<Payload>,
    ) -> Outcome<String> {
        let before = self.blocks.get(parent).unwrap();
        attributes.withdrawals.push(
            json!({"index": format!("0x{gwei:x}"), "validatorIndex": "0x1", "address": ACCOUNT, "amount": format!("0x{gwei:x}")}),
        );
        let (number, balance) = (before.number + 1, before.balance + gwei * WEI_PER_GWEI);
        self.announced.insert(parent.to_owned());
        let payload = build(self.builder(), parent, &attributes)?;
        parent.clone_into(&mut self.head);
        let hash = payload.hash()?.to_owned();
        for engine in self.engines() {
            engine.execute(&payload)?;
        }
        let (time, parent) = (attributes.timestamp, parent.to_owned());
        self.blocks.insert(hash.clone(), Block { number, time, balance, parent, payload: Some(payload) });
        Ok(hash)
    }

    /// A branch of `depth` blocks on `parent`; returns its tip. Building moves geth's head along the branch.
    pub(crate) fn branch(&mut self, parent: &str, depth: u32, recipient: u8) -> String {
        let mut tip = parent.to_owned();
        for _ in 0..depth {
            tip = self.execute(&tip, recipient);
            self.choose(&tip);
        }
        tip
    }

    pub(crate) fn choose(&mut self, head: &str) {
        self.try_choose(head).unwrap();
    }

    pub(crate) fn try_choose(&mut self, head: &str) -> Outcome<()> {
        self.announced.insert(head.to_owned());
        self.watch.attend();
        // What the reader has seen until now says nothing about this choice.
        let _before = self.watch.next();
        head.clone_into(&mut self.head);
        let settled = self.settled();
        self.engines().try_for_each(|engine| engine.choose(head, settled.as_deref()))
    }

    /// Makes the head final.
    pub(crate) fn finalize(&self) {
        self.engines().for_each(|engine| engine.choose(&self.head, Some(&self.head)).unwrap());
    }

    /// The block that is safe and final, in scenarios where one is.
    pub(crate) fn settled(&self) -> Option<String> {
        let chain = self.since(BLOCKS.into());
        chain.into_iter().rev().nth(usize::try_from(SETTLED_DEPTH).ok()?).filter(|_| self.settling)
    }

    /// The chosen chain above block `number`, oldest first.
    pub(crate) fn since(&self, number: u64) -> Vec<String> {
        let (mut chain, mut cursor) = (Vec::new(), &self.head);
        while let Some(block) = self.blocks.get(cursor).filter(|block| block.number > number) {
            chain.push(cursor.clone());
            cursor = &block.parent;
        }
        chain.reverse();
        chain
    }

    /// The master died: nothing is fed to it until it is back.
    pub(crate) fn lost(&mut self) {
        self.net.node().kill();
        self.attached = false;
    }

    /// The master starts again after it was killed or stopped.
    pub(crate) fn restart_master(&mut self) {
        self.net.node().restart().unwrap();
        self.engine = self.net.node().engine().unwrap();
    }

    /// The restarted master meets its peer and is told the head until it has synced.
    pub(crate) fn sync_master(&mut self) {
        let peer = self.peer.as_ref().unwrap();
        self.net.node().connect(&peer.node).unwrap();
        wait::until("the master to sync from its peer", 4 * PATIENCE, || {
            let chosen = self.engine.choose(&self.head, self.settled().as_deref());
            chosen.map_err(|failure| failure.to_string())
        })
        .unwrap();
        self.attached = true;
    }

    /// The master is fed once more what lies above block `number`.
    pub(crate) fn feed_master(&mut self, number: u64) {
        for hash in self.since(number) {
            self.engine.execute(self.payload(&hash)).unwrap();
            self.engine.choose(&hash, None).unwrap();
        }
        self.engine.choose(&self.head, self.settled().as_deref()).unwrap();
        self.attached = true;
    }

    pub(crate) fn sight(&self, hash: &str) -> Sight {
        let block = self.blocks.get(hash).unwrap();
        (block.number, hash.to_owned(), block.balance)
    }

    /// Waits until the reader has seen the chosen head.
    pub(crate) fn followed(&mut self) {
        let wanted = self.sight(&self.head);
        self.shown(&wanted);
    }

    /// Waits until the reader sees `wanted`.
    pub(crate) fn shown(&mut self, wanted: &Sight) {
        let mut last = None;
        let seen = wait::until("the reader to see the head", PATIENCE, || {
            last = self.watch.next().or(last.take());
            if last.as_ref() == Some(wanted) { Ok(()) } else { Err(format!("{last:?}, not {wanted:?}")) }
        });
        seen.unwrap_or_else(|failure| panic!("{failure}\n{}", self.net.last_words()));
    }

    /// Waits until the replica has the chosen head, and compares its answers with geth's.
    pub(crate) fn agreed(&mut self) {
        self.followed();
        let (master, replica) = self.sides();
        let head = master.block_number().unwrap();
        let mut questions = compare::questions(&master, head).unwrap();
        // The peers are the master's own.
        questions.retain(|question| self.peer.is_none() || question.method != "net_peerCount");
        let comparison = Comparison::of(&master, &replica, &questions).unwrap();
        assert!(comparison.perfect(), "{:#?}", comparison.differences);
    }

    /// The end of every scenario: answers, every head that the reader was ever shown, and the whole state.
    pub(crate) fn end(mut self) {
        self.agreed();
        let announced: BTreeSet<Sight> = self.announced.iter().map(|hash| self.sight(hash)).collect();
        let seen = self.watch.seen();
        let invented: Vec<_> = seen.iter().filter(|sight| !announced.contains(sight)).collect();
        assert!(invented.is_empty(), "the reader saw what geth never announced: {invented:#?}");
        assert!(seen.len() > 1);
        self.net.equals_fresh_replay(0).unwrap();
    }

    /// Nothing moved back that should not: neither the reader's view, nor the feed, nor finality in either.
    pub(crate) fn never_went_back(&self) {
        let chain: BTreeSet<String> = self.since(0).into_iter().collect();
        for pair in self.watch.seen().windows(2) {
            if let [before, after] = pair {
                let back = after.0 < before.0 && chain.contains(&before.1);
                assert!(!back, "the reader went back from a block that stayed: {before:?} to {after:?}");
            }
        }
        assert!(self.watch.finalized().is_sorted(), "finality at the replica: {:?}", self.watch.finalized());
        let (mut finals, number) = (Vec::new(), |at: Option<&Value>| at.and_then(Value::as_u64));
        for line in self.net.feed().unwrap() {
            let entry = line.get("entry").unwrap_or(&line);
            match entry.get("record").and_then(Value::as_str) {
                Some("Undo") => {
                    let hash = entry.pointer("/block/hash").and_then(Value::as_str).unwrap();
                    assert!(!chain.contains(hash), "an undo of a block that stayed: {hash}");
                }
                Some("Final") => finals.push((
                    number(entry.pointer("/safe/number")),
                    number(entry.pointer("/finalized/number")),
                )),
                _ => {}
            }
        }
        assert!(finals.len() > 1, "the feed tells of no finality: {finals:?}");
        assert!(finals.iter().map(|(safe, _)| safe).is_sorted(), "the safe head moved back: {finals:?}");
        assert!(finals.iter().map(|(_, done)| done).is_sorted(), "finality moved back: {finals:?}");
    }

    pub(crate) fn kill_replica(&mut self) {
        self.net.replica_daemon(0).unwrap().kill();
    }

    /// The reader asks where the replica listens now.
    pub(crate) fn replica_moved(&mut self) {
        self.watch.moved(self.net.replica(0).unwrap());
    }

    /// Master and replica.
    pub(crate) fn sides(&mut self) -> (Client, Client) {
        (self.net.master(), self.net.replica(0).unwrap())
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
