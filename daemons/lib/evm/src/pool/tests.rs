use super::*;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::thread;

/// Owner of jobs where nothing depends on whose they are.
const ANY: &str = "any";

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

#[test]
fn runs_and_survives_panics() {
    let pool = Pool::start(1, 1).expect("threads");
    assert_eq!(block_on(pool.run(&ANY, |_| 7)), Ok(7));
    let panicked: Result<(), _> = block_on(pool.run(&ANY, |_| panic!("on purpose")));
    assert_eq!(panicked, Err(Refused::Panicked));
    assert_eq!(block_on(pool.run(&ANY, |_| 8)), Ok(8));
}

#[test]
fn refuses_when_full_and_cancels_when_dropped() {
    let pool = Pool::start(1, 1).expect("threads");
    let (started, running) = std::sync::mpsc::sync_channel(1);
    let (ended, end) = std::sync::mpsc::sync_channel(1);
    block_on(async {
        let first = pool.run(&ANY, move |cancelled| {
            started.send(()).expect("the test waits");
            while !cancelled.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            ended.send(()).expect("the test waits");
        });
        let mut first = Box::pin(first);
        assert!(futures_poll_once(first.as_mut()).await, "still running");
        running.recv().expect("the job started");
        let mut second = Box::pin(pool.run(&ANY, |_| ()));
        assert!(futures_poll_once(second.as_mut()).await, "queued");
        assert_eq!(pool.run(&ANY, |_| ()).await, Err(Refused::Full));
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
            let mut job = Box::pin(pool.run(&ANY, move |cancelled| {
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
            let mut endless = Box::pin(pool.run(&ANY, move |_| {
                started.send(()).expect("the test waits");
                // Ends with the test, and looks at no flag.
                let _ = lock(&held).recv();
            }));
            assert!(futures_poll_once(endless.as_mut()).await, "still running");
            running.recv().expect("the job started");
            drop(endless);
            // Its only thread is held: who answers is the one that took its place.
            assert_eq!(pool.run(&ANY, |_| 7).await, Ok(7));
        }
    });
    drop(release);
}

/// Polls once; true if it is pending.
async fn futures_poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

/// Starts jobs of one owner that last until the sender is dropped, and waits until so many of them run.
fn hold<'a>(
    pool: &'a Pool<&'static str>,
    owner: &'static &'static str,
    (jobs, run): (usize, usize),
) -> (SyncSender<()>, Vec<impl Future<Output = Result<(), Refused>> + Unpin + use<'a>>) {
    let (release, held) = sync_channel::<()>(0);
    let held = Arc::new(Mutex::new(held));
    let (started, running) = sync_channel(jobs);
    let held = std::iter::repeat_with(|| {
        let (started, held) = (started.clone(), Arc::clone(&held));
        let mut job = Box::pin(pool.run(owner, move |_| {
            let _ = started.send(());
            let _ = lock(&held).recv();
        }));
        assert!(block_on(futures_poll_once(job.as_mut())), "still running");
        job
    });
    let held = held.take(jobs).collect();
    for _ in 0..run {
        running.recv().expect("the job started");
    }
    (release, held)
}

#[test]
fn a_crowd_of_one_owner_keeps_nobody_from_the_pool() {
    let pool = Pool::start(2, 8).expect("threads");
    let (release, running) = hold(&pool, &"crowd", (2, 2));
    let (release_waiting, waiting) = hold(&pool, &"crowd", (8, 0));
    assert_eq!(block_on(pool.run(&"crowd", |_| ())), Err(Refused::Full));
    // All threads are held and the queue is full: the guest's thread runs this one, and the next finds it held, too.
    let (release_guest, guest) = hold(&pool, &"guest", (1, 1));
    let mut other = Box::pin(pool.run(&"other", |_| ()));
    assert!(block_on(futures_poll_once(other.as_mut())), "it waits");
    drop((release, release_waiting, release_guest));
    let ended = |jobs: Vec<_>| jobs.into_iter().map(block_on).collect::<Vec<Result<(), Refused>>>();
    assert_eq!((ended(running), ended(guest)), (vec![Ok(()); 2], vec![Ok(())]));
    let mut expected = [Ok(()); 8];
    expected[7] = Err(Refused::Full);
    assert_eq!(ended(waiting), expected, "the last one made room");
    assert_eq!(block_on(other), Ok(()));
}

#[test]
fn without_a_queue_a_guest_is_served_all_the_same() {
    for waiting in [0, 1] {
        let pool = Pool::start(1, waiting).expect("threads");
        let (release, running) = hold(&pool, &"crowd", (1, 1));
        let (release_waiting, queued) = hold(&pool, &"crowd", (waiting, 0));
        assert_eq!(block_on(pool.run(&"crowd", |_| ())), Err(Refused::Full));
        for owner in ["guest", "other"] {
            // Freed only after its answer was given: the second may come before.
            let served = (0..1_000).any(|_| {
                thread::yield_now();
                block_on(pool.run(&owner, |_| ())) == Ok(())
            });
            assert!(served, "{owner}, {waiting} may wait");
        }
        drop((release, release_waiting, running, queued));
    }
}
