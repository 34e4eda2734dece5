//! The topic of a pool in a real segment log, as a replica reads it.

use super::kept::{Mempool, Settings};
use super::notices::Kind;
use super::reader::Reader;
use super::set::Held;
use crate::rpc::tests::fake;
use crate::rpc::tests::still::Still;
use alloy::consensus::{SignableTransaction as _, TxEip1559};
use alloy::eips::eip2718::Encodable2718 as _;
use alloy::primitives::{Signature, TxKind};
use maidenlane_chain::{Address, B256, BlockRef, Transaction};
use maidenlane_feed::Scanner;
use maidenlane_jsonrpc::{Events, codes};
use maidenlane_log::{Append, Backend, Offset, TopicOptions, segment};
use maidenlane_service::clock::now_ms;
use maidenlane_service::{Health, Shutdown};
use maidenlane_wire::{PoolChange, PoolStep, Pooled};
use serde_json::{Value, json};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

const TOPIC: &str = "t.pool";
const LONG: Duration = Duration::from_secs(3_600);

/// Transaction with a nonce, at a price. Nobody's key has signed it: a pool believes its tap.
pub(crate) fn tx(nonce: u64, price: u128) -> Transaction {
    let to = TxKind::Call(Address::ZERO);
    let tx = TxEip1559 {
        chain_id: 1,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: price,
        to,
        ..TxEip1559::default()
    };
    Transaction::Eip1559(tx.into_signed(Signature::test_signature()))
}

fn added(sender: u8, tx: &Transaction, queued: bool) -> PoolStep {
    let (hash, sender, raw) = (*tx.tx_hash(), Address::repeat_byte(sender), tx.encoded_2718().into());
    PoolStep::Added { pooled: Pooled { hash, sender, raw }, queued }
}

/// A pool that is known, with these transactions.
pub(crate) fn kept(all: Vec<Held>) -> Mempool {
    let settings = Settings { topic: TOPIC.to_owned(), bytes_max: 1 << 20, silence_max: LONG };
    let pool = Mempool::new(&settings);
    let mut state = pool.state();
    for held in all {
        state.set.add(held);
    }
    (state.known, state.heard) = (true, Some(std::time::Instant::now()));
    drop(state);
    pool
}

/// A log with the topic, and a replica that reads it.
struct World {
    _dir: tempfile::TempDir,
    log: Backend,
    pool: Mempool,
    reader: Reader,
    scanner: Scanner,
    next: Offset,
}

impl World {
    /// `None` on a machine without the fixture chain.
    fn new(silence_max: Duration) -> Option<Self> {
        let chain = fake::chain()?;
        let dir = tempfile::tempdir().unwrap();
        let log = Backend::Segment(segment::Options::new(dir.path().join("log")));
        log.create(TOPIC, &TopicOptions::default()).unwrap();
        let settings = Settings { topic: TOPIC.to_owned(), bytes_max: 1 << 20, silence_max };
        let (pool, live) = (Mempool::new(&settings), Arc::new(Still::new(chain)));
        let reader =
            Reader::new(pool.clone(), settings, log.clone(), live, Health::default(), Shutdown::new());
        let (scanner, next) = reader.begin().unwrap();
        Some(Self { _dir: dir, log, pool, reader, scanner, next })
    }

    /// Appends changes of an epoch, and has them read.
    fn tell(&mut self, epoch: u64, first_seq: u64, steps: &[PoolStep]) {
        let change = |(seq, step): (u64, &PoolStep)| {
            PoolChange { epoch, seq, step: step.clone(), at_ms: now_ms() }.encode()
        };
        let payloads: Vec<_> = (first_seq..).zip(steps).map(change).collect();
        let entries: Vec<_> = payloads.iter().map(|payload| Append { key: None, payload }).collect();
        self.log.producer(TOPIC).unwrap().append(&entries).unwrap();
        while self.reader.round(&mut self.scanner, &mut self.next).unwrap() {}
        self.reader.watch();
    }

    fn listen(&self) -> [Events; 3] {
        [Kind::Hashes, Kind::Whole, Kind::Dropped].map(|kind| self.pool.notices().add(kind))
    }
}

