//! What the feed says: its records folded, in order, into writer, head and position.
//!
//! The same rules as every consumer's: the first OPEN of an epoch wins, a higher epoch ends the lower one, what
//! others write is ignored, `seq` is dense. The tap keeps no position of its own, so this decides where it goes on.

use crate::error::Error;
use crate::failpoints;
use crate::published::{Link, Published};
use alloy::consensus::Header;
use alloy::rlp::Decodable;
use maidenlane_chain::{B256, BlockRef, Bytes};
use maidenlane_log::{Entry, From, LogConsumer, Offset};
use maidenlane_service::failpoint;
use maidenlane_wire::record::Id;
use maidenlane_wire::{Final, Joiner, Record, Stamp, Stamped};
use std::time::Duration;

/// One read of the log.
const READ_MAX_BYTES: usize = 8 << 20;
/// Entries that were acknowledged must be readable within this.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// The first look at the tail: far more than a displaced writer can add before it notices.
const SPAN_ENTRIES: u64 = 4096;

/// The chain a feed must be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// EIP-155 chain id.
    pub id: u64,
    /// Hash of block 0.
    pub genesis: B256,
}

/// The feed up to the newest record read.
#[derive(Debug)]
pub struct Tail {
    chain: Chain,
    /// The feed's uuid; `None` while it is empty.
    pub feed: Option<Id>,
    /// The newest epoch, 0 before the first.
    pub epoch: u64,
    /// Who owns it.
    pub writer: Id,
    /// The next sequence number of the owner.
    pub seq: u64,
    /// The last record left a head change unfinished.
    pub open_change: bool,
    /// The highest finalized number that any record carried.
    pub finalized: u64,
    /// The last FINAL seen.
    pub finals: Option<Final>,
    /// The published chain.
    pub published: Published,
    /// The next offset to read.
    pub next: Offset,
    /// Reading began in the middle of the feed and has not met an OPEN yet.
    adrift: bool,
    joiner: Joiner,
    first_part: Offset,
}

impl Tail {
    /// An empty feed of `chain`; `adrift` if reading begins in its middle.
    #[must_use]
    pub fn new(chain: Chain, adrift: bool) -> Self {
        Self {
            chain,
            feed: None,
            epoch: 0,
            writer: [0; 16],
            seq: 0,
            open_change: false,
            finalized: 0,
            finals: None,
            published: Published::default(),
            next: Offset(0),
            adrift,
            joiner: Joiner::default(),
            first_part: Offset(0),
        }
    }

    /// Reads as much of the feed's end as it takes to remember `links_min` blocks, or all of it.
    ///
    /// # Errors
    /// When the log cannot be read or holds what no tap writes.
    pub fn load(chain: Chain, log: &mut dyn LogConsumer, links_min: usize) -> Result<Self, Error> {
        failpoint(failpoints::BEFORE_TAIL_READ);
        let mut span = SPAN_ENTRIES;
        loop {
            let (earliest, end) = (log.earliest()?, log.end()?);
            let from = Offset(end.0.saturating_sub(span).max(earliest.0));
            let mut tail = Self::new(chain, from.0 > 0);
            tail.next = from;
            log.seek(From::At(from))?;
            tail.read_to(log, end)?;
            if from == earliest || (tail.published.len() >= links_min && tail.published.head_link().is_some())
            {
                failpoint(failpoints::AFTER_TAIL_READ);
                return Ok(tail);
            }
            span = span.saturating_mul(8);
        }
    }

    /// Reads on until just before `end`.
    ///
    /// # Errors
    /// As [`Tail::load`].
    pub fn read_to(&mut self, log: &mut dyn LogConsumer, end: Offset) -> Result<(), Error> {
        while self.next < end {
            let entries = log.read(READ_MAX_BYTES, READ_WITHIN)?;
            if entries.is_empty() {
                let waited_ms = u64::try_from(READ_WITHIN.as_millis()).unwrap_or(u64::MAX);
                let what = format!("reading offset {}", self.next.0);
                return Err(maidenlane_log::Error::Timeout { what, waited_ms }.into());
            }
            for entry in &entries {
                self.fold(entry)?;
            }
        }
        Ok(())
    }

