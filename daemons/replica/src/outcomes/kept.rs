//! The outcomes that are kept: a handle for questions, and what the reader fills.

use super::notices::Notices;
use super::told;
use super::verdicts::Verdicts;
use maidenlane_chain::B256;
use maidenlane_log::TopicNeeds;
use maidenlane_service::clock::{self, now_ms};
use maidenlane_store::fates::Fates;
use maidenlane_wire::{Fate, Outcome};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Entries on one transaction that are looked at: many times those of one that several nodes judged in several rounds.
pub(super) const HISTORY_MAX: usize = 1_000;
/// Value of [`Inner::since_ms`] until all partitions were read once.
const NOT_YET: u64 = u64::MAX;

/// Topic of the outcomes, and for how long they are kept here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Topic name: `<prefix>.<chain>.outcomes`.
    pub topic: String,
    /// Age at which an outcome is dropped.
    pub keep: Duration,
}

/// Requirements for the topic: what a replica keeps must be there to be read.
#[must_use]
pub(super) const fn needs(settings: &Settings) -> TopicNeeds {
    TopicNeeds {
        partitions: None,
        entry_bytes: maidenlane_wire::transaction::ENTRY_MAX_BYTES,
        retention_min_age: settings.keep,
        retention_min_bytes: TopicNeeds::NEVER_BY_SIZE,
    }
}

/// Handle for questions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outcomes {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) fates: Fates,
    pub(super) keep: Duration,
    /// Unix time in milliseconds from which on the topic was read, or [`NOT_YET`].
    pub(super) since_ms: AtomicU64,
    pub(super) notices: Notices,
    pub(super) verdicts: Verdicts,
}

/// History of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct History {
    /// Changes of its fate, oldest first.
    pub(crate) outcomes: Vec<Outcome>,
    /// Unix time in milliseconds from which on all changes are known.
    pub(crate) since_ms: u64,
}

impl History {
    /// The newest outcome: a node's own verdict is no fate of the transaction.
    pub(crate) fn newest(&self) -> Option<&Outcome> {
        self.outcomes.iter().rev().find(|outcome| !matches!(outcome.fate, Fate::Sent { .. }))
    }
}

/// A question that cannot be answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unknown {
    #[error("the outcomes of transactions are still being read; try again")]
    NotYet,
    #[error(transparent)]
    Store(#[from] maidenlane_store::Error),
}

impl Outcomes {
    /// Nothing read yet.
    pub(super) fn new(fates: Fates, keep: Duration) -> Self {
        let (since_ms, notices, verdicts) =
            (AtomicU64::new(NOT_YET), Notices::default(), Verdicts::default());
        Self { inner: Arc::new(Inner { fates, keep, since_ms, notices, verdicts }) }
    }

    /// All that is known of a transaction.
    pub(crate) fn history(&self, hash: B256) -> Result<History, Unknown> {
        let since_ms = self.inner.since_ms.load(Ordering::Acquire);
        if since_ms == NOT_YET {
            return Err(Unknown::NotYet);
        }
        let kept_ms = now_ms().saturating_sub(clock::millis(self.inner.keep));
        let outcomes = told::decoded(&self.inner.fates.history(hash, HISTORY_MAX)?);
        Ok(History { outcomes, since_ms: since_ms.max(kept_ms) })
    }

    /// Reason for which a transaction was rejected since a time, if nothing else was told of it later.
    pub(crate) fn rejected_since(&self, hash: B256, since_ms: u64) -> Option<String> {
        let history = self.history(hash).ok()?;
        match &history.newest().filter(|last| last.at_ms >= since_ms)?.fate {
            Fate::Rejected { reason, .. } => Some(reason.clone()),
            _ => None,
        }
    }

    /// Senders that wait for a verdict.
    pub(crate) fn verdicts(&self) -> &Verdicts {
        &self.inner.verdicts
    }

    /// Subscribers to what is new.
    pub(crate) fn notices(&self) -> &Notices {
        &self.inner.notices
    }
}
