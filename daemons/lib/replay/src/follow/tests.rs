//! Tests of a replica over a real log: whatever happened on the way, in the end it knows the canonical chain and
//! nothing else.

mod clocks;
mod cut;
mod open;
mod progress;
mod proofs;

use super::{Follower, Keep, Logs, Past};
use crate::apply::{Demands, Refusal};
use crate::error::Error;
use crate::liveness::Liveness;
use maidenlane_chain::{B256, BlockRef, Bytes, keccak256};
use maidenlane_log::{Append, Backend, Offset, TopicOptions, segment};
use maidenlane_service::Tracer;
use maidenlane_state::StateView as _;
use maidenlane_store::{Facts, Store, View, canonical_rows};
use maidenlane_testkit::feed::{self, Block, CHAIN_ID, Feed, Move, addresses, slots};
use maidenlane_wire::Record;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const TOPIC: &str = "blocks";
const PROOFS: &str = "proofs";
const CACHE_BYTES: usize = 8 << 20;
const KEEP: Keep = Keep { undo_blocks: 1_000, history: Past::All, proofs: Some(Past::All) };
const DEMANDS: Demands = Demands { chain_id: CHAIN_ID, genesis: None, proofs: true };

/// An error with its causes.
fn text(error: &dyn std::error::Error) -> String {
    let mut causes = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.join(": ")
}

/// A log and the database that follows it.
struct World {
    dir: tempfile::TempDir,
    log: segment::Options,
    demands: Demands,
    keep: Keep,
}

impl World {
    fn new() -> Self {
        Self::on(&TopicOptions::default())
    }

    fn on(options: &TopicOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = segment::Options::new(dir.path().join("log"));
        let world = Self { dir, log, demands: DEMANDS, keep: KEEP };
        for topic in [TOPIC, PROOFS] {
            world.backend().create(topic, options).unwrap();
        }
        world
    }

    fn of(feed: &Feed) -> Self {
        let world = Self::new();
        world.append(feed, 0, feed.entries.len());
        world
    }

    fn backend(&self) -> Backend {
        Backend::Segment(self.log.clone())
    }

    /// The same world without trie nodes.
    fn without_proofs(mut self) -> Self {
        self.keep.proofs = None;
        self.demands.proofs = false;
        self
    }

    /// Appends the feed's entries `from..to`, the trie nodes before them.
    fn append(&self, feed: &Feed, from: usize, to: usize) {
        let sets = feed.sets.iter().filter(|(at, _)| (from..to).contains(at));
        self.put(PROOFS, sets.map(|(_, payload)| payload));
        self.put(TOPIC, feed.entries[from..to].iter().map(|(payload, _)| payload));
    }

    fn put<'a>(&self, topic: &str, payloads: impl Iterator<Item = &'a Vec<u8>>) {
        let entries: Vec<_> = payloads.map(|payload| Append { key: None, payload }).collect();
        if !entries.is_empty() {
            self.backend().producer(topic).unwrap().append(&entries).unwrap();
        }
    }

    /// Starts a replica.
    fn follower(&self) -> Result<(Arc<Store>, Follower), Error> {
        self.telling(&mut || ())
    }

    /// Starts a replica that calls `progress` while it looks where to go on.
    fn telling(&self, progress: &mut dyn FnMut()) -> Result<(Arc<Store>, Follower), Error> {
        let store = Arc::new(Store::open(&self.dir.path().join("db"), CACHE_BYTES)?);
        let logs = Logs::open(&self.backend(), TOPIC, self.keep.proofs.map(|_| PROOFS))?;
        let liveness = Arc::new(Liveness::default());
        let (with, events) = (Arc::clone(&store), Tracer::silent());
        let follower = Follower::new(with, self.keep, self.demands, logs, events, liveness, progress)?;
        Ok((store, follower))
    }

    /// Starts a replica, lets it come to the log's end, ends it, and returns the last view.
    fn follow(&self) -> Result<View, Error> {
        let (store, mut follower) = self.follower()?;
        // The content of the log fits into one read; the second finds nothing.
        for _ in 0..2 {
            follower.turn(Duration::ZERO)?;
        }
        Ok(store.view().unwrap())
    }
}

