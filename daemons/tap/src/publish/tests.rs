//! Tests of publishing: two writers on one segment log, driven step by step.

use super::{Draft, Publisher};
use crate::error::Error;
use crate::published::Standing;
use crate::tail::{Chain, Tail};
use maidenlane_chain::{B256, BlockRef, Bytes};
use maidenlane_feed::Scanner;
use maidenlane_log::{Append, Backend, LogConsumer, LogProducer, Offset, TopicOptions, segment};
use maidenlane_testkit::spool::Sample;
use maidenlane_wire::{Advance, Heartbeat, Open, Record, Rows, Stamp, Start, Undo};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TOPIC: &str = "test.chain.a.blocks";

struct Feed {
    _dir: tempfile::TempDir,
    log: Backend,
    chain: Chain,
}

impl Feed {
    fn new() -> Self {
        Self::with(&TopicOptions::default())
    }

    fn with(options: &TopicOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = Backend::Segment(segment::Options::new(dir.path()));
        log.create(TOPIC, options).unwrap();
        Self { _dir: dir, log, chain: Chain { id: 7, genesis: Sample::genesis().block.hash } }
    }

    fn writer(&self) -> Publisher {
        Publisher::new(&self.log, TOPIC, self.chain).unwrap()
    }

    fn open(&self, writer: &mut Publisher) -> Result<(), Error> {
        writer.open(Open { chain_id: self.chain.id, genesis: self.chain.genesis, ..Open::default() })
    }

    /// State of the feed as a consumer that starts now reads it.
    fn read(&self) -> Tail {
        Tail::load(self.chain, &mut Scanner::new(self.log.consumer(TOPIC, 0).unwrap()), usize::MAX).unwrap()
    }
}

fn start(sample: &Sample) -> Draft {
    let (block, header) = (sample.block, sample.header_raw.clone());
    Draft { record: Record::Start(Start { block, header, ancestors: Vec::new() }), more: false }
}

fn advance(sample: &Sample, more: bool) -> Draft {
    large_advance(sample, more, Bytes::from_static(&[0xc0]))
}

fn large_advance(sample: &Sample, more: bool, receipts: Bytes) -> Draft {
    let record = Advance {
        block: sample.block,
        parent: sample.header.parent_hash,
        header: sample.header_raw.clone(),
        body: Bytes::from_static(&[0xc2, 0xc0, 0xc0]),
        receipts,
        rows: Rows::default(),
        proofs: None,
        senders: None,
    };
    Draft { record: Record::Advance(record), more }
}

/// Bytes that do not compress into one entry.
fn noise() -> Bytes {
    let noise: Vec<u8> =
        (0..90_000_u32).flat_map(|i| maidenlane_chain::keccak256(i.to_be_bytes()).0).collect();
    noise.into()
}

fn undo(sample: &Sample, more: bool) -> Draft {
    let record = Undo {
        block: sample.block,
        parent: sample.header.parent_hash,
        header: sample.header_raw.clone(),
        transactions: Vec::new(),
        receipts: Bytes::from_static(&[0xc0]),
        rows: Rows::default(),
    };
    Draft { record: Record::Undo(record), more }
}

#[test]
fn what_is_published_is_read_back_and_found_by_the_next_writer() {
    let (feed, genesis) = (Feed::new(), Sample::genesis());
    let (one, two) = (genesis.child("a"), genesis.child("a").child("a"));
    let mut writer = feed.writer();
    feed.open(&mut writer).unwrap();
    writer.publish(vec![start(&genesis), advance(&one, false), advance(&two, false)]).unwrap();
    assert_eq!(writer.tail().published.head(), Some(two.block));
    let mut next = feed.writer();
    let reader = &next.tail().reader;
    assert_eq!((reader.epoch(), reader.next_seq(), next.tail().published.head()), (1, 4, Some(two.block)));
    let offset = next.tail().published.at(1).unwrap().offset;
    assert!(matches!(next.record_at(offset).unwrap(), Record::Advance(record) if record.block == one.block));
    feed.open(&mut next).unwrap();
    assert_eq!((next.tail().reader.epoch(), next.tail().reader.feed()), (2, writer.tail().reader.feed()));
}

