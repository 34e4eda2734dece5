//! Replacements and cancels: of several orders under one name of a signer's, which counts.
//!
//! # Rules
//! - Order is the topic's, never a clock's: entries of one signer stand in one partition, and each relay that reads it comes to
//!   the same state. An entry that is read again changes nothing.
//! - A bundle with a number counts if that is higher than every number before it under that name, its cancels' included. One
//!   without a number counts because it is later.
//! - A cancel without a number is for good: nothing under that name counts any more, be it earlier or later. So a cancel
//!   that overtook its bundle wins, and a bundle that somebody sends again stays cancelled.
//! - A cancel with a number ends what counts, unless that has the same number or a higher one; only a bundle with a higher
//!   number counts after it.
//!
//! # Correctness
//! A name is kept until a block after which no order under it can be sent any more, and so are its cancels. Forgotten earlier,
//! a cancel would no longer hold off the bundle that it overtook.

use crate::redacted::Redacted;
use maidenlane_chain::Address;
use maidenlane_wire::ContentId;
use std::collections::{BTreeSet, HashMap};

/// Name of a replacement: a signer's own, so that nobody replaces or cancels another's.
pub type Name = (Address, String);

/// Entry of the topic, as far as its name goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Place in the partition of the signer.
    pub offset: u64,
    /// Content id of the bundle; `None` for a cancel.
    pub bundle: Option<ContentId>,
    /// Number among the replacements.
    pub nonce: Option<u64>,
    /// Last block until which the name has to be kept.
    pub keep_until: u64,
}

/// Consequence of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The bundle counts, in place of another.
    Counts {
        /// Content id of the other.
        instead_of: Option<ContentId>,
    },
    /// The cancel counts.
    Cancels {
        /// Content id of what counted until now.
        bundle: Option<ContentId>,
    },
    /// Nothing changes: what counts is newer.
    Stale {
        /// Highest number so far; `None` where the entry was read before.
        highest: Option<u64>,
    },
    /// The bundle does not count: its name was cancelled.
    Cancelled,
}

/// Failure to keep one name more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{most} names of replacements are kept, the maximum: send without replacementUuid, or after some blocks"
)]
pub struct Full {
    /// Maximum.
    pub most: usize,
}

/// All names, and what counts under each.
#[derive(Debug)]
pub struct Replacements {
    most: usize,
    names: HashMap<Redacted<Name>, State>,
    by_end: BTreeSet<(u64, Redacted<Name>)>,
}

#[derive(Debug, PartialEq, Eq)]
struct State {
    /// Place of the newest entry.
    offset: u64,
    /// Highest number so far.
    highest: Option<u64>,
    counts: Option<ContentId>,
    cancel: Option<Cancel>,
    keep_until: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancel {
    Numbered,
    ForGood,
}

impl Replacements {
    /// No names; at most `most`.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, names: HashMap::new(), by_end: BTreeSet::new() }
    }

    /// Number of names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// True if an order under this name could not be kept: to be asked before it is made durable.
    #[must_use]
    pub fn is_full_for(&self, name: &Name) -> bool {
        self.names.len() >= self.most && !self.names.contains_key(&Redacted::new(name.clone()))
    }

    /// Takes an entry of the topic.
    ///
    /// # Errors
    /// [`Full`].
    pub fn take(&mut self, name: Name, change: &Change) -> Result<Step, Full> {
        if self.is_full_for(&name) {
            return Err(Full { most: self.most });
        }
        let name = Redacted::new(name);
        let Some(state) = self.names.get_mut(&name) else {
            let mut state = State {
                offset: change.offset,
                highest: None,
                counts: None,
                cancel: None,
                keep_until: change.keep_until,
            };
            let step = state.change(change);
            self.by_end.insert((state.keep_until, name.clone()));
            self.names.insert(name, state);
            return Ok(step);
        };
        if change.offset <= state.offset {
            return Ok(Step::Stale { highest: None });
        }
        state.offset = change.offset;
        if change.keep_until > state.keep_until {
            self.by_end.remove(&(state.keep_until, name.clone()));
            state.keep_until = change.keep_until;
            self.by_end.insert((state.keep_until, name));
        }
        Ok(state.change(change))
    }

    /// Forgets names that no order can need any more, once this block is final.
    pub fn forget(&mut self, finalized: u64) {
        while let Some((_, name)) = self.by_end.first().filter(|(end, _)| *end < finalized).cloned() {
            if let Some(state) = self.names.remove(&name) {
                self.by_end.remove(&(state.keep_until, name));
            }
        }
    }
}

impl State {
    fn change(&mut self, change: &Change) -> Step {
        if self.cancel == Some(Cancel::ForGood) {
            return match change.bundle {
                Some(_) => Step::Cancelled,
                None => Step::Cancels { bundle: None },
            };
        }
        if let (Some(nonce), Some(highest)) = (change.nonce, self.highest)
            && nonce <= highest
        {
            return Step::Stale { highest: Some(highest) };
        }
        let counted = self.counts;
        match (change.bundle, change.nonce) {
            (Some(_), None) if self.cancel.is_some() => return Step::Cancelled,
            (Some(bundle), _) => {
                (self.counts, self.cancel) = (Some(bundle), None);
            }
            (None, Some(_)) => (self.counts, self.cancel) = (None, Some(Cancel::Numbered)),
            (None, None) => (self.counts, self.cancel) = (None, Some(Cancel::ForGood)),
        }
        self.highest = change.nonce.or(self.highest);
        match change.bundle {
            // The same content again is no other bundle.
            Some(bundle) => Step::Counts { instead_of: counted.filter(|counted| *counted != bundle) },
            None => Step::Cancels { bundle: counted },
        }
    }
}

#[cfg(test)]
mod tests;
