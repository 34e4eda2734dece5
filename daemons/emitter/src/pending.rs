//! The pending set: all transactions on their way, the positions of their entries, and what is due when. Pure: what
//! comes from logs, nodes and the clock goes in, [`Action`]s come out.
//!
//! # Correctness
//! - An entry that is read again, or a transaction that several replicas took, finds its flight and joins it. One that was
//!   ended is delivered again only if it was taken after its end was told: then somebody sent it again, and knew.
//! - Of a partition that is lost nothing is kept and nothing more is told: another emitter goes on with it.

mod blocks;

use crate::life::{End, Flight, Stage};
use crate::position::Positions;
use crate::rebuild::{Ended, Rebuilt};
use crate::recent::Recent;
use crate::route::Routes;
use crate::sound::Sound;
use crate::turn::{Action, Now, Standing, Terms, Turn};
use crate::verdict::Class;
use maidenlane_chain::{Address, B256};
use maidenlane_wire::{Fate, Outcome};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Range;

/// Ended transactions that are remembered at most.
const ENDED_MAX: usize = 200_000;

/// A node's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Verdict on a transaction that was sent.
    Verdict {
        /// Class.
        class: Class,
        /// The node's words.
        reason: Option<String>,
    },
    /// True if the node knows the hash.
    Looked(bool),
    /// Nothing: it could not be asked now.
    Busy,
}

/// All transactions on their way.
#[derive(Debug)]
pub struct Pending {
    terms: Terms,
    names: Vec<String>,
    standings: Vec<Standing>,
    routes: Routes,
    flights: HashMap<B256, Flight>,
    by_nonce: BTreeSet<(Address, u64, B256)>,
    due: BTreeSet<(u64, B256)>,
    due_of: HashMap<B256, u64>,
    ended: HashMap<B256, Ended>,
    ended_order: VecDeque<B256>,
    positions: BTreeMap<u32, Positions>,
    /// Outcomes told, and how many of them are durable.
    told: u64,
    durable: u64,
    /// Transactions that no block has decided, and their bytes.
    undecided: (usize, usize),
    recent: Recent,
    fresh: bool,
    actions: Vec<Action>,
}

impl Pending {
    /// An empty set, for nodes of these names.
    #[must_use]
    pub fn new(names: Vec<String>, routes: Routes, terms: Terms) -> Self {
        let standings = vec![Standing::Unproven; names.len()];
        Self {
            terms,
            names,
            standings,
            routes,
            flights: HashMap::new(),
            by_nonce: BTreeSet::new(),
            due: BTreeSet::new(),
            due_of: HashMap::new(),
            ended: HashMap::new(),
            ended_order: VecDeque::new(),
            positions: BTreeMap::new(),
            told: 0,
            durable: 0,
            undecided: (0, 0),
            recent: Recent::default(),
            fresh: false,
            actions: Vec::new(),
        }
    }

    /// Takes an entry of the topic: a transaction that was taken at `taken_ms` of Unix time.
    pub fn take(&mut self, partition: u32, offset: u64, tx: Sound, taken_ms: u64, now: Now) {
        self.read(partition, offset);
        let hash = tx.hash;
        if self.flights.contains_key(&hash) {
            self.step(hash, now, |flight, _| {
                flight.offsets.push(offset);
                None
            });
            return;
        }
        let round = match self.ended.get(&hash) {
            Some(ended) if ended.was_told_before(taken_ms) => ended.round.saturating_add(1),
            Some(_) => return self.settle(partition, offset),
            None => 0,
        };
        let mut flight = Flight::new(tx, partition, round, now.steady_ms);
        flight.offsets.push(offset);
        self.want(taken_ms / 1_000, now);
        self.begin(flight, now);
    }

    /// Takes an entry with a transaction that no node would take.
    pub fn refuse(
        &mut self,
        (partition, offset): (u32, u64),
        (hash, sender): (B256, Address),
        reason: String,
        now: Now,
    ) {
        self.read(partition, offset);
        // Whatever is wrong with it stays wrong, so once is enough.
        if !self.ended.contains_key(&hash) {
            let fate = Fate::Rejected { class: Class::Invalid.word().to_owned(), reason };
            let outcome = Outcome { hash, sender, round: 0, fate, raw: None, at_ms: now.unix_ms };
            self.end(hash, Ended { round: 0, end: End::Rejected, at_ms: now.unix_ms, partition });
            self.tell(outcome);
        }
        self.settle(partition, offset);
    }

    /// Passes over an entry that says nothing of any transaction.
    pub fn skip(&mut self, partition: u32, offset: u64) {
        self.read(partition, offset);
        self.settle(partition, offset);
    }

