//! The pending set of a partition, built again from the topics alone: who is given a partition goes on where another
//! emitter's machine burned down. Pure: a fold over the outcomes, and the transactions that it leaves open.

use crate::life::{End, Flight, Stage, Told};
use crate::sound::Sound;
use crate::verdict::Class;
use maidenlane_chain::B256;
use maidenlane_wire::{Fate, Outcome};
use std::collections::HashMap;

/// An ended transaction, as long as it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Round of its last outcome.
    pub round: u64,
    /// Kind of its end.
    pub end: End,
    /// Unix time in milliseconds at which that was told.
    pub at_ms: u64,
    /// Partition of its entries.
    pub partition: u32,
}

impl Ended {
    /// True if a transaction that was taken at this time was sent again by somebody who could know of the end, and may
    /// yet be delivered.
    pub(crate) const fn was_told_before(&self, taken_ms: u64) -> bool {
        matches!(self.end, End::Rejected | End::Expired) && taken_ms > self.at_ms
    }
}

/// Transactions of a partition.
#[derive(Debug, Default)]
pub struct Rebuilt {
    /// Transactions on their way, of which no entry is read any more.
    pub flights: Vec<Flight>,
    /// Transactions that have ended.
    pub ended: Vec<(B256, Ended)>,
}

/// Fate of one transaction as the outcomes tell it.
#[derive(Clone, Debug)]
struct History {
    round: u64,
    stage: Stage,
    told: Told,
    was_taken: bool,
    received_ms: u64,
    ended: Option<(End, u64)>,
}

/// Histories of a partition's transactions.
#[derive(Debug)]
pub struct Histories {
    names: Vec<String>,
    partition: u32,
    of: HashMap<B256, History>,
}

impl Histories {
    /// No histories yet; nodes have these names.
    #[must_use]
    pub fn new(names: Vec<String>, partition: u32) -> Self {
        Self { names, partition, of: HashMap::new() }
    }

    /// Takes the next outcome of the partition. What was told before, or by an emitter that did not know that the
    /// partition had another owner, changes nothing.
    pub fn take(&mut self, outcome: &Outcome) {
        let (round, at_ms) = (outcome.round, outcome.at_ms);
        let new = || History {
            round,
            stage: Stage::Offered,
            told: Told::default(),
            was_taken: false,
            received_ms: at_ms,
            ended: None,
        };
        let history = self.of.entry(outcome.hash).or_insert_with(new);
        if round > history.round {
            let was_taken = history.was_taken && history.ended.is_none();
            let received_ms = if history.ended.is_some() { at_ms } else { history.received_ms };
            *history = History { was_taken, received_ms, ..new() };
        }
        if round < history.round || history.ended.is_some() {
            return;
        }
        match &outcome.fate {
            Fate::Received => history.told.received = true,
            Fate::Sent { upstream, class, .. } => {
                let index = self.names.iter().position(|name| name == upstream);
                history.told.sent.extend(index.zip(Class::of_word(class)));
            }
            Fate::Accepted => {
                (history.told.accepted, history.was_taken) = (true, true);
                if history.stage == Stage::Offered {
                    history.stage = Stage::Pending;
                }
            }
            Fate::Mined { block } => {
                history.was_taken = true;
                history.stage = Stage::Decided { block: *block, by: None };
            }
            Fate::Replaced { by, block } => {
                history.stage = Stage::Decided { block: *block, by: Some(*by) };
            }
            Fate::ReorgedOut { .. } => {
                history.round += 1;
                history.told = Told { received: true, ..Told::default() };
                history.stage = Stage::open(history.was_taken);
            }
            Fate::Rejected { .. } => history.ended = Some((End::Rejected, at_ms)),
            Fate::Expired => history.ended = Some((End::Expired, at_ms)),
            Fate::Final { .. } => history.ended = Some((End::Final, at_ms)),
            Fate::Dropped { .. } => {}
        }
    }

    /// True if one seems to be on its way whose first outcome is older than what was read: there it may have been decided, in
    /// a block that has waited for finality ever since.
    #[must_use]
    pub fn lack_beginnings(&self) -> bool {
        self.of.values().any(|history| history.ended.is_none() && !history.told.received)
    }

    /// True if this transaction is on its way, so that its entry must be found, however old.
    #[must_use]
    pub fn wants(&self, hash: &B256) -> bool {
        self.of.get(hash).is_some_and(|history| history.ended.is_none())
    }

    /// Transactions on their way.
    pub fn wanted(&self) -> impl Iterator<Item = &B256> {
        self.of.iter().filter(|(_, history)| history.ended.is_none()).map(|(hash, _)| hash)
    }

    /// The set: of the partition's transactions those that are on their way, and all that ended. `age_of` says how long
    /// ago a Unix time was, `steady_ms` is the present time of the steady clock.
    #[must_use]
    pub fn rebuilt(self, transactions: Vec<Sound>, steady_ms: u64, unix_ms: u64) -> Rebuilt {
        let partition = self.partition;
        let mut rebuilt = Rebuilt::default();
        let mut of = self.of;
        for tx in transactions {
            let Some(history) = of.get(&tx.hash).filter(|history| history.ended.is_none()) else { continue };
            let since_ms = steady_ms.saturating_sub(unix_ms.saturating_sub(history.received_ms));
            let mut flight = Flight::new(tx, partition, history.round, since_ms);
            (flight.stage, flight.was_taken) = (history.stage, history.was_taken);
            flight.told.clone_from(&history.told);
            of.remove(&flight.tx.hash);
            rebuilt.flights.push(flight);
        }
        let ended = of.into_iter().filter_map(|(hash, history)| {
            let (end, at_ms) = history.ended?;
            Some((hash, Ended { round: history.round, end, at_ms, partition }))
        });
        rebuilt.ended = ended.collect();
        // In each sender's order, for nodes want to see it.
        rebuilt.flights.sort_by_key(|flight| (flight.tx.sender, flight.tx.nonce));
        rebuilt
    }
}

#[cfg(test)]
mod tests;
