//! Transactions that ran before on the same state: bundles around one transaction, such as the bids of several searchers for
//! what follows it, begin alike.
//!
//! # Correctness
//! What a transaction does depends on the block, which its key begins with, and on the transactions before it that stayed, which the
//! key chains in their order. Gas and blobs that are left follow from those. Only runs that ended by themselves are kept, never one
//! that was interrupted.

use super::outcome::Ran;
use maidenlane_chain::{B256, keccak256};
use revm::context::result::ResultAndState;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Memory of an account, a slot and a log beside their bytes.
const ACCOUNT_BYTES: usize = 400;
const SLOT_BYTES: usize = 160;
const LOG_BYTES: usize = 200;

/// A transaction that ran.
pub(crate) struct Tried {
    pub(crate) ran: Ran,
    pub(crate) done: ResultAndState,
}

impl Tried {
    fn bytes(&self) -> usize {
        let slots: usize = self.done.state.values().map(|account| account.storage.len()).sum();
        let logs = self.ran.logs.iter().map(|log| LOG_BYTES.saturating_add(log.data.data.len()));
        let logs = logs.fold(0, usize::saturating_add).saturating_add(self.ran.output.len());
        let state = self
            .done
            .state
            .len()
            .saturating_mul(ACCOUNT_BYTES)
            .saturating_add(slots.saturating_mul(SLOT_BYTES));
        // Logs and output stand twice.
        state.saturating_add(logs.saturating_mul(2))
    }
}

/// Transactions that ran, bounded in bytes: the oldest go first.
pub struct Cache {
    most_bytes: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    tried: HashMap<B256, Arc<Tried>>,
    oldest: VecDeque<B256>,
    bytes: usize,
}

/// Nothing of what is in it.
impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("most_bytes", &self.most_bytes).finish_non_exhaustive()
    }
}

impl Cache {
    /// Cache of at most so many bytes.
    #[must_use]
    pub fn new(most_bytes: usize) -> Self {
        Self { most_bytes, kept: Mutex::default() }
    }

    pub(crate) fn get(&self, key: &B256) -> Option<Arc<Tried>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).tried.get(key).cloned()
    }

    pub(crate) fn keep(&self, key: B256, tried: &Arc<Tried>) {
        let bytes = tried.bytes();
        let mut gone = Vec::new();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes > self.most_bytes || kept.tried.contains_key(&key) {
            return;
        }
        while kept.bytes.saturating_add(bytes) > self.most_bytes
            && let Some(oldest) = kept.oldest.pop_front()
        {
            if let Some(old) = kept.tried.remove(&oldest) {
                kept.bytes = kept.bytes.saturating_sub(old.bytes());
                gone.push(old);
            }
        }
        kept.bytes = kept.bytes.saturating_add(bytes);
        kept.oldest.push_back(key);
        kept.tried.insert(key, Arc::clone(tried));
        drop(kept);
        // Not under the lock: their states take time to drop.
        drop(gone);
    }

    /// Forgets all: the block that they ran in will not be made.
    pub fn clear(&self) {
        let kept = std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        drop(kept);
    }
}

/// Key of a transaction behind those that stayed, or that of the block for the first.
pub(crate) fn key(before: &B256, transaction: &B256) -> B256 {
    keccak256([before.0, transaction.0].concat())
}