    /// Takes a node's answer.
    pub fn answer(&mut self, hash: B256, upstream: usize, answer: Answer, now: Now) {
        self.step(hash, now, |flight, turn| match answer {
            Answer::Verdict { class, reason } => flight.verdict(turn, upstream, class, reason),
            Answer::Looked(found) => flight.looked(turn, upstream, found),
            Answer::Busy => {
                flight.busy(turn, upstream);
                None
            }
        });
    }

    /// Takes note of a node's standing; one that proved to be of the right chain gets what it was not given.
    pub fn stand(&mut self, upstream: usize, standing: Standing, now: Now) {
        let Some(known) = self.standings.get_mut(upstream) else { return };
        if std::mem::replace(known, standing) != standing && standing == Standing::Right {
            self.each(now, |flight, turn| {
                flight.welcome(turn, upstream);
                None
            });
        }
    }

    /// Takes note whether the feed tells what is.
    pub const fn set_fresh(&mut self, fresh: bool) {
        self.fresh = fresh;
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Now) {
        while let Some((at, hash)) = self.due.first().copied()
            && at <= now.steady_ms
        {
            self.step(hash, now, Flight::tick);
        }
    }

    /// Time of the next tick.
    #[must_use]
    pub fn due_ms(&self) -> Option<u64> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes over a partition, with what its topics say is on its way there.
    pub fn gain(&mut self, partition: u32, rebuilt: Rebuilt, now: Now) {
        self.lose(partition);
        self.positions.entry(partition).or_default();
        for (hash, ended) in rebuilt.ended {
            self.end(hash, ended);
        }
        if let Some(since_ms) = rebuilt.flights.iter().map(|flight| flight.since_ms).min() {
            let age_ms = now.steady_ms.saturating_sub(since_ms);
            self.want(now.unix_ms.saturating_sub(age_ms) / 1_000, now);
        }
        for flight in rebuilt.flights {
            self.begin(flight, now);
        }
    }

    /// Forgets a partition that another emitter has now.
    pub fn lose(&mut self, partition: u32) {
        self.positions.remove(&partition);
        self.ended.retain(|_, ended| ended.partition != partition);
        let lost = self.flights.values().filter(|flight| flight.partition == partition);
        for hash in lost.map(|flight| flight.tx.hash).collect::<Vec<_>>() {
            self.remove(hash);
        }
    }

    /// Takes note that so many outcomes are durable, of all that were told.
    pub fn made_durable(&mut self, outcomes: u64) {
        self.durable = outcomes;
        for (partition, positions) in &mut self.positions {
            if let Some(offset) = positions.advance(outcomes) {
                self.actions.push(Action::Commit { partition: *partition, offset });
            }
        }
    }

