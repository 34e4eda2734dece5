//! Places of one listener's connections: bounded, and none that one owner keeps from the others.
//!
//! # Why
//! Connections that do nothing cost nothing, so that whoever can reach a listener can take all of them and hold them, by
//! reading slowly or by never ending a request. Then a newcomer who has fewer takes the place of the oldest one of whoever
//! has most. Others wait for a place to become free, as many as there are places: all that comes through one proxy is one
//! owner, whose connections no other of it should end.

use crate::owner::Owner;
use std::collections::{HashMap, VecDeque};
use tokio::task::{AbortHandle, Id};

/// Connections that are open, and newcomers that wait.
pub(crate) struct Room<T> {
    most: usize,
    /// Connections of each owner, oldest first.
    open: HashMap<Owner, VecDeque<AbortHandle>>,
    owners: HashMap<Id, Owner>,
    waiting: VecDeque<(Owner, T)>,
}

impl<T> Room<T> {
    /// Room for so many connections, and as many that wait.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, open: HashMap::new(), owners: HashMap::new(), waiting: VecDeque::new() }
    }

    /// Takes a newcomer in: it is given back if it has a place now. One that finds no room to wait either is dropped.
    pub(crate) fn enter(&mut self, owner: Owner, newcomer: T) -> Option<(Owner, T)> {
        if self.owners.len() >= self.most && !self.make_place(&owner) {
            if self.waiting.len() < self.most {
                self.waiting.push_back((owner, newcomer));
            }
            return None;
        }
        Some((owner, newcomer))
    }

    /// Ends the oldest connection of whoever has most, if he has more than `owner` will have.
    fn make_place(&mut self, owner: &Owner) -> bool {
        let own = self.open.get(owner).map_or(0, VecDeque::len);
        let most = self.open.values_mut().max_by_key(|theirs| theirs.len());
        let theirs = most.filter(|theirs| theirs.len() > own.saturating_add(1));
        let Some(oldest) = theirs.and_then(VecDeque::pop_front) else { return false };
        self.owners.remove(&oldest.id());
        oldest.abort();
        true
    }

    /// Keeps the place of a connection that is served from now on.
    pub(crate) fn take(&mut self, owner: Owner, connection: AbortHandle) {
        self.owners.insert(connection.id(), owner.clone());
        self.open.entry(owner).or_default().push_back(connection);
    }

    /// Frees the place of a connection that has ended, for the first who waits.
    pub(crate) fn leave(&mut self, connection: Id) -> Option<(Owner, T)> {
        if let Some(owner) = self.owners.remove(&connection)
            && let Some(theirs) = self.open.get_mut(&owner)
        {
            theirs.retain(|each| each.id() != connection);
            if theirs.is_empty() {
                self.open.remove(&owner);
            }
        }
        if self.owners.len() < self.most { self.waiting.pop_front() } else { None }
    }
}