/// Checks everything that can be read of the canonical chain against the model.
fn check_model(view: &View, chain: &feed::Chain, what: &str) {
    let tip = chain.last().unwrap();
    assert_eq!(view.head(), tip.at, "{what}");
    let height = tip.at.number;
    assert_eq!(view.hash_of(height + 1).unwrap(), None, "{what}");
    for block in chain {
        let at = block.at;
        assert_eq!(view.hash_of(at.number).unwrap(), Some(at.hash), "{what}: {at}");
        assert_eq!(view.find(at.hash).unwrap(), Some((at.number, true)), "{what}: {at}");
        assert_eq!(view.header(at).unwrap().as_ref(), Some(&block.header), "{what}: {at}");
        assert!(view.body(at).unwrap().is_some() && view.receipts(at).unwrap().is_some(), "{what}: {at}");
        assert_eq!(view.senders(at).unwrap(), block.told_senders(), "{what}: {at}");
        check_state(view, block, Some(at.number), what);
    }
    check_state(view, tip, None, what);
    check_nodes(view, chain, what);
    let mut places = BTreeMap::new();
    for number in 0..height * 2 + 20 {
        let hash = *feed::transfer(number).tx_hash();
        if let Some((block, index)) = view.transaction(hash).unwrap() {
            assert_eq!(block.hash, chain[usize::try_from(block.number).unwrap()].at.hash, "{what}");
            places.insert(hash, (block.number, index));
        }
    }
    assert_eq!(places, tip.transactions, "{what}");
    check_logs(view, tip, what);
}

fn check_state(view: &View, expect: &Block, at: Option<u64>, what: &str) {
    check_walks(view, expect, at, what);
    for address in addresses() {
        let account = view.account(keccak256(address), at).unwrap();
        assert_eq!(account.as_ref(), expect.accounts.get(&address), "{what}: {address} at {at:?}");
        for slot in slots() {
            let value = view.slot(keccak256(address), keccak256(slot), at).unwrap();
            let model = expect.slots.get(&(address, slot)).copied().unwrap_or_default();
            assert_eq!(value, model, "{what}: {address} {slot} at {at:?}");
        }
    }
}

/// Checks walks through the whole state in the order of its keys, from the beginning and from each key on.
fn check_walks(view: &View, expect: &Block, at: Option<u64>, what: &str) {
    let mut accounts: Vec<_> =
        expect.accounts.iter().map(|(of, account)| (keccak256(of), *account)).collect();
    accounts.sort_by_key(|(key, _)| *key);
    for (index, (from, _)) in
        accounts.iter().enumerate().chain([(0, &(B256::ZERO, maidenlane_chain::Account::default()))])
    {
        let mut found = Vec::new();
        let take = &mut |key, account| {
            found.push((key, account));
            found.len() + index < accounts.len()
        };
        view.accounts(*from, at, take).unwrap();
        assert_eq!(found, accounts[index..], "{what}: from {from} at {at:?}");
    }
    for address in addresses() {
        let slots = expect.slots.iter().filter(|((owner, _), _)| *owner == address);
        let slots: BTreeMap<_, _> = slots.map(|((_, slot), value)| (keccak256(slot), *value)).collect();
        let mut found = BTreeMap::new();
        let take = &mut |key, value| found.insert(key, value).is_none();
        view.slots(keccak256(address), B256::ZERO, at, take).unwrap();
        assert_eq!(found, slots, "{what}: {address} at {at:?}");
    }
}

/// Checks every node that any block had, after every block.
fn check_nodes(view: &View, chain: &feed::Chain, what: &str) {
    if view.facts().proofs.is_none() {
        return;
    }
    for world in chain.iter().flat_map(|block| block.nodes.keys()).collect::<BTreeSet<_>>() {
        let now = view.node(world, None).unwrap();
        assert_eq!(now.as_ref(), chain.last().unwrap().nodes.get(world), "{what}: {world} now");
        for block in chain {
            let then = view.node(world, Some(block.at.number)).unwrap();
            assert_eq!(then.as_ref(), block.nodes.get(world), "{what}: {world} at {}", block.at);
        }
    }
}

