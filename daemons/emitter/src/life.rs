//! Life of one transaction: answers, blocks and time in, requests and outcomes out. A state machine without a clock.
//!
//! ```text
//!  Offered ──a node has it──▶ Pending ◀──its block left the chain── Decided ──its block is final──▶ end
//!     │  └─held too long──▶ Held ──┘  └──a block holds it, or another with its nonce──▶ ▲
//!     └── every node refuses it ──▶ end                      too old, and no block ──▶ end
//! ```
//!
//! # Correctness
//! - A refusal ends it only while no node and no block ever had it, and only when every node of its route that can answer refuses it: one
//!   node that is wrong, old or hostile must not stop what another would take. A node that is away is waited for as long
//!   as the position may be held.
//! - `NonceLow` is no refusal before the node was asked for the hash: the transaction itself may have used the nonce.
//! - No answer says nothing. It is asked again, which is the proof: who has it says that it is known.

mod asking;

use crate::answer::{Ask, Try};
use crate::route::Route;
use crate::sound::Sound;
use crate::turn::{Action, Standing, Turn};
use crate::verdict::Class;
use maidenlane_chain::{B256, BlockRef};
use maidenlane_wire::{Fate, Outcome, outcome::short_reason};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Stage of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No node has it yet.
    Offered,
    /// No node has room for it yet, and it no longer holds the position.
    Held,
    /// A node has it.
    Pending,
    /// A block holds it, or another one with its nonce.
    Decided {
        /// The block.
        block: BlockRef,
        /// The other one.
        by: Option<B256>,
    },
}

impl Stage {
    /// Stage of a transaction that no block decides any more: without a node that ever had it, it may yet be refused.
    pub(crate) const fn open(was_taken: bool) -> Self {
        if was_taken { Self::Pending } else { Self::Held }
    }
}

/// End of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// No node takes it.
    Rejected,
    /// Lifetime over.
    Expired,
    /// The block that decided is final.
    Final,
    /// A block decided long ago, on a chain that makes nothing final.
    Settled,
}

/// Outcomes of the present round that were told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// An emitter has it.
    pub received: bool,
    /// A node has it.
    pub accepted: bool,
    /// Verdicts of nodes, by index.
    pub sent: BTreeSet<(usize, Class)>,
}

/// One transaction on its way.
#[derive(Debug)]
pub struct Flight {
    /// The transaction.
    pub tx: Arc<Sound>,
    /// Partition of its entries.
    pub partition: u32,
    /// Entries that wait for a decision.
    pub offsets: Vec<u64>,
    /// Round of its outcomes.
    pub round: u64,
    /// Stage.
    pub stage: Stage,
    /// Outcomes that were told.
    pub told: Told,
    /// True once a node or a block had it, in whatever round.
    pub was_taken: bool,
    /// Time at which it was first received, by the steady clock.
    pub since_ms: u64,
    /// Nodes that get it.
    pub route: Arc<Route>,
    tries: Vec<Try>,
    /// Time at which this emitter began with it: what it holds, it holds from then on.
    begun_ms: u64,
    broadcast_ms: u64,
    broadcast_block: Option<u64>,
}

impl Flight {
    /// A transaction that was received at `since_ms`; nothing is asked yet.
    #[must_use]
    pub fn new(tx: Sound, partition: u32, round: u64, since_ms: u64) -> Self {
        Self {
            tx: Arc::new(tx),
            partition,
            offsets: Vec::new(),
            round,
            stage: Stage::Offered,
            told: Told::default(),
            was_taken: false,
            since_ms,
            route: Arc::default(),
            tries: Vec::new(),
            begun_ms: since_ms,
            broadcast_ms: since_ms,
            broadcast_block: None,
        }
    }

    /// Begins, or goes on after a restart: the nodes of its route get it, unless a block has decided, which is said where it is known.
    pub(crate) fn begin(&mut self, turn: &mut Turn<'_>, decided: Option<(BlockRef, Option<B256>)>) {
        self.tries.resize_with(turn.names.len(), Try::default);
        self.route = turn.routes.of(&self.tx);
        self.begun_ms = turn.now.steady_ms;
        if !self.told.received {
            self.told.received = true;
            self.tell(turn, Fate::Received);
        }
        if let Some((block, by)) = decided {
            self.decided(turn, block, by);
        }
        if self.is_open() {
            self.broadcast(turn);
        }
    }

