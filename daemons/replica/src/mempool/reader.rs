//! Thread that reads the topic of the pool.

use super::kept::{LOOK_BACK, Mempool, Settings, needs};
use super::notices::Reason;
use super::set::Held;
use alloy::eips::eip2718::Decodable2718 as _;
use maidenlane_chain::{B256, Transaction, keccak256};
use maidenlane_feed::{PoolReader, Scanner};
use maidenlane_log::{Backend, Entry, Error as LogError, Offset};
use maidenlane_replay::Live;
use maidenlane_service::clock::{millis, now_ms};
use maidenlane_service::{Health, Shutdown, with_causes};
use maidenlane_state::At;
use maidenlane_wire::{PoolChange, PoolStep, Pooled};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of payload that are read at a time.
const READ_BYTES: usize = 1 << 20;
/// Longest wait for entries.
const WAIT: Duration = Duration::from_millis(100);
/// Interval of attempts to reach a log that is away.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// Failure of a reading.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the topic of the pool is unfit: {}", .0.join("; "))]
    Unfit(Vec<String>),
}

pub(super) struct Reader {
    pool: Mempool,
    settings: Settings,
    log: Backend,
    live: Arc<dyn Live>,
    health: Health,
    shutdown: Shutdown,
    changes: PoolReader,
    /// Hashes that were told since the last `Begin`, up to its `Complete`.
    told: Option<BTreeSet<B256>>,
    /// True once all that was there has been read: what comes then is news.
    caught_up: bool,
    failure: Option<String>,
}

impl Reader {
    pub(super) fn new(
        pool: Mempool,
        settings: Settings,
        log: Backend,
        live: Arc<dyn Live>,
        health: Health,
        shutdown: Shutdown,
    ) -> Self {
        let changes = PoolReader::default();
        let (told, caught_up, failure) = (None, false, None);
        Self { pool, settings, log, live, health, shutdown, changes, told, caught_up, failure }
    }

    /// Reads until the shutdown. A log that is away, or a topic that is unfit, is waited for: chain and state are served
    /// all the same.
    pub(super) fn run(mut self) {
        while !self.shutdown.is_triggered() {
            if let Err(error) = self.follow() {
                let reason = with_causes(&error);
                if self.failure.as_ref() != Some(&reason) {
                    tracing::warn!("the master's pool cannot be read: {reason}");
                }
                self.failure = Some(reason);
                self.watch();
                std::thread::sleep(TRY_AGAIN);
            }
        }
    }

    fn follow(&mut self) -> Result<(), Error> {
        let problems = self.log.check(&self.settings.topic, &needs())?;
        if !problems.is_empty() {
            return Err(Error::Unfit(problems));
        }
        let (mut scanner, mut next) = self.begin()?;
        while !self.shutdown.is_triggered() {
            self.round(&mut scanner, &mut next)?;
            self.failure = None;
            self.watch();
        }
        Ok(())
    }

    /// Reads what is there; false if there was nothing.
    pub(super) fn round(&mut self, scanner: &mut Scanner, next: &mut Offset) -> Result<bool, LogError> {
        let wait = if self.caught_up { WAIT } else { Duration::ZERO };
        let entries = scanner.read(*next, READ_BYTES, wait)?;
        self.caught_up |= entries.is_empty();
        for entry in &entries {
            self.take(entry);
            *next = Offset(entry.offset.0.saturating_add(1));
        }
        Ok(!entries.is_empty())
    }

    /// The topic from a while before the present on: the whole pool is told there.
    pub(super) fn begin(&self) -> Result<(Scanner, Offset), LogError> {
        let mut scanner = Scanner::new(self.log.consumer(&self.settings.topic, 0)?);
        let since_ms = now_ms().saturating_sub(millis(LOOK_BACK));
        let at_ms = |entry: &Entry| PoolChange::decode(&entry.payload).ok().map(|change| change.at_ms);
        let from = scanner.first_since(since_ms, at_ms)?;
        Ok((scanner, from))
    }

