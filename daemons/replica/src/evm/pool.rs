//! A few threads for calls that take longer than an IO thread may be held. Full means "no" at once: a queue that
//! grows only turns late answers into later ones.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// Why nothing came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// All threads are busy and the queue is full.
    Full,
    /// The job panicked.
    Panicked,
}

/// The threads. They end when the pool is dropped and the queue is empty.
#[derive(Debug)]
pub(crate) struct Pool {
    queue: SyncSender<Job>,
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
        let (queue, jobs) = sync_channel::<Job>(waiting);
        let jobs = Arc::new(Mutex::new(jobs));
        for index in 0..threads.max(1) {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new().name(format!("evm-{index}")).spawn(move || work(&jobs))?;
        }
        Ok(Self { queue })
    }

    /// Runs `job` on a pool thread. It is given a flag that turns true when the caller stops waiting.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(Arc<AtomicBool>) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let cancelled = Arc::new(AtomicBool::new(false));
        let guard = CancelOnDrop(Arc::clone(&cancelled));
        let (give, take) = oneshot::channel();
        let boxed: Job = Box::new(move || {
            // Nobody waits any more: do not even begin.
            if !cancelled.load(Ordering::Relaxed) {
                let _ = give.send(job(cancelled));
            }
        });
        self.queue.try_send(boxed).map_err(|error| match error {
            TrySendError::Full(_) => Refused::Full,
            TrySendError::Disconnected(_) => Refused::Panicked,
        })?;
        let result = take.await.map_err(|_| Refused::Panicked);
        drop(guard);
        result
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        // The lock is held while waiting for a job, never while running one.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A job that panics drops its sender, which its caller sees; the thread lives on.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
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

    /// Polls once; whether it is pending.
    async fn futures_poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
        std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
    }
}