    /// A node gave a verdict.
    pub(crate) fn verdict(
        &mut self,
        turn: &mut Turn<'_>,
        upstream: usize,
        class: Class,
        reason: Option<String>,
    ) -> Option<End> {
        let one = self.tries.get_mut(upstream)?;
        one.note(class, reason, turn.now.steady_ms);
        if class == Class::NonceLow {
            self.ask(turn, upstream, Ask::Look);
            return None;
        }
        self.judge(turn, upstream)
    }

    /// A node said whether it knows the transaction by its hash.
    pub(crate) fn looked(&mut self, turn: &mut Turn<'_>, upstream: usize, found: bool) -> Option<End> {
        self.tries.get_mut(upstream)?.looked(found);
        self.judge(turn, upstream)
    }

    /// A node could not be asked, or did not answer what says nothing by itself.
    pub(crate) fn busy(&mut self, turn: &mut Turn<'_>, upstream: usize) {
        if let Some(one) = self.tries.get_mut(upstream) {
            one.wait(turn.now.steady_ms);
        }
        if self.is_open() {
            self.widen(turn);
        }
    }

    /// Judges it anew, after a node's answer.
    fn judge(&mut self, turn: &mut Turn<'_>, upstream: usize) -> Option<End> {
        let (class, reason) = self.tries.get(upstream).and_then(Try::answer)?;
        let reason = reason.map(str::to_owned);
        if self.told.sent.insert((upstream, class)) {
            let name = turn.names.get(upstream).cloned().unwrap_or_default();
            self.tell(turn, Fate::Sent { upstream: name, class: class.word().to_owned(), reason });
        }
        if !class.has_it() {
            if self.is_open() {
                self.widen(turn);
            }
            return self.refused(turn);
        }
        if !self.told.accepted && self.is_open() {
            (self.told.accepted, self.was_taken) = (true, true);
            self.tell(turn, Fate::Accepted);
        }
        if matches!(self.stage, Stage::Offered | Stage::Held) {
            self.stage = Stage::Pending;
        }
        None
    }

    /// Ends it if every node of its route that can answer refuses it.
    fn refused(&mut self, turn: &mut Turn<'_>) -> Option<End> {
        if self.was_taken || !matches!(self.stage, Stage::Offered | Stage::Held) {
            return None;
        }
        let is_late = turn.now.steady_ms >= self.held_until_ms(turn);
        let mut refusals = BTreeSet::new();
        for upstream in &self.route.nodes {
            let of = (self.tries.get(*upstream), turn.standings.get(*upstream));
            let (Some(one), Some(standing)) = of else { continue };
            match (one.answer(), standing) {
                (_, Standing::Wrong) => {}
                (Some((class, reason)), _) if class.refuses() => {
                    let rank = Class::ALL.iter().position(|known| *known == class);
                    refusals.insert((rank, class, reason.unwrap_or_default().to_owned()));
                }
                // Of the node, not of the transaction: after a while those that did answer count.
                (Some((class, _)), _) if is_late && !class.may_pass() => {}
                (None, _) if is_late => {}
                _ => return None,
            }
        }
        let (_, class, reason) = refusals.pop_first()?;
        self.tell(turn, Fate::Rejected { class: class.word().to_owned(), reason });
        Some(End::Rejected)
    }

    /// A block holds it, or another one with its nonce.
    pub(crate) fn decided(&mut self, turn: &mut Turn<'_>, block: BlockRef, by: Option<B256>) {
        match self.stage {
            Stage::Decided { block: before, .. } if before == block => return,
            Stage::Decided { block: before, .. } => self.taken_back(turn, before),
            _ => {}
        }
        self.was_taken |= by.is_none();
        self.stage = Stage::Decided { block, by };
        self.tell(turn, by.map_or(Fate::Mined { block }, |by| Fate::Replaced { by, block }));
    }

    /// A block is no longer on the chain.
    pub(crate) fn undone(&mut self, turn: &mut Turn<'_>, block: BlockRef) {
        if matches!(self.stage, Stage::Decided { block: before, .. } if before == block) {
            self.taken_back(turn, block);
            self.broadcast(turn);
        }
    }

    fn taken_back(&mut self, turn: &mut Turn<'_>, block: BlockRef) {
        self.tell(turn, Fate::ReorgedOut { block });
        self.round += 1;
        self.told = Told { received: true, ..Told::default() };
        self.stage = Stage::open(self.was_taken);
    }

