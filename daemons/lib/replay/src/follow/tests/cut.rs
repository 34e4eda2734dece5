//! Logs that lost a part of what was read from them.

use super::{Move, TOPIC, World, check_model, feed};
use crate::error::Error;
use maidenlane_log::{Offset, segment};
use maidenlane_wire::Stamp;
use std::time::Duration;

#[test]
fn a_log_cut_below_everything_is_told() {
    let mut feed = feed(&[Move::Grow(0)]);
    let world = World::of(&feed);
    drop(world.follow().unwrap());
    segment::cut(&world.log, TOPIC, 0, Offset(1)).unwrap();
    feed.entries.truncate(1);
    assert!(matches!(world.follow().unwrap_err(), Error::Lost));
}

/// Log whose mark lost its writings in a power cut, though its entries are there: a replica that starts before the next
/// writer finds what it had read.
#[test]
fn a_log_that_forgot_its_end_is_read_on() {
    let feed = feed(&[Move::Grow(0), Move::Grow(1)]);
    let world = World::of(&feed);
    let before = world.follow().unwrap().head();
    let (empty, durable) = (World::new(), format!("{TOPIC}/0/durable"));
    std::fs::copy(empty.log.dir.join(&durable), world.log.dir.join(&durable)).unwrap();
    let (_, follower) = world.follower().unwrap();
    assert_eq!(follower.facts().head, Some(before));
}

/// Checks a log that is cut behind a record that does not count, although the replica has its block: `late` makes its
/// stamp from those of the writer before and of the writer then.
fn check_late(late: impl FnOnce(Stamp, Stamp) -> Stamp) {
    let mut feed = feed(&[Move::Grow(0)]);
    let before = feed.stamp;
    feed.play(&Move::Open);
    feed.play(&Move::Grow(0));
    let twice = feed.tip().advance();
    feed.play(&Move::Reorg(1, vec![1]));
    let then = feed.stamp;
    feed.stamp = late(before, then);
    feed.put(twice, false);
    feed.stamp = then;
    let end = feed.entries.len();
    feed.play(&Move::Reorg(1, vec![0]));
    let world = World::of(&feed);
    check_model(&world.follow().unwrap(), &feed.chain, "before the cut");
    segment::cut(&world.log, TOPIC, 0, Offset(end as u64)).unwrap();
    feed.cut(end);
    feed.play(&Move::Open);
    feed.play(&Move::Grow(0));
    world.append(&feed, end, feed.entries.len());
    check_model(&world.follow().unwrap(), &feed.chain, "after the cut");
}

#[test]
fn what_a_displaced_writer_added_is_no_place_to_go_on_from() {
    check_late(|before, _| before);
    check_late(|_, then| Stamp { writer: [9; 16], ..then });
}

#[test]
fn the_middle_of_a_head_change_is_not_shown_after_a_start() {
    let mut feed = feed(&[Move::Grow(0), Move::Grow(0)]);
    let whole = feed.entries.len();
    feed.play(&Move::Reorg(1, vec![1]));
    let (undone, end) = (whole + 1, feed.entries.len());
    let world = World::of(&feed);
    assert!(world.follow().is_ok());
    assert!(world.follower().unwrap().1.shown().unwrap().is_some(), "the change is whole");
    // The log is cut within the change: our head is not in it any more, and its last record is no world to begin.
    segment::cut(&world.log, TOPIC, 0, Offset(undone as u64)).unwrap();
    let (_, mut follower) = world.follower().unwrap();
    assert_eq!(follower.facts().head, Some(feed.chain[1].at));
    follower.turn(Duration::ZERO).unwrap();
    assert!(follower.shown().unwrap().is_none(), "after the cut");
    drop(follower);
    assert!(world.follower().unwrap().1.shown().unwrap().is_none(), "after another start");
    world.append(&feed, undone, end);
    check_model(&world.follow().unwrap(), &feed.chain, "once the change is whole");
}
