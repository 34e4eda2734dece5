//! The public mempool as a failsafe: a private transaction whose sender allows it, and which no block held for some blocks, goes to the
//! nodes as all others do, through the topic of transactions and an emitter.
//!
//! # Correctness
//! - What is cancelled, landed, or has lost its nonce to another never goes, nor does a transaction of a bundle. As for builders, a
//!   cancel that is read while one is on its way counts once that is over ([`Company::begin`]).
//! - One that goes twice does no harm: emitters know it by its hash. So it may go again after a crash, and two relays may have it go.
//! - That it went is told as the word of a builder called [`NAME`], once it is durable: nobody reads of it before.
//!
//! # Why a thread
//! An append waits for the log, and a head waits for nobody: builders get what is for the next block from it.

use crate::company::Company;
use crate::fates::Fates;
use crate::metrics::Gauges;
use crate::orders::Orders;
use crate::queue::Done;
use alloy::consensus::Transaction as _;
use maidenlane_chain::transaction::signer;
use maidenlane_chain::{Address, keccak256};
use maidenlane_ethjson::raw;
use maidenlane_log::{Append, Backend, LogProducer as _, Reopening};
use maidenlane_service::{clock, with_causes};
use maidenlane_state::{At, ReadError, StateView};
use maidenlane_wire::{Bundle, BundleKind, ContentId, Delivery, Transaction};
use std::collections::HashSet;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

/// Name among those of builders: with a space, as no builder's name has one.
pub const NAME: &str = "public mempool";
/// Transactions that wait for their append; what does not fit is offered again at the next head.
const QUEUE_MAX: usize = 1_024;
/// Orders that are known to be there before their fates were read back.
const SENT_MAX: usize = 10_000;

/// True once so many blocks could have held a private transaction that may become public. The relay that took it comes a head before
/// the others, which send what is still private then.
#[must_use]
pub fn is_due(bundle: &Bundle, head: u64, after_blocks: u64, is_ours: bool) -> bool {
    let came = head.saturating_add(1).saturating_sub(bundle.blocks.0);
    bundle.mempool
        && bundle.kind == BundleKind::Private
        && came >= after_blocks.saturating_add(u64::from(!is_ours))
}

/// Transaction that is to become public.
struct Due {
    content: ContentId,
    signer: Address,
    transaction: Transaction,
}

/// Failsafe of a relay. Cheap to clone.
#[derive(Clone)]
pub struct Failsafe {
    after_blocks: u64,
    queue: SyncSender<Due>,
}

/// Publisher of what is due.
pub struct Publisher {
    producer: Reopening,
    due: Receiver<Due>,
    orders: Orders,
    fates: Fates,
    company: Company,
    gauges: Gauges,
    sent: HashSet<ContentId>,
}

impl Failsafe {
    /// A failsafe after so many blocks, and the publisher to run on a thread of its own.
    #[must_use]
    pub fn new(
        after_blocks: u64,
        (log, topic): (Backend, String),
        (orders, fates, company): (Orders, Fates, Company),
        gauges: Gauges,
    ) -> (Self, Publisher) {
        let (queue, due) = sync_channel(QUEUE_MAX);
        let (producer, sent) = (Reopening::new(log, topic), HashSet::new());
        (Self { after_blocks, queue }, Publisher { producer, due, orders, fates, company, gauges, sent })
    }

    /// Says whether an order that is still open is due at a head.
    #[must_use]
    pub fn is_due(&self, bundle: &Bundle, head: u64, is_ours: bool) -> bool {
        is_due(bundle, head, self.after_blocks, is_ours)
    }

