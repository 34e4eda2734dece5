//! Blocks, and what they decide of transactions on their way.

use super::Pending;
use crate::chain::{Change, Included, Stretch};
use crate::life::Stage;
use crate::turn::{Action, Now};
use maidenlane_chain::BlockRef;

impl Pending {
    /// Takes a change of the head.
    pub fn change(&mut self, change: &Change, now: Now) {
        self.recent.take(change, now.steady_ms);
        for block in &change.undone {
            self.each(now, |flight, turn| {
                flight.undone(turn, *block);
                None
            });
        }
        for holding in &change.added {
            for included in &holding.transactions {
                self.include(*included, holding.block, now);
            }
        }
        self.each(now, |flight, turn| {
            flight.head_moved(turn);
            flight.finalized(turn, change.finalized)
        });
    }

    /// Takes all blocks from a Unix time in seconds on, and what no longer is one of the chain's.
    pub fn replace_blocks(&mut self, stretch: Stretch, from_s: u64, now: Now) {
        self.recent.replace(stretch, from_s, now.steady_ms);
        self.reconcile(now);
    }

    /// Takes what changed while the feed was silent.
    pub fn catch_up(&mut self, stretch: Stretch, now: Now) {
        let Stretch { blocks, undone, finalized } = stretch;
        // Newest first, as they left.
        let undone = undone.into_iter().rev().collect();
        let change = Change { undone, added: blocks.into(), finalized };
        self.recent.take(&change, now.steady_ms);
        self.reconcile(now);
    }

    /// Decides anew what is on its way, by the blocks that are known.
    fn reconcile(&mut self, now: Now) {
        for (hash, sender, nonce) in self.orders() {
            let used = self.recent.decision(sender, nonce);
            let block = self.flight(&hash).and_then(|flight| match flight.stage {
                Stage::Decided { block, .. } => Some(block),
                _ => None,
            });
            let gone = block.filter(|block| self.recent.lacks(*block));
            let finalized = self.recent.finalized();
            self.step(hash, now, |flight, turn| {
                if let Some(block) = gone {
                    flight.undone(turn, block);
                }
                if let Some((by, block)) = used {
                    flight.decided(turn, block, (by != hash).then_some(by));
                }
                flight.finalized(turn, finalized)
            });
        }
    }

    /// A block holds a transaction: it, and all others with its nonce, are decided.
    fn include(&mut self, included: Included, block: BlockRef, now: Now) {
        let Included { hash, sender, nonce } = included;
        for other in self.of_nonce(sender, nonce) {
            let by = (other != hash).then_some(hash);
            self.step(other, now, |flight, turn| {
                flight.decided(turn, block, by);
                None
            });
        }
        for next in self.of_nonce(sender, nonce.saturating_add(1)) {
            self.step(next, now, |flight, turn| {
                flight.has_its_turn(turn);
                None
            });
        }
    }

    /// Asks for blocks from a Unix time in seconds on, unless they are here or on their way.
    pub(super) fn want(&mut self, since_s: u64, now: Now) {
        if self.recent.wants(since_s, now.steady_ms) {
            self.actions.push(Action::Want(since_s));
        }
    }
}
