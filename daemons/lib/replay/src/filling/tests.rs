//! Tests of filling over a real log: whatever comes meanwhile, in the end every block has its senders.

use super::{Filling, step};
use crate::apply::Demands;
use crate::behind::Behind;
use crate::follow::{Follower, Logs};
use crate::liveness::Liveness;
use maidenlane_chain::{Address, Block, BlockRef, Bytes};
use maidenlane_log::{Append, Backend, TopicOptions, segment};
use maidenlane_service::Tracer;
use maidenlane_state::StateView as _;
use maidenlane_store::{Keep, Past, Store, View};
use maidenlane_testkit::chain;
use maidenlane_testkit::feed::{CHAIN_ID, Feed, Move};
use maidenlane_wire::{Advance, Record, Rows};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TOPIC: &str = "blocks";
pub(crate) const KEEP: Keep = Keep { undo_blocks: 1_000, history: Past::All, proofs: None };
/// Several steps for every gap here.
const STEP_BLOCKS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);

/// A feed in a log, and a database that follows it.
pub(crate) struct World {
    dir: tempfile::TempDir,
    pub(crate) feed: Feed,
    /// Entries of the feed that are in the log.
    told: usize,
}

pub(crate) struct Replica {
    pub(crate) store: Arc<Store>,
    pub(crate) follower: Follower,
    pub(crate) behind: Behind,
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self { dir: tempfile::tempdir().unwrap(), feed: Feed::from_genesis(), told: 0 };
        world.log().create(TOPIC, &TopicOptions::default()).unwrap();
        world
    }

    fn log(&self) -> Backend {
        Backend::Segment(segment::Options::new(self.dir.path().join("log")))
    }

    /// Writes what the feed has told since.
    fn tell(&mut self) {
        let payloads = self.feed.entries[self.told..].iter().map(|(payload, _)| payload);
        let entries: Vec<_> = payloads.map(|payload| Append { key: None, payload }).collect();
        self.log().producer(TOPIC).unwrap().append(&entries).unwrap();
        self.told = self.feed.entries.len();
    }

    /// Writes so many blocks, with their senders or without.
    pub(crate) fn grow(&mut self, blocks: usize, with_senders: bool) {
        for _ in 0..blocks {
            let seed = u8::try_from(self.feed.chain.len() % 7).unwrap();
            let block = Arc::new(self.feed.tip().child(seed));
            let Record::Advance(record) = block.advance() else { unreachable!() };
            let senders = with_senders.then(|| recovered(block.at, &record.header, &record.body));
            self.feed.chain.push(block);
            self.feed.put(Record::Advance(Advance { senders, ..record }), false);
        }
        self.tell();
    }

    pub(crate) fn replica(&self, db: &str) -> Replica {
        let store = Arc::new(Store::open(&self.dir.path().join(db), 8 << 20).unwrap());
        let logs = Logs::open(&self.log(), TOPIC, None).unwrap();
        let demands = Demands { chain_id: CHAIN_ID, genesis: None, proofs: false };
        let (with, events, liveness) = (Arc::clone(&store), Tracer::silent(), Arc::new(Liveness::default()));
        let follower = Follower::new(with, KEEP, demands, logs, events, liveness, &mut || ()).unwrap();
        let mut behind = Behind::default();
        behind.filling = Filling { step_blocks: STEP_BLOCKS, step: None };
        Replica { store, follower, behind }
    }

    /// Checks that every block has its senders.
    fn check(&self, replica: &Replica) {
        let view = replica.store.view().unwrap();
        assert_eq!(view.head(), self.feed.tip().at);
        for block in self.feed.chain.iter().skip(1) {
            assert_eq!(view.senders(block.at).unwrap(), Some(expected(&view, block.at)), "{}", block.at);
        }
    }
}

impl Replica {
    pub(crate) fn turn(&mut self, may_fill: bool) {
        self.behind.turn(&self.store, &mut self.follower, may_fill, Duration::from_millis(1)).unwrap();
    }

    fn missing(&self) -> u64 {
        self.store.facts().sender_gaps.blocks()
    }

    /// Fills until so many blocks are missing at most.
    fn fill(&mut self, left: u64) {
        let begun = Instant::now();
        while self.missing() > left {
            assert!(begun.elapsed() < PATIENCE, "{} blocks are missing", self.missing());
            self.turn(true);
        }
    }

    /// Comes to the feed's end, and is there for some turns.
    pub(crate) fn catch_up(&mut self, world: &World) {
        let idle_turns = 5;
        for _ in 0..idle_turns {
            self.turn(false);
        }
        assert_eq!(self.store.facts().head, Some(world.feed.tip().at));
        assert!(self.behind.filling.step.is_none(), "a step in catch-up");
    }
}

fn recovered(at: BlockRef, header: &Bytes, body: &Bytes) -> Vec<Address> {
    Block::decode(at.hash, header, body).unwrap().senders().collect()
}