/// Checks the search in the index against a look at every log.
fn check_logs(view: &View, tip: &Block, what: &str) {
    let height = tip.at.number;
    let topics = || (0..3_u8).map(|byte| B256::repeat_byte(byte).to_vec());
    let mut queries: Vec<Vec<(u8, Vec<Vec<u8>>)>> = Vec::new();
    for address in addresses().map(|address| address.to_vec()) {
        queries.push(vec![(0, vec![address.clone()])]);
        for topic in topics() {
            queries.push(vec![(0, vec![address.clone()]), (1, vec![topic.clone()])]);
            queries.push(vec![(0, vec![address.clone()]), (2, topics().collect()), (4, vec![topic])]);
        }
    }
    queries.extend((1..=4).map(|position| vec![(position, topics().take(2).collect())]));
    for query in queries {
        for (from, to) in [(0, height), (height / 3, height / 2), (height, u64::MAX)] {
            let mut naive: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
            for log in tip.logs.iter().filter(|log| (from..=to).contains(&log.block)) {
                let fits = |(position, terms): &(u8, Vec<Vec<u8>>)| {
                    let term = match usize::from(*position).checked_sub(1) {
                        None => Some(log.address.to_vec()),
                        Some(topic) => log.topics.get(topic).map(|topic| topic.to_vec()),
                    };
                    term.is_some_and(|term| terms.contains(&term))
                };
                if query.iter().all(fits) {
                    naive.entry(log.block).or_default().push(log.index);
                }
            }
            let naive: Vec<_> = naive.into_iter().collect();
            let found = |most: usize| {
                let mut found = Vec::new();
                let mut visit = |block: u64, indexes: &[u32]| {
                    let indexes =
                        indexes.iter().map(|index| usize::try_from(*index).unwrap()).collect::<Vec<_>>();
                    found.extend((!indexes.is_empty()).then_some((block, indexes)));
                    found.len() < most
                };
                view.logs(&query, from..=to, &mut visit).unwrap();
                found
            };
            assert_eq!(found(usize::MAX), naive, "{what}: {query:?}");
            assert_eq!(found(1), naive.get(..1).unwrap_or_default(), "{what}: {query:?}");
        }
    }
}

/// Checks that the rows are those of a replica that never saw anything but the final chain.
fn check_fresh(view: &View, chain: &feed::Chain, what: &str) {
    let fresh = World::of(&Feed::straight(chain)).follow().unwrap();
    assert!(
        canonical_rows(view).unwrap() == canonical_rows(&fresh).unwrap(),
        "{what}: a fresh replay has other rows"
    );
}

fn moves(most: usize) -> impl Strategy<Value = Vec<Move>> {
    let seeds = prop::collection::vec(0..4_u8, 0..5);
    let a_move = prop_oneof![
        8 => (0..4_u8).prop_map(Move::Grow),
        4 => (1..5_usize, seeds).prop_map(|(depth, seeds)| Move::Reorg(depth, seeds)),
        1 => Just(Move::Open),
        1 => Just(Move::Heartbeat),
        1 => (0..6_usize).prop_map(Move::Final),
        1 => Just(Move::Again),
    ];
    prop::collection::vec(a_move, 1..most)
}

fn feed(moves: &[Move]) -> Feed {
    let mut feed = Feed::from_genesis();
    moves.iter().for_each(|a_move| feed.play(a_move));
    feed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reorgs_and_restarts_leave_no_trace(moves in moves(40), stop: prop::sample::Index) {
        let feed = feed(&moves);
        let stop = 1 + stop.index(feed.entries.len());
        let world = World::new();
        world.append(&feed, 0, stop);
        let chain = &feed.entries[stop - 1].1;
        if !chain.is_empty() {
            check_model(&world.follow().unwrap(), chain, "before the restart");
        }
        world.append(&feed, stop, feed.entries.len());
        let view = world.follow().unwrap();
        check_model(&view, &feed.chain, "after the restart");
        check_fresh(&view, &feed.chain, "after the restart");
    }

    #[test]
    fn a_log_that_was_cut_and_written_anew_is_followed(
        before in moves(30), end: prop::sample::Index, after in moves(12), both in any::<bool>(),
    ) {
        let mut feed = feed(&before);
        let world = World::of(&feed);
        drop(world.follow().unwrap());
        // OPEN and GENESIS stay.
        let end = 2 + end.index(feed.entries.len() - 1);
        segment::cut(&world.log, TOPIC, 0, Offset(end as u64)).unwrap();
        if both {
            let sets = feed.sets.iter().filter(|(at, _)| *at < end).count();
            segment::cut(&world.log, PROOFS, 0, Offset(sets as u64)).unwrap();
        }
        feed.cut(end);
        feed.play(&Move::Open);
        after.iter().for_each(|a_move| feed.play(a_move));
        world.append(&feed, end, feed.entries.len());
        let view = world.follow().unwrap();
        check_model(&view, &feed.chain, "after the cut");
        check_fresh(&view, &feed.chain, "after the cut");
    }
}