#[test]
fn the_first_open_of_an_epoch_wins_and_the_other_is_displaced() {
    let (feed, genesis) = (Feed::new(), Sample::genesis());
    let (mut first, mut second) = (feed.writer(), feed.writer());
    feed.open(&mut first).unwrap();
    // The second has not read it: both take the same epoch, as in a race.
    let open = Open { chain_id: 7, genesis: genesis.block.hash, ..Open::default() };
    assert!(matches!(second.append_open(open), Err(Error::Displaced { epoch: 1 })));
    first.publish(vec![start(&genesis)]).unwrap();
    assert_eq!(feed.read().published.head(), Some(genesis.block));
}

/// A log that takes what is appended and never acknowledges it.
struct Silent(Arc<Mutex<Vec<Vec<u8>>>>);

impl LogProducer for Silent {
    fn append(&mut self, entries: &[Append<'_>]) -> Result<Vec<Offset>, maidenlane_log::Error> {
        self.0.lock().unwrap().extend(entries.iter().map(|entry| entry.payload.to_vec()));
        Err(maidenlane_log::Error::Timeout { what: "appending".to_owned(), waited_ms: 1 })
    }
}

#[test]
fn a_tap_calls_a_new_feed_the_same_each_time_it_tries_to_open_it() {
    let (feed, sent) = (Feed::new(), Arc::default());
    let mut writer = feed.writer();
    writer.producer = Box::new(Silent(Arc::clone(&sent)));
    for _ in 0..2 {
        assert!(matches!(feed.open(&mut writer), Err(Error::Log(_))));
    }
    let feeds = sent
        .lock()
        .unwrap()
        .iter()
        .map(|sent| maidenlane_wire::heading(sent).unwrap().stamp.feed)
        .collect::<Vec<_>>();
    assert_eq!(feeds, [writer.new_feed; 2]);
}

#[test]
fn a_later_open_displaces_and_what_the_displaced_adds_is_ignored() {
    let (feed, genesis) = (Feed::new(), Sample::genesis());
    let (mut old, mut new) = (feed.writer(), feed.writer());
    feed.open(&mut old).unwrap();
    old.publish(vec![start(&genesis)]).unwrap();
    feed.open(&mut new).unwrap();
    assert!(matches!(
        old.publish(vec![advance(&genesis.child("b"), false)]),
        Err(Error::Displaced { epoch: 2 })
    ));
    assert!(matches!(feed.open(&mut old), Err(Error::Displaced { epoch: 2 })));
    new.publish(vec![advance(&genesis.child("a"), false)]).unwrap();
    assert_eq!(feed.read().published.head(), Some(genesis.child("a").block));
}

#[test]
fn an_unfinished_change_stays_unfinished_for_the_next_writer() {
    let (feed, genesis) = (Feed::new(), Sample::genesis());
    let (one, other) = (genesis.child("a"), genesis.child("b"));
    let mut writer = feed.writer();
    feed.open(&mut writer).unwrap();
    writer.publish(vec![start(&genesis), advance(&one, false), undo(&one, true)]).unwrap();
    drop(writer);
    let mut next = feed.writer();
    assert!(next.tail().reader.more());
    feed.open(&mut next).unwrap();
    assert!(next.tail().reader.more(), "the OPEN itself must not end the change");
    next.publish(vec![advance(&other, false)]).unwrap();
    assert_eq!((feed.read().reader.more(), feed.read().published.head()), (false, Some(other.block)));
}

#[test]
fn large_records_travel_in_parts_and_an_unfinished_set_is_dropped() {
    let (feed, genesis) = (Feed::new(), Sample::genesis());
    let mut writer = feed.writer();
    feed.open(&mut writer).unwrap();
    let one = genesis.child("a");
    writer.publish(vec![start(&genesis), large_advance(&one, false, noise())]).unwrap();
    assert!(writer.tail().reader.next_seq() > 4, "it must have been split");
    let offset = writer.tail().published.at(1).unwrap().offset;
    assert_eq!(offset, Offset(2));
    assert!(
        matches!(writer.record_at(offset).unwrap(), Record::Advance(record) if record.block == one.block)
    );
    writer.publish(vec![advance(&one.child("a"), false)]).unwrap();
    assert_eq!(feed.read().published.len(), 3);
}

#[test]
fn a_record_is_read_again_past_what_others_left_between_its_parts() {
    let (feed, genesis) = (Feed::new(), Sample::genesis());
    let (one, noise) = (genesis.child("a"), noise());
    let mut writer = feed.writer();
    feed.open(&mut writer).unwrap();
    writer.publish(vec![start(&genesis)]).unwrap();
    let reader = &writer.tail().reader;
    let (name, epoch, seq) = (reader.feed().unwrap(), reader.epoch(), reader.next_seq());
    let stamp = Stamp { feed: name, epoch, writer: writer.writer, seq, finalized: 0, more: false };
    let whole = large_advance(&one, false, noise).record;
    let (mut entries, _) = maidenlane_wire::parts::entries(stamp, whole).unwrap();
    assert!(entries.len() > 1, "it must have been split");
    let late = Stamp { epoch: 0, writer: [9; 16], ..stamp };
    let late = maidenlane_wire::Stamped { stamp: late, record: start(&genesis).record };
    entries.insert(1, maidenlane_wire::encode(&late));
    let appends: Vec<_> = entries.iter().map(|payload| Append { key: None, payload }).collect();
    feed.log.producer(TOPIC).unwrap().append(&appends).unwrap();
    writer.refresh().unwrap();
    let offset = writer.tail().published.at(1).unwrap().offset;
    let read = writer.record_at(offset).unwrap();
    assert!(matches!(&read, Record::Advance(record) if record.block == one.block), "{read:?}");
}

#[test]
fn a_writer_whose_log_was_cut_writes_nothing_more() {
    let (feed, genesis) = (Feed::new(), Sample::genesis());
    let one = genesis.child("a");
    let Backend::Segment(options) = &feed.log else { panic!("a segment log") };
    let mut writer = feed.writer();
    feed.open(&mut writer).unwrap();
    writer.publish(vec![start(&genesis), advance(&one, false)]).unwrap();
    segment::cut(options, TOPIC, 0, Offset(2)).unwrap();
    // Nor does it wait for ever for a record that it wants to read again.
    let offset = writer.tail().published.at(1).unwrap().offset;
    assert!(matches!(writer.record_at(offset), Err(Error::Cut { read: 3, end: 2 })));
    let refused = writer.publish(vec![advance(&one.child("a"), false)]).unwrap_err();
    assert!(matches!(refused, Error::Log(maidenlane_log::Error::Cut { end: 2, .. })), "{refused}");
    assert!(matches!(writer.refresh(), Err(Error::Cut { read: 3, end: 2 })));
    let mut next = feed.writer();
    feed.open(&mut next).unwrap();
    next.publish(vec![advance(&one, false)]).unwrap();
    assert_eq!(feed.read().published.head(), Some(one.block));
}

#[test]
fn finality_never_moves_back() {
    let (feed, genesis) = (Feed::new(), Sample::genesis());
    let (one, two) = (genesis.child("a"), genesis.child("a").child("a"));
    let mut writer = feed.writer();
    feed.open(&mut writer).unwrap();
    writer.publish(vec![start(&genesis), advance(&one, false), advance(&two, false)]).unwrap();
    let ahead = BlockRef::new(9, B256::repeat_byte(9));
    assert!(writer.finality(Some(ahead), Some(ahead)).is_none(), "the feed is not there yet");
    let news = writer.finality(Some(two.block), Some(one.block)).unwrap();
    writer.publish(vec![news]).unwrap();
    assert!(writer.finality(None, None).is_none(), "a restarted geth knows of none");
    assert!(writer.finality(Some(two.block), Some(genesis.block)).is_none());
    let finals = feed.read().finals.unwrap();
    assert_eq!((finals.safe, finals.finalized), (Some(two.block), Some(one.block)));
    assert_eq!(feed.writer().finalized(), 1);
}

/// A log that answers no read while it hiccups, and whose reader stands where it was sent meanwhile.
struct Hiccup {
    log: Box<dyn LogConsumer>,
    reads_left: usize,
}

impl LogConsumer for Hiccup {
    fn seek(&mut self, from: maidenlane_log::From) -> Result<(), maidenlane_log::Error> {
        self.log.seek(from)
    }

