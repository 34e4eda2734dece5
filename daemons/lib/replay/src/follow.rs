//! Follower of a feed: reads it, decides by [`crate::apply`], writes, shows. The store's only writer.

mod sets;

use crate::apply::{self, Demands, Step};
use crate::error::Error;
use crate::events::Event;
use crate::failpoints;
use crate::heads::{HeadTracker, HeadView, Parsed};
use crate::liveness::Liveness;
use crate::resume;
use maidenlane_chain::{Address, BlockRef};
use maidenlane_feed::signs::Ends;
use maidenlane_feed::{Reader, Scanner};
use maidenlane_log::{Backend, Entry, LogConsumer, Offset};
use maidenlane_service::{Tracer, clock, failpoint};
use maidenlane_state::trie::{audit, whole};
use maidenlane_store::{Batch, Facts, Piece, Position, Store};
use sets::{Nodes, Sets};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

pub use maidenlane_store::{Keep, Past};

/// Bytes of payload that are read at a time.
const READ_BYTES: usize = 8 << 20;
/// Size at which a batch is written, even in catch-up.
const BATCH_BYTES: usize = 16 << 20;

/// Topics that a follower reads.
pub struct Logs {
    /// The feed.
    pub blocks: Box<dyn LogConsumer>,
    /// Trie nodes of the feed, where they are kept.
    pub proofs: Option<Box<dyn LogConsumer>>,
}

impl Logs {
    /// Readers of these topics.
    ///
    /// # Errors
    /// When the log cannot be reached.
    pub fn open(log: &Backend, blocks: &str, proofs: Option<&str>) -> Result<Self, Error> {
        let proofs = proofs.map(|topic| log.consumer(topic, 0)).transpose()?;
        Ok(Self { blocks: log.consumer(blocks, 0)?, proofs })
    }
}

impl std::fmt::Debug for Logs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logs").field("proofs", &self.proofs.is_some()).finish_non_exhaustive()
    }
}

/// The next step, and the position of its record.
struct Next {
    step: Step,
    position: Position,
}

/// Follower that replays a feed into a store.
pub struct Follower {
    store: Arc<Store>,
    keep: Keep,
    demands: Demands,
    feed: Scanner,
    /// The next offset to read.
    at: Offset,
    /// Reader of the feed, which decides which entries count.
    reader: Reader,
    /// Reader of trie nodes; `None` keeps none.
    sets: Option<Sets>,
    /// Entries that were read and not looked at.
    entries: VecDeque<Entry>,
    /// Next step. It stays until the trie nodes of its block are there; nothing behind it is looked at meanwhile.
    next: Option<Next>,
    events: Tracer<Event>,
    liveness: Arc<Liveness>,
    /// Looks at the feed's end, which show how old a heartbeat is.
    ends: Ends,
    facts: Facts,
    parsed: Parsed,
    records: u64,
    /// True if something that a view holds was written since the last one was shown.
    changed: bool,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("reader", &self.reader).finish_non_exhaustive()
    }
}

impl Follower {
    /// Follower at the store's position if the log still holds that record, else where its head is found again: calls
    /// `progress` while that takes.
    ///
    /// # Errors
    /// When the log no longer holds what comes next, or the database lacks what is to be kept.
    pub fn new(
        store: Arc<Store>,
        keep: Keep,
        demands: Demands,
        logs: Logs,
        events: Tracer<Event>,
        liveness: Arc<Liveness>,
        progress: &mut dyn FnMut(),
    ) -> Result<Self, Error> {
        let Logs { blocks, proofs } = logs;
        let mut feed = Scanner::new(blocks);
        let stored = store.facts();
        // At the feed's end no OPEN that shows it would come for long.
        apply::same_chain(&stored, &demands).map_err(Error::Foreign)?;
        let stored = match (&proofs, stored.proofs) {
            (Some(_), None) if stored.head.is_some() => return Err(Error::NoProofs),
            (None, Some(_)) => {
                events.emit(&Event::NodesDropped);
                store.drop_nodes()?
            }
            _ => stored,
        };
        let at = stored.position;
        let facts = match at {
            None => stored,
            Some(position) => resume::resume(&store, keep, stored, position, &mut feed, &events, progress)?,
        };
        let sets = match proofs {
            None => None,
            Some(proofs) => {
                let applied = facts.proofs.and_then(|proofs| proofs.position);
                // Where the feed was cut, nothing is known of its trie nodes either.
                Some(Sets::resume(proofs, applied.filter(|_| at == facts.position))?)
            }
        };
        let (reader, at) = match &facts.position {
            None => (Reader::at_start(), feed.earliest()?),
            Some(position) => (Reader::behind(position), Offset(position.offset.saturating_add(1))),
        };
        Ok(Self {
            store,
            keep,
            demands,
            feed,
            at,
            reader,
            sets,
            entries: VecDeque::new(),
            next: None,
            events,
            liveness,
            ends: Ends::default(),
            facts,
            parsed: Parsed::default(),
            records: 0,
            changed: true,
        })
    }

