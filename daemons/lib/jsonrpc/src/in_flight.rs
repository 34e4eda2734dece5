//! Bytes of answers on their way, over all connections of all listeners: bounded, and every connection has a share.
//!
//! # Why
//! Answers are large, connections many, and a client may read as slowly as the least rate allows: 4,096 times 25 MB is
//! more than any machine has. An answer is counted while it grows and until its last byte is written. One that finds no
//! room is refused, with an error that says so; small ones always have room, so that nobody is shut out by others who
//! read slowly.

use crate::codes;
use crate::error::Error;
use crate::limits::Limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of an answer that are not counted. All connections together hold little of that.
const FREE_BYTES: usize = 16 << 10;
/// Largest answers that one connection may hold together.
const SHARE_ANSWERS: usize = 4;
/// Largest answers that all connections may hold together.
const ALL_ANSWERS: usize = 32;

/// Bytes in use, out of so many.
#[derive(Debug)]
struct Count {
    used: AtomicUsize,
    most: usize,
}

impl Count {
    fn new(most: usize) -> Self {
        Self { used: AtomicUsize::new(0), most }
    }

    fn take(&self, bytes: usize) -> bool {
        let more = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.most);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Answers of all connections.
#[derive(Clone, Debug)]
pub struct InFlight {
    all: Arc<Count>,
    share_bytes: usize,
}

impl InFlight {
    /// No answers yet, within these limits.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let times = |answers: usize| limits.answer_bytes.saturating_mul(answers);
        Self { all: Arc::new(Count::new(times(ALL_ANSWERS))), share_bytes: times(SHARE_ANSWERS) }
    }

    /// Share of a new connection.
    pub(crate) fn share(&self) -> Arc<Share> {
        Arc::new(Share { all: Arc::clone(&self.all), own: Count::new(self.share_bytes) })
    }
}

/// Answers of one connection.
#[derive(Debug)]
pub(crate) struct Share {
    all: Arc<Count>,
    own: Count,
}

/// Bytes of one answer, counted until this is dropped.
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

    /// Counts an answer that grows to so many bytes.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), Error> {
        let Some(share) = &self.share else { return Ok(()) };
        let more = bytes.saturating_sub(FREE_BYTES).saturating_sub(self.bytes);
        if !share.own.take(more) {
            let text = "too many bytes of answers wait on this connection; read them, and try again";
            return Err(Error::new(codes::LIMIT_EXCEEDED, text));
        }
        if !share.all.take(more) {
            share.own.give(more);
            let text = "too many bytes of answers are on their way to all clients; try again";
            return Err(Error::new(codes::LIMIT_EXCEEDED, text));
        }
        self.bytes = self.bytes.saturating_add(more);
        Ok(())
    }

    /// Gives back what an answer does not hold any more.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes.saturating_sub(FREE_BYTES));
        if let Some(share) = &self.share {
            share.own.give(less);
            share.all.give(less);
        }
        self.bytes = self.bytes.saturating_sub(less);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_bounded_by_connection_and_in_all() {
        let limits = Limits { answer_bytes: 1 << 20, ..Limits::default() };
        let all = InFlight::new(&limits);
        let (whole, small) = ((1 << 20) + FREE_BYTES, FREE_BYTES);
        let hold = |share: &Arc<Share>, bytes: usize| {
            let mut held = Held::of(Some(share));
            held.grow_to(bytes).map(|()| held)
        };
        let mut full: Vec<(Arc<Share>, Vec<Held>)> = Vec::new();
        for _ in 0..ALL_ANSWERS / SHARE_ANSWERS {
            let share = all.share();
            let held = (0..SHARE_ANSWERS).map(|_| hold(&share, whole).expect("room")).collect();
            let refused = hold(&share, whole).expect_err("its share is used up");
            assert!(refused.message.contains("on this connection"), "{}", refused.message);
            full.push((share, held));
        }
        let other = all.share();
        let refused = hold(&other, whole).expect_err("all is used up");
        assert_eq!(refused.code, codes::LIMIT_EXCEEDED);
        assert!(refused.message.contains("all clients"), "{}", refused.message);
        let _always = hold(&other, small).expect("small");
        // Compressed, sent, and gone with its connection.
        full[0].1[0].shrink_to(whole / 2);
        drop(hold(&other, whole / 2).expect("room again"));
        full.clear();
        let most: Vec<Held> = (0..SHARE_ANSWERS).map(|_| hold(&other, whole).expect("all of it")).collect();
        drop(most);
        assert_eq!((all.all.used.load(Ordering::Relaxed), other.own.used.load(Ordering::Relaxed)), (0, 0));
    }
}
