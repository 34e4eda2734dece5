//! A few threads for calls that take longer than an IO thread may be held. Full means "no" at once: a queue that
//! grows only turns late answers into later ones.
//!
//! A job is told when nobody waits for it any more, and looks often whether that is so. One that does not come back all
//! the same costs its thread only: another takes its place.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long a job that nobody waits for may go on before its thread is given up.
const GRACE: Duration = Duration::from_secs(2);
/// Threads that may be given up; after that the pool shrinks, as each holds memory.
const LOST_MAX: usize = 64;

/// Why nothing came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// All threads are busy and the queue is full.
    Full,
    /// The job panicked.
    Panicked,
}

struct Job {
    work: Box<dyn FnOnce() + Send>,
    /// Nobody waits for it any more.
    cancelled: Arc<AtomicBool>,
}

/// The threads. They end when the pool is dropped and the queue is empty.
#[derive(Debug)]
pub(crate) struct Pool {
    queue: SyncSender<Job>,
    /// Dropped with the pool: the end of the thread that watches the others.
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
    pub(crate) fn start(threads: usize, waiting: usize) -> std::io::Result<Self> {
        Self::start_with(threads, waiting, GRACE)
    }

    fn start_with(threads: usize, waiting: usize, grace: Duration) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel::<Job>(waiting);
        let mut watch = Watch { jobs: Arc::new(Mutex::new(jobs)), seats: Vec::new(), grace, lost: 0 };
        for _ in 0..threads.max(1) {
            watch.seat()?;
        }
        let (watched, ended) = sync_channel(0);
        thread::Builder::new().name("evm-watch".to_owned()).spawn(move || watch.run(&ended))?;
        Ok(Self { queue, _watched: watched })
    }

    /// Runs `job` on a pool thread. It is given a flag that turns true when the caller stops waiting.
    pub(crate) async fn run<T: Send + 'static>(
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

/// A thread's place: what it runs, and whether another has taken over.
#[derive(Default)]
struct Seat {
    /// The flag of the job that runs now, and when it was first seen raised.
    running: Option<(Arc<AtomicBool>, Option<Instant>)>,
    given_up: bool,
}

impl Seat {
    /// Whether its job was told to end this long ago, and goes on.
    fn is_lost(&mut self, grace: Duration) -> bool {
        let Some((cancelled, seen)) = &mut self.running else { return false };
        if !cancelled.load(Ordering::Relaxed) {
            return false;
        }
        seen.get_or_insert_with(Instant::now).elapsed() >= grace
    }
}

type Shared<T> = Arc<Mutex<T>>;

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks after the threads.
struct Watch {
    jobs: Shared<Receiver<Job>>,
    seats: Vec<Shared<Seat>>,
    grace: Duration,
    lost: usize,
}

impl Watch {
    /// Starts one more thread.
    fn seat(&mut self) -> std::io::Result<()> {
        let (jobs, seat) = (Arc::clone(&self.jobs), Shared::<Seat>::default());
        let name = format!("evm-{}", self.lost.saturating_add(self.seats.len()));
        self.seats.push(Arc::clone(&seat));
        thread::Builder::new().name(name).spawn(move || work(&jobs, &seat)).map(drop)
    }

    fn run(mut self, ended: &Receiver<()>) {
        while ended.recv_timeout(self.grace / 4) == Err(RecvTimeoutError::Timeout) {
            let grace = self.grace;
            let lost = self.seats.iter().position(|seat| lock(seat).is_lost(grace));
            if let Some(lost) = lost.filter(|_| self.lost < LOST_MAX) {
                self.replace(lost);
            }
        }
    }

    fn replace(&mut self, lost: usize) {
        lock(&self.seats.swap_remove(lost)).given_up = true;
        self.lost = self.lost.saturating_add(1);
        let lost = self.lost;
        tracing::error!(
            lost,
            "a call that nobody waits for does not come back; another thread replaces its own"
        );
        if let Err(error) = self.seat() {
            tracing::error!(%error, "no thread replaces the one that was lost");
        }
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

    /// Polls once; whether it is pending.
    async fn futures_poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
        std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
    }
}