    fn read(
        &mut self,
        max_bytes: usize,
        wait: Duration,
    ) -> Result<Vec<maidenlane_log::Entry>, maidenlane_log::Error> {
        if self.reads_left == 0 {
            self.reads_left = usize::MAX;
            return Err(maidenlane_log::Error::Timeout { what: "reading".to_owned(), waited_ms: 1 });
        }
        self.reads_left -= 1;
        self.log.read(max_bytes, wait)
    }

    fn earliest(&mut self) -> Result<Offset, maidenlane_log::Error> {
        self.log.earliest()
    }

    fn end(&mut self) -> Result<Offset, maidenlane_log::Error> {
        self.log.end()
    }
}

#[test]
fn a_hiccup_while_more_is_remembered_loses_no_place() {
    let (feed, genesis) = (Feed::new(), Sample::genesis());
    let one = genesis.child("a");
    let mut writer = feed.writer();
    feed.open(&mut writer).unwrap();
    writer.publish(vec![start(&genesis), advance(&one, false)]).unwrap();
    writer.tail.published.forget_base();
    let log = feed.log.consumer(TOPIC, 0).unwrap();
    writer.log = Scanner::new(Box::new(Hiccup { log, reads_left: 0 }));
    assert!(matches!(writer.remember_more(), Err(Error::Log(_))));
    writer.publish(vec![advance(&one.child("a"), false)]).unwrap();
    assert_eq!(feed.read().published.head(), Some(one.child("a").block));
}

#[test]
fn an_open_in_the_middle_of_a_change_does_not_end_it() {
    let (feed, genesis) = (Feed::new(), Sample::genesis());
    let one = genesis.child("a");
    let mut old = feed.writer();
    feed.open(&mut old).unwrap();
    old.publish(vec![start(&genesis), advance(&one, false)]).unwrap();
    let mut new = feed.writer();
    // It has not read the UNDO that stands before its OPEN.
    old.publish(vec![undo(&one, true)]).unwrap();
    new.append_open(Open { chain_id: 7, genesis: genesis.block.hash, ..Open::default() }).unwrap();
    assert!(new.tail.reader.more() && feed.read().reader.more());
}

#[test]
fn a_feed_of_which_only_heartbeats_are_left_goes_on_at_its_head() {
    let little = TopicOptions {
        segment_max_bytes: 1_000,
        retention_max_bytes: Some(2_000),
        ..TopicOptions::default()
    };
    let (feed, genesis) = (Feed::with(&little), Sample::genesis());
    let one = genesis.child("a");
    let mut writer = feed.writer();
    feed.open(&mut writer).unwrap();
    writer.publish(vec![start(&genesis), advance(&one, false)]).unwrap();
    let beat = Heartbeat { published: one.block, master: one.block, resuming: false, master_seen_ms: 1 };
    let oldest = || feed.log.consumer(TOPIC, 0).unwrap().earliest().unwrap();
    for _ in 0..100 {
        writer.publish(vec![Draft { record: Record::Heartbeat(beat), more: false }]).unwrap();
    }
    assert!(oldest() > Offset(3), "the records of blocks are still there: {:?}", oldest());
    let mut next = feed.writer();
    assert_eq!(next.tail().published.head(), Some(one.block));
    feed.open(&mut next).unwrap();
    next.publish(vec![advance(&one.child("a"), false)]).unwrap();
    next.publish(vec![undo(&one.child("a"), false)]).unwrap();
    assert_eq!(feed.read().published.head(), Some(one.block));
    assert_eq!(next.tail().published.standing(genesis.block), Standing::Deeper);
    assert!(!next.remember_more().unwrap(), "there is no more");
}
