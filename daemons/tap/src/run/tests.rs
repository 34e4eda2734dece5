//! Tests of a whole tap between a fake geth and a segment log. Scripts move the master; the feed is compared.

use super::Tap;
use crate::config::{Begin, Settings};
use crate::error::Error;
use crate::events::Event;
use crate::publish::{Draft, Publisher};
use crate::repair::{Repaired, repair};
use crate::tail::{Chain, Tail};
use maidenlane_chain::BlockRef;
use maidenlane_config::{feed, shapes};
use maidenlane_log::{Backend, From, Offset, TopicOptions, segment};
use maidenlane_service::tracer::Recorder;
use maidenlane_service::{Health, Shutdown};
use maidenlane_testkit::geth::{Geth, NETWORK_ID};
use maidenlane_testkit::spool::{self as sample, Sample};
use maidenlane_wire::{Open, Record, Rows, Undo};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

mod ahead;
mod forks;
mod held;
mod proofs;

const TOPIC: &str = "test.chain.a.blocks";
const PROOFS: &str = "test.chain.a.proofs";
const LONG: Duration = Duration::from_secs(20);

struct World {
    dir: tempfile::TempDir,
    geth: Geth,
    log: Backend,
    begin: Begin,
    proofs: bool,
    audit_keys: usize,
    running: Option<(Shutdown, Receiver<Result<(), Error>>)>,
    events: Option<Recorder<Event>>,
    health: Health,
}

impl World {
    /// A master that stands at the last block of `chain`; the spool holds GENESIS and nothing else.
    fn new(chain: &[Sample]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("spool")).unwrap();
        let log = Backend::Segment(segment::Options::new(dir.path().join("log")));
        for topic in [TOPIC, PROOFS] {
            log.create(topic, &TopicOptions::default()).unwrap();
        }
        let geth = Geth::start(&dir.path().join("geth.ipc"), chain);
        let begin = Begin::Genesis;
        let (running, events, health) = (None, None, Health::default());
        let world = Self { dir, geth, log, begin, proofs: false, audit_keys: 0, running, events, health };
        world.spool(1, &sample::genesis_frame());
        world
    }

    fn spool(&self, segment: u64, bytes: &[u8]) {
        sample::write(&self.dir.path().join("spool"), segment, bytes);
    }

    fn chain() -> Chain {
        Chain { id: 7, genesis: Sample::genesis().block.hash }
    }

    fn settings(&self) -> Settings {
        Settings {
            spool: self.dir.path().join("spool"),
            ipc: self.dir.path().join("geth.ipc"),
            chain_id: 7,
            genesis: None,
            topic: TOPIC.to_owned(),
            proofs_topic: self.proofs.then(|| PROOFS.to_owned()),
            pool_topic: None,
            log: feed::Log::Segment { dir: self.dir.path().join("log") },
            begin: self.begin,
            audit_keys: self.audit_keys,
            heartbeat: Duration::from_millis(50),
            keep_depth: 64,
            daemon: shapes::Daemon {
                admin: ([127, 0, 0, 1], 0).into(),
                log_filter: String::new(),
                log_json: false,
                state_dir: self.dir.path().to_owned(),
            },
        }
    }

    fn start(&mut self) {
        let settings = self.settings();
        let shutdown = Shutdown::new();
        let (recorder, events) = Recorder::new();
        let (log, stop, health) = (self.log.clone(), shutdown.clone(), self.health.clone());
        let (over, ended) = sync_channel(1);
        std::thread::spawn(move || {
            let tap = Tap::new(settings.into(), Self::chain(), &log, events, health, stop);
            over.send(tap.and_then(Tap::run))
        });
        (self.running, self.events) = (Some((shutdown, ended)), Some(recorder));
    }

    fn stop(&mut self) -> Result<(), Error> {
        let (shutdown, ended) = self.running.take().unwrap();
        shutdown.trigger();
        ended.recv_timeout(LONG).unwrap()
    }

    /// Waits for the tap to end by itself.
    fn failure(&mut self) -> Error {
        let (_shutdown, ended) = self.running.take().unwrap();
        ended.recv_timeout(LONG).unwrap().unwrap_err()
    }

    /// The records of the feed that move a head, short: `G`, `S`, `+n`, `-n`, `*` after those with `more`.
    fn records(&self) -> (String, Option<BlockRef>) {
        let mut consumer = self.log.consumer(TOPIC, 0).unwrap();
        let end = consumer.end().unwrap();
        let mut tail = Tail::new(Self::chain(), Offset(0));
        consumer.seek(From::Earliest).unwrap();
        let mut records = Vec::new();
        while tail.next < end {
            for entry in consumer.read(1 << 20, LONG).unwrap() {
                tail.fold(&entry).unwrap();
                let stamped = maidenlane_wire::decode(&entry.payload).unwrap();
                let more = if stamped.stamp.more { "*" } else { "" };
                records.extend(match stamped.record {
                    Record::Genesis(_) => Some(format!("G{more}")),
                    Record::Start(start) => Some(format!("S{}{more}", start.block.number)),
                    Record::Advance(advance) => Some(format!("+{}{more}", advance.block.number)),
                    Record::Undo(undo) => Some(format!("-{}{more}", undo.block.number)),
                    _ => None,
                });
            }
        }
        (records.join(" "), tail.published.head().filter(|_| !tail.reader.more()))
    }

    /// Waits until the feed's head is `head`, then compares its whole history.
    fn expect(&self, head: &Sample, history: &str) {
        let mut consumer = self.log.consumer(TOPIC, 0).unwrap();
        consumer.seek(From::End).unwrap();
        let until = Instant::now() + LONG;
        loop {
            let (records, published) = self.records();
            if published == Some(head.block) {
                assert_eq!(records, history);
                return;
            }
            assert!(Instant::now() < until, "feed stands at {records}, wanted {history}");
            consumer.read(1 << 20, Duration::from_secs(1)).unwrap();
        }
    }

    /// Waits until the tap gives this reason for not being ready.
    fn says(&self, wanted: &str) {
        let until = Instant::now() + LONG;
        loop {
            let said = self.health.ready();
            if said.as_ref().is_err_and(|said| said.contains(wanted)) {
                return;
            }
            assert!(Instant::now() < until, "wanted {wanted}: {said:?}");
            std::thread::yield_now();
        }
    }

    fn saw(&self, wanted: impl Fn(&Event) -> bool) {
        assert!(self.events.as_ref().unwrap().wait_for(LONG, wanted).is_some(), "event not seen");
    }
}