    /// Blocks up to `number` are final.
    pub(crate) fn finalized(&self, turn: &mut Turn<'_>, number: u64) -> Option<End> {
        match self.stage {
            Stage::Decided { block, .. } if block.number <= number => {
                self.tell(turn, Fate::Final { block });
                Some(End::Final)
            }
            _ => None,
        }
    }

    /// The head moved: sends it again when that is due.
    pub(crate) fn head_moved(&mut self, turn: &mut Turn<'_>) {
        let Some(head) = turn.head else { return };
        let since = *self.broadcast_block.get_or_insert(head);
        let is_due = head.saturating_sub(since) >= turn.terms.again_blocks;
        if is_due && matches!(self.stage, Stage::Pending | Stage::Held) {
            self.broadcast(turn);
        }
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, turn: &mut Turn<'_>) -> Option<End> {
        let now = turn.now.steady_ms;
        if now >= self.since_ms.saturating_add(turn.terms.lifetime_ms) {
            match self.stage {
                Stage::Decided { .. } => return Some(End::Settled),
                _ if turn.fresh => {
                    self.tell(turn, Fate::Expired);
                    return Some(End::Expired);
                }
                _ => {}
            }
        }
        if self.stage == Stage::Offered && now >= self.held_until_ms(turn) {
            if let Some(end) = self.refused(turn) {
                return Some(end);
            }
            // While no node has so much as looked at it, the position stays: replicas must learn that nothing is delivered.
            if self.tries.iter().filter_map(Try::class).any(Class::may_pass) {
                self.stage = Stage::Held;
            }
        }
        let is_due = now >= self.broadcast_ms.saturating_add(turn.terms.again_ms);
        if is_due && matches!(self.stage, Stage::Pending | Stage::Held) {
            self.broadcast(turn);
        }
        if self.is_open() {
            for upstream in 0..self.tries.len() {
                if let Some(ask) = self.tries.get(upstream).and_then(|one| one.due(now)) {
                    self.ask(turn, upstream, ask);
                }
            }
        }
        None
    }

    /// Time of the next tick that may do something.
    pub(crate) fn due_ms(&self, turn: &Turn<'_>) -> u64 {
        let (now, terms) = (turn.now.steady_ms, turn.terms);
        // What is due and waits for something else, such as a fresh feed, is looked at again soon, not at once.
        let soon = |at: u64| if at > now { at } else { now + LOOK_AGAIN_MS };
        let end = soon(self.since_ms.saturating_add(terms.lifetime_ms));
        let staged = match self.stage {
            Stage::Decided { .. } => return end,
            Stage::Offered => soon(self.held_until_ms(turn)),
            Stage::Held | Stage::Pending => soon(self.broadcast_ms.saturating_add(terms.again_ms)),
        };
        // Nodes that may not be asked get nothing when their time comes, so that it never passes.
        let asked = self.tries.iter().zip(turn.standings).filter(|(_, stands)| **stands == Standing::Right);
        let retried = asked.filter_map(|(one, _)| one.again_ms()).min().unwrap_or(u64::MAX);
        end.min(staged).min(retried)
    }

    /// True while no block has decided.
    pub(crate) const fn is_open(&self) -> bool {
        !matches!(self.stage, Stage::Decided { .. })
    }

    const fn held_until_ms(&self, turn: &Turn<'_>) -> u64 {
        self.begun_ms.saturating_add(turn.terms.hold_ms)
    }

    fn tell(&self, turn: &mut Turn<'_>, fate: Fate) {
        let fate = shortened(fate);
        let (hash, sender, round) = (self.tx.hash, self.tx.sender, self.round);
        // Who tells of it need not look for it elsewhere; there are few.
        let raw = matches!(fate, Fate::Rejected { .. }).then(|| self.tx.without_blobs());
        let outcome = Outcome { hash, sender, round, fate, raw, at_ms: turn.now.unix_ms };
        turn.actions.push(Action::Tell(outcome));
    }
}

/// Time after which something that is due and cannot be done is looked at again.
const LOOK_AGAIN_MS: u64 = 1_000;

/// The same fate with a reason that readers take.
fn shortened(mut fate: Fate) -> Fate {
    let cut = |text: &mut String| *text = short_reason(std::mem::take(text));
    match &mut fate {
        Fate::Sent { reason: Some(reason), .. } | Fate::Rejected { reason, .. } => cut(reason),
        _ => {}
    }
    fate
}
