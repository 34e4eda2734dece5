//! Receivers of entries that were read: orders go into the book and on to builders, fates into what was told.

use crate::book::{Applied, Known};
use crate::company::Company;
use crate::courier::Courier;
use crate::failpoints;
use crate::fates::Fates;
use crate::feeds::{Cursor, Feeds, Named};
use crate::orders::Orders;
use crate::reader::Sink;
use crate::seal::Opened;
use crate::simulator::Simulator;
use maidenlane_chain::{Address, Bytes};
use maidenlane_log::Offset;
use maidenlane_service::failpoint;
use maidenlane_wire::{BundleFate, DecodeError, Delivery, Order, RelayBeat, SealedKind};
use std::time::Instant;

/// Receiver of orders.
#[derive(Clone)]
pub struct TakeOrders {
    /// All orders.
    pub orders: Orders,
    /// Courier, who brings them to builders.
    pub courier: Courier,
    /// Feeds of their senders.
    pub feeds: Feeds,
    /// Relays that read them.
    pub company: Company,
    /// Name of this relay.
    pub relay: [u8; 16],
    /// Simulator, who may have some wait for that.
    pub simulator: Simulator,
}

/// Receiver of fates.
#[derive(Clone)]
pub struct TakeFates {
    /// All fates.
    pub fates: Fates,
    /// All orders.
    pub orders: Orders,
    /// Feeds of their senders.
    pub feeds: Feeds,
    /// Courier, who need not bring what another brought.
    pub courier: Courier,
    /// Relays that tell them.
    pub company: Company,
}

impl Sink for TakeOrders {
    const KIND: SealedKind = SealedKind::Order;

    fn take(
        &self,
        (partition, offset): (u32, Offset),
        opened: Opened,
        is_new: bool,
    ) -> Result<(), DecodeError> {
        if is_new {
            failpoint(failpoints::BEFORE_TAKE);
        }
        let order = Order::decode(&opened.whole)?;
        let content = order.content();
        let ours = self.told_later(&order).filter(|_| is_new);
        let is_anothers_cancel = matches!(&order, Order::Cancel(cancel) if cancel.taken.relay != self.relay);
        let at = (partition, offset.0);
        let (applied, is_answered) = self.orders.read(at, opened.nonce, order);
        match applied {
            Applied::Counts if self.simulator.take(content) => {}
            Applied::Counts => self.courier.offer(content),
            Applied::Cancels { ended: Some(content) } => self.courier.cancel(content),
            Applied::NotKept(_) | Applied::Stale | Applied::Cancelled if !is_answered => {
                if let Some((signer, txs)) = ours {
                    self.feeds.reject(signer, &txs, applied.reason());
                }
            }
            _ => {}
        }
        // After that: who is told that it was acted on must not see it sent.
        let cancelled = if let Applied::Cancels { ended } = applied { ended } else { None };
        self.company.acted(at, cancelled);
        if is_anothers_cancel && is_new {
            self.company.hurry();
        }
        Ok(())
    }

    fn reached(&self, partition: u32, as_of: Instant) {
        self.company.reached(partition, as_of);
    }
}

impl TakeOrders {
    /// Signer and transactions of a bundle that this relay took: its client may have been told that its turn comes later.
    fn told_later(&self, order: &Order) -> Option<(Address, Vec<Bytes>)> {
        match order {
            Order::Bundle(bundle) if bundle.taken.relay == self.relay => {
                Some((bundle.signer, bundle.txs.clone()))
            }
            _ => None,
        }
    }
}

impl Sink for TakeFates {
    const KIND: SealedKind = SealedKind::Fate;

    fn take(
        &self,
        (partition, offset): (u32, Offset),
        opened: Opened,
        is_new: bool,
    ) -> Result<(), DecodeError> {
        if RelayBeat::is_one(&opened.whole) {
            self.company.hear(&RelayBeat::decode(&opened.whole)?, is_new);
            return Ok(());
        }
        let fate = BundleFate::decode(&opened.whole)?;
        if !self.fates.read(&fate) {
            return Ok(());
        }
        let named = |known: &Known| Named { hash: *known.hash.reveal(), is_private: known.is_private };
        let order = self.orders.book().get(fate.content).map(named);
        self.feeds.tell(Cursor { partition, offset: offset.0 }, &fate, order);
        match &fate.fate {
            Delivery::Sent { builder } => self.courier.heard(fate.content, builder, true),
            Delivery::Refused { builder, reason } => {
                self.courier.heard(fate.content, builder, false);
                let txs = self.orders.book().deliverable(fate.content).map(|order| order.bundle.txs.clone());
                self.feeds.reject(fate.signer, &txs.unwrap_or_default(), &format!("{builder}: {reason}"));
            }
            Delivery::Landed { .. } | Delivery::Expired => self.courier.withdraw(fate.content),
            // Those of its blocks that are yet to come may hold it.
            Delivery::Uncled { .. } => self.courier.offer(fate.content),
            _ => {}
        }
        Ok(())
    }
}