fn chain(length: usize) -> Vec<Sample> {
    let mut chain = vec![Sample::genesis()];
    for _ in 0..length {
        chain.push(chain.last().unwrap().child("a"));
    }
    chain
}

fn spooled(world: &World, segment: u64, blocks: &[Sample]) {
    world.spool(segment, &blocks.iter().flat_map(Sample::frames).collect::<Vec<u8>>());
}

/// The feed a0..a`length` published by a running tap.
fn following(length: usize) -> (World, Vec<Sample>) {
    auditing(length, 0)
}

/// The feed of [`following`] with a number of keys to be proved of each block.
fn auditing(length: usize, audit_keys: usize) -> (World, Vec<Sample>) {
    let chain = chain(length);
    let mut world = World::new(&chain);
    world.audit_keys = audit_keys;
    spooled(&world, 1, &chain[1..]);
    world.start();
    world.saw(|event| *event == Event::Resumed);
    (world, chain)
}

#[test]
fn publishes_a_chain_from_genesis_and_follows_its_master() {
    let (mut world, chain) = following(3);
    world.expect(&chain[3], "G +1* +2* +3");
    let next = chain[3].child("a");
    spooled(&world, 1, std::slice::from_ref(&next));
    world.geth.head(std::slice::from_ref(&next));
    world.expect(&next, "G +1* +2* +3 +4");
    world.stop().unwrap();
    let mut consumer = world.log.consumer(TOPIC, 0).unwrap();
    consumer.seek(From::Earliest).unwrap();
    let first = maidenlane_wire::decode(&consumer.read(1, LONG).unwrap()[0].payload).unwrap().record;
    assert!(matches!(first, Record::Open(Open { network_id: Some(NETWORK_ID), .. })), "{first:?}");
}