    /// Folds one entry.
    ///
    /// # Errors
    /// When it is not what a tap writes.
    pub fn fold(&mut self, entry: &Entry) -> Result<(), Error> {
        let broken = |what: String| Error::BrokenFeed { offset: entry.offset.0, what };
        let stamped = maidenlane_wire::decode(&entry.payload).map_err(|error| broken(error.to_string()))?;
        self.next = Offset(entry.offset.0.saturating_add(1));
        let stamp = stamped.stamp;
        if !self.admit(&stamp, &stamped.record).map_err(broken)? {
            return Ok(());
        }
        // Only for what counts: two taps that race for an empty feed name it differently, and one of them loses.
        if self.feed.is_some_and(|feed| feed != stamp.feed) {
            return Err(broken("a record of another feed".to_owned()));
        }
        self.feed = Some(stamp.feed);
        self.seq = stamp.seq.saturating_add(1);
        self.open_change = stamp.more;
        self.finalized = self.finalized.max(stamp.finalized);
        let offset = match &stamped.record {
            Record::Part(part) if part.index > 0 => self.first_part,
            _ => entry.offset,
        };
        self.first_part = offset;
        if self.adrift
            && !self.joiner.is_open()
            && matches!(&stamped.record, Record::Part(part) if part.index > 0)
        {
            return Ok(()); // reading began in the middle of this set
        }
        match self.joiner.push(stamped).map_err(|error| broken(error.to_string()))? {
            Some(whole) => self.apply(offset, whole).map_err(broken),
            None => Ok(()),
        }
    }

    /// Whether the record counts.
    fn admit(&mut self, stamp: &Stamp, record: &Record) -> Result<bool, String> {
        if matches!(record, Record::Open(_)) {
            if stamp.epoch <= self.epoch {
                return Ok(false);
            }
            (self.epoch, self.writer, self.adrift) = (stamp.epoch, stamp.writer, false);
            return Ok(true);
        }
        if self.adrift && stamp.epoch > self.epoch {
            // A writer writes more than its OPEN only after it has seen that its OPEN came first. Whatever a
            // writer of an older epoch left before this is not to be trusted: its OPEN may lie behind us.
            self.published.clear();
            (self.epoch, self.writer) = (stamp.epoch, stamp.writer);
            return Ok(true);
        }
        if (stamp.epoch, stamp.writer) != (self.epoch, self.writer) {
            return Ok(false);
        }
        if stamp.seq != self.seq {
            return Err(format!("sequence number {} where {} is due", stamp.seq, self.seq));
        }
        Ok(true)
    }

    fn apply(&mut self, offset: Offset, stamped: Stamped) -> Result<(), String> {
        let fits = match stamped.record {
            Record::Open(open) => {
                if (open.chain_id, open.genesis) != (self.chain.id, self.chain.genesis) {
                    return Err(format!("a feed of chain {} with genesis {}", open.chain_id, open.genesis));
                }
                true
            }
            Record::Genesis(genesis) => {
                self.published.begin(link(genesis.block, &genesis.header, offset)?);
                true
            }
            Record::Start(start) => {
                self.published.begin(link(start.block, &start.header, offset)?);
                true
            }
            Record::Advance(advance) => self.published.advance(link(advance.block, &advance.header, offset)?),
            Record::Undo(undo) => self.published.undo(undo.block, undo.parent),
            Record::Final(finals) => {
                self.finals = Some(finals);
                true
            }
            Record::Heartbeat(_) | Record::Part(_) => true,
        };
        if fits { Ok(()) } else { Err("a head change that does not join the head".to_owned()) }
    }
}

fn link(block: BlockRef, header: &Bytes, offset: Offset) -> Result<Link, String> {
    let decoded =
        Header::decode(&mut header.as_ref()).map_err(|error| format!("header of {block}: {error}"))?;
    Ok(Link { block, parent: decoded.parent_hash, root: decoded.state_root, offset })
}
