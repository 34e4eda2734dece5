//! Changes of the head, gathered from the entries of a feed that tells a chain with branches.

use super::{Change, Gatherer, Stretch};
use maidenlane_chain::BlockRef;
use maidenlane_feed::Reader;
use maidenlane_log::{Entry, Offset};
use maidenlane_testkit::feed::{Block, Feed, Move};
use std::sync::Arc;

/// Reads the feed, one entry after the other; the changes that move its head.
fn changes(feed: &Feed) -> Vec<Change> {
    let (mut reader, mut gatherer) = (Reader::in_middle(), Gatherer::default());
    let mut changes = Vec::new();
    for (payload, offset) in feed.entries.iter().zip(0..) {
        let entry = Entry { offset: Offset(offset), key: None, payload: payload.0.clone() };
        let Some(whole) = reader.read(&entry).unwrap() else { continue };
        changes.extend(gatherer.take(&whole).unwrap());
    }
    changes.retain(|change| !change.undone.is_empty() || !change.added.is_empty());
    changes
}

fn numbers(change: &Change) -> (Vec<u64>, Vec<u64>) {
    let undone = change.undone.iter().map(|block| block.number).collect();
    (undone, change.added.iter().map(|holding| holding.block.number).collect())
}

fn holds(block: &Block) -> usize {
    block.transactions.values().filter(|(number, _)| *number == block.at.number).count()
}

#[test]
fn a_head_change_is_taken_whole() {
    let mut feed = Feed::from_genesis();
    feed.play(&Move::Grow(1));
    feed.play(&Move::Grow(2));
    let (first, left) = (Arc::clone(&feed.chain[1]), Arc::clone(&feed.chain[2]));
    feed.play(&Move::Reorg(1, vec![3, 4]));
    let changes = changes(&feed);
    let expect = [(vec![], vec![1]), (vec![], vec![2]), (vec![2], vec![2, 3])];
    assert_eq!(changes.iter().map(numbers).collect::<Vec<_>>(), expect);
    for (holding, block) in [(&changes[0].added[0], &first), (&changes[1].added[0], &left)] {
        assert_eq!((holding.block, holding.transactions.len()), (block.at, holds(block)));
        assert!(holding.transactions.iter().all(|held| block.transactions.contains_key(&held.hash)));
    }

    let mut stretch = Stretch::default();
    changes.into_iter().for_each(|change| stretch.take(change));
    let right = feed.chain[2].at;
    assert_eq!(stretch.head(), Some(3));
    assert!(stretch.lacks(left.at) && !stretch.lacks(right) && !stretch.lacks(first.at));
    assert!(!stretch.lacks(BlockRef::default()), "before its beginning nobody can tell");
}

#[test]
fn a_block_from_before_the_stretch_that_left_and_came_back_is_on_the_chain() {
    let block = |number: u8| BlockRef::new(number.into(), maidenlane_chain::B256::repeat_byte(number));
    let (out, back) = (block(5), super::Holding { block: block(5), time_s: 0, transactions: Vec::new() });
    let mut stretch = Stretch::default();
    stretch.take(Change { undone: vec![out], ..Change::default() });
    assert!(stretch.lacks(out));
    stretch.take(Change { added: vec![back], finalized: 4, ..Change::default() });
    assert!(!stretch.lacks(out));
    assert_eq!(stretch.finalized, 4);
}
