//! The one writer of a feed: epochs, sequence numbers, and the proof that they are ours.
//!
//! # Correctness
//! - Nothing is believed because it was sent. Every append is read back through the same fold that consumers use,
//!   and only that moves the position: two taps that race see the same winner.
//! - After an append whose outcome is unknown, the old epoch is abandoned: what may still arrive of it is ignored
//!   by everyone once the next OPEN stands in the log.
//! - While the log's last record leaves a head change unfinished, OPEN, FINAL and HEARTBEAT carry `more` too, so
//!   that no reader takes the half-way block for a head.

use crate::error::Error;
use crate::failpoints;
use crate::published::Standing;
use crate::tail::{Chain, Tail};
use maidenlane_chain::BlockRef;
use maidenlane_feed::{Reader, Scanner};
use maidenlane_log::{Append, Backend, LogProducer, Offset};
use maidenlane_service::failpoint;
use maidenlane_wire::{Final, Id, Open, Record, Stamp};

/// Blocks remembered at least, if the feed has them: deeper reorgs read more.
const LINKS_MIN: usize = 256;

/// One record to publish.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Content.
    pub record: Record,
    /// True if more records of the same head change follow.
    pub more: bool,
}

/// Publisher: appends to one feed and reads it back.
pub struct Publisher {
    producer: Box<dyn LogProducer>,
    log: Scanner,
    tail: Tail,
    chain: Chain,
    /// Writer id of this process, for as long as it lives.
    writer: Id,
    /// Id of a feed that begins with us. One for all our OPENs: the one that counts may be one whose acknowledgement
    /// was lost.
    new_feed: Id,
    /// True once we have owned an epoch: from then on, an epoch of another writer displaces us.
    owned: bool,
    /// Number of our epoch, once our OPEN has won and while nothing of it is in doubt.
    mine: Option<u64>,
    finalized: u64,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher")
            .field("tail", &self.tail)
            .field("mine", &self.mine)
            .finish_non_exhaustive()
    }
}

impl Publisher {
    /// Reads the tail of `topic`. Nothing is written before [`Publisher::open`].
    ///
    /// # Errors
    /// When the log cannot be read or holds another chain's feed.
    pub fn new(log: &Backend, topic: &str, chain: Chain) -> Result<Self, Error> {
        let producer = log.producer(topic)?;
        let mut log = Scanner::new(log.consumer(topic, 0)?);
        let tail = Tail::load(chain, &mut log, LINKS_MIN)?;
        let finalized = tail.finalized;
        Ok(Self {
            producer,
            log,
            tail,
            chain,
            writer: rand::random(),
            new_feed: rand::random(),
            owned: false,
            mine: None,
            finalized,
        })
    }

    /// The feed as last read.
    #[must_use]
    pub const fn tail(&self) -> &Tail {
        &self.tail
    }

