//! Jobs that wait for a thread: owners in turn, and each owner's in the order in which they came.
//!
//! # Why
//! First come, first served would let one client that asks for much keep everybody else waiting for all of it.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Threads that run no job.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Free {
    pub(super) threads: usize,
    /// True if the guest's is one of them: for an owner of whom nothing runs.
    pub(super) guest: bool,
}

/// Line of jobs of owners.
#[derive(Debug)]
pub(super) struct Line<O, J> {
    /// Number of jobs that may wait.
    most: usize,
    len: usize,
    waiting: HashMap<O, VecDeque<J>>,
    /// Owners whose jobs wait, the next one first.
    turns: VecDeque<O>,
    /// Number of jobs that run, of each owner that has any.
    running: HashMap<O, usize>,
}

impl<O: Clone + Eq + Hash, J> Line<O, J> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, len: 0, waiting: HashMap::new(), turns: VecDeque::new(), running: HashMap::new() }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a job, for which so many threads are free. When the line is full, the last job of whoever has most makes room
    /// for an owner with fewer, also of those that run, else there is none for this one. Gives back the job that is not in
    /// line any more.
    pub(super) fn push(&mut self, owner: &O, job: J, free: Free) -> Option<J> {
        let own = self.jobs_of(owner);
        let free = free.threads.saturating_add(usize::from(free.guest && own == 0));
        let mut displaced = None;
        if self.len >= self.most.saturating_add(free) {
            displaced = self.displace(own.saturating_add(1));
            if displaced.is_none() {
                return Some(job);
            }
        }
        if let Some(own) = self.waiting.get_mut(owner) {
            own.push_back(job);
        } else {
            self.waiting.insert(owner.clone(), VecDeque::from([job]));
            self.turns.push_back(owner.clone());
        }
        self.len = self.len.saturating_add(1);
        displaced
    }

    /// Number of an owner's jobs that run or wait.
    fn jobs_of(&self, owner: &O) -> usize {
        let waiting = self.waiting.get(owner).map_or(0, VecDeque::len);
        self.running.get(owner).copied().unwrap_or_default().saturating_add(waiting)
    }

    /// Takes away the last waiting job of whoever has most jobs, if those are more than `least`.
    fn displace(&mut self, least: usize) -> Option<J> {
        let most = self.waiting.keys().max_by_key(|owner| self.jobs_of(owner))?.clone();
        if self.jobs_of(&most) <= least {
            return None;
        }
        let jobs = self.waiting.get_mut(&most)?;
        let displaced = jobs.pop_back()?;
        if jobs.is_empty() {
            self.waiting.remove(&most);
            self.turns.retain(|owner| *owner != most);
        }
        self.len = self.len.saturating_sub(1);
        Some(displaced)
    }

    /// Next job, which runs from now on until it is `done`; among those of all owners, or of owners of whom none runs.
    pub(super) fn next(&mut self, of_all: bool) -> Option<(O, J)> {
        let is_next = |owner: &O| of_all || !self.running.contains_key(owner);
        let turn = self.turns.iter().position(is_next)?;
        let owner = self.turns.remove(turn)?;
        let jobs = self.waiting.get_mut(&owner)?;
        let job = jobs.pop_front()?;
        if jobs.is_empty() {
            self.waiting.remove(&owner);
        } else {
            self.turns.push_back(owner.clone());
        }
        self.len = self.len.saturating_sub(1);
        let running = self.running.entry(owner.clone()).or_default();
        *running = running.saturating_add(1);
        Some((owner, job))
    }

    /// Notes that a job of this owner has ended.
    pub(super) fn done(&mut self, owner: &O) {
        if let Some(running) = self.running.get_mut(owner) {
            *running = running.saturating_sub(1);
            if *running == 0 {
                self.running.remove(owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(most: usize, jobs: &[(&'static str, u32)]) -> Line<&'static str, u32> {
        let mut line = Line::new(most);
        for (owner, job) in jobs {
            assert_eq!(line.push(owner, *job, Free::default()), None, "room for {owner}'s {job}");
        }
        line
    }

    fn all(line: &mut Line<&'static str, u32>) -> Vec<u32> {
        std::iter::from_fn(|| line.next(true)).map(|(_, job)| job).collect()
    }

    #[test]
    fn owners_have_their_turns_one_after_another() {
        let jobs = [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("b", 6)];
        assert_eq!(all(&mut line(6, &jobs)), [1, 4, 5, 2, 6, 3]);
    }

    #[test]
    fn whoever_has_most_makes_room_for_who_has_less() {
        let mut line = line(4, &[("a", 1), ("a", 2), ("a", 3), ("a", 4)]);
        assert_eq!(line.push(&"a", 5, Free::default()), Some(5), "full");
        assert_eq!(line.push(&"b", 6, Free::default()), Some(4));
        assert_eq!(line.push(&"b", 7, Free::default()), Some(3));
        assert_eq!(line.push(&"b", 8, Free::default()), Some(8), "no more than the other has");
        assert_eq!(
            line.push(&"b", 9, Free { threads: 1, guest: false }),
            None,
            "a thread is free for one more"
        );
        assert_eq!(all(&mut line), [1, 6, 2, 7, 9]);
        assert!(line.is_empty());
        assert_eq!((line.len, line.waiting.len(), line.turns.len()), (0, 0, 0));
    }

    #[test]
    fn a_short_line_is_nobodys_either() {
        let guest = Free { threads: 0, guest: true };
        for most in [0, 1] {
            let mut line = line(1, &[("a", 1)]);
            assert!(line.next(true).is_some(), "all threads are held");
            line.most = most;
            assert_eq!(line.push(&"a", 2, guest), Some(2).filter(|_| most == 0), "it has one that runs");
            assert_eq!(line.push(&"b", 3, guest), None, "the guest's thread is free");
            assert_eq!(line.next(false), Some(("b", 3)));
            let full = line.push(&"c", 4, Free::default());
            assert_eq!(full, Some(if most == 0 { 4 } else { 2 }), "whoever has two makes room");
            assert_eq!(line.push(&"a", 5, Free::default()), Some(5), "and does not get it back");
        }
    }

    #[test]
    fn an_owner_of_whom_none_runs_is_found_behind_the_others() {
        let mut line = line(4, &[("a", 1), ("a", 2), ("a", 3), ("b", 4)]);
        assert_eq!(line.next(true), Some(("a", 1)));
        assert_eq!(line.next(false), Some(("b", 4)));
        assert_eq!(line.next(false), None, "of both one runs");
        line.done(&"a");
        assert_eq!(line.next(false), Some(("a", 2)));
        for owner in ["a", "b"] {
            line.done(&owner);
        }
        assert!(line.running.is_empty());
    }
}