fn expected(view: &View, at: BlockRef) -> Vec<Address> {
    recovered(at, &view.header(at).unwrap().unwrap(), &view.body(at).unwrap().unwrap())
}

/// Copies a database as it lies on the disk: what a kill leaves of it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for file in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[test]
fn a_database_without_senders_is_filled_while_heads_go_on_and_after_a_kill() {
    let mut world = World::new();
    world.grow(30, false);
    let mut replica = world.replica("db");
    replica.catch_up(&world);
    assert_eq!(replica.missing(), 30, "nothing is done before it follows");
    replica.fill(25);
    for round in 0..4 {
        world.grow(1, round % 2 == 0);
        replica.turn(true);
        assert_eq!(replica.follower.facts().head, Some(world.feed.tip().at), "a head waits for no step");
    }
    replica.fill(15);
    let view = replica.store.view().unwrap();
    let oldest = view.facts().sender_gaps.newest().unwrap();
    assert_eq!(oldest.start, 1, "the newest come first");
    for block in &world.feed.chain[1..] {
        let has = view.senders(block.at).unwrap().is_some();
        assert_eq!(has, block.at.number >= oldest.end, "{}: {oldest:?}", block.at);
    }
    let missing = replica.missing();
    copy(&world.dir.path().join("db"), &world.dir.path().join("killed"));
    let mut killed = world.replica("killed");
    assert_eq!(killed.missing(), missing, "nothing is lost");
    killed.fill(0);
    world.check(&killed);
    replica.fill(0);
    world.check(&replica);
    (0..5).for_each(|_| replica.turn(true));
    assert!(replica.behind.filling.step.is_none(), "no step where nothing is missing");
}

#[test]
fn a_feed_that_tells_senders_again_leaves_one_gap() {
    let mut world = World::new();
    for (blocks, with_senders) in [(4, true), (7, false), (4, true), (2, false), (3, true)] {
        world.grow(blocks, with_senders);
    }
    let mut replica = world.replica("db");
    replica.catch_up(&world);
    let gaps = |replica: &Replica| {
        let gaps = replica.store.facts().sender_gaps;
        (gaps.newest(), gaps.blocks())
    };
    assert_eq!(gaps(&replica), (Some(16..18), 9));
    replica.fill(7);
    assert_eq!(gaps(&replica), (Some(5..12), 7));
    replica.fill(0);
    world.check(&replica);
}

#[test]
fn senders_of_a_chain_that_geth_made_are_recovered() {
    let Some(chain) = chain::chain() else { return };
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), 8 << 20).unwrap();
    let head = chain.head().block.number;
    for number in 1..=head {
        let at = BlockRef::new(number, chain.hash_of(number).unwrap().unwrap());
        let record = Advance {
            block: at,
            parent: chain.hash_of(number - 1).unwrap().unwrap(),
            header: chain.header(at).unwrap().unwrap(),
            body: chain.body(at).unwrap().unwrap(),
            receipts: chain.receipts(at).unwrap().unwrap(),
            rows: Rows::default(),
            proofs: None,
            senders: None,
        };
        let mut batch = store.batch(store.facts(), KEEP);
        store.advance(&mut batch, &record).unwrap();
        store.write(batch).unwrap();
    }
    let mut steps = 0;
    while let Some(gap) = store.facts().sender_gaps.newest() {
        let found = step(&store.view().unwrap(), &gap, 10).unwrap();
        let mut batch = store.batch(store.facts(), KEEP);
        store.fill_senders(&mut batch, &found.blocks, &found.rows).unwrap();
        store.write(batch).unwrap();
        steps += 1;
    }
    assert_eq!(steps, head.div_ceil(10));
    let (view, mut sent) = (store.view().unwrap(), 0);
    for number in 1..=head {
        let block = chain.decoded(number);
        let senders: Vec<_> = block.senders().collect();
        sent += senders.len();
        assert_eq!(view.senders(block.at()).unwrap(), Some(senders), "{number}");
    }
    assert!(sent > 50, "{sent} transactions are suspiciously few");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_meanwhile_every_block_has_its_senders(
        moves in prop::collection::vec(
            prop_oneof![
                3 => (0..4_u8).prop_map(Move::Grow),
                2 => (1..5_usize, prop::collection::vec(0..4_u8, 0..5)).prop_map(|(depth, seeds)| Move::Reorg(depth, seeds)),
                1 => (0..6_usize).prop_map(Move::Final),
            ],
            1..30,
        ),
        turns in prop::collection::vec(0..3_usize, 30),
    ) {
        let mut world = World::new();
        world.tell();
        let mut replica = world.replica("db");
        for (a_move, turns) in moves.iter().zip(turns) {
            world.feed.play(a_move);
            world.tell();
            (0..turns).for_each(|_| replica.turn(true));
        }
        let begun = Instant::now();
        while replica.missing() > 0 || replica.store.facts().head != Some(world.feed.tip().at) {
            assert!(begun.elapsed() < PATIENCE, "{} blocks are missing", replica.missing());
            replica.turn(true);
        }
        world.check(&replica);
    }
}
