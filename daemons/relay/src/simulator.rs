//! Simulation of all orders that the next block may hold, anew on each head, on some threads.
//!
//! | module | idea |
//! |---|---|
//! | [`mod@line`] | pure: which order comes next |
//! | [`summary`] | pure: knowledge of an order's simulation that is kept |
//!
//! # Rules
//! - A result says what an order earns: builders' queues go by that, in the place of its tips.
//! - An order that fails is delivered all the same, unless the settings have it held until it succeeds. That is the default,
//!   as nobody knows what a builder puts before it, and an order that is kept from one is lost for that block.
//! - Nothing is held for want of knowledge: where the head is stale, the fork unknown, the line full, the account's gas used up or the
//!   time over, an order is delivered as one that was not simulated.
//! - An order that waits for a nonce is no failure to its sender; held or delivered it is as one that fails.
//!
//! # Correctness
//! A head ends all work on the one before: its flag is raised, which the EVM looks at, and results that come all the same are of a
//! round that is over, and change nothing. Neither book nor state is locked while the EVM runs.

pub mod line;
pub mod summary;

use crate::allowance::Allowance;
use crate::bundle::Checked;
use crate::config::Simulation;
use crate::courier::Courier;
use crate::metrics::{Gauges, Simulated};
use crate::orders::Orders;
use crate::redacted::Redacted;
use crate::simulation::next::{self, Wishes};
use crate::simulation::prepared::{Prepared, Unprepared};
use crate::simulation::run::Made;
use crate::simulation::tried::Cache;
use crate::tips::Tips;
use crate::window::Place;
use alloy::consensus::Header;
use line::{Line, Rank};
use maidenlane_chain::{Address, BlockRef};
use maidenlane_evm::Failure;
use maidenlane_evm::budget::{Budget, Spent};
use maidenlane_evm::codes::Codes;
use maidenlane_replay::Live;
use maidenlane_service::{clock, with_causes};
use maidenlane_state::{At, StateView};
use maidenlane_wire::ContentId;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use summary::Summary;

/// Simulator of a relay. Cheap to clone.
#[derive(Clone)]
pub struct Simulator(Arc<Parts>);

struct Parts {
    chain: Arc<dyn Live>,
    orders: Orders,
    courier: Courier,
    terms: Simulation,
    codes: Codes,
    cache: Cache,
    allowance: Mutex<Allowance>,
    gauges: Gauges,
    tips: Tips,
    born: Instant,
    state: Mutex<State>,
    news: Condvar,
}

struct State {
    round: Option<Arc<Round>>,
    rounds: u64,
    line: Line,
    prepared: HashMap<ContentId, Arc<Prepared>>,
    results: HashMap<ContentId, Arc<Summary>>,
    is_closed: bool,
}

/// A head, and the block that is simulated on it.
struct Round {
    number: u64,
    view: Arc<dyn StateView>,
    header: Header,
    is_over: Arc<AtomicBool>,
}

