//! Check of a history in words, read in every way that a reader may read it.
//!
//! A history is a list of entries, each `WRITER EPOCH[@FEED][#SEQ] RECORD[*]` (the star says `more`), where RECORD is
//! `open`, `final`, `beat`, `=N` (START), `+N` (ADVANCE), `-N>PARENT` (UNDO), or `+N I/3` (a part of an ADVANCE);
//! blocks are called by number and letter. `cut N` leaves the first N entries of the log, which is not read on until
//! `again`: then a reader starts at its position, or finds its head again. At `begin`, it begins there, in the middle.
//! What is expected is what counted, in order, with a star where `more` counts.

use crate::{Error, Position, Reader, Scanner, Whole};
use maidenlane_chain::{B256, BlockRef, Bytes, keccak256};
use maidenlane_log::{Entry, From, LogConsumer, Offset};
use maidenlane_wire::{
    Advance, Final, Heading, Heartbeat, Id, Kind, Open, Record, Rows, Stamp, Stamped, Start, Undo,
};
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;
use std::time::Duration;

/// Bytes that do not compress, and make a record of three parts.
static NOISE: LazyLock<Bytes> = LazyLock::new(|| {
    (0..70_000_u32).flat_map(|at| keccak256(at.to_be_bytes()).0).collect::<Vec<u8>>().into()
});

/// Checks `history`, read from its start, from every record on where a reader may have stood, and from every entry on.
pub(super) fn check(history: &str, expect: &str) {
    let mut writers = Writers::default();
    let mut reading = Reading::default();
    let mut is_cut = false;
    for words in history.split(';').map(str::trim) {
        match words.split_once(' ') {
            None if words == "again" => {
                is_cut = false;
                reading.again();
            }
            None if words == "begin" => {
                reading = Reading { log: reading.log, reader: Reader::in_middle(), ..Reading::default() };
                reading.next = reading.log.len();
            }
            Some(("cut", at)) => {
                is_cut = true;
                reading.log.truncate(at.parse().unwrap());
            }
            _ => {
                let offset = Offset(reading.log.len() as u64);
                reading.log.push(Entry { offset, key: None, payload: writers.entry(words) });
            }
        }
        if !is_cut {
            reading.go_on();
        }
    }
    assert_eq!(reading.said(), expect, "{history}");
    if history.contains("again") || history.contains("begin") || expect.contains('!') {
        return;
    }
    reading.positions.iter().for_each(|(position, said)| check_behind(&reading, position, *said, history));
    if reading.is_proof_against_the_middle() {
        (1..reading.log.len()).for_each(|from| check_from(&reading, from, history));
    }
}

/// Checks that a reader that starts behind a record reads on as if it had never stopped.
fn check_behind(whole: &Reading, position: &Position, said: usize, history: &str) {
    let mut reading = Reading { log: whole.log.clone(), next: next_of(position), ..Reading::default() };
    reading.reader = Reader::behind(position);
    reading.go_on();
    assert_eq!(reading.said, whole.said[said..], "behind {position:?} of {history}");
}

/// Checks that a reader that begins in the middle ends where one that has read all does, if the owner wrote more than
/// an OPEN.
fn check_from(whole: &Reading, from: usize, history: &str) {
    let mut reading = Reading { log: whole.log.clone(), next: from, ..Reading::default() };
    reading.reader = Reader::in_middle();
    reading.go_on();
    let proof = whole.log.iter().rposition(|entry| {
        let heading = maidenlane_wire::heading(&entry.payload).unwrap();
        let is_owner = (heading.stamp.epoch, Some(heading.stamp.writer))
            == (whole.reader.epoch(), whole.reader.writer());
        is_owner && heading.kind != Kind::Open
    });
    if proof.is_some_and(|proof| proof >= from) {
        let end = |reader: &Reader| (reader.feed(), reader.epoch(), reader.writer(), reader.next_seq());
        assert_eq!(end(&reading.reader), end(&whole.reader), "from entry {from} of {history}");
        let mut said = reading.said.clone();
        // Before it has read anything else, it takes a head change for half-way.
        said.iter_mut().take_while(|word| *word == "open*").for_each(|word| *word = "open".to_owned());
        let mut all = whole.said[whole.said.len().saturating_sub(said.len())..].to_vec();
        all.iter_mut().take_while(|word| word.starts_with("open")).for_each(|word| *word = "open".to_owned());
        assert_eq!(said, all, "from entry {from} of {history}");
        if !reading.said.is_empty() {
            assert_eq!(reading.reader.more(), whole.reader.more(), "from entry {from} of {history}");
        }
    }
}

