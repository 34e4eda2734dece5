//! Waiting for the first verdict on a transaction that was sent.

use maidenlane_chain::B256;
use maidenlane_wire::{Fate, Outcome};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Verdict on a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A node has it, or a block.
    Accepted,
    /// No node takes it, for the reason of one, or a block has used its nonce.
    Refused(String),
}

impl Verdict {
    fn of(outcome: &Outcome) -> Option<Self> {
        match &outcome.fate {
            Fate::Accepted | Fate::Mined { .. } | Fate::Final { .. } => Some(Self::Accepted),
            Fate::Rejected { reason, .. } => Some(Self::Refused(reason.clone())),
            // What geth's pool says of one that comes too late.
            Fate::Replaced { by, .. } => Some(Self::Refused(format!("nonce too low: {by} has it"))),
            _ => None,
        }
    }
}

/// Verdict that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The first.
    Any,
    /// Refusal, also after a node had it: whoever waits for a block waits for nothing else.
    Refusal,
}

type Waiting = HashMap<B256, Vec<(Wanted, oneshot::Sender<Verdict>)>>;

/// All who wait. Bounded by the requests that the server has in flight.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdicts {
    waiting: Arc<Mutex<Waiting>>,
}

impl Verdicts {
    /// Begins to wait: before the transaction is handed on, so that no verdict is missed.
    pub(crate) fn expect(&self, hash: B256, wanted: Wanted) -> Expected {
        let (sender, verdict) = oneshot::channel();
        self.lock().entry(hash).or_default().push((wanted, sender));
        Expected { hash, verdict, of: self.clone() }
    }

    /// Tells those who wait for it.
    pub(super) fn tell(&self, outcome: &Outcome) {
        let Some(verdict) = Verdict::of(outcome) else { return };
        let mut waiting = self.lock();
        let Some(all) = waiting.remove(&outcome.hash) else { return };
        let is_refusal = matches!(verdict, Verdict::Refused(_));
        let (told, left): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(wanted, _)| is_refusal || *wanted == Wanted::Any);
        if !left.is_empty() {
            waiting.insert(outcome.hash, left);
        }
        for (_, each) in told {
            // Gone only when the client left.
            let _ = each.send(verdict.clone());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A verdict that somebody waits for.
#[derive(Debug)]
pub(crate) struct Expected {
    hash: B256,
    verdict: oneshot::Receiver<Verdict>,
    of: Verdicts,
}

impl Expected {
    /// The verdict, if it comes in time.
    pub(crate) async fn within(mut self, wait: Duration) -> Option<Verdict> {
        tokio::time::timeout(wait, &mut self.verdict).await.ok()?.ok()
    }

    /// The verdict, whenever it comes.
    pub(crate) async fn come(&mut self) -> Verdict {
        match (&mut self.verdict).await {
            Ok(verdict) => verdict,
            // Nobody tells any more: the replica is stopping.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.verdict.close();
        let mut waiting = self.of.lock();
        if let Some(all) = waiting.get_mut(&self.hash) {
            all.retain(|(_, each)| !each.is_closed());
            if all.is_empty() {
                waiting.remove(&self.hash);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, Verdicts, Wanted};
    use maidenlane_chain::{Address, B256, BlockRef};
    use maidenlane_wire::{Fate, Outcome};
    use std::time::Duration;

    const SOON: Duration = Duration::from_secs(30);

    fn outcome(of: u8, fate: Fate) -> Outcome {
        let hash = B256::repeat_byte(of);
        Outcome { hash, sender: Address::ZERO, round: 0, fate, raw: None, at_ms: 0 }
    }

    #[tokio::test]
    async fn the_first_verdict_is_told_to_all_who_wait_for_it() {
        let verdicts = Verdicts::default();
        let expected = [1, 1, 2].map(|of| verdicts.expect(B256::repeat_byte(of), Wanted::Any));
        let rejected = Fate::Rejected { class: "funds".to_owned(), reason: "insufficient funds".to_owned() };
        for told in [outcome(1, Fate::Received), outcome(1, rejected), outcome(1, Fate::Accepted)] {
            verdicts.tell(&told);
        }
        verdicts.tell(&outcome(2, Fate::Mined { block: BlockRef::default() }));
        let [one, other, two] = expected;
        let refusal = Some(Verdict::Refused("insufficient funds".to_owned()));
        assert_eq!((one.within(SOON).await, other.within(SOON).await), (refusal.clone(), refusal));
        assert_eq!(two.within(SOON).await, Some(Verdict::Accepted));
        assert!(verdicts.lock().is_empty());
    }

    #[tokio::test]
    async fn who_waits_for_a_block_is_told_of_refusals_alone() {
        let verdicts = Verdicts::default();
        let [mut first, mut second] =
            [4, 5].map(|of| verdicts.expect(B256::repeat_byte(of), Wanted::Refusal));
        let any = verdicts.expect(B256::repeat_byte(4), Wanted::Any);
        verdicts.tell(&outcome(4, Fate::Accepted));
        assert_eq!(any.within(SOON).await, Some(Verdict::Accepted));
        let rejected = Fate::Rejected { class: "funds".to_owned(), reason: "insufficient funds".to_owned() };
        verdicts.tell(&outcome(4, rejected));
        assert_eq!(first.come().await, Verdict::Refused("insufficient funds".to_owned()));
        let by = B256::repeat_byte(9);
        verdicts.tell(&outcome(5, Fate::Replaced { by, block: BlockRef::default() }));
        assert_eq!(second.come().await, Verdict::Refused(format!("nonce too low: {by} has it")));
    }

    #[tokio::test]
    async fn who_gives_up_leaves_nothing_behind_and_takes_nobody_along() {
        let verdicts = Verdicts::default();
        let [gone, left] = [3, 3].map(|of| verdicts.expect(B256::repeat_byte(of), Wanted::Any));
        assert_eq!(gone.within(Duration::ZERO).await, None);
        verdicts.tell(&outcome(3, Fate::Accepted));
        assert_eq!(left.within(SOON).await, Some(Verdict::Accepted));
        drop(verdicts.expect(B256::ZERO, Wanted::Refusal));
        assert!(verdicts.lock().is_empty());
    }
}
