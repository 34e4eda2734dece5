//! Marks that say less than there is, and entries behind a mark.

use super::{Log, NOW, TOPIC, append_raw, flip, number, numbers, payload};
use crate::segment::frame::Frame;
use crate::segment::{Consumer, Producer};
use crate::{Error, From, LogConsumer, Offset};
use std::fs::{self, OpenOptions};

#[test]
fn a_reader_does_not_read_ahead_past_the_mark() {
    let log = Log::new(1 << 20);
    log.append(0..3);
    let path = log.segments().remove(0);
    let whole = fs::metadata(&path).unwrap().len();
    let mut unpublished = Vec::new();
    let payload = payload(99);
    let frame = Frame { offset: 3, batch: 3, time_ms: 1, key: None, payload: &payload };
    assert!(frame.encode(&mut unpublished));
    append_raw(&path, &unpublished);
    let mut consumer = log.consumer();
    assert_eq!(consumer.read(1 << 20, NOW).unwrap().len(), 3);
    // Its writer fails and takes it back; another comes in its place.
    OpenOptions::new().write(true).open(&path).unwrap().set_len(whole).unwrap();
    log.append(3..4);
    assert_eq!(consumer.read(1 << 20, NOW).unwrap().iter().map(number).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_mark_that_lost_its_last_writings_loses_no_entries() {
    let log = Log::new(300);
    log.append(0..2);
    let old = fs::read(log.partition().join("durable")).unwrap();
    log.append(2..9);
    assert!(log.segments().len() > 3);
    fs::write(log.partition().join("durable"), &old).unwrap();
    // A reader that had been further gets no error that the log was cut.
    log.consumer().seek(From::At(Offset(9))).unwrap();
    assert_eq!(log.read_all().unwrap(), numbers(0..9));
    fs::remove_file(log.partition().join("durable")).unwrap();
    assert_eq!(log.read_all().unwrap(), numbers(0..9));
    log.append(9..10);
}

/// A mark is made anew when all entries are found, not before: a reader that came meanwhile would take the log for empty.
#[test]
fn a_mark_that_is_made_anew_never_says_less_than_there_is() {
    let log = Log::new(1 << 20);
    log.append(0..5);
    let durable = log.partition().join("durable");
    fs::remove_file(&durable).unwrap();
    // Whoever rebuilds it stops on its way.
    let path = log.segments().remove(0);
    let damaged = fs::metadata(&path).unwrap().len() / 2;
    flip(&path, damaged);
    assert!(matches!(Producer::open(&log.options, TOPIC), Err(Error::Corrupt { .. })));
    assert!(!durable.exists(), "a mark stands before what it should cover was read");
    assert!(matches!(Consumer::open(&log.options, TOPIC, 0), Err(Error::Corrupt { .. })));
    flip(&path, damaged);
    assert_eq!(log.read_all().unwrap(), numbers(0..5));
}
