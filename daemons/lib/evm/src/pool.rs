//! Thread pool for calls that take longer than an IO thread may be held. Full means "no" at once: a queue that grows
//! only turns late answers into later ones.
//!
//! Owners of jobs have their turns one after another, however many jobs each has. Where each of them takes seconds, that
//! alone is not enough, as one owner's jobs would hold all threads: so there is one thread more, for a guest, which runs
//! a job of an owner of whom nothing runs while no other thread is free.
//!
//! A job's flag is raised when nobody waits for it any more, and the job looks at it often. One that does not come back
//! all the same costs its thread only: another takes its place.

mod line;
mod queue;
mod threads;

use queue::{Job, Queue, lock};
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;
use threads::{Seats, Watch};
use tokio::sync::oneshot;

/// Time that a job that nobody waits for may go on before its thread is given up.
const GRACE: Duration = Duration::from_secs(2);
/// Interval of looks whether all jobs have ended.
const LOOK: Duration = Duration::from_millis(5);

/// Reason why a job has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// All threads are busy and the queue is full; or it was when a job came of an owner who has fewer in it.
    Full,
    /// The job panicked.
    Panicked,
}

/// Pool of threads that run the jobs of `O`wners. They end when it is dropped and the queue is empty.
#[derive(Debug)]
pub struct Pool<O: Clone + Eq + Hash> {
    queue: Arc<Queue<O>>,
    seats: Seats,
    /// Channel whose end, at the drop of the pool, ends the thread that watches the others.
    _watched: SyncSender<()>,
}

/// Raises the flag when the future that waits for a job is dropped: the client left.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<O: Clone + Eq + Hash> Drop for Pool<O> {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl<O: Clone + Eq + Hash + Send + 'static> Pool<O> {
    /// Starts `threads` (at least one), and the guest's, with room for `waiting` jobs.
    pub fn start(threads: usize, waiting: usize) -> std::io::Result<Self> {
        Self::start_with(threads, waiting, GRACE)
    }

    fn start_with(threads: usize, waiting: usize, grace: Duration) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::new(waiting));
        let mut watch = Watch::new(&queue, grace);
        watch.seat(true)?;
        for _ in 0..threads.max(1) {
            watch.seat(false)?;
        }
        let seats = watch.seats();
        let (watched, ended) = sync_channel(0);
        std::thread::Builder::new().name("evm-watch".to_owned()).spawn(move || watch.run(&ended))?;
        Ok(Self { queue, seats, _watched: watched })
    }

    /// Cancels all jobs, and waits until they have ended, at most so long. A process must not exit while a job still
    /// reads the database: what its library cleans up at the exit is used by both.
    pub async fn quiet(&self, most: Duration) {
        let all_ended = async {
            // Every job is cancelled, so no short cut.
            while lock(&self.seats).iter().filter(|seat| lock(seat).cancel()).count() > 0 {
                tokio::time::sleep(LOOK).await;
            }
        };
        // A job that does not come back is not waited for either.
        let _late = tokio::time::timeout(most, all_ended).await;
    }

    /// Runs `job` on a pool thread when it is its owner's turn. It is given a flag that turns true when the caller stops
    /// waiting.
    pub async fn run<T: Send + 'static>(
        &self,
        owner: &O,
        job: impl FnOnce(Arc<AtomicBool>) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let cancelled = Arc::new(AtomicBool::new(false));
        let guard = CancelOnDrop(Arc::clone(&cancelled));
        let (give, take) = oneshot::channel();
        let flag = Arc::clone(&cancelled);
        let work = Box::new(move || {
            // Nobody waits any more: do not even begin.
            if !flag.load(Ordering::Relaxed) {
                let result = catch_unwind(AssertUnwindSafe(|| job(flag)));
                let _ = give.send(result.map_err(|_| Refused::Panicked));
            }
        });
        self.queue.push(owner, Job { work, cancelled });
        // A job that finds no room, or has to make some, is dropped and its sender with it.
        let result = take.await.unwrap_or(Err(Refused::Full));
        drop(guard);
        result
    }
}

#[cfg(test)]
mod tests;