#[test]
fn reorganises_in_one_piece_and_back() {
    let (mut world, chain) = following(3);
    world.expect(&chain[3], "G +1* +2* +3");
    let b2 = chain[1].child("b");
    let b3 = b2.child("b");
    spooled(&world, 1, &[b2.clone(), b3.clone()]);
    world.geth.head(&[b2, b3.clone()]);
    world.expect(&b3, "G +1* +2* +3 -3* -2* +2* +3");
    world.geth.head(&chain[2..]);
    world.expect(&chain[3], "G +1* +2* +3 -3* -2* +2* +3 -3* -2* +2* +3");
    world.geth.shorten(&chain[1]);
    world.expect(&chain[1], "G +1* +2* +3 -3* -2* +2* +3 -3* -2* +2* +3 -3* -2");
    world.stop().unwrap();
}

#[test]
fn a_restarted_tap_goes_on_where_the_feed_ends() {
    let (mut world, chain) = following(2);
    world.expect(&chain[2], "G +1* +2");
    world.stop().unwrap();
    let next = chain[2].child("a");
    spooled(&world, 1, std::slice::from_ref(&next));
    world.geth.head(std::slice::from_ref(&next));
    world.start();
    world.expect(&next, "G +1* +2 +3");
    world.stop().unwrap();
}

#[test]
fn a_master_that_comes_back_behind_does_not_move_the_feed() {
    let (mut world, chain) = following(4);
    world.expect(&chain[4], "G +1* +2* +3* +4");
    world.geth.crash(&chain[2]);
    world.saw(|event| matches!(event, Event::Away { .. }));
    sample::write(&world.dir.path().join("spool"), 2, &[]);
    world.geth.back();
    spooled(&world, 2, &chain[3..]);
    world.geth.head(&chain[3..4]);
    world.geth.head(&chain[4..]);
    let next = chain[4].child("a");
    spooled(&world, 2, std::slice::from_ref(&next));
    world.geth.head(std::slice::from_ref(&next));
    world.expect(&next, "G +1* +2* +3* +4 +5");
    world.stop().unwrap();
}

/// geth drops a filter that nobody asked for 5 minutes, and with it what it had collected.
#[test]
fn a_head_that_a_forgotten_filter_held_is_followed() {
    let (mut world, chain) = following(1);
    world.expect(&chain[1], "G +1");
    let next = chain[1].child("a");
    world.geth.head(std::slice::from_ref(&next));
    world.geth.forget_filters();
    spooled(&world, 1, std::slice::from_ref(&next));
    world.expect(&next, "G +1 +2");
    world.stop().unwrap();
    let connects = world.events.as_ref().unwrap().seen().into_iter();
    assert_eq!(connects.filter(|event| matches!(event, Event::Connected { .. })).count(), 1);
}

/// The hook begins a segment whenever one is full: geth has not been started again.
#[test]
fn a_new_segment_is_no_new_master() {
    let (mut world, chain) = following(1);
    world.expect(&chain[1], "G +1");
    world.saw(|event| *event == Event::Resumed);
    let next = chain[1].child("a");
    sample::write(&world.dir.path().join("spool"), 2, &next.frames());
    world.geth.head(std::slice::from_ref(&next));
    world.expect(&next, "G +1 +2");
    world.stop().unwrap();
    let resumed = world.events.as_ref().unwrap().seen().into_iter().filter(|event| *event == Event::Resumed);
    assert_eq!(resumed.count(), 1, "when it started");
}

/// A branch of more blocks than are held in memory at a time, on top of block 1 of 2.
fn long_branch(change: impl FnOnce(&mut Vec<Sample>)) -> (World, Vec<Sample>) {
    let (world, chain) = following(2);
    world.expect(&chain[2], "G +1* +2");
    let mut branch = vec![chain[1].child("b")];
    for _ in 0..69 {
        branch.push(branch.last().unwrap().child("b"));
    }
    change(&mut branch);
    spooled(&world, 1, &branch);
    world.geth.head(&branch);
    (world, branch)
}

#[test]
fn a_long_reorg_is_one_change() {
    let (mut world, branch) = long_branch(|_| ());
    let advances: Vec<_> = (2..71).map(|number| format!("+{number}*")).collect();
    world.expect(branch.last().unwrap(), &format!("G +1* +2 -2* {} +71", advances.join(" ")));
    world.stop().unwrap();
}

