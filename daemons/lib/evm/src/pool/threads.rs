//! Threads of the pool, and the one that watches them.

use super::queue::{Job, Queue, lock};
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Number of threads that may be given up and not have come back; after that the pool shrinks, as each holds memory.
const LOST_MAX: usize = 64;

/// State of a thread: the job that it runs, and whether another thread has taken over.
#[derive(Debug)]
pub(super) struct Seat {
    is_guest: bool,
    /// The flag of the job that runs now, and when it was first seen raised.
    running: Option<(Arc<AtomicBool>, Option<Instant>)>,
    given_up: bool,
}

type Shared<T> = Arc<Mutex<T>>;
pub(super) type Seats = Shared<Vec<Shared<Seat>>>;

impl Seat {
    /// Cancels its job; false if there is none.
    pub(super) fn cancel(&self) -> bool {
        self.running.as_ref().inspect(|(cancelled, _)| cancelled.store(true, Ordering::Relaxed)).is_some()
    }

    /// True if its job was cancelled this long ago, and goes on.
    fn is_lost(&mut self, grace: Duration) -> bool {
        let Some((cancelled, seen)) = &mut self.running else { return false };
        if !cancelled.load(Ordering::Relaxed) {
            return false;
        }
        seen.get_or_insert_with(Instant::now).elapsed() >= grace
    }
}

/// Watcher of the threads, which replaces those that are lost.
pub(super) struct Watch<O> {
    queue: Arc<Queue<O>>,
    seats: Seats,
    /// Number of threads that were ever started.
    started: usize,
    grace: Duration,
    /// Number of threads that were given up and have not come back.
    lost: Arc<AtomicUsize>,
}

impl<O: Clone + Eq + Hash + Send + 'static> Watch<O> {
    pub(super) fn new(queue: &Arc<Queue<O>>, grace: Duration) -> Self {
        Self { queue: Arc::clone(queue), seats: Seats::default(), started: 0, grace, lost: Arc::default() }
    }

    pub(super) fn seats(&self) -> Seats {
        Arc::clone(&self.seats)
    }

    /// Starts one more thread.
    pub(super) fn seat(&mut self, is_guest: bool) -> std::io::Result<()> {
        let seat = Arc::new(Mutex::new(Seat { is_guest, running: None, given_up: false }));
        let (queue, taken, lost) = (Arc::clone(&self.queue), Arc::clone(&seat), Arc::clone(&self.lost));
        let thread = thread::Builder::new().name(format!("evm-{}", self.started));
        thread.spawn(move || {
            work(&queue, &taken, is_guest);
            if lock(&taken).given_up {
                lost.fetch_sub(1, Ordering::Relaxed);
            }
        })?;
        self.queue.free(is_guest);
        self.started = self.started.saturating_add(1);
        lock(&self.seats).push(seat);
        Ok(())
    }

    pub(super) fn run(mut self, ended: &Receiver<()>) {
        while ended.recv_timeout(self.grace / 4) == Err(RecvTimeoutError::Timeout) {
            let grace = self.grace;
            let lost = lock(&self.seats).iter().position(|seat| lock(seat).is_lost(grace));
            if let Some(lost) = lost.filter(|_| self.lost.load(Ordering::Relaxed) < LOST_MAX) {
                self.replace(lost);
            }
        }
    }

    fn replace(&mut self, lost: usize) {
        let is_guest = lock(&self.seats).get(lost).is_some_and(|seat| lock(seat).is_guest);
        if let Err(error) = self.seat(is_guest) {
            return tracing::error!(%error, "no thread replaces one that a call holds for too long");
        }
        let seat = lock(&self.seats).swap_remove(lost);
        // Under the lock: a thread that comes back now counts itself out after it was counted in.
        let mut seat = lock(&seat);
        seat.given_up = true;
        let lost = self.lost.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        tracing::error!(
            lost,
            "a call that nobody waits for does not come back; another thread replaces its own"
        );
    }
}

fn work<O: Clone + Eq + Hash>(queue: &Queue<O>, seat: &Mutex<Seat>, is_guest: bool) {
    while !lock(seat).given_up {
        let Some((owner, Job { work, cancelled })) = queue.take(is_guest) else { return };
        lock(seat).running = Some((cancelled, None));
        // What may panic beside the job itself is the drop of what it held; the thread lives on.
        let _ = catch_unwind(AssertUnwindSafe(work));
        queue.done(&owner);
        let mut seat = lock(seat);
        seat.running = None;
        if !seat.given_up {
            queue.free(is_guest);
        }
    }
}
