//! Work on many files, some at a time.

use crate::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Builder};

/// Files that are read or sent at a time: enough to hide the answer time of a store, few enough for a disk that serves.
const LANES: usize = 4;

/// Niceness of work beside a replica that serves: its threads go first.
const NICE: i32 = 10;

/// Does `work` on each item; the first failure ends it for all.
///
/// # Errors
/// That failure, or [`Error::Thread`].
pub(crate) fn each<T: Sync>(items: &[T], work: impl Fn(&T) -> Result<(), Error> + Sync) -> Result<(), Error> {
    with(items, || (), work)
}

/// The same on threads of low priority.
///
/// # Errors
/// As [`each`].
pub(crate) fn each_in_background<T: Sync>(
    items: &[T],
    work: impl Fn(&T) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    // On Linux, the niceness of no process is that of the thread that asks. Without it the work is done all the same.
    let yielding = || {
        let _refused = rustix::process::setpriority_process(None, NICE);
    };
    with(items, yielding, work)
}

fn with<T: Sync>(
    items: &[T],
    prepare: impl Fn() + Sync,
    work: impl Fn(&T) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    let fail = |error| {
        next.store(items.len(), Ordering::Relaxed);
        failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    };
    let lane = || {
        prepare();
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = work(item) {
                fail(error);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..LANES.min(items.len()) {
            if let Err(error) = Builder::new().name("snapshot".to_owned()).spawn_scoped(scope, lane) {
                fail(Error::Thread(error));
            }
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::{Error, each, each_in_background};
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn background_work_yields_and_nobody_else_does() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let (own, seen) = (niceness(), AtomicU64::new(0));
        each_in_background(&[()], |()| {
            seen.store(niceness().unsigned_abs().into(), Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
        assert_eq!((seen.into_inner(), niceness()), (10, own));
    }

    #[test]
    fn each_item_is_worked_on_once_and_a_failure_ends_it() {
        let items: Vec<u64> = (0..1_000).collect();
        let (sum, count) = (AtomicU64::new(0), AtomicU64::new(0));
        each(&items, |item| {
            sum.fetch_add(*item, Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
        assert_eq!(sum.into_inner(), 499_500);
        let failing = each(&items, |item| {
            count.fetch_add(1, Ordering::Relaxed);
            if *item == 10 { Err(Error::Stopped) } else { Ok(()) }
        });
        assert!(matches!(failing, Err(Error::Stopped)));
        assert!(count.into_inner() >= 11);
        each(&[] as &[u64], |_| Err(Error::Stopped)).unwrap();
    }
}