    /// The actions since the last call, in their order.
    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// Number of transactions on their way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.flights.len()
    }

    /// True if nothing is on its way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }

    /// Transactions that no block has decided, and their bytes. The others only wait for finality, which takes as long as it
    /// takes, and are no reason to take fewer out of the log.
    #[must_use]
    pub const fn undecided(&self) -> (usize, usize) {
        self.undecided
    }

    /// The transactions on their way.
    pub fn flights(&self) -> impl Iterator<Item = &Flight> {
        self.flights.values()
    }

    /// A transaction on its way.
    #[must_use]
    pub fn flight(&self, hash: &B256) -> Option<&Flight> {
        self.flights.get(hash)
    }

    /// Entries that hold the positions.
    #[must_use]
    pub fn open(&self) -> usize {
        self.positions.values().map(Positions::open).sum()
    }

    fn read(&mut self, partition: u32, offset: u64) {
        self.positions.entry(partition).or_default().read(offset);
    }

    fn settle(&mut self, partition: u32, offset: u64) {
        let Some(positions) = self.positions.get_mut(&partition) else { return };
        positions.settle(offset, self.told);
        if let Some(offset) = positions.advance(self.durable) {
            self.actions.push(Action::Commit { partition, offset });
        }
    }

    fn tell(&mut self, outcome: Outcome) {
        self.told += 1;
        self.actions.push(Action::Tell(outcome));
    }

    /// One step of one flight, and what follows from it for the set.
    fn step(&mut self, hash: B256, now: Now, step: impl FnOnce(&mut Flight, &mut Turn<'_>) -> Option<End>) {
        let Self { terms, names, standings, routes, recent, fresh, actions, .. } = self;
        let Some(flight) = self.flights.get_mut(&hash) else { return };
        let (before, had_it) = (actions.len(), flight.told.accepted);
        let was_open = flight.is_open();
        let head = recent.head();
        let mut turn = Turn { now, terms, names, standings, routes, head, fresh: *fresh, actions };
        let end = step(flight, &mut turn);
        let due = flight.due_ms(&turn);
        let told = turn.actions.get(before..).unwrap_or_default();
        self.told += told.iter().filter(|action| matches!(action, Action::Tell(_))).count() as u64;
        let is_settled = end.is_some() || flight.stage != Stage::Offered;
        let (partition, round) = (flight.partition, flight.round);
        let (is_open, bytes) = (flight.is_open(), flight.tx.raw.len());
        let offsets = if is_settled { std::mem::take(&mut flight.offsets) } else { Vec::new() };
        let closes = (flight.told.accepted && !had_it).then_some((flight.tx.sender, flight.tx.nonce));
        if was_open != is_open {
            self.count(is_open, bytes);
        }
        match end {
            Some(end) => {
                self.remove(hash);
                self.end(hash, Ended { round, end, at_ms: now.unix_ms, partition });
            }
            None => self.plan(hash, due),
        }
        for offset in offsets {
            self.settle(partition, offset);
        }
        if let Some((sender, nonce)) = closes {
            self.close_gap(sender, nonce.saturating_add(1), now);
        }
    }

    fn close_gap(&mut self, sender: Address, nonce: u64, now: Now) {
        for next in self.of_nonce(sender, nonce) {
            self.step(next, now, |flight, turn| {
                flight.gap_closed(turn);
                None
            });
        }
    }

    /// One step of every flight. Senders' orders hold, for nodes want to see them.
    fn each(&mut self, now: Now, mut step: impl FnMut(&mut Flight, &mut Turn<'_>) -> Option<End>) {
        for (hash, ..) in self.orders() {
            self.step(hash, now, &mut step);
        }
    }

    /// All hashes with sender and nonce, in senders' orders.
    fn orders(&self) -> Vec<(B256, Address, u64)> {
        self.by_nonce.iter().map(|(sender, nonce, hash)| (*hash, *sender, *nonce)).collect()
    }

    fn of_nonce(&self, sender: Address, nonce: u64) -> Vec<B256> {
        let range: Range<_> = (sender, nonce, B256::ZERO)..(sender, nonce.saturating_add(1), B256::ZERO);
        self.by_nonce.range(range).map(|(_, _, hash)| *hash).collect()
    }

    /// Begins a life; blocks that came before it may have decided, which only a fresh feed tells.
    fn begin(&mut self, flight: Flight, now: Now) {
        let tx = &flight.tx;
        let (hash, used) = (tx.hash, self.recent.decision(tx.sender, tx.nonce));
        let decided = used.map(|(by, block)| (block, (by != hash).then_some(by))).filter(|_| self.fresh);
        self.insert(flight);
        self.step(hash, now, |flight, turn| {
            flight.begin(turn, decided);
            None
        });
    }

    fn insert(&mut self, flight: Flight) {
        let tx = &flight.tx;
        self.ended.remove(&tx.hash);
        self.by_nonce.insert((tx.sender, tx.nonce, tx.hash));
        if flight.is_open() {
            self.count(true, flight.tx.raw.len());
        }
        self.flights.insert(tx.hash, flight);
    }

    fn remove(&mut self, hash: B256) {
        let Some(flight) = self.flights.remove(&hash) else { return };
        let tx = &flight.tx;
        self.by_nonce.remove(&(tx.sender, tx.nonce, hash));
        if flight.is_open() {
            self.count(false, flight.tx.raw.len());
        }
        if let Some(due) = self.due_of.remove(&hash) {
            self.due.remove(&(due, hash));
        }
    }

    /// Counts a transaction among the undecided ones, or no longer.
    const fn count(&mut self, is_open: bool, bytes: usize) {
        let (count, sum) = self.undecided;
        self.undecided = match is_open {
            true => (count.saturating_add(1), sum.saturating_add(bytes)),
            false => (count.saturating_sub(1), sum.saturating_sub(bytes)),
        };
    }

    fn plan(&mut self, hash: B256, due: u64) {
        if let Some(before) = self.due_of.insert(hash, due) {
            self.due.remove(&(before, hash));
        }
        self.due.insert((due, hash));
    }

    fn end(&mut self, hash: B256, ended: Ended) {
        self.ended.insert(hash, ended);
        self.ended_order.push_back(hash);
        while self.ended_order.len() > ENDED_MAX {
            let Some(oldest) = self.ended_order.pop_front() else { return };
            self.ended.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests;
