//! Bytes on their way to clients, answers and notifications: bounded over all connections of all listeners, and nobody
//! holds what others need.
//!
//! # Why
//! Answers are large, connections many, and a client may read as slowly as the least rate allows: 4,096 times 25 MB is
//! more than any machine has. An answer is counted while it grows and until its last byte is written, a notification
//! until it is taken. What finds no room is refused, or ends its subscription; small answers always have room. One owner
//! may hold as many bytes as are still free: alone half of all, so that there is always room for one more.

use crate::codes;
use crate::error::Error;
use crate::limits::Limits;
use crate::owner::Owner;
use crate::turns::{AllTurns, Turns};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of an answer that are not counted. All connections together hold little of that.
const FREE_BYTES: usize = 16 << 10;
/// Largest answers that one connection may hold together.
const SHARE_ANSWERS: usize = 4;
/// Largest answers that all connections may hold together.
const ALL_ANSWERS: usize = 32;
/// Bytes of the notifications that may wait on one connection.
const SHARE_NOTIFICATIONS: usize = 64 << 20;
/// Bytes of the notifications that may wait on all connections.
const ALL_NOTIFICATIONS: usize = 512 << 20;

/// Bytes that may be held.
#[derive(Debug)]
struct Budget {
    /// By all together.
    most: usize,
    /// By one connection.
    share_most: usize,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    all: usize,
    /// Bytes of each owner that holds any.
    owners: HashMap<Owner, usize>,
}

impl Budget {
    fn new(most: usize, share_most: usize) -> Arc<Self> {
        Arc::new(Self { most, share_most, used: Mutex::default() })
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts so many bytes more, unless their owner then holds more than is free.
    fn take(&self, owner: &Owner, bytes: usize) -> bool {
        let mut used = self.used();
        let own = used.owners.get(owner).copied().unwrap_or_default().saturating_add(bytes);
        let all = used.all.saturating_add(bytes);
        if own > self.most.saturating_sub(all) {
            return false;
        }
        used.all = all;
        used.owners.insert(owner.clone(), own);
        true
    }

    fn give(&self, owner: &Owner, bytes: usize) {
        let mut used = self.used();
        used.all = used.all.saturating_sub(bytes);
        if let Some(own) = used.owners.get_mut(owner) {
            *own = own.saturating_sub(bytes);
            if *own == 0 {
                used.owners.remove(owner);
            }
        }
    }
}

/// Answers and notifications of all connections.
#[derive(Clone, Debug)]
pub struct InFlight {
    answers: Arc<Budget>,
    notifications: Arc<Budget>,
    turns: Arc<AllTurns>,
}

impl InFlight {
    /// Nothing yet, within these limits.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let times = |answers: usize| limits.answer_bytes.saturating_mul(answers);
        Self {
            answers: Budget::new(times(ALL_ANSWERS), times(SHARE_ANSWERS)),
            notifications: Budget::new(ALL_NOTIFICATIONS, SHARE_NOTIFICATIONS),
            turns: Arc::default(),
        }
    }

    /// Share of a new connection in the answers.
    pub(crate) fn answers(&self, owner: Owner) -> Arc<Share> {
        self.share(&self.answers, owner)
    }

    /// Share of a new connection in the notifications.
    pub(crate) fn notifications(&self, owner: Owner) -> Arc<Share> {
        self.share(&self.notifications, owner)
    }

    /// Turns of an owner.
    pub(crate) fn turns(&self, owner: &Owner) -> Turns {
        self.turns.of(owner)
    }

    fn share(&self, budget: &Arc<Budget>, owner: Owner) -> Arc<Share> {
        let turns = self.turns.of(&owner);
        Arc::new(Share { budget: Arc::clone(budget), owner, used: AtomicUsize::new(0), turns })
    }
}

/// Bytes of one connection, and the turns of its owner.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    owner: Owner,
    used: AtomicUsize,
    turns: Turns,
}

/// Bound that leaves no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// Bytes of this connection, at most so many.
    Connection(usize),
    /// Bytes of this owner, and of all.
    Owner,
}

