//! Tests of heads whose frames do not come.

use super::*;

/// A feed at a1, and the next block as the head, without frames for so long that it was told.
fn held() -> (World, Sample) {
    let (world, chain) = following(1);
    world.expect(&chain[1], "G +1");
    let next = chain[1].child("b");
    world.geth.head(std::slice::from_ref(&next));
    world.saw(|event| *event == Event::Held { missing: next.block });
    let reason = world.health.ready().expect_err("not ready");
    assert!(reason.contains("free space") && reason.contains("tap repair"), "{reason}");
    let (_, ended) = world.running.as_ref().unwrap();
    assert!(ended.try_recv().is_err(), "the hook may still have them");
    (world, next)
}

#[test]
fn frames_that_the_hook_holds_are_awaited() {
    let (mut world, next) = held();
    spooled(&world, 1, std::slice::from_ref(&next));
    world.expect(&next, "G +1 +2");
    world.stop().unwrap();
}

#[test]
fn frames_that_the_hook_lost_are_not() {
    let (mut world, next) = held();
    world.spool(1, &sample::hole_frame());
    let error = world.failure();
    assert!(matches!(error, Error::Hole(block) if block == next.block), "{error}");
}

#[test]
fn frames_that_others_followed_are_not() {
    let (mut world, next) = held();
    let later = next.child("b");
    world.geth.head(std::slice::from_ref(&later));
    spooled(&world, 2, &[later]);
    let error = world.failure();
    assert!(matches!(error, Error::Hole(block) if block == next.block), "{error}");
}