    /// Has an order that is due become public, unless its sender's nonce at the head is beyond its own.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn offer(&self, content: ContentId, bundle: &Bundle, view: &dyn StateView) -> Result<(), ReadError> {
        let (Some(raw), head) = (bundle.txs.first(), view.head()) else { return Ok(()) };
        let sent = raw::decode(raw.clone());
        // Read when it was taken: it is one.
        let sent = sent.and_then(|sent| sent.with_current_proofs(&head.rules, &head.header));
        let Ok(sent) = sent else { return Ok(()) };
        let Some(sender) = signer(&sent.tx) else { return Ok(()) };
        let account = view.account(keccak256(sender), At::Latest)?;
        if account.is_some_and(|account| account.nonce > sent.tx.nonce()) {
            return Ok(());
        }
        let (hash, raw, taken_ms) = (*sent.tx.tx_hash(), sent.raw, clock::now_ms());
        let transaction = Transaction { hash, sender, raw, taken_ms, tag: None, identity: None };
        // Without room it is offered again at the next head.
        let _ = self.queue.try_send(Due { content, signer: bundle.signer, transaction });
        Ok(())
    }
}

impl Publisher {
    /// Publishes until the last [`Failsafe`] is gone.
    pub fn run(mut self) {
        while let Ok(due) = self.due.recv() {
            // A relay that stood still has not read what was cancelled meanwhile.
            if self.company.may_send().is_err() || self.sent.contains(&due.content) {
                continue;
            }
            self.company.begin(due.content);
            let went = self.counts(due.content).then(|| self.publish(&due));
            self.company.end(due.content);
            match went {
                Some(Ok(())) => self.tell(&due),
                // Nothing of the order is in it.
                Some(Err(error)) => {
                    tracing::warn!("a transaction did not become public: {}", with_causes(&error));
                }
                None => {}
            }
        }
    }

    fn counts(&self, content: ContentId) -> bool {
        let is_over = self
            .fates
            .told()
            .of(content)
            .is_some_and(|history| history.end.is_some() || history.words.contains_key(NAME));
        !is_over && self.orders.book().deliverable(content).is_some()
    }

    fn publish(&mut self, due: &Due) -> Result<(), maidenlane_log::Error> {
        let (payload, begun) = (due.transaction.encode(), Instant::now());
        let entry = Append { key: Some(due.transaction.sender.as_slice()), payload: &payload };
        let appended = self.producer.append(&[entry]).map(drop);
        let done = if appended.is_ok() { Done::Taken } else { Done::Failed };
        self.gauges.delivered(NAME, done, begun.elapsed());
        appended
    }

    fn tell(&mut self, due: &Due) {
        if self.sent.len() >= SENT_MAX {
            self.sent.clear();
        }
        self.sent.insert(due.content);
        let fate = Delivery::Sent { builder: NAME.to_owned() };
        if let Err(error) = self.fates.tell(due.content, due.signer, fate) {
            tracing::warn!("a delivery is not in the log: {}", with_causes(&error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_due;
    use crate::private;
    use maidenlane_wire::{Bundle, BundleKind};

    /// A private transaction for block 20 and later ones.
    fn bundle(mempool: bool) -> Bundle {
        let with = private::tests::circumstances();
        let preferences = serde_json::json!({ "useMempool": mempool }).to_string();
        let tx = format!("\"{}\"", private::tests::transaction());
        private::read_raw(&tx, Some(&preferences), &with).unwrap().bundle
    }

    #[test]
    fn it_is_due_once_so_many_blocks_could_have_held_it() {
        let bundle = bundle(true);
        for (head, is_ours, expect) in [
            (19, true, false),
            (22, true, false),
            (23, true, true),
            (23, false, false),
            (24, false, true),
            (44, true, true),
        ] {
            assert_eq!(is_due(&bundle, head, 4, is_ours), expect, "{head} {is_ours}");
        }
    }

    #[test]
    fn nothing_else_ever_is() {
        assert!(!is_due(&bundle(false), 44, 4, true), "its sender did not allow it");
        for kind in [BundleKind::Bundle, BundleKind::EndOfBlock] {
            assert!(!is_due(&Bundle { kind, ..bundle(true) }, 44, 4, true), "of a bundle");
        }
    }
}
