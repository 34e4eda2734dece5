//! Tests of a database that gets its past behind its head: in the end it is row by row the one that had all from the
//! beginning, whatever came meanwhile, and at no time does it show a block that is not whole.

use super::{Group, PastBlock, Piece};
use crate::tests::{KEEP, change};
use crate::{Base, Store, tables};
use alloy::consensus::{Receipt, ReceiptEnvelope};
use alloy::primitives::Log;
use maidenlane_chain::{Address, B256, BlockRef, Bytes, keccak256};
use maidenlane_wire::{Advance, Genesis, Rows};
use proptest::prelude::*;
use rocksdb::IteratorMode;
use std::collections::VecDeque;

const CACHE_BYTES: usize = 8 << 20;
/// Tables of blocks and their indexes.
const TABLES: [&str; 8] = [
    tables::HEADERS,
    tables::BODIES,
    tables::RECEIPTS,
    tables::SENDERS,
    tables::CANONICAL,
    tables::NUMBERS,
    tables::TRANSACTIONS,
    tables::LOGS,
];

/// A block whose content follows from its number and its fork.
fn block(number: u64, fork: u8) -> PastBlock {
    let hash = keccak256([&number.to_be_bytes()[..], &[fork]].concat());
    let txs: Vec<Vec<u64>> = (0..number % 3).map(|index| vec![number, index, fork.into()]).collect();
    let mut body = alloy::rlp::encode(&txs);
    body.push(0xc0);
    let mut whole = Vec::new();
    alloy::rlp::Header { list: true, payload_length: body.len() }.encode(&mut whole);
    whole.extend(body);
    let receipt = |index: u64| {
        let log = |of: u64| {
            let topic = B256::with_last_byte(u8::try_from((number + of) % 7).unwrap());
            Log::new_unchecked(address(number + index), vec![topic], Bytes::new())
        };
        let receipt = Receipt { logs: (0..number % 4).map(log).collect(), ..Receipt::default() };
        ReceiptEnvelope::Legacy(receipt.with_bloom())
    };
    PastBlock {
        at: BlockRef::new(number, hash),
        header: hash.to_vec().into(),
        body: whole.into(),
        receipts: alloy::rlp::encode((0..number % 3).map(receipt).collect::<Vec<_>>()).into(),
        senders: (0..number % 3).map(|index| address(number * 3 + index)).collect(),
    }
}

fn address(of: u64) -> Address {
    Address::with_last_byte(u8::try_from(of % 11).unwrap())
}

fn advance(store: &Store, fork: u8) {
    let head = store.facts().head.unwrap();
    let PastBlock { at, header, body, receipts, senders } = block(head.number + 1, fork);
    let senders = Some(senders);
    let (parent, rows, proofs) = (head.hash, Rows::default(), None);
    let record = Advance { block: at, parent, header, body, receipts, rows, proofs, senders };
    change(store, |batch| store.advance(batch, &record));
}

/// Takes the head back, whose fork and its parent's are given.
fn undo(store: &Store, parent_fork: u8) {
    let head = store.facts().head.unwrap();
    let parent = block(head.number - 1, parent_fork).at.hash;
    change(store, |batch| store.undo(batch, head, parent).map(drop));
}

#[derive(Clone, Debug)]
enum Move {
    /// A block comes.
    Grow,
    /// So many blocks are replaced.
    Reorg(u64),
    /// So many steps of the back-fill: a block is collected, or a piece written.
    Fill(usize),
    /// The back-fill ends its group before its time: nobody has the next block.
    Cut,
    /// The process ends, and begins again.
    Kill,
}

/// A database that began at a block, and brings what is below.
struct Late {
    dir: tempfile::TempDir,
    store: Option<Store>,
    group: Option<Group>,
    pieces: VecDeque<Piece>,
}

impl Late {
    fn begun(base: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), CACHE_BYTES).unwrap();
        let PastBlock { at, header, body, receipts, senders } = block(base, 0);
        store.put_past(at, &header, Some((&body, &receipts))).unwrap();
        let begin = Base { block: at, floor: base, chain_id: 1, genesis: B256::ZERO, proofs: false };
        store.begin(&begin).unwrap();
        change(&store, |batch| store.fill_senders(batch, &(base..base + 1), &[(at, senders)]));
        Self { dir, store: Some(store), group: None, pieces: VecDeque::new() }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    /// One step. False once nothing is left to do.
    fn step(&mut self) -> bool {
        if let Some(piece) = self.pieces.pop_front() {
            change(self.store(), |batch| self.store().put_below(batch, &piece));
            return true;
        }
        let floor = self.store().facts().base;
        let mut group = match self.group.take() {
            None if floor == 0 => return false,
            None => Group::below(floor),
            Some(group) => group,
        };
        if group.lowest() == group.end() {
            self.pieces.extend(group.finish());
        } else {
            self.pieces.extend(group.add(block(group.lowest() - 1, 0)).unwrap());
            self.group = Some(group);
        }
        true
    }

    fn kill(&mut self) {
        (self.group, self.store) = (None, None);
        self.pieces.clear();
        self.store = Some(Store::open(self.dir.path(), CACHE_BYTES).unwrap());
    }
}

