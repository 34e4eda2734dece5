//! Tail of the feed: its state as of the newest record, that is chain, finality, and the writer's place.
//!
//! The tap keeps no position of its own: this state, read anew at every start, decides where it goes on.

use crate::error::Error;
use crate::failpoints;
use crate::published::{Link, Published};
use alloy::consensus::Header;
use alloy::rlp::Decodable;
use maidenlane_chain::{B256, BlockRef, Bytes};
use maidenlane_feed::{Reader, Scanner};
use maidenlane_log::{Entry, Offset};
use maidenlane_service::failpoint;
use maidenlane_wire::{Final, Heartbeat, Outline, Record};

/// Number of entries in the first look at the tail: far more than a displaced writer can add before it notices.
const SPAN_ENTRIES: u64 = 4096;

/// Identity of the chain that a feed must be of.
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
    /// Reader of the feed: decides which entries count, and knows the writer.
    pub reader: Reader,
    /// The highest finalized number that any record carried.
    pub finalized: u64,
    /// The last FINAL seen.
    pub finals: Option<Final>,
    /// The published chain.
    pub published: Published,
    /// The next offset to read.
    pub next: Offset,
}

impl Tail {
    /// A feed of `chain`, to be read from offset `next` on.
    #[must_use]
    pub fn new(chain: Chain, next: Offset) -> Self {
        let reader = if next.0 == 0 { Reader::at_start() } else { Reader::in_middle() };
        Self { chain, reader, finalized: 0, finals: None, published: Published::default(), next }
    }

    /// Reads as much of the feed's end as it takes to remember `links_min` blocks, or all of it.
    ///
    /// # Errors
    /// When the log cannot be read or holds what no tap writes.
    pub fn load(chain: Chain, log: &mut Scanner, links_min: usize) -> Result<Self, Error> {
        failpoint(failpoints::BEFORE_TAIL_READ);
        let mut span = SPAN_ENTRIES;
        loop {
            let (earliest, end) = (log.earliest()?, log.end()?);
            let from = Offset(end.0.saturating_sub(span).max(earliest.0));
            let mut tail = Self::new(chain, from);
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
    pub fn read_to(&mut self, log: &mut Scanner, end: Offset) -> Result<(), Error> {
        log.each(self.next, end, |entry| self.fold(entry))
    }

    /// Folds one entry.
    ///
    /// # Errors
    /// When it is not what a tap writes.
    pub fn fold(&mut self, entry: &Entry) -> Result<(), Error> {
        let broken = |what: String| Error::BrokenFeed { offset: entry.offset.0, what };
        let whole = self.reader.read(entry).map_err(|violation| broken(violation.to_string()))?;
        self.next = Offset(entry.offset.0.saturating_add(1));
        let Some(whole) = whole else { return Ok(()) };
        if whole.forget {
            self.published.clear();
        }
        self.finalized = self.finalized.max(whole.stamp.finalized);
        let outline = whole.outline().map_err(|error| broken(error.to_string()))?;
        // Where a chain stood still for as long as the log keeps records, only heartbeats are left to say the head.
        if matches!(outline, Outline::Heartbeat) && self.published.head().is_none() {
            let record = whole.record().map_err(|error| broken(error.to_string()))?;
            if let Record::Heartbeat(Heartbeat { published, .. }) = record {
                self.published.stand_at(published);
            }
        }
        self.apply(whole.first, outline).map_err(broken)
    }

    fn apply(&mut self, offset: Offset, outline: Outline) -> Result<(), String> {
        let joins = match outline {
            Outline::Open(open) => {
                if (open.chain_id, open.genesis) != (self.chain.id, self.chain.genesis) {
                    return Err(format!("a feed of chain {} with genesis {}", open.chain_id, open.genesis));
                }
                true
            }
            Outline::Base { block, header } => {
                self.published.begin(link(block, &header, offset)?);
                true
            }
            Outline::Advance { block, header, .. } => self.published.advance(link(block, &header, offset)?),
            Outline::Undo { block, parent } => self.published.undo(block, parent),
            Outline::Final(finals) => {
                self.finals = Some(finals);
                true
            }
            Outline::Heartbeat => true,
        };
        if joins { Ok(()) } else { Err("a head change that does not join the head".to_owned()) }
    }
}

fn link(block: BlockRef, header: &Bytes, offset: Offset) -> Result<Link, String> {
    let decoded =
        Header::decode(&mut header.as_ref()).map_err(|error| format!("header of {block}: {error}"))?;
    Ok(Link { block, parent: decoded.parent_hash, root: decoded.state_root, offset })
}
