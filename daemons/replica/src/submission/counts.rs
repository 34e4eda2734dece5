//! The counts of senders, as the door asks them and the reader of the log's topics fills them.

use super::offer::{Means, Offer};
use super::senders::{Bounds, Senders};
use super::{NotTaken, STORED_ONCE_FOR};
use maidenlane_chain::B256;
use maidenlane_log::Entry;
use maidenlane_service::clock::{millis, now_ms};
use maidenlane_service::prometheus_client::metrics::gauge::Gauge;
use maidenlane_wire::{Fate, Outcome, Transaction};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Handle to the counts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Counts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    senders: Mutex<Senders>,
    /// True once all is known that is on its way.
    known: watch::Sender<bool>,
    /// Number of transactions that are.
    on_their_way: Gauge,
}

/// Part of a transaction's way that lies behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    Waiting,
    Accepted,
    Ended,
}

impl Counts {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        let (senders, known) = (Mutex::new(Senders::new(bounds)), watch::Sender::new(false));
        Self(Arc::new(Inner { senders, known, on_their_way: Gauge::default() }))
    }

    /// Takes note of a transaction that is about to be taken, unless its sender may not send it.
    pub(crate) fn admit(&self, offer: &Offer, means: &Means) -> Result<(), NotTaken> {
        if !*self.0.known.borrow() {
            let text = "what senders have on its way is still being read; send it again";
            return Err(NotTaken::Unconsumed(text.to_owned()));
        }
        self.with(|senders| senders.admit(offer, means, now_ms()))
    }

    /// Forgets a transaction that was not appended.
    pub(crate) fn withdraw(&self, hash: &B256) {
        self.with(|senders| senders.withdraw(hash));
    }

    /// Takes note of an entry of the topic of transactions. `history` tells the outcomes of a hash so far.
    ///
    /// # Errors
    /// Those of `history`.
    pub(crate) fn came<E>(
        &self,
        entry: &Entry,
        history: impl FnOnce(B256) -> Result<Vec<Outcome>, E>,
    ) -> Result<(), E> {
        // What cannot be read is on nobody's way: emitters pass over it.
        let Ok(stated) = Transaction::decode(&entry.payload) else { return Ok(()) };
        let bytes = u64::try_from(stated.raw.len()).unwrap_or(u64::MAX);
        if self.with(|senders| senders.read_again(&stated.hash, stated.taken_ms, bytes, now_ms())) {
            return Ok(());
        }
        // Before its signature: that takes ten times as long, and after a restart most have ended.
        let stands = stands(&history(stated.hash)?, stated.taken_ms);
        if stands == Stands::Ended {
            return Ok(());
        }
        if let Some(offer) = Offer::of_entry(stated, entry.key.as_deref()) {
            self.with(|senders| senders.came(&offer, stands == Stands::Waiting, now_ms()));
        }
        Ok(())
    }

    /// Takes note of an outcome. One that a block held is not counted again when that block has left: nodes count it, who
    /// have it.
    pub(crate) fn became(&self, outcome: &Outcome) {
        match outcome.fate {
            Fate::Accepted => self.with(|senders| senders.accepted(&outcome.hash)),
            Fate::Received | Fate::Sent { .. } | Fate::Dropped { .. } | Fate::ReorgedOut { .. } => {}
            Fate::Rejected { .. }
            | Fate::Expired
            | Fate::Mined { .. }
            | Fate::Replaced { .. }
            | Fate::Final { .. } => self.with(|senders| senders.end(&outcome.hash)),
        }
    }

    /// Identity of whoever sent a transaction that is on its way.
    pub(crate) fn identity(&self, hash: &B256) -> Option<Arc<str>> {
        self.with(|senders| senders.identity(hash))
    }

    /// Forgets what was taken before a time.
    pub(crate) fn expire(&self, before_ms: u64) {
        self.with(|senders| senders.expire(before_ms));
    }

    /// Takes note that all was read.
    pub(crate) fn set_known(&self) {
        self.0.known.send_replace(true);
    }

    /// Waits until all was read.
    pub(super) async fn known(&self) {
        // Never closed while this value is borrowed.
        let _ = self.0.known.subscribe().wait_for(|known| *known).await;
    }

    /// Number of transactions on their way, as a metric.
    pub(super) fn on_their_way(&self) -> Gauge {
        self.0.on_their_way.clone()
    }

    fn with<T>(&self, act: impl FnOnce(&mut Senders) -> T) -> T {
        let mut senders = self.0.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let done = act(&mut senders);
        self.0.on_their_way.set(i64::try_from(senders.len()).unwrap_or(i64::MAX));
        done
    }
}

/// Where a transaction stands that was taken at a time, by all that was told of it.
fn stands(history: &[Outcome], taken_ms: u64) -> Stands {
    let was_decided = |outcome: &Outcome| {
        matches!(outcome.fate, Fate::Mined { .. } | Fate::Replaced { .. } | Fate::Final { .. })
    };
    if history.iter().any(was_decided) {
        return Stands::Ended;
    }
    let mut newest = history.iter().rev().filter(|outcome| !matches!(outcome.fate, Fate::Sent { .. }));
    // Only what is sent again after its end is on its way again; nobody stores it within that time of another, and clocks
    // differ by less.
    let is_last = |outcome: &Outcome| taken_ms <= outcome.at_ms.saturating_add(millis(STORED_ONCE_FOR));
    match newest.next() {
        Some(last) if matches!(last.fate, Fate::Rejected { .. } | Fate::Expired) => {
            if is_last(last) {
                Stands::Ended
            } else {
                Stands::Waiting
            }
        }
        Some(last) if !matches!(last.fate, Fate::Received) => Stands::Accepted,
        _ => Stands::Waiting,
    }
}

#[cfg(test)]
mod tests {
    use super::{Stands, stands};
    use maidenlane_chain::{Address, B256, BlockRef};
    use maidenlane_wire::{Fate, Outcome};

    const END_MS: u64 = 100_000;

    fn check(fates: &[Fate], taken_ms: u64, expect: Stands) {
        let told = |fate: &Fate| {
            let (hash, sender, fate) = (B256::ZERO, Address::ZERO, fate.clone());
            Outcome { hash, sender, round: 0, fate, raw: None, at_ms: END_MS }
        };
        let history: Vec<_> = fates.iter().map(told).collect();
        assert_eq!(stands(&history, taken_ms), expect, "{fates:?}");
    }

    #[test]
    fn a_transaction_waits_until_a_node_has_it_and_is_on_its_way_until_its_end() {
        let text = str::to_owned;
        let sent = Fate::Sent { upstream: text("a"), class: text("poolFull"), reason: None };
        let rejected = Fate::Rejected { class: text("funds"), reason: text("insufficient funds") };
        let block = BlockRef::default();
        check(&[], 0, Stands::Waiting);
        check(&[Fate::Received, sent.clone()], 0, Stands::Waiting);
        check(&[Fate::Received, Fate::Accepted, sent], 0, Stands::Accepted);
        check(&[Fate::Received, rejected.clone()], END_MS + 10_000, Stands::Ended);
        check(&[Fate::Received, rejected], END_MS + 10_001, Stands::Waiting);
        check(&[Fate::Accepted, Fate::Expired], 0, Stands::Ended);
        check(&[Fate::Mined { block }, Fate::ReorgedOut { block }], u64::MAX, Stands::Ended);
    }
}