    /// The head with its view, as it may be shown, if there is one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn shown(&mut self) -> Result<Option<HeadView>, Error> {
        if self.facts.position.is_none_or(|position| position.more) {
            return Ok(None);
        }
        let view = self.store.view();
        Ok(view.map(|view| HeadView::new(view, &mut self.parsed)).transpose()?)
    }

    /// Facts after the record that was applied last.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The block that waits for its trie nodes longer than it should.
    #[must_use]
    pub fn missing(&self) -> Option<BlockRef> {
        self.liveness.missing()
    }

    /// Offset after the last applied record, and the feed's end.
    ///
    /// # Errors
    /// When the log is away.
    pub fn reach(&mut self) -> Result<(u64, u64), Error> {
        let end = self.feed.end()?.0;
        Ok((self.facts.position.map_or(0, |position| position.offset.saturating_add(1)), end))
    }

    /// Reads for at most `wait` and applies what came. True if a head that may be shown was written.
    ///
    /// # Errors
    /// Errors of the log may pass; all others are fatal.
    pub fn turn(&mut self, wait: Duration) -> Result<bool, Error> {
        self.look();
        if self.next.is_none() {
            self.entries = self.feed.read(self.at, READ_BYTES, wait)?.into();
            let Some(last) = self.entries.back() else { return Ok(false) };
            self.at = Offset(last.offset.0.saturating_add(1));
            failpoint(failpoints::AFTER_READ);
        }
        let mut batch = self.batch();
        let outcome = self.go_on(&mut batch, wait);
        // The log of the trie nodes may be away: what came before is whole.
        if matches!(outcome, Ok(()) | Err(Error::Log(_))) {
            self.write(&mut batch)?;
        }
        outcome?;
        Ok(self.facts.head.is_some() && self.facts.position.is_some_and(|position| !position.more))
    }

    /// Writes senders that were recovered, and closes the gap in `blocks`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn fill(&mut self, blocks: &Range<u64>, recovered: &[(BlockRef, Vec<Address>)]) -> Result<(), Error> {
        let mut batch = self.batch();
        self.store.fill_senders(&mut batch, blocks, recovered)?;
        self.write(&mut batch)
    }

    /// Writes a piece of the past below the floor.
    ///
    /// # Errors
    /// When the disk refuses, or the log index is damaged.
    pub fn put_below(&mut self, piece: &Piece) -> Result<(), Error> {
        let lowers = matches!(piece, Piece::Floor(_));
        failpoint(if lowers { failpoints::BEFORE_FLOOR } else { failpoints::BEFORE_PAST });
        let mut batch = self.batch();
        self.store.put_below(&mut batch, piece)?;
        self.write(&mut batch)?;
        failpoint(if lowers { failpoints::AFTER_FLOOR } else { failpoints::AFTER_PAST });
        self.changed |= lowers;
        Ok(())
    }

    /// Looks where the feed ends, when that is due. A log that is away is met by the next read.
    fn look(&mut self) {
        let now = self.liveness.now();
        if self.ends.is_due(now) {
            let end = self.feed.end().ok();
            self.ends.note(end.map(|end| end.0), now);
        }
    }

    /// Shows the written head if it is another than the one shown.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn show(&mut self, heads: &HeadTracker) -> Result<(), Error> {
        // A heartbeat four times a second must not cost a snapshot, nor wake those that wait for heads.
        if !self.changed {
            return Ok(());
        }
        if let Some(shown) = self.shown()? {
            heads.show(shown);
            self.changed = false;
            let head = heads.head();
            self.events.emit(&Event::Shown { head, records: std::mem::take(&mut self.records) });
        }
        Ok(())
    }

    /// Applies what was read, up to a block whose trie nodes are not there. Waits only for those of the first.
    fn go_on(&mut self, batch: &mut Batch, mut wait: Duration) -> Result<(), Error> {
        loop {
            let nodes = self.nodes(wait)?;
            if matches!(nodes, Nodes::Late) {
                return Ok(());
            }
            if let Some(next) = self.next.take() {
                self.apply(next, nodes, batch)?;
            }
            if batch.bytes() >= BATCH_BYTES {
                self.write(batch)?;
            }
            let Some(entry) = self.entries.pop_front() else { return Ok(()) };
            self.next = self.judge(&entry, batch.facts())?;
            wait = Duration::ZERO;
        }
    }

    /// Trie nodes of the next step, if it needs any. Notes a block whose nodes are late.
    fn nodes(&mut self, wait: Duration) -> Result<Nodes, Error> {
        let (Some(sets), Some(Next { step: Step::Advance(record, _), .. })) = (&mut self.sets, &self.next)
        else {
            return Ok(Nodes::Unwanted);
        };
        let nodes = sets.take(record, wait)?;
        match nodes {
            Nodes::Here(..) => self.liveness.set_missing(None),
            _ if sets.is_late() => self.liveness.set_missing(Some(record.block)),
            _ => {}
        }
        Ok(nodes)
    }

    fn batch(&self) -> Batch {
        self.store.batch(self.facts.clone(), self.keep)
    }

    fn write(&mut self, batch: &mut Batch) -> Result<(), Error> {
        self.facts = batch.facts().clone();
        let full = std::mem::replace(batch, self.batch());
        failpoint(failpoints::BEFORE_WRITE);
        self.store.write(full)?;
        failpoint(failpoints::AFTER_WRITE);
        Ok(())
    }

    /// The step of an entry, if it counts and makes a record whole.
    fn judge(&mut self, entry: &Entry, facts: &Facts) -> Result<Option<Next>, Error> {
        let offset = entry.offset.0;
        let read = self.reader.read(entry).map_err(|violation| Error::of_entry(offset, violation))?;
        let Some(whole) = read else { return Ok(None) };
        self.records += 1;
        let record = whole.record().map_err(|source| Error::Record { offset, source })?;
        let step = apply::step(facts, self.demands, record);
        let step = step.map_err(|source| Error::Refused { offset, source })?;
        Ok(Some(Next { step, position: whole.position() }))
    }

    fn apply(&mut self, next: Next, nodes: Nodes, batch: &mut Batch) -> Result<(), Error> {
        let Next { step, position } = next;
        self.change(step, nodes, batch, position.offset)?;
        batch.facts().position = Some(position);
        Ok(())
    }

    fn change(&mut self, step: Step, nodes: Nodes, batch: &mut Batch, offset: u64) -> Result<(), Error> {
        self.changed |= !matches!(step, Step::Heartbeat(_) | Step::Nothing);
        match step {
            Step::Open(open) => {
                self.events.emit(&Event::Epoch { epoch: self.reader.epoch() });
                let facts = batch.facts();
                facts.chain_id = open.chain_id;
                facts.genesis = open.genesis;
                facts.chain_config = open.chain_config.into();
                facts.client_version = open.client_version.into();
                facts.network_id = open.network_id;
            }
            Step::Genesis(record, header) => {
                self.store.genesis(batch, &record)?;
                if self.sets.is_some() {
                    let nodes = whole::whole(&record.rows, header.state_root);
                    let nodes = nodes.map_err(|source| Error::Genesis(Box::new(source)))?;
                    self.store.begin_nodes(batch, &nodes)?;
                }
                self.parsed.note(record.block, header);
            }
            Step::Advance(record, header) => {
                if let Nodes::Here(set, position) = nodes {
                    // The nodes before it are read from the database.
                    self.write(batch)?;
                    audit::audit(&*self.store, header.state_root, &record.rows, &set.nodes)
                        .map_err(|source| Error::Audit { block: record.block, source: Box::new(source) })?;
                    self.store.put_nodes(batch, record.block, &set.nodes, position)?;
                }
                self.store.advance(batch, &record)?;
                self.parsed.note(record.block, header);
            }
            Step::Undo(record) => {
                // The rows to take back are read from the database: what is collected must be there first.
                self.write(batch)?;
                let ours = self.store.undo(batch, record.block, record.parent)?;
                apply::same_rows(record.block, &ours, &record.rows)
                    .map_err(|source| Error::Refused { offset, source })?;
                failpoint(failpoints::AFTER_UNDO);
                self.events.emit(&Event::Undone { block: record.block });
            }
            Step::Final(record) => {
                // Orphans too are read from the database. One that has come back in this batch is none any more.
                self.write(batch)?;
                self.store.finality(batch, &record)?;
            }
            Step::Heartbeat(beat) => {
                if !beat.resuming {
                    let (now, seen) = (clock::now(), Duration::from_millis(beat.master_seen_ms));
                    let claimed = now.checked_sub(seen).ok_or_else(|| seen.saturating_sub(now));
                    let age = self.ends.age(offset, claimed, self.liveness.now());
                    self.liveness.note(beat.master.number, age);
                }
            }
            Step::Start(_) | Step::Nothing => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