#[test]
fn a_fault_at_the_end_of_a_long_reorg_is_found_before_the_first_undo() {
    let (mut world, _) = long_branch(|branch| {
        branch.last_mut().unwrap().origin_root = maidenlane_chain::B256::repeat_byte(3);
    });
    assert!(matches!(world.failure(), Error::BadFrames { .. }));
    assert_eq!(world.records().0, "G +1* +2");
}

/// The service manager must not wait for the end of a backlog, nor begin it again and again.
#[test]
fn a_tap_is_ready_once_it_writes_the_feed() {
    let mut chain = chain(60);
    chain[50].origin_root = maidenlane_chain::B256::repeat_byte(3);
    let mut world = World::new(&chain);
    spooled(&world, 1, &chain[1..]);
    world.start();
    assert!(matches!(world.failure(), Error::BadFrames { .. }));
    assert_eq!(world.health.ready(), Ok(()), "block 32 was published");
}

/// A tap died after the UNDO of a3 (block 3 of 3); then the master does `then`, and a new tap is started.
fn after_half_a_change(
    then: impl FnOnce(&World, &[Sample]),
    head: impl FnOnce(&[Sample]) -> Sample,
    history: &str,
) {
    let (mut world, chain) = following(3);
    world.expect(&chain[3], "G +1* +2* +3");
    world.stop().unwrap();
    let mut dying = Publisher::new(&world.log, TOPIC, World::chain()).unwrap();
    dying.open(Open { chain_id: 7, genesis: World::chain().genesis, ..Open::default() }).unwrap();
    let undo = Undo {
        block: chain[3].block,
        parent: chain[2].block.hash,
        header: chain[3].header_raw.clone(),
        transactions: Vec::new(),
        receipts: vec![0xc0].into(),
        rows: Rows::default(),
    };
    dying.publish(vec![Draft { record: Record::Undo(undo), more: true }]).unwrap();
    then(&world, &chain);
    world.start();
    world.expect(&head(&chain), history);
    world.stop().unwrap();
}

#[test]
fn half_a_change_is_completed_when_the_master_went_on() {
    let b3 = |chain: &[Sample]| chain[2].child("b");
    let go_on = |world: &World, chain: &[Sample]| {
        spooled(world, 1, &[b3(chain)]);
        world.geth.head(&[b3(chain)]);
    };
    after_half_a_change(go_on, b3, "G +1* +2* +3 -3* +3");
}

#[test]
fn half_a_change_is_taken_back_when_the_master_stands_where_it_stood() {
    after_half_a_change(|_, _| {}, |chain| chain[3].clone(), "G +1* +2* +3 -3* +3");
}

#[test]
fn half_a_change_is_whole_when_the_master_stands_in_its_middle() {
    let shorten = |world: &World, chain: &[Sample]| world.geth.shorten(&chain[2]);
    after_half_a_change(shorten, |chain| chain[2].clone(), "G +1* +2* +3 -3*");
}

#[test]
fn a_spool_that_does_not_reach_genesis_begins_no_feed() {
    let chain = chain(5);
    let mut world = World::new(&chain);
    spooled(&world, 1, &chain[4..]);
    world.start();
    let error = world.failure();
    assert!(matches!(&error, Error::NotFromGenesis { base, .. } if *base == chain[3].block), "{error}");
    assert!(error.to_string().contains("set `begin`"), "{error}");
    assert_eq!(world.records().0, "", "nothing was published");
}

#[test]
fn a_feed_begins_where_the_spool_does_if_the_settings_say_so() {
    let chain = chain(5);
    let mut world = World::new(&chain);
    world.begin = Begin::UnsafeSpool;
    spooled(&world, 1, &chain[4..]);
    world.start();
    world.expect(&chain[5], "S3 +4* +5");
    world.stop().unwrap();
}

#[test]
fn a_feed_begins_in_the_middle_once_that_is_final() {
    let chain = chain(5);
    let mut world = World::new(&chain);
    world.begin = Begin::Spool;
    spooled(&world, 1, &chain[4..]);
    world.start();
    world.saw(|event| *event == Event::Unfinal { base: chain[3].block });
    for number in [1, 2] {
        world.geth.finalize(number);
        let wanted = format!("block {} once that is final, {} blocks", chain[3].block, 3 - number);
        world.says(&wanted);
    }
    assert_eq!(world.records().0, "", "nothing was published");
    world.geth.finalize(3);
    world.expect(&chain[5], "S3 +4* +5");
    world.stop().unwrap();
}

