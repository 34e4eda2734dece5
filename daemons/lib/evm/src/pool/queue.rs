//! Queue between those who have jobs and the threads that run them.

use super::line::{Free, Line};
use std::fmt;
use std::hash::Hash;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Job of the pool.
pub(super) struct Job {
    pub(super) work: Box<dyn FnOnce() + Send>,
    /// True when nobody waits for it any more.
    pub(super) cancelled: Arc<AtomicBool>,
}

impl fmt::Debug for Job {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Job").field("cancelled", &self.cancelled).finish_non_exhaustive()
    }
}

/// Queue of jobs.
#[derive(Debug)]
pub(super) struct Queue<O> {
    state: Mutex<State<O>>,
    /// Signal to a thread that is free.
    threads: Condvar,
    /// Signal to the guest's thread, when there may be a job for it.
    guest: Condvar,
}

#[derive(Debug)]
struct State<O> {
    line: Line<O, Job>,
    /// Threads that run no job. One that takes its first job before it is counted makes it -1.
    free: isize,
    /// The same of the guest's.
    guests_free: isize,
    is_closed: bool,
}

impl<O> State<O> {
    /// Counts a thread that is free, or is not any more.
    const fn count(&mut self, is_guest: bool, change: isize) {
        let free = if is_guest { &mut self.guests_free } else { &mut self.free };
        *free = free.saturating_add(change);
    }
}

impl<O: Clone + Eq + Hash> Queue<O> {
    pub(super) fn new(most: usize) -> Self {
        let state = State { line: Line::new(most), free: 0, guests_free: 0, is_closed: false };
        Self { state: Mutex::new(state), threads: Condvar::new(), guest: Condvar::new() }
    }

    /// Adds a job. One that has no place in the queue is dropped, this one or another.
    pub(super) fn push(&self, owner: &O, job: Job) {
        let mut state = lock(&self.state);
        let threads = usize::try_from(state.free).unwrap_or_default();
        let guest = state.guests_free > 0;
        let displaced = state.line.push(owner, job, Free { threads, guest });
        let signal = if threads > 0 { &self.threads } else { &self.guest };
        signal.notify_one();
        drop(state);
        // Not under the lock: a job holds views of the state, which take their time to drop.
        drop(displaced);
    }

    /// Waits for a job and whose it is. `None`: there will be no more for this thread.
    pub(super) fn take(&self, is_guest: bool) -> Option<(O, Job)> {
        let mut state = lock(&self.state);
        loop {
            if !is_guest || state.free <= 0 {
                let next = state.line.next(!is_guest);
                if next.is_some() {
                    state.count(is_guest, -1);
                    if state.free <= 0 && !state.line.is_empty() {
                        self.guest.notify_one();
                    }
                    return next;
                }
            }
            if state.is_closed {
                return None;
            }
            let signal = if is_guest { &self.guest } else { &self.threads };
            state = signal.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Notes that a thread is there, or again, which runs no job.
    pub(super) fn free(&self, is_guest: bool) {
        lock(&self.state).count(is_guest, 1);
    }

    /// Notes that a job of this owner has ended.
    pub(super) fn done(&self, owner: &O) {
        lock(&self.state).line.done(owner);
    }

    /// Ends all threads once no job waits.
    pub(super) fn close(&self) {
        lock(&self.state).is_closed = true;
        self.threads.notify_all();
        self.guest.notify_all();
    }
}

/// State behind a lock, also after a panic: none of ours leaves it half changed.
pub(super) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
