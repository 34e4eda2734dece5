//! The pool that is kept: a handle for questions, and what the reader fills.

use super::notices::Notices;
use super::set::{Held, Senders, Set};
use maidenlane_chain::{Address, B256};
use maidenlane_jsonrpc::{Error, codes};
use maidenlane_log::TopicNeeds;
use maidenlane_service::clock::millis;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Age of entries that a reader begins with: the tap tells the whole pool twice in that time.
pub(super) const LOOK_BACK: Duration = Duration::from_secs(600);

/// Topic of the pool, and its bounds here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Topic name: `<prefix>.<chain>.<feed>.pool`.
    pub topic: String,
    /// Memory that its transactions may take.
    pub bytes_max: usize,
    /// Time without an entry beyond which the pool is not told.
    pub silence_max: Duration,
}

/// Requirements for the topic.
pub(super) const fn needs() -> TopicNeeds {
    TopicNeeds {
        partitions: Some(1),
        entry_bytes: maidenlane_wire::pool::ENTRY_MAX_BYTES,
        retention_min_age: LOOK_BACK,
        retention_min_bytes: 0,
    }
}

/// Handle for questions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mempool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    silence_max: Duration,
    notices: Notices,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) set: Set,
    /// True once the whole pool has been told.
    pub(super) known: bool,
    /// Time of the last entry.
    pub(super) heard: Option<Instant>,
}

impl Mempool {
    /// Nothing read yet.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let state = State { set: Set::new(settings.bytes_max), known: false, heard: None };
        let inner = Inner {
            state: Mutex::new(state),
            silence_max: settings.silence_max,
            notices: Notices::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool, if it may be told.
    ///
    /// # Errors
    /// Not known yet, or watched by nobody.
    fn told(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.state();
        let silent = state.heard.map(|heard| heard.elapsed());
        let text = match silent {
            Some(silent) if silent > self.inner.silence_max => {
                format!("nobody has told of the master's pool for {} ms", millis(silent))
            }
            Some(_) if state.known => return Ok(state),
            _ => "the master's pool is not known yet".to_owned(),
        };
        let cure =
            "ask again, here or elsewhere; where it lasts, see `pool` in the tap's settings and status";
        Err(Error::new(codes::POOL_AWAY, format!("{text}: {cure}")))
    }

    /// Freshness of the pool.
    ///
    /// # Errors
    /// Reason for which it may not be told.
    pub(crate) fn fit(&self) -> Result<(), Error> {
        self.told().map(drop)
    }

    /// Transactions in it.
    pub(crate) fn len(&self) -> usize {
        self.state().set.len()
    }

    /// A transaction by its hash.
    ///
    /// # Errors
    /// As [`Mempool::fit`].
    pub(crate) fn get(&self, hash: B256) -> Result<Option<Arc<Held>>, Error> {
        Ok(self.told()?.set.get(&hash).map(Arc::clone))
    }

    /// Transactions of a sender, by nonce.
    ///
    /// # Errors
    /// As [`Mempool::fit`].
    pub(crate) fn of(&self, sender: Address) -> Result<Vec<Arc<Held>>, Error> {
        Ok(self.told()?.set.of(sender))
    }

    /// Transactions of all senders, by nonce.
    ///
    /// # Errors
    /// As [`Mempool::fit`].
    pub(crate) fn all(&self) -> Result<Senders, Error> {
        Ok(self.told()?.set.all())
    }

    /// Subscribers to what is new.
    pub(crate) fn notices(&self) -> &Notices {
        &self.inner.notices
    }
}