/// A reader of one log, what it read, and the chain that it then knows.
struct Reading {
    log: Vec<Entry>,
    reader: Reader,
    next: usize,
    said: Vec<String>,
    chain: Vec<String>,
    /// Positions, each with how much was said then.
    positions: Vec<(Position, usize)>,
    ended: bool,
}

impl Default for Reading {
    fn default() -> Self {
        let (log, said, chain, positions) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { log, reader: Reader::at_start(), next: 0, said, chain, positions, ended: false }
    }
}

impl Reading {
    fn go_on(&mut self) {
        while !self.ended
            && let Some(entry) = self.log.get(self.next)
        {
            self.next += 1;
            match self.reader.read(entry) {
                Ok(None) => {}
                Ok(Some(whole)) => {
                    if whole.forget {
                        self.said.clear();
                    }
                    self.said.push(word(&whole, &mut self.chain));
                    self.positions.push((whole.position(), self.said.len()));
                }
                Err(violation) => {
                    self.ended = true;
                    let text = violation.to_string();
                    self.said.push(format!("!{text}"));
                }
            }
        }
    }

    /// Starts again, as a replica does.
    fn again(&mut self) {
        let mut scanner = Scanner::new(Box::new(Memory { entries: self.log.clone(), next: 0 }));
        let (position, _) = *self.positions.last().unwrap();
        let found = if scanner.holds(position.offset, position.crc32c).unwrap() {
            Some((position, block(self.chain.last().unwrap())))
        } else {
            let end = Offset(position.offset.min(self.log.len() as u64));
            let ours = |head: BlockRef| Ok::<_, Error>(self.chain.iter().any(|name| block(name) == head));
            scanner.newest(end, ours).unwrap()
        };
        let Some((position, head)) = found else {
            self.ended = true;
            return self.said.push("lost".to_owned());
        };
        let height = self.chain.iter().position(|name| block(name) == head).unwrap();
        self.chain.truncate(height + 1);
        self.said.push(format!("@{}", self.chain[height]));
        (self.reader, self.next) = (Reader::behind(&position), next_of(&position));
    }

    /// True if all writers of more than an OPEN had won, and nothing stands twice: a reader that has not read the OPENs
    /// or the original cannot know.
    fn is_proof_against_the_middle(&self) -> bool {
        let headings = || self.log.iter().map(|entry| maidenlane_wire::heading(&entry.payload).unwrap());
        let writer = |stamp: Stamp| (stamp.epoch, stamp.writer);
        let (mut winners, mut seen) = (Vec::<(u64, Id)>::new(), HashSet::new());
        headings().all(|Heading { kind, stamp }| {
            if kind == Kind::Open && winners.last().is_none_or(|(epoch, _)| stamp.epoch > *epoch) {
                winners.push(writer(stamp));
            }
            let won = if kind == Kind::Open { stamp.seq == 0 } else { winners.contains(&writer(stamp)) };
            won && seen.insert((writer(stamp), stamp.seq))
        })
    }

    fn said(&self) -> String {
        self.said.join(" ")
    }
}

fn next_of(position: &Position) -> usize {
    usize::try_from(position.offset).unwrap() + 1
}

/// Word for a record; `chain` follows it.
fn word(whole: &Whole<'_>, chain: &mut Vec<String>) -> String {
    let name = |header: &Bytes| String::from_utf8(header.to_vec()).unwrap();
    let word = match whole.record().unwrap() {
        Record::Open(_) => "open".to_owned(),
        Record::Final(_) => "final".to_owned(),
        Record::Heartbeat(_) => "beat".to_owned(),
        Record::Start(start) => format!("={}", name(&start.header)),
        Record::Advance(advance) => format!("+{}", name(&advance.header)),
        Record::Undo(undo) => format!("-{}", name(&undo.header)),
        other => panic!("{other:?}"),
    };
    match word.split_at(1) {
        ("=" | "+", name) => chain.push(name.to_owned()),
        ("-", _) => drop(chain.pop()),
        _ => {}
    }
    if whole.stamp.more { word + "*" } else { word }
}

