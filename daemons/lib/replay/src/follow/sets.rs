//! Reader of trie nodes in their own topic, in step with the feed.
//!
//! A set stands in the log before the block that wants it, and a writer of sets writes them in the order of its blocks:
//! so they are read forwards, and sets that no block wants are passed over.

use crate::error::Error;
use crate::reach;
use maidenlane_feed::Scanner;
use maidenlane_log::{Entry, LogConsumer, Offset};
use maidenlane_store::SetPosition;
use maidenlane_wire::{Advance, Gatherer, NodePart, NodeSet};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Bytes of payload that are read at a time.
const READ_BYTES: usize = 8 << 20;
/// Time after which a late set is reported as missing.
const LATE_AFTER: Duration = Duration::from_secs(5);

/// The trie nodes that a record is applied with.
pub(super) enum Nodes {
    /// The record has none, or they are not kept here.
    Unwanted,
    /// The nodes are not among the entries read so far: ask again.
    Late,
    /// The nodes, and the position of their last entry.
    Here(NodeSet, SetPosition),
}

/// Reader of the topic of trie nodes.
pub(super) struct Sets {
    topic: Scanner,
    /// The next offset to read.
    next: Offset,
    gatherer: Gatherer,
    entries: VecDeque<Entry>,
    /// Time since which a block waits.
    pub(super) since: Option<Instant>,
}

impl Sets {
    /// Reader that goes on behind the last set that was applied, if the log still holds it; else from the topic's
    /// beginning: of a block that came, went and came again, any of its sets may be the one to go on from.
    pub(super) fn resume(
        consumer: Box<dyn LogConsumer>,
        applied: Option<SetPosition>,
    ) -> Result<Self, Error> {
        let mut topic = Scanner::new(consumer);
        let next = match applied {
            Some(applied) if holds(&mut topic, applied)? => Offset(applied.offset.saturating_add(1)),
            _ => topic.earliest()?,
        };
        Ok(Self { topic, next, gatherer: Gatherer::default(), entries: VecDeque::new(), since: None })
    }

    /// Takes the nodes of a block. Reads once, and waits for so long if there is nothing to read.
    pub(super) fn take(&mut self, record: &Advance, wait: Duration) -> Result<Nodes, Error> {
        self.since.get_or_insert_with(Instant::now);
        if self.entries.is_empty() {
            self.entries = self.topic.read(self.next, READ_BYTES, wait)?.into();
            self.next = self.entries.back().map_or(self.next, |last| Offset(last.offset.0.saturating_add(1)));
        }
        while let Some(entry) = self.entries.pop_front() {
            let offset = entry.offset.0;
            let unreadable = |source| Error::Set { offset, source };
            let part = NodePart::decode(&entry.payload).map_err(unreadable)?;
            if part.block != record.block || Some(part.digest) != record.proofs {
                continue;
            }
            if let Some(set) = self.gatherer.push(&part).map_err(unreadable)? {
                self.since = None;
                let crc32c = crc32c::crc32c(&entry.payload);
                return Ok(Nodes::Here(set, SetPosition { offset, crc32c }));
            }
        }
        Ok(Nodes::Late)
    }

    /// True if a block waits longer than it should have to.
    pub(super) fn is_late(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= LATE_AFTER)
    }
}

/// The log still holds the entry that was applied last, or begins right behind it.
fn holds(topic: &mut Scanner, position: SetPosition) -> Result<bool, Error> {
    let earliest = topic.earliest()?;
    reach::sets_hold(position, earliest)?;
    Ok(position.offset.saturating_add(1) == earliest.0 || topic.holds(position.offset, position.crc32c)?)
}
