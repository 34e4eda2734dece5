//! State machine that decides what to publish next. Pure: events go in, the next step comes out.
//!
//! Blocks are spooled when they are *executed*; which of them are canonical is what the master announces later. An
//! announced head is joined to the published head by walking its parents back through the spool.
//!
//! # Correctness
//! - A master that was killed comes back behind its own published head and announces old heads one by one. While
//!   *resuming* (after a reconnect or a new INIT frame), an announced ancestor of the published head is therefore
//!   no shortening but the past; resuming ends with a head that equals the published one or is not on its chain.
//! - Announcements and answers travel apart: an old announcement may be read after a newer answer. So a
//!   shortening is followed only when the master, asked afterwards, still stands there.
//! - A polled head is a head only when nothing was announced between two equal answers: in the middle of a reorg
//!   geth shows heads that it never announces.

use crate::published::{Published, Standing};
use maidenlane_chain::{B256, BlockRef};
use std::collections::VecDeque;

/// Announced heads waiting to be followed; beyond this the oldest are skipped (their blocks are still published).
const QUEUE_MAX: usize = 1024;
/// A longer extension is catching up: its blocks are published one by one instead of as one change.
pub const ATOMIC_MAX: usize = 32;
/// Most blocks of a change while catching up: between two of them a tap stops, tells that it lives, and makes room.
pub const CATCH_UP_MAX: usize = 1024;

/// Knows the parents of executed blocks.
pub trait Lineage {
    /// The parent of a block whose frames are complete.
    fn parent(&self, hash: &B256) -> Option<B256>;
}

/// An event that following depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The connection to the master is new: so may the master be.
    Restarted,
    /// The master announced a head.
    Announced(BlockRef),
    /// The master's answer when it was asked for its head.
    Polled(BlockRef),
}

/// The next thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing to do until the next input.
    Idle,
    /// The master stands at the published head.
    Reached,
    /// Ask the master for its head: does it still stand at this ancestor?
    Confirm(BlockRef),
    /// Wait until the frames of this block are in the spool.
    Wait {
        /// The head that is wanted.
        target: BlockRef,
        /// The block whose frames are missing.
        missing: BlockRef,
    },
    /// Remember more of the published chain, then call [`Follow::step`] again.
    Deeper,
    /// The head's branch leaves the chain below the feed's base.
    BelowBase(BlockRef),
    /// Publish this change.
    Change(Change),
}

/// One head change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The new head.
    pub target: BlockRef,
    /// Blocks that leave the chain, newest first.
    pub undo: Vec<BlockRef>,
    /// Blocks that join it, oldest first.
    pub advance: Vec<B256>,
}

impl Change {
    /// True if the records of this change carry `more` up to the last: always with an undo, and for every
    /// extension short enough not to be catching up.
    #[must_use]
    pub fn atomic(&self) -> bool {
        !self.undo.is_empty() || self.advance.len() <= ATOMIC_MAX
    }
}

#[derive(Clone, Copy, Debug)]
struct Target {
    block: BlockRef,
    /// The master's answer since this head was announced: true if it stands there. `None` before it was asked.
    confirmed: Option<bool>,
}

/// The state of following one master.
#[derive(Debug)]
pub struct Follow {
    resuming: bool,
    targets: VecDeque<Target>,
    polled: Option<BlockRef>,
}

impl Default for Follow {
    fn default() -> Self {
        Self { resuming: true, targets: VecDeque::new(), polled: None }
    }
}

impl Follow {
    /// True if the master is still behind what was published of it.
    #[must_use]
    pub const fn resuming(&self) -> bool {
        self.resuming
    }

    /// Takes one input.
    pub fn note(&mut self, input: Input) {
        match input {
            Input::Restarted => *self = Self::default(),
            Input::Announced(block) => {
                self.polled = None;
                self.want(Target { block, confirmed: None });
            }
            Input::Polled(block) => {
                for target in &mut self.targets {
                    target.confirmed = Some(target.block == block);
                }
                if self.polled == Some(block) && self.targets.is_empty() {
                    self.want(Target { block, confirmed: Some(true) });
                }
                self.polled = Some(block);
            }
        }
    }

