//! Position at which to go on reading after a restart.
//!
//! The log must still hold the record that was applied last, or begin right behind it. If it holds another one there, or ends before, it was
//! cut and written anew: then the newest record that counts and whose head is on our own chain is looked for, going
//! backwards, and what we have beyond it is undone.

use crate::error::Error;
use crate::events::Event;
use crate::reach;
use maidenlane_chain::BlockRef;
use maidenlane_feed::Scanner;
use maidenlane_log::Offset;
use maidenlane_service::Tracer;
use maidenlane_store::{Facts, Keep, Position, Store, View};

/// Takes the store back to a record that `feed` holds; reading goes on behind its position. Calls `progress` with every
/// record that is looked at and every block that is undone: both may take long.
///
/// # Errors
/// When neither the record nor an ancestor of our head is in the log.
pub fn resume(
    store: &Store,
    keep: Keep,
    facts: Facts,
    position: Position,
    feed: &mut Scanner,
    events: &Tracer<Event>,
    progress: &mut dyn FnMut(),
) -> Result<Facts, Error> {
    let earliest = feed.earliest()?;
    let next = position.offset.saturating_add(1);
    reach::blocks_hold(next, earliest)?;
    if next == earliest.0 || feed.holds(position.offset, position.crc32c)? {
        return Ok(facts);
    }
    let view = store.view().ok_or(Error::Lost)?;
    let ours = |head: BlockRef| {
        progress();
        Ok::<_, Error>(view.hash_of(head.number)? == Some(head.hash))
    };
    let before = Offset(position.offset).min(feed.end()?);
    let found = feed.newest(before, ours)?;
    let (position, head) = found.ok_or(Error::Lost)?;
    let facts = rewind(store, keep, facts, &view, (head, position), progress)?;
    events.emit(&Event::Relocated { from: view.head(), to: head });
    Ok(facts)
}

/// Undoes our blocks above `target`, one batch each, and takes `position`.
fn rewind(
    store: &Store,
    keep: Keep,
    mut facts: Facts,
    view: &View,
    (target, position): (BlockRef, Position),
    progress: &mut dyn FnMut(),
) -> Result<Facts, Error> {
    let mut head = view.head();
    while head != target {
        progress();
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
    batch.facts().position = Some(position);
    let facts = batch.facts().clone();
    store.write(batch)?;
    Ok(facts)
}
