//! Reads of a state that was imported, each of another account or slot, by one thread.

use super::Outcome;
use super::state::State;
use maidenlane_store::Store;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Cache of the database, which holds a small part of a large state.
const CACHE_BYTES: usize = 1 << 30;
/// Reads of accounts, and of slots.
const READS: usize = 20_000;

/// Reads accounts all over the state, and slots all over its largest contract.
pub(super) fn run(state_dir: &Path, state: &State) -> Outcome<()> {
    let store = Store::open(&state_dir.join("db"), CACHE_BYTES)?;
    let view = store.view().ok_or("an import without a head")?;
    // Wants root; elsewhere what was just written may be in memory.
    let dropped = fs::write("/proc/sys/vm/drop_caches", "3").is_ok();
    let mut accounts = timed(state.some_accounts(READS), |key| Ok(view.account(*key, None)?.is_some()))?;
    let mut slots =
        timed(state.some_slots(READS), |(account, key)| Ok(!view.slot(*account, *key, None)?.is_zero()))?;
    let pages = if dropped { "dropped" } else { "as they are" };
    for (name, took) in [("accounts", &mut accounts), ("slots", &mut slots)] {
        took.sort_unstable();
        let [half, most] =
            [50, 99].map(|percent| took.get(took.len() * percent / 100).map_or(0, Duration::as_micros));
        println!(
            "reads of {name:<8} p50 {half} us, p99 {most} us; {} of them, page cache {pages}",
            took.len()
        );
    }
    Ok(())
}

/// Times of all reads. Each must find something.
fn timed<K>(keys: Vec<K>, read: impl Fn(&K) -> Outcome<bool>) -> Outcome<Vec<Duration>> {
    keys.iter()
        .map(|key| {
            let begun = Instant::now();
            let found = read(key)?;
            let took = begun.elapsed();
            if found { Ok(took) } else { Err("a row of the state is not in the database".into()) }
        })
        .collect()
}
