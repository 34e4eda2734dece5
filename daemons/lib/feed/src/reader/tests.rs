//! Tests of the admission of stamps, case by case.

use super::{Reader, Violation};
use crate::position::Position;
use maidenlane_log::{Entry, Offset};
use maidenlane_wire::{Final, Open, Record, Stamp, Stamped};

fn stamp(epoch: u64, writer: u8, seq: u64) -> Stamp {
    Stamp { feed: [1; 16], epoch, writer: [writer; 16], seq, finalized: 0, more: false }
}

fn cursor(epoch: u64, writer: u8, seq: u64) -> Position {
    Position { feed: [1; 16], epoch, writer: [writer; 16], seq, offset: 0, crc32c: 0, more: false }
}

fn check(at: Option<Position>, stamp: Stamp, is_open: bool, expect: Result<Option<Position>, Violation>) {
    let open = Open { chain_id: 1, ..Open::default() };
    let finals = Final { safe: None, finalized: None };
    let record = if is_open { Record::Open(open) } else { Record::Final(finals) };
    let payload = maidenlane_wire::encode(&Stamped { stamp, record });
    let entry = Entry { offset: Offset(0), key: None, payload };
    let mut reader = at.as_ref().map_or_else(Reader::at_start, Reader::behind);
    let verdict =
        reader.read(&entry).map(|whole| whole.map(|whole| Position { crc32c: 0, ..whole.position() }));
    assert_eq!(verdict, expect, "{at:?} {stamp:?}");
}

#[test]
fn a_feed_begins_with_an_open() {
    check(None, stamp(1, 7, 0), true, Ok(Some(cursor(1, 7, 0))));
    check(None, stamp(1, 7, 4), false, Err(Violation::NoOpen));
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
        Err(Violation::Gap { epoch: 1, expected_after: 3, found: 5 }),
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
    check(
        Some(Position { feed: [2; 16], ..cursor(1, 7, 3) }),
        stamp(1, 7, 4),
        false,
        Err(Violation::OtherFeed),
    );
}
