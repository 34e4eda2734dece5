//! Tests of trie nodes on their way into the database: checked, waited for, found again.

use super::{World, check_model, feed, text};
use crate::error::Error;
use maidenlane_chain::Bytes;
use maidenlane_service::{Exit, Failure};
use maidenlane_store::Past;
use maidenlane_testkit::feed::{Block, Feed, Move};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A child of the feed's tip that changes accounts, slots, and nodes that were there before.
fn busy(feed: &Feed) -> Block {
    let children = (0..=u8::MAX).map(|seed| feed.tip().child(seed));
    let fits = |block: &Block| {
        let slots = block.rows.storage.iter().flat_map(|row| &row.slots);
        slots.filter(|slot| slot.before.is_some() && slot.after.is_some()).count() > 0
            && block.set.iter().any(|row| row.before.is_some() && row.after.is_some())
    };
    children.into_iter().find(fits).unwrap()
}

/// Checks that a block whose rows or nodes are spoilt ends the replica with the exit code for data.
#[track_caller]
fn check_audited(spoil: impl FnOnce(&mut Block), expect: &str) {
    let mut feed = feed(&[Move::Grow(0), Move::Grow(1)]);
    let whole = feed.chain.clone();
    let world = World::of(&feed);
    let from = feed.entries.len();
    let mut block = busy(&feed);
    spoil(&mut block);
    let text_of_error = format!("block {} is not what its state root says", block.at);
    feed.come(Arc::new(block), false);
    world.append(&feed, from, feed.entries.len());
    let refused = world.follow().unwrap_err();
    let refused_text = text(&refused);
    assert!(refused_text.contains(&text_of_error) && refused_text.contains(expect), "{refused_text}");
    assert_eq!(Failure::from(refused).exit, Exit::Data);
    // Nothing of it was written.
    let (store, _) = world.follower().unwrap();
    check_model(&store.view().unwrap(), &whole, "after the refusal");
}

#[test]
fn a_row_that_is_not_its_leaf_is_told() {
    let other = || Some(Bytes::from_static(&[0xc4, 0x63, 0x63, 0x80, 0x80]));
    check_audited(|block| block.rows.accounts[0].after = other(), "the row of account 0x");
    let slot = |block: &mut Block, after| block.rows.storage[0].slots[0].after = after;
    check_audited(|block| slot(block, Some(Bytes::from_static(&[0x63]))), ", slot hash 0x");
    // As whole as the rows of a block in which it did not change.
    check_audited(|block| drop(block.rows.accounts.remove(0)), "account");
    check_audited(|block| drop(block.rows.storage[0].slots.remove(0)), "changed, and no row says so");
}

#[test]
fn nodes_that_do_not_lead_to_the_root_are_told() {
    let changed = |block: &Block| {
        let rows = block.set.iter();
        rows.clone().position(|row| row.before.is_some() && row.after.is_some()).unwrap()
    };
    check_audited(
        |block| {
            let at = changed(block);
            block.set[at].after = block.set[at].before.as_ref().map(|node| [node, &[0][..]].concat().into());
        },
        "has another hash than its parent has of it",
    );
    check_audited(
        |block| {
            let at = changed(block);
            block.set.remove(at);
        },
        "has another hash than its parent has of it",
    );
}

/// Test for nodes of a wiped storage, of which geth reports other bytes than they were.
#[test]
fn what_nodes_were_before_is_what_is_stored() {
    let mut feed = feed(&[Move::Grow(0), Move::Grow(1)]);
    let mut block = busy(&feed);
    for row in &mut block.set {
        row.before = row.before.as_ref().map(|node| [node, &[0][..]].concat().into());
    }
    feed.come(Arc::new(block), false);
    check_model(&World::of(&feed).follow().unwrap(), &feed.chain, "with it");
    feed.play(&Move::Reorg(1, vec![3, 2]));
    check_model(&World::of(&feed).follow().unwrap(), &feed.chain, "without it");
}

