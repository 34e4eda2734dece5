//! Thread pool for calls that take longer than an IO thread may be held. Full means "no" at once: a queue that grows
//! only turns late answers into later ones.
//!
//! A job's flag is raised when nobody waits for it any more, and the job looks at it often. One that does not come back
//! all the same costs its thread only: another takes its place.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Time that a job that nobody waits for may go on before its thread is given up.
const GRACE: Duration = Duration::from_secs(2);
/// Interval of looks whether all jobs have ended.
const LOOK: Duration = Duration::from_millis(5);
/// Number of threads that may be given up and not have come back; after that the pool shrinks, as each holds memory.
const LOST_MAX: usize = 64;

/// Reason why a job has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// All threads are busy and the queue is full.
    Full,
    /// The job panicked.
    Panicked,
}

struct Job {
    work: Box<dyn FnOnce() + Send>,
    /// True when nobody waits for it any more.
    cancelled: Arc<AtomicBool>,
}

/// Pool of threads. They end when it is dropped and the queue is empty.
#[derive(Debug)]
pub struct Pool {
    queue: SyncSender<Job>,
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

impl Pool {
    /// Starts `threads` (at least one) with room for `waiting` jobs.
    pub fn start(threads: usize, waiting: usize) -> std::io::Result<Self> {
        Self::start_with(threads, waiting, GRACE)
    }

    fn start_with(threads: usize, waiting: usize, grace: Duration) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel::<Job>(waiting);
        let jobs = Arc::new(Mutex::new(jobs));
        let seats = Seats::default();
        let mut watch = Watch { jobs, seats: Arc::clone(&seats), started: 0, grace, lost: Arc::default() };
        for _ in 0..threads.max(1) {
            watch.seat()?;
        }
        let (watched, ended) = sync_channel(0);
        thread::Builder::new().name("evm-watch".to_owned()).spawn(move || watch.run(&ended))?;
        Ok(Self { queue, seats, _watched: watched })
    }

    /// Cancels all jobs, and waits until they have ended, at most so long. A process must not exit while a job still
    /// reads the database: what its library cleans up at the exit is used by both.
    pub async fn quiet(&self, most: Duration) {
        let is_running = |seat: &Shared<Seat>| {
            let seat = lock(seat);
            let running = seat.running.as_ref();
            running.inspect(|(cancelled, _)| cancelled.store(true, Ordering::Relaxed)).is_some()
        };
        let all_ended = async {
            // Every job is cancelled, so no short cut.
            while lock(&self.seats).iter().filter(|seat| is_running(seat)).count() > 0 {
                tokio::time::sleep(LOOK).await;
            }
        };
        // A job that does not come back is not waited for either.
        let _late = tokio::time::timeout(most, all_ended).await;
    }

    /// Runs `job` on a pool thread. It is given a flag that turns true when the caller stops waiting.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(Arc<AtomicBool>) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let cancelled = Arc::new(AtomicBool::new(false));
        let guard = CancelOnDrop(Arc::clone(&cancelled));
        let (give, take) = oneshot::channel();
        let flag = Arc::clone(&cancelled);
        let work = Box::new(move || {
            // Nobody waits any more: do not even begin.
            if !flag.load(Ordering::Relaxed) {
                let _ = give.send(job(flag));
            }
        });
        self.queue.try_send(Job { work, cancelled }).map_err(|error| match error {
            TrySendError::Full(_) => Refused::Full,
            TrySendError::Disconnected(_) => Refused::Panicked,
        })?;
        let result = take.await.map_err(|_| Refused::Panicked);
        drop(guard);
        result
    }
}

/// State of a thread: the job that it runs, and whether another thread has taken over.
#[derive(Debug, Default)]
struct Seat {
    /// The flag of the job that runs now, and when it was first seen raised.
    running: Option<(Arc<AtomicBool>, Option<Instant>)>,
    given_up: bool,
}

impl Seat {
    /// True if its job was cancelled this long ago, and goes on.
    fn is_lost(&mut self, grace: Duration) -> bool {
        let Some((cancelled, seen)) = &mut self.running else { return false };
        if !cancelled.load(Ordering::Relaxed) {
            return false;
        }
        seen.get_or_insert_with(Instant::now).elapsed() >= grace
    }
}

type Shared<T> = Arc<Mutex<T>>;
type Seats = Shared<Vec<Shared<Seat>>>;

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watcher of the threads, which replaces those that are lost.
struct Watch {
    jobs: Shared<Receiver<Job>>,
    seats: Seats,
    /// Number of threads that were ever started.
    started: usize,
    grace: Duration,
    /// Number of threads that were given up and have not come back.
    lost: Arc<AtomicUsize>,
}

