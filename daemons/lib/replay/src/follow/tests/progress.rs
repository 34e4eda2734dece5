//! Signs of life of a replica that looks where to go on.

use super::{Move, TOPIC, World, feed};
use maidenlane_log::{Offset, segment};

#[test]
fn a_search_and_what_it_undoes_are_told_step_by_step() {
    const BLOCKS: usize = 30;
    let mut feed = feed(&(0..30).map(Move::Grow).collect::<Vec<_>>());
    let world = World::of(&feed).without_proofs();
    drop(world.follow().unwrap());
    let mut steps = 0;
    drop(world.telling(&mut || steps += 1).unwrap());
    assert_eq!(steps, 0, "the record is where it was");
    // OPEN, GENESIS and the first block stay; others come in the place of the rest, and are looked at.
    segment::cut(&world.log, TOPIC, 0, Offset(3)).unwrap();
    feed.cut(3);
    feed.play(&Move::Open);
    (100..120).for_each(|seed| feed.play(&Move::Grow(seed)));
    world.append(&feed, 3, feed.entries.len());
    drop(world.telling(&mut || steps += 1).unwrap());
    assert!(steps >= BLOCKS - 1 + 20, "{steps} signs of life");
}