#[test]
fn a_block_without_frames_takes_the_rows_of_its_twin() {
    let (mut world, chain) = following(1);
    let root = maidenlane_chain::keccak256("one root");
    let (twin, missing) = (chain[1].child_with_root("b", root), chain[1].child_with_root("c", root));
    spooled(&world, 1, &[twin]);
    world.geth.head(std::slice::from_ref(&missing));
    world.expect(&missing, "G +1 +2");
    world.saw(|event| *event == Event::Borrowed { block: missing.block });
    world.stop().unwrap();
}

#[test]
fn a_hole_stops_the_tap_before_it_publishes() {
    let (mut world, chain) = following(1);
    world.expect(&chain[1], "G +1");
    let (missing, next) = (chain[1].child("b"), chain[1].child("b").child("b"));
    spooled(&world, 1, std::slice::from_ref(&next));
    world.geth.head(&[missing.clone(), next]);
    let error = world.failure();
    assert!(matches!(error, Error::Hole(block) if block == missing.block), "{error}");
    assert_eq!(world.records().0, "G +1");
}

#[test]
fn another_chain_is_refused() {
    let mut stranger = Sample::genesis();
    stranger.block.hash = maidenlane_chain::B256::repeat_byte(1);
    let mut world = World::new(&[stranger]);
    world.start();
    assert!(matches!(world.failure(), Error::WrongChain { .. }));
}

#[test]
fn rows_that_do_not_join_their_parent_stop_the_tap() {
    let (mut world, chain) = following(1);
    let mut bad = chain[1].child("a");
    bad.origin_root = maidenlane_chain::B256::repeat_byte(3);
    spooled(&world, 1, std::slice::from_ref(&bad));
    world.geth.head(std::slice::from_ref(&bad));
    let error = world.failure();
    let segment = world.dir.path().join("spool/00000000000000000001.spool");
    assert!(
        matches!(&error, Error::BadFrames { block, segment: named, .. } if (*block, named) == (bad.block, &segment)),
        "{error}"
    );
}

#[test]
fn a_second_tap_displaces_the_first() {
    let (mut world, chain) = following(1);
    world.expect(&chain[1], "G +1");
    let (_shutdown, ended) = world.running.take().unwrap();
    world.start();
    assert!(matches!(ended.recv_timeout(LONG), Ok(Err(Error::Displaced { epoch: 2 }))));
    world.stop().unwrap();
}

/// Repairs a feed at a1 whose master stands at a3, with `spooled` frames there already; `late` come while it waits.
fn repaired(present: &[usize], late: &[usize]) -> (Repaired, u64) {
    let (mut world, chain) = following(1);
    world.expect(&chain[1], "G +1");
    world.stop().unwrap();
    let a2 = chain[1].child("a");
    let blocks = [a2.clone(), a2.child("a")];
    let frames = |which: &[usize]| which.iter().flat_map(|n| blocks[n - 2].frames()).collect::<Vec<u8>>();
    world.geth.head(&blocks);
    world.spool(1, &frames(present));
    let patience = if late.is_empty() { Duration::ZERO } else { LONG };
    let records = std::thread::scope(|scope| {
        scope.spawn(|| {
            let until = Instant::now() + LONG;
            while !late.is_empty() && world.geth.number() == 3 && Instant::now() < until {
                std::thread::yield_now();
            }
            sample::write(&world.dir.path().join("spool"), 1, &frames(late));
        });
        repair(&world.settings(), World::chain(), patience, drop)
    });
    (records.unwrap(), world.geth.number())
}

#[test]
fn repair_makes_the_master_execute_the_oldest_missing_block_again() {
    let missing = Sample::genesis().child("a").child("a").block;
    assert_eq!(repaired(&[2, 3], &[]), (Repaired::Whole, 3));
    assert_eq!(repaired(&[3], &[2]), (Repaired::Executed { missing }, 1));
    assert_eq!(repaired(&[], &[2, 3]), (Repaired::Executed { missing }, 1));
    assert_eq!(repaired(&[3], &[]), (Repaired::Waiting { missing }, 1));
}