impl Watch {
    /// Starts one more thread.
    fn seat(&mut self) -> std::io::Result<()> {
        let seat = Shared::<Seat>::default();
        let (jobs, taken, lost) = (Arc::clone(&self.jobs), Arc::clone(&seat), Arc::clone(&self.lost));
        let thread = thread::Builder::new().name(format!("evm-{}", self.started));
        thread.spawn(move || {
            work(&jobs, &taken);
            if lock(&taken).given_up {
                lost.fetch_sub(1, Ordering::Relaxed);
            }
        })?;
        self.started = self.started.saturating_add(1);
        lock(&self.seats).push(seat);
        Ok(())
    }

    fn run(mut self, ended: &Receiver<()>) {
        while ended.recv_timeout(self.grace / 4) == Err(RecvTimeoutError::Timeout) {
            let grace = self.grace;
            let lost = lock(&self.seats).iter().position(|seat| lock(seat).is_lost(grace));
            if let Some(lost) = lost.filter(|_| self.lost.load(Ordering::Relaxed) < LOST_MAX) {
                self.replace(lost);
            }
        }
    }

    fn replace(&mut self, lost: usize) {
        if let Err(error) = self.seat() {
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

fn work(jobs: &Mutex<Receiver<Job>>, seat: &Mutex<Seat>) {
    while !lock(seat).given_up {
        // The lock is held while waiting for a job, never while running one.
        let job = lock(jobs).recv();
        let Ok(Job { work, cancelled }) = job else { return };
        lock(seat).running = Some((cancelled, None));
        // A job that panics drops its sender, which its caller sees; the thread lives on.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        lock(seat).running = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(future)
    }

    #[test]
    fn runs_and_survives_panics() {
        let pool = Pool::start(1, 1).expect("threads");
        assert_eq!(block_on(pool.run(|_| 7)), Ok(7));
        let panicked: Result<(), _> = block_on(pool.run(|_| panic!("on purpose")));
        assert_eq!(panicked, Err(Refused::Panicked));
        assert_eq!(block_on(pool.run(|_| 8)), Ok(8));
    }

    #[test]
    fn refuses_when_full_and_cancels_when_dropped() {
        let pool = Pool::start(1, 1).expect("threads");
        let (started, running) = std::sync::mpsc::sync_channel(1);
        let (ended, end) = std::sync::mpsc::sync_channel(1);
        block_on(async {
            let first = pool.run(move |cancelled| {
                started.send(()).expect("the test waits");
                while !cancelled.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
                ended.send(()).expect("the test waits");
            });
            let mut first = Box::pin(first);
            assert!(futures_poll_once(first.as_mut()).await, "still running");
            running.recv().expect("the job started");
            let mut second = Box::pin(pool.run(|_| ()));
            assert!(futures_poll_once(second.as_mut()).await, "queued");
            assert_eq!(pool.run(|_| ()).await, Err(Refused::Full));
            drop(first);
            end.recv().expect("dropping the future cancelled the job");
            assert_eq!(second.await, Ok(()));
        });
    }

    #[test]
    fn jobs_end_before_the_process_does() {
        let pool = Pool::start(2, 1).expect("threads");
        let (started, running) = sync_channel(2);
        let ended = Arc::new(AtomicUsize::new(0));
        block_on(async {
            let mut jobs = Vec::new();
            for _ in 0..2 {
                let (started, ended) = (started.clone(), Arc::clone(&ended));
                let mut job = Box::pin(pool.run(move |cancelled| {
                    started.send(()).expect("the test waits");
                    while !cancelled.load(Ordering::Relaxed) {
                        thread::yield_now();
                    }
                    ended.fetch_add(1, Ordering::Relaxed);
                }));
                assert!(futures_poll_once(job.as_mut()).await, "still running");
                running.recv().expect("the job started");
                jobs.push(job);
            }
            pool.quiet(Duration::from_secs(60)).await;
            assert_eq!(ended.load(Ordering::Relaxed), 2);
        });
    }

    #[test]
    fn a_job_that_never_ends_costs_its_own_thread_only() {
        let pool = Pool::start_with(1, 1, Duration::from_millis(20)).expect("threads");
        let (started, running) = sync_channel(2);
        let (release, held) = sync_channel::<()>(0);
        let held = Arc::new(Mutex::new(held));
        block_on(async {
            for _ in 0..3 {
                let (started, held) = (started.clone(), Arc::clone(&held));
                let mut endless = Box::pin(pool.run(move |_| {
                    started.send(()).expect("the test waits");
                    // Ends with the test, and looks at no flag.
                    let _ = lock(&held).recv();
                }));
                assert!(futures_poll_once(endless.as_mut()).await, "still running");
                running.recv().expect("the job started");
                drop(endless);
                // Its only thread is held: who answers is the one that took its place.
                assert_eq!(pool.run(|_| 7).await, Ok(7));
            }
        });
        drop(release);
    }

    /// Polls once; true if it is pending.
    async fn futures_poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
        std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
    }
}