/// All that a subscription has told.
fn heard(events: &mut Events) -> Vec<Value> {
    let mut heard = Vec::new();
    let mut context = Context::from_waker(std::task::Waker::noop());
    while let Poll::Ready(Ok(json)) = pin!(events.next()).poll(&mut context) {
        heard.push(serde_json::from_str(json.as_str()).unwrap());
    }
    heard
}

#[test]
fn a_pool_is_told_once_it_is_known_and_for_as_long_as_somebody_tells_of_it() {
    let Some(mut world) = World::new(LONG) else { return };
    let code = |world: &World| world.pool.fit().err().map(|error| error.code);
    world.reader.watch();
    assert_eq!(code(&world), Some(codes::POOL_AWAY));
    world.tell(1, 0, &[PoolStep::Begin, added(1, &tx(0, 1), false)]);
    assert_eq!(code(&world), Some(codes::POOL_AWAY), "half of it");
    world.tell(1, 2, &[PoolStep::Complete]);
    assert_eq!((code(&world), world.pool.len()), (None, 1));
    // A gap: something is missing.
    world.tell(1, 9, &[PoolStep::Alive]);
    assert_eq!(code(&world), Some(codes::POOL_AWAY));
    world.tell(1, 12, &[PoolStep::Begin, PoolStep::Complete]);
    assert_eq!((code(&world), world.pool.len()), (None, 0));
    let Some(mut world) = World::new(Duration::ZERO) else { return };
    world.tell(1, 0, &[PoolStep::Begin, PoolStep::Complete]);
    let refused = world.pool.fit().unwrap_err();
    assert!(refused.message.starts_with("nobody has told of the master's pool for"), "{refused:?}");
}

#[test]
fn subscribers_hear_of_what_is_announced_and_of_what_leaves_without_a_block() {
    let Some(mut world) = World::new(LONG) else { return };
    let old = added(1, &tx(0, 1), false);
    world.tell(1, 0, &[PoolStep::Begin, old, PoolStep::Complete]);
    let [mut hashes, mut whole, mut drops] = world.listen();
    let (one, two, new) = (tx(1, 1), tx(3, 1), tx(1, 2));
    let [one_hash, two_hash, new_hash] = [&one, &two, &new].map(|tx| *tx.tx_hash());
    world.tell(1, 3, &[added(1, &one, false), added(1, &two, true)]);
    world.tell(1, 5, &[PoolStep::Promoted { hash: two_hash }]);
    world.tell(1, 6, &[PoolStep::Replaced { hash: one_hash, by: new_hash }, added(1, &new, false)]);
    assert_eq!(heard(&mut hashes), [json!(one_hash), json!(two_hash), json!(new_hash)]);
    let told: Vec<_> = heard(&mut whole).iter().map(|tx| (tx["hash"].clone(), tx["from"].clone())).collect();
    let from = json!(Address::repeat_byte(1));
    assert_eq!(told, [one_hash, two_hash, new_hash].map(|hash| (json!(hash), from.clone())));

    let reason = |reason: &str| Some(reason.to_owned());
    world.tell(
        1,
        8,
        &[
            PoolStep::Mined { hash: new_hash, block: BlockRef::default() },
            PoolStep::Dropped { hash: two_hash, reason: reason("unpayable-txs") },
            PoolStep::Dropped { hash: *tx(0, 1).tx_hash(), reason: None },
            PoolStep::Dropped { hash: B256::ZERO, reason: reason("unpayable-txs") },
        ],
    );
    let drops: Vec<_> = heard(&mut drops)
        .iter()
        .map(|drop| (drop["txhash"].clone(), drop["reason"].clone(), drop["replacedBy"].clone()))
        .collect();
    assert_eq!(
        drops,
        [
            (json!(one_hash), json!("replaced-txs"), json!(new_hash)),
            (json!(two_hash), json!("unpayable-txs"), Value::Null),
            (json!(tx(0, 1).tx_hash()), json!("unknown"), Value::Null),
        ]
    );
}

