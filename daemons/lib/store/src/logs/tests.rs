//! Tests of the search in the log index: a chain of which only the logs matter, over several chunks, against a look at
//! every log; and the cost of a search.

use crate::canonical_rows;
use crate::tests::{advance, change};
use crate::{Store, View};
use alloy::consensus::{Receipt, ReceiptEnvelope};
use alloy::primitives::{Address, B256, Log};
use maidenlane_chain::BlockRef;
use std::ops::RangeInclusive;

const CACHE_BYTES: usize = 8 << 20;

/// A block's number, and its logs' (address, topic).
type Logged = (u64, Vec<(u8, u8)>);

fn at(number: u64, fork: u8) -> BlockRef {
    let mut hash = B256::repeat_byte(fork);
    hash[..8].copy_from_slice(&number.to_be_bytes());
    BlockRef::new(number, hash)
}

fn record(block: BlockRef, parent: B256, logs: &[(u8, u8)]) -> maidenlane_wire::Advance {
    let log = |(address, topic): &(u8, u8)| {
        let topics = vec![B256::repeat_byte(*topic)];
        Log::new_unchecked(Address::repeat_byte(*address), topics, Default::default())
    };
    let receipt = Receipt { logs: logs.iter().map(log).collect(), ..Receipt::default() }.with_bloom();
    let receipts = alloy::rlp::encode(vec![ReceiptEnvelope::Legacy(receipt)]).into();
    maidenlane_wire::Advance { receipts, ..advance(block, parent) }
}

/// Appends these blocks to block `head`, all in one batch.
fn extend(store: &Store, mut parent: BlockRef, fork: u8, blocks: &[Logged]) {
    change(store, |batch| {
        for (number, logs) in blocks {
            let block = at(*number, fork);
            store.advance(batch, &record(block, parent.hash, logs))?;
            parent = block;
        }
        Ok(())
    });
}

fn blocks(numbers: RangeInclusive<u64>, logs: impl Fn(u64) -> Vec<(u8, u8)>) -> Vec<Logged> {
    numbers.map(|number| (number, logs(number))).collect()
}

/// Searches for logs with these addresses and topics; returns them, and the number of rows that took.
fn search(
    view: &View,
    address: &[u8],
    topic: &[u8],
    range: RangeInclusive<u64>,
) -> (Vec<(u64, Vec<u32>)>, u64) {
    let of = |terms: &[u8], len: usize| terms.iter().map(|byte| vec![*byte; len]).collect::<Vec<_>>();
    let mut wanted = vec![(0, of(address, 20)), (1, of(topic, 32))];
    wanted.retain(|(_, terms)| !terms.is_empty());
    let mut found = Vec::new();
    let visit = &mut |block: u64, indexes: &[u32]| {
        found.extend((!indexes.is_empty()).then(|| (block, indexes.to_vec())));
        true
    };
    let rows = view.logs(&wanted, range, visit).unwrap();
    (found, rows)
}

#[track_caller]
fn check(store: &Store, chain: &[Logged]) {
    let view = store.view().unwrap();
    let last = chain.last().unwrap().0;
    let sets: [(&[u8], &[u8]); 8] = [
        (&[1], &[]),
        (&[2], &[]),
        (&[], &[7]),
        (&[1], &[7]),
        (&[2], &[8]),
        (&[1, 2, 3], &[7]),
        (&[3, 9], &[]),
        (&[9], &[7]),
    ];
    for (address, topic) in sets {
        for range in [0..=u64::MAX, 0..=last, 255..=256, 300..=300, 511..=513, last..=last] {
            let fits = |wanted: &[u8], is: u8| wanted.is_empty() || wanted.contains(&is);
            let mut naive = Vec::new();
            for (number, logs) in chain.iter().filter(|(number, _)| range.contains(number)) {
                let fitting = (0..).zip(logs).filter(|(_, log)| fits(address, log.0) && fits(topic, log.1));
                let indexes: Vec<u32> = fitting.map(|(index, _)| index).collect();
                naive.extend((!indexes.is_empty()).then_some((*number, indexes)));
            }
            assert_eq!(
                search(&view, address, topic, range.clone()).0,
                naive,
                "{address:?} {topic:?} {range:?}"
            );
        }
    }
}

#[test]
fn searches_cross_chunks_and_reorganisations() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), CACHE_BYTES).unwrap();
    let logs = |number: u64| match number {
        _ if number.is_multiple_of(7) => vec![],
        _ if number.is_multiple_of(50) => vec![(2, 8), (1, 7), (1, 8), (2, 7), (3, 7)],
        _ => vec![(1, 7); usize::try_from(number % 4).unwrap()],
    };
    let mut chain = blocks(1..=520, logs);
    extend(&store, at(0, 1), 1, &chain);
    check(&store, &chain);
    // Back over the border of two chunks, block by block, and forward with other logs.
    for number in (505..=520).rev() {
        change(&store, |batch| store.undo(batch, at(number, 1), at(number - 1, 1).hash).map(drop));
    }
    chain.truncate(504);
    check(&store, &chain);
    let other = blocks(505..=530, |number| vec![(3, 7), (u8::try_from(number % 3).unwrap(), 8)]);
    extend(&store, at(504, 1), 2, &other);
    chain.extend(other);
    check(&store, &chain);
    // Nothing shows which way it came.
    let straight = tempfile::tempdir().unwrap();
    let fresh = Store::open(straight.path(), CACHE_BYTES).unwrap();
    extend(&fresh, at(0, 1), 1, &chain[..504]);
    extend(&fresh, at(504, 1), 2, &chain[504..]);
    let rows = |store: &Store| canonical_rows(&store.view().unwrap()).unwrap();
    assert!(rows(&store) == rows(&fresh));
}

/// Test that a term that is everywhere costs a search nothing where another is rare, nor does the length of the range.
#[test]
fn a_search_costs_what_is_rare_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), CACHE_BYTES).unwrap();
    let logs = |number: u64| match number % 2_500 {
        1_234 => vec![(1, 7), (5, 7)],
        _ => vec![(1, 7), (2, 8)],
    };
    extend(&store, at(0, 1), 1, &blocks(1..=10_000, logs));
    let view = store.view().unwrap();
    // Four logs, in four chunks: each is looked for at both positions, and then there are no more.
    let (found, rows) = search(&view, &[5], &[7], 0..=u64::MAX);
    assert_eq!(found.len(), 4);
    assert!(rows <= 9, "{rows} rows");
    assert_eq!(search(&view, &[9], &[7], 0..=u64::MAX), (vec![], 1));
    // Both everywhere, and never in one log: a row for each chunk and position.
    let (found, rows) = search(&view, &[2], &[7], 0..=u64::MAX);
    assert_eq!(found, []);
    assert!(rows <= 82, "{rows} rows for {} chunks", 10_000_u64.div_ceil(256));
    // A visitor that has enough ends it.
    let mut heard = 0;
    let visit = &mut |_, indexes: &[u32]| {
        heard += indexes.len();
        heard < 3
    };
    let rows = view.logs(&[(0, vec![vec![1; 20]])], 0..=10_000, visit).unwrap();
    assert_eq!((heard, rows), (3, 1));
}