#[test]
fn a_block_without_nodes_is_refused() {
    let mut feed = feed(&[Move::Grow(0)]);
    let block = feed.tip().child(1);
    let maidenlane_wire::Record::Advance(mut advance) = block.advance() else { panic!("an ADVANCE") };
    advance.proofs = None;
    feed.put(maidenlane_wire::Record::Advance(advance), false);
    let text_of_error = text(&World::of(&feed).follow().unwrap_err());
    assert!(
        text_of_error.contains("comes without trie nodes") && text_of_error.contains("`proofs`"),
        "{text_of_error}"
    );
    assert!(World::of(&feed).without_proofs().follow().is_ok());
}

#[test]
fn a_block_waits_for_its_nodes_and_says_so() {
    let mut feed = feed(&[Move::Grow(0)]);
    let world = World::of(&feed);
    let (store, mut follower) = world.follower().unwrap();
    follower.turn(Duration::ZERO).unwrap();
    let from = feed.entries.len();
    [Move::Grow(1), Move::Heartbeat, Move::Grow(2)].iter().for_each(|a_move| feed.play(a_move));
    let late = feed.sets.split_off(1);
    world.append(&feed, from, feed.entries.len());
    for _ in 0..3 {
        follower.turn(Duration::ZERO).unwrap();
        assert_eq!(follower.missing(), None, "it may still come");
    }
    let waiting = Some(feed.chain[2].at);
    follower.sets.as_mut().unwrap().since = Instant::now().checked_sub(Duration::from_secs(5));
    follower.turn(Duration::ZERO).unwrap();
    assert_eq!(follower.missing(), waiting);
    assert_eq!(follower.facts().head, Some(feed.chain[1].at));
    // Sets of others, and twice: all passed over.
    let strange = feed.tip().child(7).node_set().entries().unwrap().1;
    let first = late.first().unwrap().1.clone();
    world.put(super::PROOFS, strange.iter().chain([&first, &first]).chain(late.iter().map(|(_, set)| set)));
    assert!(follower.turn(Duration::ZERO).unwrap());
    assert_eq!(follower.missing(), None);
    check_model(&store.view().unwrap(), &feed.chain, "once the nodes are there");
}

#[test]
fn nodes_are_kept_from_the_beginning_or_not_at_all() {
    let mut feed = feed(&[Move::Grow(0)]);
    let mut world = World::of(&feed);
    assert!(world.follow().unwrap().facts().proofs.is_some());
    world = world.without_proofs();
    let view = world.follow().unwrap();
    assert_eq!(view.facts().proofs, None, "switched off");
    for node in feed.tip().nodes.keys() {
        assert_eq!(view.node(node, None).unwrap(), None, "{node}");
    }
    drop(view);
    let from = feed.entries.len();
    feed.play(&Move::Grow(1));
    world.append(&feed, from, feed.entries.len());
    check_model(&world.follow().unwrap(), &feed.chain, "without nodes");
    world.keep.proofs = Some(Past::All);
    let refused = world.follow().unwrap_err();
    assert!(matches!(refused, Error::NoProofs), "{refused}");
    assert_eq!(Failure::from(refused).exit, Exit::Settings);
}

#[test]
fn the_window_moves_with_the_head() {
    let mut feed = feed(&[]);
    let mut world = World::new();
    world.keep.proofs = Some(Past::Blocks(4));
    (0..10).for_each(|_| feed.play(&Move::Grow(0)));
    feed.play(&Move::Reorg(4, vec![1]));
    world.append(&feed, 0, feed.entries.len());
    let view = world.follow().unwrap();
    assert_eq!(view.facts().proofs.map(|proofs| proofs.floor), Some(6), "as of the highest head");
    assert_eq!(view.head(), feed.tip().at);
    assert_eq!(view.facts().state_floor, 0);
    let oldest = &feed.chain[6];
    for (node, bytes) in &oldest.nodes {
        assert_eq!(view.node(node, Some(6)).unwrap().as_ref(), Some(bytes), "{node}");
    }
}