fn block(name: &str) -> BlockRef {
    let digits = name.trim_end_matches(char::is_alphabetic);
    BlockRef::new(digits.parse().unwrap(), keccak256(name))
}

/// Sequence numbers of all writers.
#[derive(Default)]
struct Writers(HashMap<(char, u64), u64>);

impl Writers {
    /// Bytes of one entry.
    fn entry(&mut self, words: &str) -> Vec<u8> {
        let (who, what) = words.split_once(' ').unwrap();
        let (who, seq) =
            who.split_once('#').map_or((who, None), |(who, seq)| (who, Some(seq.parse().unwrap())));
        let (who, feed) = who.split_once('@').unwrap_or((who, "f"));
        let writer = who.chars().next().unwrap();
        let epoch = who[1..].parse().unwrap();
        let due = self.0.entry((writer, epoch)).or_default();
        let seq = seq.unwrap_or(*due);
        *due = (*due).max(seq + 1);
        let (what, more) = what.strip_suffix('*').map_or((what, false), |what| (what, true));
        let id = |name: u8| -> Id { [name; 16] };
        let (feed, writer) = (id(feed.as_bytes()[0]), id(u8::try_from(writer).unwrap()));
        let stamp = Stamp { feed, epoch, writer, seq, finalized: 0, more };
        match what.split_once(' ') {
            Some((what, part)) => {
                let index: usize = part[..1].parse().unwrap();
                let (parts, _) = maidenlane_wire::parts::entries(stamp, record(what, true)).unwrap();
                assert_eq!(part, format!("{index}/{}", parts.len()), "{words}");
                let mut stamped = maidenlane_wire::decode(&parts[index]).unwrap();
                stamped.stamp.seq = seq;
                maidenlane_wire::encode(&stamped)
            }
            None => maidenlane_wire::encode(&Stamped { stamp, record: record(what, false) }),
        }
    }
}

fn record(what: &str, is_large: bool) -> Record {
    let (at, empty) = (BlockRef::default(), Bytes::new());
    let header = |name: &str| Bytes::copy_from_slice(name.as_bytes());
    match what.split_at(1) {
        ("=", name) => {
            Record::Start(Start { block: block(name), header: header(name), ancestors: Vec::new() })
        }
        ("+", name) => Record::Advance(Advance {
            block: block(name),
            parent: B256::ZERO,
            header: header(name),
            body: if is_large { NOISE.clone() } else { empty.clone() },
            receipts: empty,
            rows: Rows::default(),
            proofs: None,
            senders: None,
        }),
        ("-", names) => {
            let (name, parent) = names.split_once('>').unwrap();
            let (block, parent) = (block(name), block(parent).hash);
            let (header, receipts, rows) = (header(name), empty, Rows::default());
            Record::Undo(Undo { block, parent, header, transactions: Vec::new(), receipts, rows })
        }
        ("f", _) => Record::Final(Final { safe: None, finalized: None }),
        ("b", _) => {
            Record::Heartbeat(Heartbeat { published: at, master: at, resuming: false, master_seen_ms: 0 })
        }
        _ => {
            assert_eq!(what, "open");
            Record::Open(Open { chain_id: 1, ..Open::default() })
        }
    }
}

/// A log in memory.
struct Memory {
    entries: Vec<Entry>,
    next: usize,
}

impl LogConsumer for Memory {
    fn seek(&mut self, from: From) -> Result<(), maidenlane_log::Error> {
        let From::At(offset) = from else { panic!("a place") };
        let end = self.entries.len() as u64;
        if offset.0 > end {
            let topic = "memory".to_owned();
            return Err(maidenlane_log::Error::BeyondEnd { topic, wanted: offset.0, end });
        }
        self.next = usize::try_from(offset.0).unwrap();
        Ok(())
    }

    fn read(&mut self, _: usize, _: Duration) -> Result<Vec<Entry>, maidenlane_log::Error> {
        // Entry by entry: readers must not count on more.
        let entries = self.entries.get(self.next).cloned().into_iter().collect::<Vec<_>>();
        self.next += entries.len();
        Ok(entries)
    }

    fn earliest(&mut self) -> Result<Offset, maidenlane_log::Error> {
        Ok(Offset(0))
    }

    fn end(&mut self) -> Result<Offset, maidenlane_log::Error> {
        Ok(Offset(self.entries.len() as u64))
    }
}
