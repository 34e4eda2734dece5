//! Transactions that are refused at the door, told in the topic of outcomes: whoever follows rejections learns of those,
//! too, that no node ever saw.
//!
//! # Why bounded by caller
//! A refusal costs whoever causes it nothing, and everybody else room in the log. So a caller has so many, which come back
//! with time; how many were left out says the next that is told.
//!
//! # Correctness
//! Nothing waits for this: a client gets its answer, and the entry follows or is left out.

use alloy::primitives::Bytes;
use maidenlane_chain::transaction::signer;
use maidenlane_ethjson::raw;
use maidenlane_jsonrpc::Owner;
use maidenlane_log::{Append, Backend, LogProducer as _, Reopening};
use maidenlane_service::clock::now_ms;
use maidenlane_service::{Shutdown, with_causes};
use maidenlane_wire::Refusal;
use maidenlane_wire::outcome::short_reason;
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Refusals that a caller may cause at once, and how many come back per second.
const BURST: f64 = 50.0;
const PER_S: f64 = 5.0;
/// Refusals that wait to be appended; what is more is left out.
const QUEUE_MAX: usize = 256;
/// Callers that are remembered.
const CALLERS_MAX: usize = 10_000;
/// Largest transaction that is told with its bytes: the largest that a node takes.
const RAW_MAX_BYTES: usize = 131_072;
/// Interval at which the shutdown is polled.
const NAP: Duration = Duration::from_millis(100);

/// A refusal, as the door knows it.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    /// Bytes as they came.
    pub(crate) raw: Bytes,
    pub(crate) reason: String,
    pub(crate) owner: Owner,
}

/// A caller's refusals.
#[derive(Debug)]
struct Share {
    left: f64,
    at: Instant,
    omitted: u64,
}

#[derive(Debug, Default)]
struct Shares(HashMap<Owner, Share>);

impl Shares {
    /// Takes one refusal of a caller; the number left out before it, or nothing if it is left out as well.
    fn take(&mut self, owner: &Owner, now: Instant) -> Option<u64> {
        if self.0.len() >= CALLERS_MAX && !self.0.contains_key(owner) {
            self.0.retain(|_, share| share.left_at(now) < BURST);
            if self.0.len() >= CALLERS_MAX {
                return None;
            }
        }
        let share = self.0.entry(owner.clone()).or_insert(Share { left: BURST, at: now, omitted: 0 });
        (share.left, share.at) = (share.left_at(now), now);
        if share.left < 1.0 {
            share.omitted = share.omitted.saturating_add(1);
            return None;
        }
        share.left -= 1.0;
        Some(std::mem::take(&mut share.omitted))
    }

    /// Takes note that one was left out after all.
    fn omit(&mut self, owner: &Owner, count: u64) {
        if let Some(share) = self.0.get_mut(owner) {
            share.omitted = share.omitted.saturating_add(count);
        }
    }
}

impl Share {
    fn left_at(&self, now: Instant) -> f64 {
        now.saturating_duration_since(self.at).as_secs_f64().mul_add(PER_S, self.left).min(BURST)
    }
}

/// Handle that takes note of refusals. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Refusals {
    queue: SyncSender<(Refused, u64)>,
    shares: Arc<Mutex<Shares>>,
}

impl Refusals {
    /// A handle, and the appender to run on a thread of its own.
    pub(super) fn new(log: Backend, topic: String) -> (Self, Teller) {
        let (queue, refusals) = sync_channel(QUEUE_MAX);
        let shares = Arc::<Mutex<Shares>>::default();
        let producer = Reopening::new(log, topic);
        let teller = Teller { producer, refusals, shares: Arc::clone(&shares), away: false };
        (Self { queue, shares }, teller)
    }

    /// A handle that tells nobody.
    pub(super) fn none() -> Self {
        let (queue, _) = sync_channel(0);
        Self { queue, shares: Arc::default() }
    }

    /// Takes note of a refusal, or leaves it out.
    pub(super) fn note(&self, refused: Refused) {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(omitted) = shares.take(&refused.owner, Instant::now()) else { return };
        let owner = refused.owner.clone();
        if self.queue.try_send((refused, omitted)).is_err() {
            shares.omit(&owner, omitted.saturating_add(1));
        }
    }
}

/// Appender of refusals.
pub(super) struct Teller {
    producer: Reopening,
    refusals: Receiver<(Refused, u64)>,
    shares: Arc<Mutex<Shares>>,
    /// True while the log takes nothing.
    away: bool,
}

impl Teller {
    /// Appends until the shutdown.
    pub(super) fn run(mut self, shutdown: &Shutdown) {
        while !shutdown.is_triggered() {
            match self.refusals.recv_timeout(NAP) {
                Ok(first) => {
                    let batch: Vec<_> = std::iter::once(first).chain(self.refusals.try_iter()).collect();
                    self.tell(&batch);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(NAP),
            }
        }
    }

    /// Appends refusals; those that the log does not take are left out.
    fn tell(&mut self, batch: &[(Refused, u64)]) {
        let told: Vec<_> = batch.iter().filter_map(|(refused, omitted)| told(refused, *omitted)).collect();
        let payloads: Vec<_> = told.iter().map(Refusal::encode).collect();
        let entries = told.iter().zip(&payloads);
        let entries: Vec<_> = entries
            .map(|(refusal, payload)| Append { key: Some(refusal.sender.as_slice()), payload })
            .collect();
        if entries.is_empty() {
            return;
        }
        match self.producer.append(&entries) {
            Ok(_) => self.away = false,
            Err(error) => {
                if !std::mem::replace(&mut self.away, true) {
                    let topic = self.producer.topic();
                    tracing::warn!(topic, "refusals of transactions are not told: {}", with_causes(&error));
                }
                let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
                for (refused, omitted) in batch {
                    shares.omit(&refused.owner, omitted.saturating_add(1));
                }
            }
        }
    }
}

/// The entry of a refusal. Bytes that are no transaction, or are signed by nobody, are nobody's.
fn told(refused: &Refused, omitted: u64) -> Option<Refusal> {
    let sent = raw::decode(refused.raw.clone()).ok()?;
    let sender = signer(&sent.tx)?;
    let reason = short_reason(refused.reason.clone());
    let identity = refused.owner.known_as().map(str::to_owned);
    // The log takes no entry beyond its bounds, and nobody wants to read that one.
    let raw = Some(sent.without_blobs()).filter(|raw| raw.len() <= RAW_MAX_BYTES).unwrap_or_default();
    let hash = *sent.tx.tx_hash();
    Some(Refusal { hash, sender, reason, raw, identity, omitted, at_ms: now_ms() })
}

#[cfg(test)]
mod tests {
    use super::Shares;
    use maidenlane_jsonrpc::Owner;
    use std::time::{Duration, Instant};

    #[test]
    fn each_caller_has_so_many_and_the_next_says_how_many_were_left_out() {
        let (mut shares, now, owner) = (Shares::default(), Instant::now(), Owner::default());
        let told: Vec<_> = (0..60).map(|_| shares.take(&owner, now)).collect();
        assert_eq!(told.iter().flatten().count(), 50);
        assert_eq!(shares.take(&owner, now + Duration::from_secs(1)), Some(10));
        shares.omit(&owner, 1);
        assert_eq!(shares.take(&owner, now + Duration::from_secs(2)), Some(1));
        assert_eq!(shares.take(&owner, now + Duration::from_secs(3)), Some(0));
    }
}