    /// True if our OPEN stands.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.mine.is_some()
    }

    /// Number of the epoch in which our OPEN stands.
    #[must_use]
    pub const fn epoch(&self) -> Option<u64> {
        self.mine
    }

    /// The highest finalized number that was published or is known to be.
    #[must_use]
    pub const fn finalized(&self) -> u64 {
        self.finalized
    }

    /// Remembers more of the published chain. False if there is no more.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn remember_more(&mut self) -> Result<bool, Error> {
        if self.tail.published.from_base() {
            return Ok(false);
        }
        let before = self.tail.published.len();
        let tail = Tail::load(self.chain, &mut self.log, before.saturating_mul(4).max(LINKS_MIN))?;
        let grew = tail.published.len() > before;
        self.tail = tail;
        self.check_mine()?;
        Ok(grew)
    }

    /// Begins an epoch: OPEN is appended, acknowledged, and the log read through it.
    ///
    /// # Errors
    /// [`Error::Displaced`] if another OPEN of the epoch stands before ours.
    pub fn open(&mut self, open: Open) -> Result<(), Error> {
        self.refresh()?;
        self.append_open(open)
    }

    fn append_open(&mut self, open: Open) -> Result<(), Error> {
        let (epoch, writer) = (self.tail.reader.epoch().saturating_add(1), self.writer);
        let feed = self.tail.reader.feed().unwrap_or(self.new_feed);
        let more = self.tail.reader.more();
        let stamp = Stamp { feed, epoch, writer, seq: 0, finalized: self.finalized, more };
        let payload =
            maidenlane_wire::encode(&maidenlane_wire::Stamped { stamp, record: Record::Open(open) });
        failpoint(failpoints::BEFORE_OPEN);
        let offsets = self.producer.append(&[Append { key: None, payload: &payload }])?;
        failpoint(failpoints::AFTER_OPEN);
        (self.mine, self.owned) = (Some(epoch), true);
        self.read_through(&offsets)
    }

    /// Publishes in order, in one append; returns when all of it was read back.
    ///
    /// # Errors
    /// [`Error::Displaced`], or when the log is away: then our epoch is over and [`Publisher::open`] begins anew.
    pub fn publish(&mut self, drafts: Vec<Draft>) -> Result<(), Error> {
        let (Some(epoch), Some(feed), writer) = (self.mine, self.tail.reader.feed(), self.writer) else {
            return Err(Error::Displaced { epoch: self.tail.reader.epoch() });
        };
        let (mut seq, finalized) = (self.tail.reader.next_seq(), self.finalized);
        let mut payloads = Vec::new();
        for Draft { record, more } in drafts {
            let stamp = Stamp { feed, epoch, writer, seq, finalized, more };
            let (entries, next) = maidenlane_wire::parts::entries(stamp, record)
                .map_err(|error| Error::Unpublishable { what: error.to_string() })?;
            payloads.extend(entries);
            seq = next;
        }
        let entries: Vec<Append<'_>> = payloads.iter().map(|payload| Append { key: None, payload }).collect();
        failpoint(failpoints::BEFORE_APPEND);
        match self.producer.append(&entries) {
            Ok(offsets) => {
                failpoint(failpoints::AFTER_ACKNOWLEDGE);
                self.read_through(&offsets)
            }
            Err(error) => {
                self.mine = None;
                Err(error.into())
            }
        }
    }

    /// A FINAL, if it says something new and nothing older than what the feed says, and if the feed has got that far.
    pub fn finality(&mut self, safe: Option<BlockRef>, finalized: Option<BlockRef>) -> Option<Draft> {
        let last = self.tail.finals.unwrap_or(Final { safe: None, finalized: None });
        let published = &self.tail.published;
        let on_chain = |block: &BlockRef| {
            matches!(published.standing(*block), Standing::Head | Standing::Ancestor | Standing::Deeper)
        };
        let forward = |block: &BlockRef| {
            let floor = last.finalized.map_or(self.finalized, |last| last.number.saturating_add(1));
            block.number >= floor && on_chain(block)
        };
        let finalized = finalized.filter(forward).or(last.finalized);
        // The safe head may move back in a reorg, but not below what is final.
        let floor = finalized.map_or(0, |block| block.number);
        let fits = |block: &BlockRef| block.number >= floor && on_chain(block);
        let safe = safe.filter(fits).or(last.safe.filter(fits)).or(finalized);
        let next = Final { safe, finalized };
        if next == last {
            return None;
        }
        self.finalized = self.finalized.max(floor);
        Some(Draft { record: Record::Final(next), more: self.tail.reader.more() })
    }

    /// Reads the whole record at `offset` again, parts joined.
    ///
    /// # Errors
    /// When it is gone or damaged.
    pub fn record_at(&mut self, offset: Offset) -> Result<Record, Error> {
        let broken = |what: String| Error::BrokenFeed { offset: offset.0, what };
        let end = self.log.end()?;
        self.refuse_cut(end)?;
        // The record's first entry says who wrote it; entries of other writers between its parts are none of them.
        let mut reader = Reader::in_middle();
        let record = self.log.find(offset, self.tail.next, |entry| {
            let whole = reader.read(entry).map_err(|violation| broken(violation.to_string()))?;
            whole.map(|whole| whole.record()).transpose().map_err(|error| broken(error.to_string()))
        })?;
        record.ok_or_else(|| broken("the record's parts do not add up".to_owned()))
    }

    /// Reads what others may have appended.
    ///
    /// # Errors
    /// [`Error::Displaced`] when another tap has begun an epoch.
    pub fn refresh(&mut self) -> Result<(), Error> {
        let end = self.log.end()?;
        self.refuse_cut(end)?;
        self.tail.read_to(&mut self.log, end)?;
        self.check_mine()
    }

    fn read_through(&mut self, offsets: &[Offset]) -> Result<(), Error> {
        let Some(last) = offsets.last() else { return Ok(()) };
        let end = Offset(last.0.saturating_add(1));
        let read = self.refuse_cut(end).and_then(|()| self.tail.read_to(&mut self.log, end));
        if read.is_err() {
            self.mine = None;
        }
        read?;
        self.check_mine()
    }

    /// Refuses a log that ends before what was read of it: all that is known of the feed is to be read anew.
    fn refuse_cut(&self, end: Offset) -> Result<(), Error> {
        if end < self.tail.next { Err(Error::Cut { read: self.tail.next.0, end: end.0 }) } else { Ok(()) }
    }

    /// Refuses an epoch of another writer once we have owned one: two taps would take turns for ever.
    fn check_mine(&self) -> Result<(), Error> {
        let reader = &self.tail.reader;
        let displaced =
            reader.writer() != Some(self.writer) || self.mine.is_some_and(|epoch| epoch != reader.epoch());
        if self.owned && displaced {
            return Err(Error::Displaced { epoch: reader.epoch() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