#[test]
fn what_left_while_nobody_told_is_judged_by_the_chain() {
    let Some(mut world) = World::new(LONG) else { return };
    // One of a block of the chain, one whose nonce it has passed, and one of which nobody knows.
    let chain = fake::chain().unwrap();
    let (mined, sender) = mined_of(&chain);
    let passed = tx(0, 7);
    let of = |sender: Address, tx: &Transaction| {
        let raw = tx.encoded_2718().into();
        PoolStep::Added { pooled: Pooled { hash: *tx.tx_hash(), sender, raw }, queued: false }
    };
    let unknown = tx(1_000, 7);
    let whole = [
        PoolStep::Begin,
        of(Address::repeat_byte(9), &mined),
        of(sender, &passed),
        of(sender, &unknown),
        PoolStep::Complete,
    ];
    world.tell(1, 0, &whole);
    let [.., mut drops] = world.listen();
    world.tell(2, 0, &[PoolStep::Begin, PoolStep::Complete]);
    let mut told: Vec<_> = heard(&mut drops)
        .iter()
        .map(|drop| (drop["txhash"].to_string(), drop["reason"].to_string()))
        .collect();
    told.sort();
    let mut expect = vec![
        (json!(passed.tx_hash()).to_string(), "\"low-nonce-txs\"".to_owned()),
        (json!(unknown.tx_hash()).to_string(), "\"unknown\"".to_owned()),
    ];
    expect.sort();
    assert_eq!(told, expect);
    assert_eq!(world.pool.len(), 0);
}

/// A transaction that a block of the fixture chain holds, and its sender.
fn mined_of(chain: &fake::Chain) -> (Transaction, Address) {
    use maidenlane_state::StateView as _;
    let blocks = (1..=chain.head().block.number).rev();
    let mut found = blocks.filter_map(|number| {
        let at = BlockRef::new(number, chain.hash_of(number).unwrap()?);
        let (header, body) = (chain.header(at).unwrap()?, chain.body(at).unwrap()?);
        let block = maidenlane_chain::Block::decode(at.hash, &header, &body).unwrap();
        let tx = block.transactions.first()?.clone();
        Some((maidenlane_chain::transaction::sender(&tx), tx))
    });
    let (sender, tx) = found.next().unwrap();
    (tx, sender)
}

/// The guide's table: reasons of the first feeds, and what is told today.
fn reasons() -> Vec<(&'static str, &'static str)> {
    let guide = include_str!("../../README.md");
    let (_, table) = guide.split_once("| reason then | told today | proved by |\n").unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with("| "));
    let names = rows.map(|row| {
        let mut names = row.split('`').skip(1).step_by(2);
        (names.next().unwrap(), names.next().unwrap())
    });
    names.collect()
}

#[test]
fn every_reason_of_the_first_feeds_is_told_as_the_guide_says() {
    let Some(mut world) = World::new(LONG) else { return };
    let expect = [
        ("underpriced-txs", "unknown"),
        ("low-nonce-txs", "low-nonce-txs"),
        ("unpayable-txs", "unpayable-txs"),
        ("account-cap-txs", "unknown"),
        ("replaced-txs", "replaced-txs"),
        ("unexecutable-txs", "unexecutable-txs"),
        ("truncating-txs", "unknown"),
        ("old-txs", "unknown"),
        ("updated-gas-price", "unknown"),
    ];
    assert_eq!(reasons(), expect);
    world.tell(1, 0, &[PoolStep::Begin, PoolStep::Complete]);
    let [.., mut drops] = world.listen();
    for (seq, (nonce, (_, told))) in (2..).step_by(2).zip((0..).zip(expect)) {
        let tx = tx(nonce, 1);
        let hash = *tx.tx_hash();
        let gone = match told {
            "unknown" => PoolStep::Dropped { hash, reason: None },
            "replaced-txs" => PoolStep::Replaced { hash, by: B256::ZERO },
            proved => PoolStep::Dropped { hash, reason: Some(proved.to_owned()) },
        };
        world.tell(1, seq, &[added(1, &tx, false), gone]);
        let drop = heard(&mut drops).remove(0);
        assert_eq!((&drop["txhash"], &drop["reason"]), (&json!(hash), &json!(told)));
    }
}
