//! The judgement of stamps, case by case.

use super::{Cursor, Refusal, Verdict, judge};
use maidenlane_wire::Stamp;

fn stamp(epoch: u64, writer: u8, seq: u64) -> Stamp {
    Stamp { feed: [1; 16], epoch, writer: [writer; 16], seq, finalized: 0, more: false }
}

fn cursor(epoch: u64, writer: u8, seq: u64) -> Cursor {
    Cursor { feed: [1; 16], epoch, writer: [writer; 16], seq }
}

fn check(at: Option<Cursor>, stamp: Stamp, is_open: bool, expect: Result<Option<Cursor>, Refusal>) {
    let verdict = judge(at, &stamp, is_open).map(|verdict| match verdict {
        Verdict::Next(cursor) => Some(cursor),
        Verdict::Skip => None,
    });
    assert_eq!(verdict, expect, "{at:?} {stamp:?}");
}

#[test]
fn a_feed_begins_with_an_open() {
    check(None, stamp(1, 7, 0), true, Ok(Some(cursor(1, 7, 0))));
    check(None, stamp(1, 7, 4), false, Err(Refusal::NoOpen));
}

#[test]
fn records_follow_each_other_without_gap_and_count_once() {
    check(Some(cursor(1, 7, 3)), stamp(1, 7, 4), false, Ok(Some(cursor(1, 7, 4))));
    check(Some(cursor(1, 7, 3)), stamp(1, 7, 3), false, Ok(None));
    check(Some(cursor(1, 7, 3)), stamp(1, 7, 2), false, Ok(None));
    check(
        Some(cursor(1, 7, 3)),
        stamp(1, 7, 5),
        false,
        Err(Refusal::Gap { epoch: 1, expected_after: 3, found: 5 }),
    );
}

#[test]
fn the_first_open_of_a_higher_epoch_wins() {
    check(Some(cursor(1, 7, 3)), stamp(2, 8, 0), true, Ok(Some(cursor(2, 8, 0))));
    check(Some(cursor(2, 8, 0)), stamp(2, 9, 0), true, Ok(None));
    check(Some(cursor(2, 8, 0)), stamp(2, 9, 1), false, Ok(None));
    check(Some(cursor(2, 8, 0)), stamp(1, 7, 4), false, Ok(None));
}

#[test]
fn another_feed_is_refused() {
    check(Some(Cursor { feed: [2; 16], ..cursor(1, 7, 3) }), stamp(1, 7, 4), false, Err(Refusal::Feed));
}
