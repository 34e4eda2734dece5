//! Filling of gaps in the table of senders, where the feed did not tell them: they are recovered behind the head.
//!
//! Threads beside the follower read and recover, a step of some ten milliseconds at a time, newest blocks first, because
//! they are asked for most. The follower writes what a step has found when nothing else is there to do, so a head never
//! waits for more than such a write. While it catches up, no step is begun.

use crate::error::Error;
use crate::failpoints;
use crate::follow::Follower;
use maidenlane_chain::{Address, Block, BlockRef};
use maidenlane_service::failpoint;
use maidenlane_store::{Error as StoreError, Store, View};
use std::num::NonZero;
use std::ops::Range;
use std::sync::Arc;
use std::thread::{self, Builder, JoinHandle};
use std::time::Duration;

/// Bytes of bodies after which a step takes no further block: up to 2,700 transactions, and mostly some 600.
const STEP_BYTES: usize = 256 << 10;
/// Most blocks of a step, where they have few transactions, or their rows already.
const STEP_BLOCKS: usize = 256;
/// Most threads that recover; half of the processors are left to others anyway.
const THREADS_MAX: usize = 4;
/// Timeout of a wait for records between two steps. A feed that is silent for so long leaves time for one.
const PACE: Duration = Duration::from_millis(10);

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
    /// True if the follower's last turn brought nothing.
    is_idle: bool,
}

impl Default for Filling {
    fn default() -> Self {
        Self { step_blocks: STEP_BLOCKS, step: None, is_idle: false }
    }
}

impl Filling {
    /// One turn of the follower, which waits for at most `wait`. Fills before it if that turn would be idle, and the
    /// follower is where it `may_fill`.
    ///
    /// # Errors
    /// Errors of [`Follower::turn`].
    pub(crate) fn turn(
        &mut self,
        store: &Arc<Store>,
        follower: &mut Follower,
        may_fill: bool,
        wait: Duration,
    ) -> Result<bool, Error> {
        let has_work = may_fill && (self.step.is_some() || follower.facts().sender_gaps.newest().is_some());
        if has_work && self.is_idle {
            self.go_on(store, follower)?;
        }
        let showable = follower.turn(if has_work { wait.min(PACE) } else { wait })?;
        self.is_idle = !showable;
        Ok(showable)
    }

    /// Writes what a step has found, if it has ended, and begins the next. Waits for none.
    fn go_on(&mut self, store: &Arc<Store>, follower: &mut Follower) -> Result<(), Error> {
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

/// Recovers the senders of all blocks, each of which keeps its own.
fn recover(blocks: &[Block]) {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).div_ceil(2).min(THREADS_MAX);
    let share = |first: usize| {
        for block in blocks {
            for index in (first..block.transactions.len()).step_by(threads) {
                let _known = block.sender(index);
            }
        }
    };
    thread::scope(|scope| {
        for first in 1..threads {
            // Without that thread the senders are recovered when they are collected.
            drop(Builder::new().name("senders".to_owned()).spawn_scoped(scope, move || share(first)));
        }
        share(0);
    });
}

#[cfg(test)]
mod tests;
