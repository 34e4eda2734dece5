//! The master's pool, as the tap tells it in the topic `<prefix>.<chain>.<feed>.pool`.
//!
//! | file | idea |
//! |---|---|
//! | here | the start |
//! | `set` | pure: transactions by hash, sender and nonce, within a bound |
//! | `kept` | settings; a handle for questions, and whether what it has may be told |
//! | `reader` | one thread that reads the topic |
//! | `notices` | subscribers to what comes and what leaves |
//!
//! # Why a set, and a view beside it
//! Pool and blocks come in topics of their own, at their own pace. What a sender's nonce has passed in the view of a
//! request is mined there, or never will be, and is not shown, whatever the pool says; what follows on that nonce without a
//! gap can go into the next block, and the rest is queued. So an answer fits its own block, as in geth, whose pool
//! follows its head. A transaction that a block holds is kept for a while, until views show that block.
//!
//! # Why a pool that is not followed is not told
//! A count of pending transactions that is too low has its asker replace what is on its way. So what only the pool can tell
//! is refused, and another replica or a moment later may answer; chain and state are served all the same.

pub(crate) mod kept;
pub(crate) mod notices;
mod reader;
pub(crate) mod set;

pub use kept::{Mempool, Settings};
use maidenlane_log::Backend;
use maidenlane_replay::Live;
use maidenlane_service::{Failure, Health, TaskGroup};
use std::sync::Arc;

/// Starts the thread that reads.
///
/// # Errors
/// When the machine gives no thread.
pub(crate) fn start(
    pool: Mempool,
    settings: Settings,
    log: Backend,
    live: Arc<dyn Live>,
    tasks: &TaskGroup,
    health: &Health,
) -> Result<(), Failure> {
    let (health, shutdown) = (health.clone(), tasks.shutdown().clone());
    let reader = reader::Reader::new(pool, settings, log, live, health, shutdown);
    tasks.spawn_thread("pool", move || {
        reader.run();
        Ok(())
    })
}

#[cfg(test)]
pub(crate) mod tests;
