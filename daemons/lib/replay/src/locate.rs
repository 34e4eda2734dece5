//! Where to go on reading after a restart.
//!
//! The log must still hold the record that was applied last. If it holds another one there, or ends before, it was
//! cut and written anew: then the newest record that counts and whose head is on our own chain is looked for, going
//! backwards, and what we have beyond it is undone.

use crate::error::Error;
use crate::events::Event;
use maidenlane_chain::BlockRef;
use maidenlane_log::{Entry, From, LogConsumer, Offset};
use maidenlane_service::Tracer;
use maidenlane_store::{Facts, Keep, Position, Store, View};
use maidenlane_wire::record::Id;
use maidenlane_wire::{Record, Stamp, Stamped};
use std::time::Duration;

/// Entries looked at together, going backwards. As many before them tell which writer counts: far more than a displaced
/// writer can add before it notices.
const STRIDE: u64 = 4096;
/// For entries that exist already.
const WAIT: Duration = Duration::from_secs(10);
const READ_BYTES: usize = 8 << 20;

/// Leaves `consumer` behind the record that `facts` then stand at.
///
/// # Errors
/// When neither the record nor an ancestor of our head is in the log.
pub fn resume(
    store: &Store,
    keep: Keep,
    facts: Facts,
    position: Position,
    consumer: &mut dyn LogConsumer,
    events: &Tracer<Event>,
) -> Result<Facts, Error> {
    let (earliest, end) = (consumer.earliest()?.0, consumer.end()?.0);
    if position.offset < end && position.offset >= earliest {
        consumer.seek(From::At(Offset(position.offset)))?;
        let entry = consumer.read(1, WAIT)?.into_iter().next().ok_or_else(|| late(position.offset))?;
        if is_at(&entry, position) {
            consumer.seek(From::At(Offset(position.offset + 1)))?;
            return Ok(facts);
        }
    }
    if position.offset < earliest {
        return Err(maidenlane_log::Error::RetentionGap {
            topic: "the feed".to_owned(),
            wanted: position.offset,
            earliest,
        }
        .into());
    }
    let view = store.view()?.ok_or(Error::Lost)?;
    let (stamp, entry, head) =
        search(&view, consumer, earliest, position.offset.min(end))?.ok_or(Error::Lost)?;
    let facts = rewind(store, keep, facts, &view, head, &stamp, &entry)?;
    events.emit(&Event::Relocated { from: view.head(), to: head });
    consumer.seek(From::At(Offset(entry.offset.0 + 1)))?;
    Ok(facts)
}

fn is_at(entry: &Entry, position: Position) -> bool {
    entry.offset.0 == position.offset && crc32c::crc32c(&entry.payload) == position.crc32c
}

/// Which writer counts at a place of the log, when reading begins somewhere before it: the first OPEN of an epoch
/// wins, a higher epoch ends the lower one, and before the first OPEN whoever writes is believed. Nobody writes more
/// than an OPEN before he has read that it won.
#[derive(Debug, Default)]
struct Owner(Option<(u64, Id)>);

impl Owner {
    /// Whether an entry of this stamp counts.
    fn admits(&mut self, stamp: &Stamp) -> bool {
        if self.0.is_none_or(|(epoch, _)| stamp.epoch > epoch) {
            self.0 = Some((stamp.epoch, stamp.writer));
        }
        self.0 == Some((stamp.epoch, stamp.writer))
    }
}

/// The newest entry before `end` that counts and after which the feed's head was a block of our chain.
fn search(
    view: &View,
    consumer: &mut dyn LogConsumer,
    earliest: u64,
    mut end: u64,
) -> Result<Option<(Stamp, Entry, BlockRef)>, Error> {
    while end > earliest {
        let start = end.saturating_sub(STRIDE).max(earliest);
        let (mut owner, mut newest) = (Owner::default(), None);
        each(consumer, start.saturating_sub(STRIDE).max(earliest), end, |entry| {
            let unreadable = |source| Error::Record { offset: entry.offset.0, source };
            let Stamped { stamp, record } = maidenlane_wire::decode(&entry.payload).map_err(unreadable)?;
            // In the middle of a head change nobody may begin.
            if !owner.admits(&stamp) || stamp.more || entry.offset.0 < start {
                return Ok(());
            }
            if let Some(head) = head_after(&record)
                && view.hash_of(head.number)? == Some(head.hash)
            {
                newest = Some((stamp, entry, head));
            }
            Ok(())
        })?;
        if newest.is_some() {
            return Ok(newest);
        }
        end = start;
    }
    Ok(None)
}

/// What the log says it has does not come: it went away meanwhile, which says nothing about what it holds.
fn late(offset: u64) -> maidenlane_log::Error {
    let waited_ms = u64::try_from(WAIT.as_millis()).unwrap_or(u64::MAX);
    maidenlane_log::Error::Timeout { what: format!("reading offset {offset}"), waited_ms }
}

/// Hands over the entries `start..end`, one at a time.
pub(crate) fn each(
    consumer: &mut dyn LogConsumer,
    start: u64,
    end: u64,
    mut take: impl FnMut(Entry) -> Result<(), Error>,
) -> Result<(), Error> {
    consumer.seek(From::At(Offset(start)))?;
    let mut next = start;
    while next < end {
        let entries = consumer.read(READ_BYTES, WAIT)?;
        if entries.is_empty() {
            return Err(late(next).into());
        }
        for entry in entries {
            next = entry.offset.0.saturating_add(1);
            if next <= end {
                take(entry)?;
            }
        }
    }
    Ok(())
}

const fn head_after(record: &Record) -> Option<BlockRef> {
    match record {
        Record::Genesis(record) => Some(record.block),
        Record::Start(record) => Some(record.block),
        Record::Advance(record) => Some(record.block),
        Record::Undo(record) => Some(BlockRef::new(record.block.number.saturating_sub(1), record.parent)),
        _ => None,
    }
}

/// Undoes our blocks above `target`, one batch each, and takes the entry's place as position.
fn rewind(
    store: &Store,
    keep: Keep,
    mut facts: Facts,
    view: &View,
    target: BlockRef,
    stamp: &Stamp,
    entry: &Entry,
) -> Result<Facts, Error> {
    let mut head = view.head();
    while head != target {
        let parent = head.number.checked_sub(1).ok_or(Error::Lost)?;
        let parent = BlockRef::new(parent, view.hash_of(parent)?.ok_or(Error::Lost)?);
        let mut batch = store.batch(facts, keep);
        store.undo(&mut batch, head, parent.hash)?;
        // Should we die here, the next start must search again.
        if let Some(position) = &mut batch.facts().position {
            position.more = true;
        }
        facts = batch.facts().clone();
        store.write(batch)?;
        head = parent;
    }
    let mut batch = store.batch(facts, keep);
    batch.facts().position = Some(Position {
        feed: stamp.feed,
        epoch: stamp.epoch,
        writer: stamp.writer,
        seq: stamp.seq,
        offset: entry.offset.0,
        crc32c: crc32c::crc32c(&entry.payload),
        more: false,
    });
    let facts = batch.facts().clone();
    store.write(batch)?;
    Ok(facts)
}
