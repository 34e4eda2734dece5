//! Work on many files, some at a time.

use crate::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Builder};

/// Files that are read or sent at a time: enough to hide the answer time of a store, few enough for a disk that serves.
const LANES: usize = 4;

/// Does `work` on each item; the first failure ends it for all.
///
/// # Errors
/// That failure, or [`Error::Thread`].
pub(crate) fn each<T: Sync>(items: &[T], work: impl Fn(&T) -> Result<(), Error> + Sync) -> Result<(), Error> {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    let fail = |error| {
        next.store(items.len(), Ordering::Relaxed);
        failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    };
    let lane = || {
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
    use super::{Error, each};
    use std::sync::atomic::{AtomicU64, Ordering};

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
