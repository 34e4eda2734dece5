//! Turns of batches on the IO threads: those of one owner take them one after the other, however many there are.
//!
//! # Why
//! The runtime serves what is ready in the order in which it became so. A client that sends a long batch on each of 4,096
//! connections would have that many pieces of work ready, and everybody else would wait for all of them at each step. So
//! a few batches of an owner are ready at a time, and his others wait here. Single calls are short, or run on the pool.

use crate::owner::Owner;
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::yield_now;

/// Time for which calls of a batch run one after the other before others on the same thread have their turn: many that
/// are quick must not hold it as one that is not.
pub(crate) const TURN: Duration = Duration::from_micros(500);
/// Batches of one owner that may be ready to run: enough for the IO threads of a large machine, and little to wait for.
const AT_ONCE: usize = 16;

/// Turns of one owner.
pub(crate) type Turns = Arc<Semaphore>;

/// Turns of all owners that have connections.
#[derive(Debug, Default)]
pub(crate) struct AllTurns(Mutex<HashMap<Owner, Weak<Semaphore>>>);

impl AllTurns {
    /// Turns that all connections of this owner share.
    pub(crate) fn of(&self, owner: &Owner) -> Turns {
        let mut owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turns) = owners.get(owner).and_then(Weak::upgrade) {
            return turns;
        }
        if owners.len() == owners.capacity() {
            owners.retain(|_, turns| turns.strong_count() > 0);
        }
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        owners.insert(owner.clone(), Arc::downgrade(&turns));
        turns
    }
}

/// Turn of one batch.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    turns: Option<&'a Turns>,
    held: Option<SemaphorePermit<'a>>,
    began: Instant,
}

impl<'a> Turn<'a> {
    /// Waits for the first turn. Without an owner there is always one.
    pub(crate) async fn first(turns: Option<&'a Turns>) -> Self {
        let mut turn = Self { turns, held: None, began: Instant::now() };
        turn.begin().await;
        turn
    }

    async fn begin(&mut self) {
        if let Some(turns) = self.turns {
            self.held = turns.acquire().await.ok();
        }
        self.began = Instant::now();
    }

    /// Ends this turn and waits for the next, which is held while others that are ready run: so few are ready at a time.
    async fn next(&mut self) {
        self.held = None;
        self.begin().await;
        yield_now().await;
        self.began = Instant::now();
    }

    /// Does a piece of work, and passes the turn on if it has lasted. Work that waits for another thread holds none.
    pub(crate) async fn work<F: Future>(&mut self, work: F) -> F::Output {
        tokio::pin!(work);
        if let Poll::Ready(done) = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
            if self.began.elapsed() >= TURN {
                self.next().await;
            }
            return done;
        }
        self.held = None;
        let done = work.await;
        self.begin().await;
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::task::JoinSet;

    /// Lets all that is ready run once.
    async fn pass() {
        let mut has_passed = false;
        poll_fn(|context| {
            if std::mem::replace(&mut has_passed, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    #[test]
    fn a_crowd_of_one_owner_delays_others_by_a_few_steps() {
        const PASSES: usize = 20;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (all, steps) = (AllTurns::default(), Arc::new(AtomicUsize::new(0)));
        runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for _ in 0..1_000 {
                let (turns, steps) = (all.of(&Owner::identity("crowd")), Arc::clone(&steps));
                tasks.spawn(async move {
                    let mut turn = Turn::first(Some(&turns)).await;
                    loop {
                        let step = async {
                            std::thread::sleep(TURN);
                            steps.fetch_add(1, Ordering::Relaxed);
                        };
                        turn.work(step).await;
                    }
                });
            }
            let counted = Arc::clone(&steps);
            let mut other = JoinSet::new();
            other.spawn(async move {
                for _ in 0..PASSES {
                    pass().await;
                }
                counted.load(Ordering::Relaxed)
            });
            let steps = other.join_next().await.expect("one").expect("it ends");
            assert!((1..=(PASSES + 1) * AT_ONCE).contains(&steps), "{steps}");
        });
    }

    #[test]
    fn work_that_waits_holds_no_turn() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let turns = AllTurns::default().of(&Owner::identity("patient"));
            let (end, ended) = tokio::sync::watch::channel(false);
            let mut tasks = JoinSet::new();
            for _ in 0..AT_ONCE {
                let (turns, mut ended) = (Arc::clone(&turns), ended.clone());
                tasks.spawn(async move {
                    let waits = async { ended.wait_for(|ended| *ended).await.is_ok() };
                    Turn::first(Some(&turns)).await.work(waits).await
                });
            }
            let another = async { Turn::first(Some(&turns)).await.work(async { 7 }).await };
            let done = tokio::time::timeout(Duration::from_secs(5), another).await;
            assert_eq!(done.ok(), Some(7), "they wait");
            let _ = end.send(true);
            assert!(tasks.join_all().await.into_iter().all(|is_done| is_done));
        });
    }

    #[test]
    fn owners_that_have_gone_are_forgotten() {
        let all = AllTurns::default();
        let kept = all.of(&Owner::identity("kept"));
        for gone in 0..10_000 {
            drop(all.of(&Owner::identity(&gone.to_string())));
        }
        assert!(all.0.lock().expect("nobody panics").len() < 100);
        assert!(Arc::ptr_eq(&kept, &all.of(&Owner::identity("kept"))));
    }
}