/// Knowledge that a simulation brought.
enum Verdict {
    Known(Arc<Summary>),
    /// Nothing was found out.
    Unknown,
    /// The head is another one by now.
    Over,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Simulator {
    /// A simulator on this chain, that begins with the first head which it is told of.
    #[must_use]
    pub fn new(
        chain: Arc<dyn Live>,
        orders: Orders,
        courier: Courier,
        terms: Simulation,
        gauges: Gauges,
        tips: Tips,
        accounts_max: usize,
    ) -> Self {
        let state = State {
            round: None,
            rounds: 0,
            line: Line::new(terms.queue),
            prepared: HashMap::new(),
            results: HashMap::new(),
            is_closed: false,
        };
        Self(Arc::new(Parts {
            chain,
            orders,
            courier,
            terms,
            codes: Codes::new(terms.code_bytes),
            cache: Cache::new(terms.result_bytes),
            allowance: Mutex::new(Allowance::new(terms.gas_per_s, accounts_max)),
            gauges,
            tips,
            born: Instant::now(),
            state: Mutex::new(state),
            news: Condvar::new(),
        }))
    }

    /// Terms of simulation.
    #[must_use]
    pub fn terms(&self) -> &Simulation {
        &self.0.terms
    }

    /// Analysed code, for whoever else runs something.
    #[must_use]
    pub fn codes(&self) -> &Codes {
        &self.0.codes
    }

    /// True if an account may have something simulated.
    #[must_use]
    pub fn allows(&self, account: &Redacted<String>) -> bool {
        lock(&self.0.allowance).has_some(account, clock::millis(self.0.born.elapsed()))
    }

    /// Charges an account with gas that was simulated for this signer.
    pub fn charge(&self, account: &Redacted<String>, signer: Address, gas: u64) {
        self.0.tips.simulated(signer, gas);
        lock(&self.0.allowance).spend(account, gas, clock::millis(self.0.born.elapsed()));
    }

    /// Knowledge of an order.
    #[must_use]
    pub fn of(&self, content: ContentId) -> Option<Arc<Summary>> {
        lock(&self.0.state).results.get(&content).cloned()
    }

    /// Takes note of the present head: what the block after it may hold is simulated anew.
    pub fn advance(&self) {
        let view = self.0.chain.view();
        let (head, fitness) = (view.head(), self.0.chain.fitness());
        let header = next::header(&head.rules, &head.header, self.0.terms.block_time_s, &Wishes::default());
        let can = fitness.stale.is_none() && head.rules.unknown_at(&header).is_none();
        let due: Vec<(ContentId, Rank)> = {
            let mut book = self.0.orders.book();
            book.due(header.number, header.timestamp)
                .into_iter()
                .map(|due| (due.content, Rank::of(due)))
                .collect()
        };
        let known: Vec<ContentId> = lock(&self.0.state).results.keys().copied().collect();
        let gone: Vec<ContentId> = {
            let book = self.0.orders.book();
            known.into_iter().filter(|content| book.get(*content).is_none()).collect()
        };
        let mut state = lock(&self.0.state);
        gone.iter().for_each(|content| drop(state.results.remove(content)));
        let is_due: HashSet<ContentId> = due.iter().map(|(content, _)| *content).collect();
        state.prepared.retain(|content, _| is_due.contains(content));
        if let Some(round) = state.round.take() {
            round.is_over.store(true, Ordering::Relaxed);
        }
        state.line.clear();
        let untaken: Vec<ContentId> = match can {
            true => due
                .iter()
                .filter(|(content, rank)| !state.line.push(*content, *rank))
                .map(|(id, _)| *id)
                .collect(),
            false => due.iter().map(|(content, _)| *content).collect(),
        };
        state.rounds = state.rounds.saturating_add(1);
        let number = state.rounds;
        state.round = can.then(|| Arc::new(Round { number, view, header, is_over: Arc::default() }));
        self.0.gauges.simulations_wait(state.line.len());
        drop(state);
        self.0.cache.clear();
        self.0.news.notify_all();
        if self.0.terms.holds {
            untaken.into_iter().for_each(|content| self.0.courier.offer(content));
        }
    }

    /// Takes an order that counts from now on; true if its delivery waits for the simulation.
    pub fn take(&self, content: ContentId) -> bool {
        let Some(round) = lock(&self.0.state).round.clone() else { return false };
        let rank = {
            let book = self.0.orders.book();
            let due = book
                .deliverable(content)
                .filter(|due| due.window().place(round.header.number, round.header.timestamp) == Place::Open);
            due.map(Rank::of)
        };
        let Some(rank) = rank else { return false };
        let mut state = lock(&self.0.state);
        let is_taken = state.round.is_some() && state.line.push(content, rank);
        self.0.gauges.simulations_wait(state.line.len());
        drop(state);
        self.0.news.notify_one();
        is_taken && self.0.terms.holds
    }

    /// Ends all threads.
    pub fn close(&self) {
        let mut state = lock(&self.0.state);
        state.is_closed = true;
        if let Some(round) = &state.round {
            round.is_over.store(true, Ordering::Relaxed);
        }
        drop(state);
        self.0.news.notify_all();
    }

    /// Simulates until it is closed: the work of one thread.
    pub fn work(&self) {
        let mut number = 0;
        while let Some(round) = self.round_after(number) {
            number = round.number;
            self.serve(&round);
        }
    }

    fn round_after(&self, number: u64) -> Option<Arc<Round>> {
        let mut state = lock(&self.0.state);
        while !state.is_closed {
            if let Some(round) = state.round.as_ref().filter(|round| round.number > number) {
                return Some(Arc::clone(round));
            }
            state = self.0.news.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    /// Next order of a round; `None` once that is over.
    fn next(&self, round: &Round) -> Option<ContentId> {
        let mut state = lock(&self.0.state);
        while !state.is_closed && state.round.as_ref().is_some_and(|present| present.number == round.number) {
            if let Some(content) = state.line.pop() {
                self.0.gauges.simulations_wait(state.line.len());
                return Some(content);
            }
            state = self.0.news.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    fn budget(&self, round: &Round) -> Budget {
        Budget::until(Instant::now() + self.0.terms.timeout, Arc::clone(&round.is_over))
    }

    fn serve(&self, round: &Round) {
        let (view, rules) = (&*round.view, &round.view.head().rules);
        let at = (At::Latest, round.header.number);
        let begun = Made::begin(&round.header, rules, view, at, &self.0.codes, &mut self.budget(round));
        let block = match begun {
            Ok(block) => Some(block.noted(&self.0.cache)),
            Err(Failure::Spent(_)) => None,
            Err(failure) => {
                unreadable(&failure);
                None
            }
        };
        while let Some(content) = self.next(round) {
            // Replaced or cancelled meanwhile, or simulated and out of time.
            let Some(checked) = self.0.orders.book().deliverable(content).cloned() else { continue };
            let verdict = match &block {
                Some(block) => self.simulated(round, block, &checked),
                None => Verdict::Unknown,
            };
            self.tell(round, content, verdict);
        }
    }

    fn simulated(&self, round: &Round, block: &Made<'_>, checked: &Checked) -> Verdict {
        let account = checked.account();
        if !self.allows(&account) {
            self.0.gauges.simulated(Simulated::NoGas);
            return Verdict::Unknown;
        }
        let (begun, mut budget) = (Instant::now(), self.budget(round));
        let done = self.prepared(checked, &mut budget).and_then(|bundle| {
            let outcome = block.run(&bundle, &mut budget).map_err(Unprepared::Failed)?;
            Ok((bundle, outcome))
        });
        match done {
            Ok((bundle, outcome)) => {
                self.charge(&account, checked.bundle.signer, outcome.gas_used());
                let summary =
                    Summary::of(round.header.number, parent(round), clock::now_ms(), &bundle, &outcome);
                self.0.gauges.simulated(summary.metric());
                self.0.gauges.simulation_took(begun.elapsed(), outcome.gas_used());
                Verdict::Known(Arc::new(summary))
            }
            Err(Unprepared::Failed(Failure::Spent(Spent::Cancelled))) => Verdict::Over,
            Err(Unprepared::Failed(Failure::Spent(Spent::Time))) => {
                self.charge(&account, checked.bundle.signer, round.header.gas_limit);
                self.0.gauges.simulated(Simulated::Late);
                Verdict::Unknown
            }
            Err(Unprepared::Failed(failure)) => {
                unreadable(&failure);
                Verdict::Unknown
            }
            // It was read when it was taken: only its signature may be wrong.
            Err(Unprepared::Refused(_)) => Verdict::Unknown,
        }
    }

    fn prepared(&self, checked: &Checked, budget: &mut Budget) -> Result<Arc<Prepared>, Unprepared> {
        if let Some(prepared) = lock(&self.0.state).prepared.get(&checked.content) {
            return Ok(Arc::clone(prepared));
        }
        let prepared = Arc::new(Prepared::of(&checked.bundle, budget)?);
        lock(&self.0.state).prepared.insert(checked.content, Arc::clone(&prepared));
        Ok(prepared)
    }

    /// Has everybody know a verdict, unless its round is over.
    fn tell(&self, round: &Round, content: ContentId, verdict: Verdict) {
        let (Parts { courier, terms, .. }, stale) = (&*self.0, self.0.chain.fitness().stale);
        if matches!(verdict, Verdict::Over) || round.is_over.load(Ordering::Relaxed) {
            return;
        }
        let is_whole = match verdict {
            Verdict::Known(summary) => {
                courier.value(content, summary.gain());
                let is_whole = summary.is_whole();
                lock(&self.0.state).results.insert(content, summary);
                is_whole
            }
            Verdict::Unknown | Verdict::Over => true,
        };
        match (terms.holds, is_whole || stale.is_some()) {
            (true, true) => courier.offer(content),
            (true, false) => {
                courier.hold(content);
                // A head that came meanwhile may have had it delivered.
                if round.is_over.load(Ordering::Relaxed) {
                    courier.offer(content);
                }
            }
            (false, _) => {}
        }
    }
}

fn parent(round: &Round) -> BlockRef {
    round.view.head().block
}

/// Logs a failure to read the state. Nothing of an order is in it.
fn unreadable(failure: &Failure) {
    match failure {
        Failure::Read(fault) => tracing::error!("the state cannot be read: {}", with_causes(fault)),
        _ => tracing::error!("the EVM refused to run an order"),
    }
}