fn rows(store: &Store) -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let of = |table: &'static str| {
        let rows = store.db.iterator_cf(store.table(table).unwrap(), IteratorMode::Start);
        rows.map(move |row| row.map(|(key, value)| (table, key.into_vec(), value.into_vec())).unwrap())
    };
    TABLES.into_iter().flat_map(of).collect()
}

/// Checks that exactly the blocks from the floor on are shown, each as a whole.
fn check_shown(store: &Store, forks: &[u8]) {
    let (view, mut expected) = (store.view().unwrap(), Vec::new());
    for (number, fork) in (0..).zip(forks) {
        let PastBlock { at, body, receipts, .. } = block(number, *fork);
        let shown = number >= view.facts().base;
        assert_eq!(view.body(at).unwrap(), shown.then(|| body.clone()), "{at}");
        assert_eq!(view.receipts(at).unwrap(), shown.then(|| receipts.clone()), "{at}");
        let transactions = maidenlane_chain::block::Body::parse(&body).unwrap().transaction_hashes();
        for (index, hash) in transactions.into_iter().enumerate() {
            assert_eq!(view.transaction(hash).unwrap(), shown.then_some((at, index)), "{at}");
        }
        let logs = maidenlane_chain::Logs::of(&receipts).unwrap().map(|log| *log.unwrap().address);
        let indexes: Vec<u32> =
            (0..).zip(logs).filter(|(_, of)| *of == address(3)).map(|(at, _)| at).collect();
        expected.extend((shown && !indexes.is_empty()).then_some((number, indexes)));
    }
    let mut found = Vec::new();
    let visit = &mut |number: u64, indexes: &[u32]| {
        found.extend((!indexes.is_empty()).then(|| (number, indexes.to_vec())));
        true
    };
    view.logs(&[(0, vec![address(3).to_vec()])], 0..=u64::MAX, visit).unwrap();
    assert_eq!(found, expected, "floor {}", view.facts().base);
}

/// Plays the moves to a database that began at `base`, and to one that has all from the genesis.
fn play(base: u64, moves: &[Move]) {
    let dir = tempfile::tempdir().unwrap();
    let all = Store::open(dir.path(), CACHE_BYTES).unwrap();
    let PastBlock { at, header, body, .. } = block(0, 0);
    let genesis = Genesis { block: at, header, body, rows: Rows::default() };
    change(&all, |batch| all.genesis(batch, &genesis));
    (0..base).for_each(|_| advance(&all, 0));
    let (mut late, mut forks, mut fork) = (Late::begun(base), vec![0; usize::try_from(base + 1).unwrap()], 0);
    let grow = |late: &Late, forks: &mut Vec<u8>, fork| {
        [&all, late.store()].into_iter().for_each(|store| advance(store, fork));
        forks.push(fork);
    };
    for a_move in moves {
        match a_move {
            Move::Grow => grow(&late, &mut forks, fork),
            Move::Reorg(depth) => {
                let depth =
                    usize::try_from(*depth).unwrap().min(forks.len() - 1 - usize::try_from(base).unwrap());
                for _ in 0..depth {
                    forks.pop();
                    let parent = *forks.last().unwrap();
                    [&all, late.store()].into_iter().for_each(|store| undo(store, parent));
                }
                fork += 1;
                (0..depth).for_each(|_| grow(&late, &mut forks, fork));
            }
            Move::Fill(steps) => {
                let _left = (0..*steps).all(|_| late.step());
            }
            Move::Cut => late.pieces.extend(late.group.take().into_iter().flat_map(Group::finish)),
            Move::Kill => late.kill(),
        }
        check_shown(late.store(), &forks);
    }
    while late.step() {}
    check_shown(late.store(), &forks);
    assert_eq!(late.store().facts().base, 0);
    let (expected, found) = (rows(&all), rows(late.store()));
    assert_eq!(expected.len(), found.len());
    expected.into_iter().zip(found).for_each(|(expected, found)| assert_eq!(expected, found));
    assert_eq!(KEEP.undo_blocks, 128, "reorganisations here are less deep");
}

#[test]
fn a_group_is_cut_by_the_floor_and_joined_with_what_the_head_appends() {
    let fill = |steps| Move::Fill(steps);
    // The head is in the chunk that the floor cuts: between any two pieces, rows grow and shrink at their end.
    let mut moves = vec![Move::Grow, fill(30), Move::Grow, fill(70), Move::Reorg(2)];
    moves.extend((0..40).flat_map(|_| [fill(3), Move::Reorg(1), Move::Grow]));
    play(100, &moves);
}

#[test]
fn whole_groups_follow_each_other_down_to_the_genesis() {
    play(600, &[Move::Fill(400), Move::Grow, Move::Kill, Move::Fill(90), Move::Cut, Move::Kill]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_meanwhile_the_rows_are_those_of_a_database_that_had_all(
        base in 1..300_u64,
        moves in prop::collection::vec(
            prop_oneof![
                3 => Just(Move::Grow),
                2 => (0..4_u64).prop_map(Move::Reorg),
                4 => (1..120_usize).prop_map(Move::Fill),
                1 => Just(Move::Cut),
                1 => Just(Move::Kill),
            ],
            1..25,
        ),
    ) {
        play(base, &moves);
    }
}
