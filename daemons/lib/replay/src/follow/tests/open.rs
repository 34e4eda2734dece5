//! Tests of what a feed says of its master.

use super::*;
use maidenlane_testkit::geth::NETWORK_ID;

#[test]
fn what_the_newest_open_says_is_kept() {
    let mut feed = feed(&[Move::Grow(0)]);
    assert_eq!(World::of(&feed).follow().unwrap().facts().network_id, None, "of the first schema");
    let world = World::of(&feed);
    drop(world.follow().unwrap());
    let from = feed.entries.len();
    feed.play(&Move::Open);
    world.append(&feed, from, feed.entries.len());
    assert_eq!(world.follow().unwrap().facts().network_id, Some(NETWORK_ID));
    assert_eq!(world.follower().unwrap().0.facts().network_id, Some(NETWORK_ID), "and after a start");
}