/// Checks that a replica of four blocks refuses a feed.
fn check_refused(spoil: impl FnOnce(&mut Feed), expect: &str) {
    let mut feed = feed(&[Move::Grow(0), Move::Grow(1), Move::Grow(2), Move::Grow(3)]);
    let world = World::of(&feed);
    drop(world.follow().unwrap());
    let from = feed.entries.len();
    spoil(&mut feed);
    world.append(&feed, from, feed.entries.len());
    let refused = text(&world.follow().unwrap_err());
    assert!(refused.contains(expect), "{refused}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let genesis = Block::genesis().at.hash;
    check_refused(
        |feed| {
            feed.stamp.seq += 1;
            feed.play(&Move::Grow(0));
        },
        "follows record 5: the feed has a gap",
    );
    check_refused(|feed| feed.open(7, genesis), "the feed is of chain 7");
    check_refused(|feed| feed.open(CHAIN_ID, B256::repeat_byte(7)), "the feed's genesis is 0x07");
    check_refused(
        |feed| {
            feed.stamp.feed = [9; 16];
            feed.play(&Move::Heartbeat);
        },
        "another feed",
    );
    check_refused(
        |feed| {
            feed.chain.pop();
            feed.play(&Move::Grow(9));
        },
        "does not fit the head",
    );
    check_refused(|feed| feed.entries.push((b"rubbish".to_vec(), Vec::new())), "cannot be read");
}

#[test]
fn a_record_that_contradicts_its_header_is_refused() {
    let of_header = |header: fn(&Block) -> Bytes| {
        move |feed: &mut Feed| {
            let mut block = feed.tip().child(1);
            block.header = header(&block);
            block.at.hash = keccak256(&block.header);
            feed.put(block.advance(), false);
        }
    };
    check_refused(of_header(|block| block.child(1).header), "another number or parent");
    check_refused(of_header(|_| Bytes::from_static(&[0xc1, 0x80])), "if it is of a later fork, upgrade");
    check_refused(
        |feed| {
            let mut block = feed.tip().clone();
            block.parent = B256::repeat_byte(7);
            feed.put(block.undo(), false);
        },
        "another number or parent",
    );
}

#[test]
fn the_settings_decide_which_feed_is_the_right_one() {
    let feed = feed(&[]);
    let mut world = World::of(&feed);
    world.demands.chain_id = 1;
    let is_chain =
        |error: &Error| matches!(error, Error::Refused { source: Refusal::Chain { expected: 1, .. }, .. });
    assert!(is_chain(&world.follow().unwrap_err()));
    world.demands = Demands { genesis: Some(B256::repeat_byte(1)), ..DEMANDS };
    let refused = world.follow().unwrap_err();
    assert!(matches!(refused, Error::Refused { source: Refusal::Genesis { .. }, .. }));
    world.demands.genesis = Some(feed.tip().at.hash);
    check_model(&world.follow().unwrap(), &feed.chain, "after two refusals");
}

/// Retention may take the record that was applied last: the next one is enough to go on.
#[test]
fn a_log_that_begins_behind_the_position_is_no_gap() {
    let last_entry_only =
        TopicOptions { segment_max_bytes: 1, retention_max_bytes: Some(1), ..TopicOptions::default() };
    let world = World::on(&last_entry_only);
    let mut feed = Feed::from_genesis();
    let mut applied = 0;
    for seed in 0..4 {
        while applied < feed.entries.len() {
            world.append(&feed, applied, applied + 1);
            applied += 1;
            let (_, mut follower) = world.follower().unwrap();
            for _ in 0..2 {
                follower.turn(Duration::ZERO).unwrap();
            }
            let head = feed.entries[applied - 1].1.last().map(|block| block.at);
            assert_eq!(follower.facts().head, head, "after entry {applied}");
        }
        feed.play(&Move::Grow(seed));
    }
    // Of two more, the first is gone before it is read.
    feed.play(&Move::Grow(9));
    (applied..feed.entries.len()).for_each(|at| world.append(&feed, at, at + 1));
    let error = world.follow().unwrap_err();
    assert!(matches!(error, Error::Log(maidenlane_log::Error::RetentionGap { .. })), "{error}");
}

#[test]
fn a_safe_block_that_left_the_chain_is_none() {
    let mut feed = Feed::from_genesis();
    (0..4).for_each(|seed| feed.play(&Move::Grow(seed)));
    feed.play(&Move::Final(2));
    let (safe, finalized) = (feed.chain[4].at, feed.chain[2].at);
    let check = |feed: &Feed, expect: (Option<BlockRef>, Option<BlockRef>)| {
        let world = World::of(feed);
        let (_, mut follower) = world.follower().unwrap();
        follower.turn(Duration::ZERO).unwrap();
        let shown = follower.shown().unwrap().unwrap();
        assert_eq!((shown.head().safe, shown.head().finalized), expect);
    };
    check(&feed, (Some(safe), Some(finalized)));
    feed.play(&Move::Reorg(1, vec![9]));
    check(&feed, (None, Some(finalized)));
}

#[test]
fn a_feed_that_begins_elsewhere_is_for_those_who_stand_there() {
    let (one, genesis) = (Block::genesis().child(0), Block::genesis());
    let mut feed = Feed::starting(one.clone());
    feed.play(&Move::Grow(0));
    let refused = maidenlane_service::Failure::from(World::of(&feed).follow().unwrap_err());
    assert_eq!(refused.exit, maidenlane_service::Exit::Data);
    let base = format!("the feed begins at block {}, this database stands at nothing; restore", one.at);
    assert!(refused.to_string().contains(&base), "{refused}");
    // A database without a position of its own in the feed, as a snapshot of another master's would be.
    for (head, fits) in [(&one, true), (&genesis, false)] {
        let world = World::of(&feed).without_proofs();
        let (store, _) = world.follower().unwrap();
        let mut batch = store.batch(Facts { head: Some(head.at), ..Facts::default() }, KEEP);
        batch.facts().genesis = genesis.at.hash;
        store.write(batch).unwrap();
        drop(store);
        let (_, mut follower) = world.follower().unwrap();
        match follower.turn(Duration::ZERO) {
            Ok(_) => assert!(fits && follower.facts().head == Some(feed.tip().at)),
            Err(error) => assert!(!fits && text(&error).contains("the feed begins at"), "{error}"),
        }
    }
}

#[test]
fn an_open_that_lost_the_race_for_an_empty_feed_names_it_in_vain() {
    let mut feed = feed(&[Move::Grow(0)]);
    let mut lost = maidenlane_wire::decode(&feed.entries[0].0).unwrap();
    (lost.stamp.feed, lost.stamp.writer) = ([9; 16], [9; 16]);
    feed.entries.insert(1, (maidenlane_wire::encode(&lost), Vec::new()));
    check_model(&World::of(&feed).follow().unwrap(), &feed.chain, "past the loser");
}

#[test]
fn an_open_in_the_middle_of_another_s_head_change_shows_no_head() {
    let mut feed = feed(&[Move::Grow(0)]);
    let undone = feed.chain.pop().unwrap();
    feed.put(undone.undo(), true);
    feed.play(&Move::Open);
    let world = World::of(&feed);
    let mut follower = world.follower().unwrap().1;
    follower.turn(Duration::ZERO).unwrap();
    assert!(follower.shown().unwrap().is_none(), "the fork point");
    drop(follower);
    assert!(world.follower().unwrap().1.shown().unwrap().is_none(), "after another start");
    let end = feed.entries.len();
    feed.play(&Move::Grow(1));
    world.append(&feed, end, end + 1);
    check_model(&world.follow().unwrap(), &feed.chain, "once the change is whole");
}

#[test]
fn an_undo_with_other_rows_than_ours_is_refused() {
    check_refused(
        |feed| {
            let undone = feed.chain.pop().unwrap();
            let Record::Undo(mut undo) = undone.undo() else { panic!("an UNDO") };
            undo.rows.accounts[0].after = Some(Bytes::from_static(b"other"));
            feed.put(Record::Undo(undo), false);
        },
        "other rows than its ADVANCE had, first for 0x",
    );
    check_refused(
        |feed| {
            let undone = feed.chain.pop().unwrap();
            let Record::Undo(mut undo) = undone.undo() else { panic!("an UNDO") };
            undo.rows.storage[0].slots.remove(0);
            feed.put(Record::Undo(undo), false);
        },
        "other rows than its ADVANCE had, first for 0x",
    );
}

#[test]
fn a_block_that_came_back_outlives_finality() {
    let mut moves = vec![Move::Grow(0), Move::Grow(0), Move::Reorg(1, vec![1])];
    let world = World::new();
    let mut feed = feed(&moves);
    world.append(&feed, 0, feed.entries.len());
    drop(world.follow().unwrap());
    let from = feed.entries.len();
    // All in one batch: the undone block returns and becomes final, far below the head.
    moves = vec![Move::Reorg(1, vec![0])];
    moves.extend((0..80).map(|_| Move::Grow(0)));
    moves.push(Move::Final(0));
    moves.iter().for_each(|a_move| feed.play(a_move));
    world.append(&feed, from, feed.entries.len());
    let view = world.follow().unwrap();
    check_model(&view, &feed.chain, "after finality");
    let other = feed.chain[1].child(1).at;
    assert_eq!(view.find(other.hash).unwrap(), None, "undone and below finality");
}