    /// Queues `block` as a target again, because a change towards it was not carried out.
    pub fn again(&mut self, block: BlockRef) {
        self.targets.push_front(Target { block, confirmed: None });
    }

    /// The next thing to do; to be called again after it was done.
    pub fn step(&mut self, published: &Published, spool: &impl Lineage) -> Step {
        while let Some(target) = self.targets.front().copied() {
            let step = self.towards(target, published, spool);
            let superseded = self.targets.len() > 1 && matches!(step, Some(Step::Wait { .. }));
            match step {
                // A part of the way: the head is still wanted.
                Some(Step::Change(ref change)) if change.target != target.block => {}
                Some(Step::Change(_)) | None => drop(self.targets.pop_front()),
                Some(Step::Reached) => {
                    self.targets.pop_front();
                    return Step::Reached;
                }
                Some(_) if superseded => drop(self.targets.pop_front()),
                Some(_) => {}
            }
            match step {
                None => {}
                Some(_) if superseded => {}
                Some(step) => return step,
            }
        }
        Step::Idle
    }

    fn want(&mut self, target: Target) {
        if self.targets.back().is_some_and(|last| last.block == target.block) {
            return;
        }
        if self.targets.len() >= QUEUE_MAX {
            self.targets.pop_front();
        }
        self.targets.push_back(target);
    }

    /// The step towards `target`; `None` drops it.
    fn towards(&mut self, target: Target, published: &Published, spool: &impl Lineage) -> Option<Step> {
        match published.standing(target.block) {
            Standing::Head => {
                self.resuming = false;
                Some(Step::Reached)
            }
            Standing::Ancestor if self.resuming => None,
            Standing::Ancestor => match target.confirmed {
                None => Some(Step::Confirm(target.block)),
                Some(false) => None,
                Some(true) => Some(join(target.block, published, spool)),
            },
            Standing::BelowBase if self.resuming => None,
            Standing::BelowBase => Some(Step::BelowBase(target.block)),
            Standing::Deeper => Some(Step::Deeper),
            Standing::Elsewhere => {
                let step = join(target.block, published, spool);
                if matches!(step, Step::Change(_)) {
                    self.resuming = false;
                }
                Some(step)
            }
        }
    }
}

/// Walks from `target` back to the published chain.
fn join(target: BlockRef, published: &Published, spool: &impl Lineage) -> Step {
    let (mut cursor, mut advance, mut target) = (target, Vec::new(), target);
    loop {
        match published.standing(cursor) {
            Standing::Head | Standing::Ancestor => break,
            Standing::Deeper => return Step::Deeper,
            Standing::BelowBase => return Step::BelowBase(target),
            Standing::Elsewhere => {}
        }
        let Some(parent) = spool.parent(&cursor.hash) else { return Step::Wait { target, missing: cursor } };
        let Some(number) = cursor.number.checked_sub(1) else { return Step::BelowBase(target) };
        advance.push(cursor.hash);
        cursor = BlockRef::new(number, parent);
    }
    advance.reverse();
    let head = published.head().map_or(cursor.number, |head| head.number);
    let mut undo = Vec::new();
    for number in (cursor.number.saturating_add(1)..=head).rev() {
        let Some(link) = published.at(number) else { return Step::Deeper };
        undo.push(link.block);
    }
    if undo.is_empty() && advance.len() > CATCH_UP_MAX {
        advance.truncate(CATCH_UP_MAX);
        let number = cursor.number.saturating_add(CATCH_UP_MAX as u64);
        target = advance.last().map_or(target, |hash| BlockRef::new(number, *hash));
    }
    Step::Change(Change { target, undo, advance })
}

#[cfg(test)]
mod tests;
