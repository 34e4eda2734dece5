//! Tests of what observations change in the pool as it was told.

use super::{Held, Known, Left};
use alloy::primitives::U256;
use maidenlane_chain::{Address, B256, BlockRef, Bytes};
use maidenlane_wire::{PoolStep, Pooled};
use std::collections::BTreeSet;

/// Transaction number `hash` of a sender.
fn seen(hash: u8, sender: u8, nonce: u64, is_blob: bool) -> Held {
    let (hash, sender) = (B256::repeat_byte(hash), Address::repeat_byte(sender));
    let pooled = Pooled { hash, sender, raw: Bytes::from_static(&[2]) };
    Held { pooled, nonce, cost: U256::ZERO, gas: 21_000, is_blob, queued: false }
}

/// Steps, short.
fn short(steps: &[PoolStep]) -> String {
    let number = |hash: &B256| hash.0[0];
    let short = steps.iter().map(|step| match step {
        PoolStep::Begin => "begin".to_owned(),
        PoolStep::Added { pooled, queued: false } => format!("+{}", number(&pooled.hash)),
        PoolStep::Added { pooled, queued: true } => format!("q{}", number(&pooled.hash)),
        PoolStep::Promoted { hash } => format!("!{}", number(hash)),
        PoolStep::Mined { hash, block } => format!("m{}@{}", number(hash), block.number),
        PoolStep::Replaced { hash, by } => format!("r{}>{}", number(hash), number(by)),
        PoolStep::Dropped { hash, reason } => {
            format!("d{}:{}", number(hash), reason.as_deref().unwrap_or("unknown"))
        }
        PoolStep::Complete => "complete".to_owned(),
        PoolStep::Alive => "alive".to_owned(),
    });
    short.collect::<Vec<_>>().join(" ")
}

/// Checks the steps of a change.
fn check(known: &mut Known, change: impl FnOnce(&mut Known, &mut Vec<PoolStep>), expect: &str) {
    let mut steps = Vec::new();
    change(known, &mut steps);
    assert_eq!(short(&steps), expect);
}

#[test]
fn what_is_new_is_told_once_and_what_was_queued_when_it_is_announced() {
    let mut known = Known::default();
    check(&mut known, |known, steps| known.add(seen(1, 9, 0, false), false, steps), "+1");
    check(&mut known, |known, steps| known.add(seen(1, 9, 0, false), false, steps), "");
    check(&mut known, |known, steps| known.add(seen(2, 9, 5, false), true, steps), "q2");
    check(&mut known, |known, steps| known.stands(B256::repeat_byte(2), true, steps), "");
    check(&mut known, |known, steps| known.add(seen(2, 9, 5, false), false, steps), "!2");
    // Back in the queue, and out of it again.
    check(&mut known, |known, steps| known.stands(B256::repeat_byte(2), true, steps), "");
    check(&mut known, |known, steps| known.stands(B256::repeat_byte(2), false, steps), "!2");
    assert_eq!(short(&known.whole()), "begin +1 +2 complete");
}

#[test]
fn one_with_the_nonce_of_another_replaces_it() {
    let mut known = Known::default();
    check(&mut known, |known, steps| known.add(seen(1, 9, 3, false), false, steps), "+1");
    check(&mut known, |known, steps| known.add(seen(2, 9, 3, false), false, steps), "r1>2 +2");
    check(&mut known, |known, steps| known.add(seen(3, 8, 3, false), false, steps), "+3");
    assert_eq!(known.absent(&BTreeSet::new()).len(), 2);
    assert_eq!(known.bytes(), 2 * 401);
}

#[test]
fn a_listing_says_what_has_left_but_nothing_of_blobs() {
    let mut known = Known::default();
    for seen in [seen(1, 9, 0, false), seen(2, 9, 1, false), seen(3, 8, 0, true)] {
        known.add(seen, false, &mut Vec::new());
    }
    let listed = BTreeSet::from([B256::repeat_byte(2)]);
    assert_eq!(known.absent(&listed), [B256::repeat_byte(1)]);
    let (mined, dropped) = (Left::Mined(BlockRef::new(7, B256::ZERO)), Left::Dropped(Some("unpayable-txs")));
    check(&mut known, |known, steps| _ = known.leave(B256::repeat_byte(1), &mined, steps), "m1@7");
    check(
        &mut known,
        |known, steps| _ = known.leave(B256::repeat_byte(3), &dropped, steps),
        "d3:unpayable-txs",
    );
    check(
        &mut known,
        |known, steps| _ = known.leave(B256::repeat_byte(2), &Left::Dropped(None), steps),
        "d2:unknown",
    );
    assert!(!known.leave(B256::repeat_byte(2), &Left::Dropped(None), &mut Vec::new()));
    assert_eq!((known.len(), known.bytes(), short(&known.whole()).as_str()), (0, 0, "begin complete"));
}

#[test]
fn transactions_with_blobs_have_their_turns() {
    let mut known = Known::default();
    for hash in 1..=5 {
        known.add(seen(hash, hash, 0, true), false, &mut Vec::new());
    }
    let turns: Vec<Vec<u8>> = (0..3).map(|_| known.blobs(2).iter().map(|hash| hash.0[0]).collect()).collect();
    assert_eq!(turns, [vec![1, 2], vec![3, 4], vec![1, 5]]);
    assert_eq!(known.blobs(100).len(), 5);
}