    /// Takes one entry. One that is no change, or of a later build, is passed over.
    fn take(&mut self, entry: &Entry) {
        let change = match PoolChange::decode(&entry.payload) {
            Ok(change) => change,
            Err(error) => {
                let (topic, offset) = (&self.settings.topic, entry.offset.0);
                tracing::warn!(%error, topic, offset, "an entry is passed over");
                return;
            }
        };
        let at_ms = change.at_ms;
        let step = self.changes.read(change);
        {
            let mut state = self.pool.state();
            state.heard = Some(Instant::now());
            if !self.changes.knows() {
                state.known = false;
            }
        }
        if let Some(step) = step {
            self.apply(step, at_ms);
        }
    }

    fn apply(&mut self, step: PoolStep, at_ms: u64) {
        let is_news = self.caught_up && self.pool.state().known;
        let notices = self.pool.notices();
        match step {
            PoolStep::Begin => self.told = Some(BTreeSet::new()),
            PoolStep::Added { pooled, queued } => {
                if let Some(told) = &mut self.told {
                    told.insert(pooled.hash);
                }
                let Some(held) = held(&pooled) else { return };
                let is_new = self.pool.state().set.add(held);
                if is_new && is_news && !queued {
                    self.announce(pooled.hash);
                }
            }
            PoolStep::Promoted { hash } if is_news => self.announce(hash),
            PoolStep::Promoted { .. } | PoolStep::Alive => {}
            PoolStep::Mined { hash, .. } => self.pool.state().set.mine(hash, Instant::now()),
            PoolStep::Replaced { hash, by } => {
                let gone = self.pool.state().set.remove(&hash);
                if gone.is_some() && is_news {
                    notices.dropped(hash, Reason::replaced(by), at_ms);
                }
            }
            PoolStep::Dropped { hash, reason } => {
                let gone = self.pool.state().set.remove(&hash);
                if gone.is_some() && is_news {
                    let code = reason.as_deref().unwrap_or(Reason::UNKNOWN.code);
                    notices.dropped(hash, Reason { code, by: None }, at_ms);
                }
            }
            PoolStep::Complete => self.complete(at_ms),
        }
    }

    fn announce(&self, hash: B256) {
        let held = self.pool.state().set.get(&hash).map(Arc::clone);
        if let Some(held) = held {
            self.pool.notices().pending(&held);
        }
    }

    /// All was told: what was not has left while nobody looked.
    fn complete(&mut self, at_ms: u64) {
        let Some(told) = self.told.take() else { return };
        let (gone, was_known) = {
            let mut state = self.pool.state();
            (state.set.retain(&told), std::mem::replace(&mut state.known, true))
        };
        if !was_known || !self.caught_up {
            return;
        }
        for held in gone {
            if let Some(reason) = self.judge(&held) {
                self.pool.notices().dropped(held.hash(), reason, at_ms);
            }
        }
    }

    /// Reason for which a transaction has left, as far as the newest view says; `None` if a block holds it.
    fn judge(&self, held: &Held) -> Option<Reason<'static>> {
        let view = self.live.view();
        if view.transaction(held.hash()).ok().flatten().is_some() {
            return None;
        }
        let account = view.account(keccak256(held.from), At::Latest).ok().flatten();
        let passed = account.is_some_and(|account| account.nonce > held.nonce());
        Some(if passed { Reason::LOW_NONCE } else { Reason::UNKNOWN })
    }

    /// Drops what is old, ends subscriptions to a pool that nobody tells of, and says how it stands.
    pub(super) fn watch(&self) {
        self.pool.state().set.purge(Instant::now());
        let fit = self.pool.fit();
        if let Err(reason) = &fit {
            self.pool.notices().close(reason);
        }
        let state = self.pool.state();
        let silent_ms = state.heard.map(|heard| millis(heard.elapsed()));
        self.health.set_section(
            "pool",
            json!({
                "told": fit.is_ok(),
                "reason": self.failure.clone().or_else(|| fit.err().map(|error| error.to_string())),
                "transactions": state.set.len(),
                "bytes": state.set.bytes(),
                "evicted": state.set.evicted(),
                "epoch": self.changes.epoch(),
                "silentMs": silent_ms,
            }),
        );
    }
}

/// Transaction of an entry, if it is of a type that this build knows.
fn held(pooled: &Pooled) -> Option<Held> {
    let tx = Transaction::decode_2718_exact(&pooled.raw).ok()?;
    (*tx.tx_hash() == pooled.hash).then(|| Held::new(tx, pooled.sender, pooled.raw.len()))
}