impl Share {
    /// Turns of the owner.
    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }

    fn take(&self, bytes: usize) -> Result<(), Full> {
        let most = self.budget.share_most;
        let more = |used: usize| used.checked_add(bytes).filter(|used| *used <= most);
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.map_err(|_| Full::Connection(most))?;
        if self.budget.take(&self.owner, bytes) {
            return Ok(());
        }
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        Err(Full::Owner)
    }

    fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        self.budget.give(&self.owner, bytes);
    }
}

/// Bytes of one answer or notification, counted until this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Held {
    share: Option<Arc<Share>>,
    bytes: usize,
}

impl Held {
    /// Nothing yet of a connection's share; without one nothing is counted.
    pub(crate) fn of(share: Option<&Arc<Share>>) -> Self {
        Self { share: share.cloned(), bytes: 0 }
    }

    /// True if something is counted.
    pub(crate) const fn counts(&self) -> bool {
        self.bytes > 0
    }

    /// Counts so many bytes more, all of them.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), Full> {
        self.share.as_ref().map_or(Ok(()), |share| share.take(bytes))?;
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }

    /// Counts an answer that grows to so many bytes.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), Error> {
        let more = bytes.saturating_sub(FREE_BYTES).saturating_sub(self.bytes);
        if more == 0 || self.share.is_none() {
            return Ok(());
        }
        self.take(more).map_err(|full| {
            let text = match full {
                Full::Connection(_) => {
                    "too many bytes of answers wait on this connection; read them, and try again"
                }
                Full::Owner => {
                    "too many bytes of answers are on their way to this client and all others; try again"
                }
            };
            Error::new(codes::LIMIT_EXCEEDED, text)
        })
    }

    /// Gives back what an answer does not hold any more.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        self.keep(bytes.saturating_sub(FREE_BYTES));
    }

    fn keep(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes);
        if let Some(share) = self.share.as_ref().filter(|_| less > 0) {
            share.give(less);
        }
        self.bytes = self.bytes.saturating_sub(less);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.keep(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: usize = (1 << 20) + FREE_BYTES;

    fn hold(share: &Arc<Share>, bytes: usize) -> Result<Held, Error> {
        let mut held = Held::of(Some(share));
        held.grow_to(bytes).map(|()| held)
    }

    /// As many of the largest answers as there is room for on new connections of an owner.
    fn fill(all: &InFlight, owner: &str) -> Vec<Held> {
        let connections = std::iter::repeat_with(|| all.answers(Owner::identity(owner)));
        let answers = |share| std::iter::from_fn(move || hold(&share, WHOLE).ok());
        let per_connection = connections.map(|share| answers(share).collect::<Vec<_>>());
        per_connection.take_while(|held| !held.is_empty()).flatten().collect()
    }

    #[test]
    fn what_is_held_is_bounded_by_connection_and_owner_and_in_all() {
        let limits = Limits { answer_bytes: 1 << 20, ..Limits::default() };
        let all = InFlight::new(&limits);
        let own = all.answers(Owner::identity("first"));
        let held: Vec<Held> = (0..SHARE_ANSWERS).map(|_| hold(&own, WHOLE).expect("room")).collect();
        let refused = hold(&own, WHOLE).expect_err("its share is used up");
        assert!(refused.message.contains("on this connection"), "{}", refused.message);
        drop(held);
        let mut first = fill(&all, "first");
        assert_eq!(first.len(), ALL_ANSWERS / 2, "as many as are free");
        let refused = hold(&own, WHOLE).expect_err("all is used up");
        assert_eq!(refused.code, codes::LIMIT_EXCEEDED);
        assert!(refused.message.contains("all others"), "{}", refused.message);
        let _always = hold(&own, FREE_BYTES).expect("small");
        // Others find room whatever one holds.
        let others = ["second", "third"].map(|owner| fill(&all, owner));
        assert_eq!(others.each_ref().map(Vec::len), [ALL_ANSWERS / 4, ALL_ANSWERS / 8]);
        drop(others);
        // Compressed, sent, and gone with its connection.
        first[0].shrink_to(WHOLE / 2);
        drop(hold(&own, WHOLE / 2).expect("room again"));
        drop(first);
        let used = all.answers.used();
        assert_eq!((used.all, used.owners.len(), own.used.load(Ordering::Relaxed)), (0, 0, 0));
    }
}
