//! Tests of blocks that are spooled before they are announced.

use super::*;
use std::time::SystemTime;

/// A feed at a1 that audits; `next` continues it, spooled and not announced.
fn spooled_ahead(next: impl FnOnce(&Sample) -> Sample, fit: bool, proves: bool) -> (World, Sample) {
    let (world, chain) = auditing(1, 1);
    world.expect(&chain[1], "G +1");
    world.geth.prove(proves);
    let next = next(&chain[1]);
    spooled(&world, 1, std::slice::from_ref(&next));
    world.saw(|event| *event == Event::Ahead { fit });
    world.expect(&chain[1], "G +1");
    (world, next)
}

fn young(parent: &Sample) -> Sample {
    parent.child_at(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
}

/// Announces `next`; the tap refuses it for the contradiction to a proof, and publishes nothing of it.
fn refuted(mut world: World, next: &Sample) {
    world.geth.head(std::slice::from_ref(next));
    let error = world.failure();
    assert!(error.to_string().contains("audit: "), "{error}");
    assert_eq!(world.records().0, "G +1");
}

fn mixed_up(parent: &Sample) -> Sample {
    Sample { raw: parent.raw.clone(), ..parent.child("b") }
}

#[test]
fn a_block_that_is_checked_already_is_published_when_it_is_announced() {
    let (mut world, next) = spooled_ahead(|parent| parent.child("a"), true, false);
    world.geth.head(std::slice::from_ref(&next));
    world.expect(&next, "G +1 +2");
    world.stop().unwrap();
}

#[test]
fn a_bad_block_is_nobodys_trouble_until_it_is_announced() {
    let (mut world, bad) = spooled_ahead(mixed_up, false, false);
    let good = Sample::genesis().child("a").child("a");
    spooled(&world, 1, std::slice::from_ref(&good));
    world.geth.head(std::slice::from_ref(&good));
    world.expect(&good, "G +1 +2");
    world.geth.head(std::slice::from_ref(&bad));
    let error = world.failure();
    assert!(matches!(&error, Error::BadFrames { block, .. } if *block == bad.block), "{error}");
    assert_eq!(world.records().0, "G +1 +2");
}

#[test]
fn what_a_proof_refuted_ahead_is_not_forgotten() {
    // A clock ahead of ours makes no block old.
    for dated in [young, |parent: &Sample| parent.child_at(u64::MAX)] {
        let (world, next) = spooled_ahead(dated, false, true);
        world.geth.prove(false);
        refuted(world, &next);
    }
}

#[test]
fn a_master_that_could_not_prove_ahead_is_asked_again() {
    let (world, next) = spooled_ahead(young, true, false);
    world.geth.prove(true);
    refuted(world, &next);
}
