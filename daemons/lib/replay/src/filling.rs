//! Filling of gaps in the table of senders, where the feed did not tell them: they are recovered behind the head.
//!
//! Threads beside the follower read and recover, a step of some ten milliseconds at a time, newest blocks first, because
//! they are asked for most. The follower writes what a step has found when nothing else is there to do, so a head never
//! waits for more than such a write. While it catches up, no step is begun.

use crate::error::Error;
use crate::failpoints;
use crate::follow::Follower;
use crate::recover::recover;
use maidenlane_chain::{Address, Block, BlockRef};
use maidenlane_service::failpoint;
use maidenlane_store::{Error as StoreError, Store, View};
use std::ops::Range;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

/// Bytes of bodies after which a step takes no further block: up to 2,700 transactions, and mostly some 600.
const STEP_BYTES: usize = 256 << 10;
/// Most blocks of a step, where they have few transactions, or their rows already.
const STEP_BLOCKS: usize = 256;

/// Result of a step.
#[derive(Debug)]
pub(crate) struct Found {
    /// Head of the view that was read.
    head: BlockRef,
    /// Blocks that need not be looked at again.
    blocks: Range<u64>,
    /// Rows that were missing.
    rows: Vec<(BlockRef, Vec<Address>)>,
}

/// Filling of a store, beside its follower.
#[derive(Debug)]
pub(crate) struct Filling {
    /// Most blocks of a step.
    step_blocks: usize,
    /// The step that runs.
    step: Option<JoinHandle<Result<Found, StoreError>>>,
}

impl Default for Filling {
    fn default() -> Self {
        Self { step_blocks: STEP_BLOCKS, step: None }
    }
}

impl Filling {
    /// True if blocks lack their senders, or a step runs.
    pub(crate) fn has_work(&self, follower: &Follower) -> bool {
        self.step.is_some() || follower.facts().sender_gaps.newest().is_some()
    }

    /// Writes what a step has found, if it has ended, and begins the next. Waits for none.
    ///
    /// # Errors
    /// When the database is damaged, or refuses.
    pub(crate) fn go_on(&mut self, store: &Arc<Store>, follower: &mut Follower) -> Result<(), Error> {
        if self.step.as_ref().is_some_and(|step| !step.is_finished()) {
            return Ok(());
        }
        if let Some(step) = self.step.take() {
            let found = step.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            // A block that left the chain since may have another in its place.
            if store.is_canonical(found.head)? {
                failpoint(failpoints::BEFORE_FILL);
                follower.fill(&found.blocks, &found.rows)?;
            }
        }
        let gap = follower.facts().sender_gaps.newest();
        if let Some((gap, view)) = gap.zip(store.view()) {
            // A machine that spares no thread now does so later.
            let (thread, most) = (Builder::new().name("senders".to_owned()), self.step_blocks);
            self.step = thread.spawn(move || step(&view, &gap, most)).ok();
        }
        Ok(())
    }
}

impl Drop for Filling {
    /// The step holds the database open.
    fn drop(&mut self) {
        if let Some(step) = self.step.take() {
            drop(step.join());
        }
    }
}

/// Recovers the missing senders of at most so many blocks, from the newest of `gap` on. Blocks without a body lack nothing, and
/// those that this build cannot read have no answers either.
fn step(view: &View, gap: &Range<u64>, most: usize) -> Result<Found, StoreError> {
    let (mut blocks, mut lacking, mut bytes) = (gap.end..gap.end, Vec::new(), 0);
    for number in gap.clone().rev().take(most) {
        if bytes >= STEP_BYTES {
            break;
        }
        blocks.start = number;
        let Some(at) = view.hash_of(number)?.map(|hash| BlockRef::new(number, hash)) else { continue };
        if view.senders(at)?.is_some() {
            continue;
        }
        let (Some(header), Some(body)) = (view.header(at)?, view.body(at)?) else { continue };
        bytes += body.len();
        lacking.extend(Block::decode(at.hash, &header, &body));
    }
    recover(&lacking);
    let rows = lacking.iter().map(|block| (block.at(), block.senders().collect())).collect();
    Ok(Found { head: view.head(), blocks, rows })
}

#[cfg(test)]
pub(crate) mod tests;
