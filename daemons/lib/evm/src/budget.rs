//! Time budget of a call. One budget serves all rounds of one request: it is lent to each run of the EVM and cannot be
//! copied, so no loop around the EVM can begin with a fresh one.
//!
//! An inspector per instruction would halve the speed of everything, so work is counted where it can repeat or is long
//! (see `instructions`), by its estimate in [`cost`], and the clock is looked at when enough has come together.

use super::{Failure, cost};
use revm::context::TxEnv;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Work between two looks at the clock, in nanoseconds: a look itself takes some 30.
pub const LOOK: u64 = 1_280;

/// Reason why a call was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// Out of time.
    Time,
    /// The client left.
    Cancelled,
}

/// Time left for a request. The EVM's context borrows it, where wrapped instructions find it.
#[derive(Debug)]
pub struct Budget {
    /// Work since the last look at the clock, in nanoseconds.
    unseen: u64,
    deadline: Option<Instant>,
    /// Time limit of each transaction within it, and the deadline of the present one.
    each: Option<(Duration, Option<Instant>)>,
    cancelled: Option<Arc<AtomicBool>>,
    /// True to begin nothing that would end after the deadline.
    light: bool,
    spent: Option<Spent>,
}

impl Budget {
    /// Budget of a first try on an IO thread.
    pub fn light(time: Duration) -> Self {
        let deadline = Instant::now().checked_add(time);
        Self { unseen: 0, deadline, each: None, cancelled: None, light: true, spent: None }
    }

    /// Budget of a job on the pool: until a deadline, or until `cancelled` turns true.
    pub fn until(deadline: Instant, cancelled: Arc<AtomicBool>) -> Self {
        let (deadline, cancelled) = (Some(deadline), Some(cancelled));
        Self { unseen: 0, deadline, each: None, cancelled, light: false, spent: None }
    }

    /// Limits the time of each transaction from now on.
    pub fn limit_each(&mut self, time: Duration) {
        self.each = Some((time, None));
    }

    /// Counts work of `cost` nanoseconds that is about to be done. False if neither it nor anything else may be begun.
    #[inline]
    pub fn spend(&mut self, cost: u64) -> bool {
        self.unseen = self.unseen.saturating_add(cost);
        self.unseen < LOOK || self.has_time()
    }

    /// Counts work as [`Budget::spend`], for code that is not the EVM's.
    pub fn charge(&mut self, cost: u64) -> Result<(), Failure> {
        if self.spend(cost) { Ok(()) } else { Err(self.failure()) }
    }

    /// Looks at the clock now; every loop does so in each round.
    pub fn look(&mut self) -> Result<(), Failure> {
        if self.has_time() { Ok(()) } else { Err(self.failure()) }
    }

    /// Begins a transaction: looks at the clock, and starts the time limit of each, which [`Budget::end`] ends.
    pub(super) fn begin(&mut self, tx: &TxEnv) -> Result<(), Failure> {
        if let Some((time, until)) = &mut self.each {
            *until = Instant::now().checked_add(*time);
        }
        self.charge(cost::transaction(tx).saturating_add(LOOK))
    }

    /// Ends the transaction: only the deadline bounds what comes after it.
    pub(super) fn end(&mut self) -> Option<Spent> {
        if let Some((_, until)) = &mut self.each {
            *until = None;
        }
        self.spent
    }

    #[cold]
    fn has_time(&mut self) -> bool {
        if self.spent.is_some() {
            return false;
        }
        let ahead = Duration::from_nanos(std::mem::take(&mut self.unseen));
        let now = Instant::now();
        let ends = if self.light { now.checked_add(ahead) } else { Some(now) };
        let is_over = |until: Instant| ends.is_none_or(|ends| ends >= until);
        let each = self.each.and_then(|(_, until)| until);
        if self.cancelled.as_ref().is_some_and(|cancelled| cancelled.load(Ordering::Relaxed)) {
            self.spent = Some(Spent::Cancelled);
        } else if self.deadline.is_some_and(is_over) || each.is_some_and(is_over) {
            self.spent = Some(Spent::Time);
        }
        if self.spent.is_some() {
            // So that nothing else is begun either.
            self.unseen = LOOK;
        }
        self.spent.is_none()
    }

    fn failure(&self) -> Failure {
        Failure::Spent(self.spent.unwrap_or(Spent::Time))
    }
}
